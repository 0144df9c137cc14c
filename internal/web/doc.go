// Package web is the page on which people see their devices and switch them.
//
// It is plain files that are embedded and served as they are: nothing is built, fetched from elsewhere or rendered here.
// The page speaks to the routes of package deviceapi and of package login like any other program, so that an edge and a
// hub serve the same one, and nothing that it can do needs more than these routes.
//
// Names and values come from manifests, mappers and whoever publishes to MQTT, so the page writes text as text only, and
// the headers hold the browser to that: no script but these files runs, and no other address is asked for anything.
package web
