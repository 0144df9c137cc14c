// Package readme keeps the README and the pages beside it from rotting: commands, flags, keys of the configuration,
// manifests, annotations, packages, make targets and links that they name have to exist as they are named. It has tests
// only.
//
// Each check is a function from the text of a page to what is wrong in it, so that it can be run on a page with planted
// mistakes too.
package readme
