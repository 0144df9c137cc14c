// Package api is the REST side of a hub: the device routes that an edge serves too (package deviceapi), over the registry
// of all nodes, and the hub's own routes: nodes, API tokens, moving a device, and the audit of who did what.
//
// Nobody is let in by default. A request names itself by an API token (Authorization: Bearer) or by a session that an
// outer room knows ([Config].Session), has a role, and each route has the role that it takes: a viewer reads, an operator
// wishes, an admin defines devices and rules over nodes and tokens. A route that is not in the table is nobody's.
//
// What is changed is noted before it is done, with who asked, and the note goes to disk with the change itself, in the
// same commit where both lie in one store. A change whose note the disk does not take is answered 503.
//
// The package has no goroutine of its own and keeps nothing but tokens and the audit; the registry holds the rest.
package api
