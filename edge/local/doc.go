// Package local is how people and programs on the same machine control a running edge: it serves the operations of
// package deviceapi on a unix socket in the data folder, and with a page for the browser on a loopback address.
//
// Who may open the socket may switch the lamp; there is no other check, so the socket is its owner's alone. A port has
// no owner, so the page asks for a code that is printed at the start. Wishes that come through either have the origin
// local: they are the house's, work at once in memory and do not wait for the disk
// (rule 1).
package local
