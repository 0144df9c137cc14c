// Package session carries the connections of a HomeKit accessory server: from accepted sockets to requests, and back to
// replies and event messages. What is said on them, the layer above knows: it gives a [Peer] per connection.
//
// # A connection
//
// One goroutine reads: bytes, which are frames once the connection is secure, join to one stream, from which requests are
// parsed one at a time. A request gets its whole [Reply] in one write before the next one is parsed. An event message is
// written by another goroutine, which exists only while there is one to write; both hold the turn of the connection,
// the reader from before [Peer.Serve] until its reply is written. So messages never lie inside each other, and what an
// event says was true after the reply before it and before the reply behind it.
//
// A connection begins in clear. A [Reply] with keys ends that: it is written with what was in force, and everything behind
// it is encrypted, also bytes that had already been received behind the request. As the reader takes bytes from its buffer
// only one frame or one request at a time, and nobody else reads, no byte is ever taken for the other kind.
//
// # Who gets in
//
// Connections that have not verified themselves are anybody's. They are few, have small buffers, and must ask within 10 s.
// When there are too many, one of them goes: of the address that has most of them; then of an address that never
// verified itself before; then one that has not asked anything; then the oldest. So whoever opens connections from one
// address, or in silence, drives out only himself; and an address that has verified itself before may have two that nobody
// else drives out. A secure connection is never driven out by them. If there is no room
// for another secure one, the one that has been idle longest goes, if that was a minute; otherwise the new one is refused.
//
// # Bounds
//
// A connection holds one buffer, of 2 KiB while it is idle, grown for a long request and given back after it. Who does not
// read is closed when a write has taken 10 s, and harms nobody meanwhile, as every connection has its own turn. What was
// not written is not queued: an event message is made when it can be written, from what is true then.
package session
