// Package deviceapi is the REST side of device twins: the JSON that a device, a wish and a model have, the operations on
// them, and the client of those operations.
//
// Reading a device gives what is expected of it and what it last showed. Changing it is a wish: a PATCH of expected that
// is accepted or refused whole, has an id, and ends in one outcome that can be waited for or asked for later (rule 2).
// An edge on its own socket and a hub on the network serve the same operations, so that a program that speaks to one
// speaks to the other. Each hands in its [Service], which speaks in words of package twin; [New] makes an http.Handler
// of it. [Client] is the other end, for the command line.
//
// Everything that comes in is bounded ([NewServer], the Max constants), and everything that goes wrong is answered as
// problem+json (RFC 9457) that names the field, its value and what was expected.
package deviceapi
