// Package wire is the link between an edge node and its hub: the messages, their encoding and limits, the numbering and
// flow control of each direction, and the pump that carries them over a WebSocket. docs/protocol.md describes it for
// other implementations.
//
// The link carries state, not a log. Each end keeps what it has to tell in its own holder, latest value first to go, and
// makes a message of it only when there is room for one: so nothing queues here, and what changed five times before it
// could be sent is sent once. Messages are numbered; after one that is missing the session is over, and the next one
// begins where the holders say they stand.
//
// Who speaks decides in step machines without sockets or clocks ([End]): edgehub.Session at the node, cloudhub.Session
// at the hub. The exact simulation runs the same two.
package wire
