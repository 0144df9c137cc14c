// Package message is the HTTP of HomeKit: requests that a controller sends, responses and event messages that it gets.
//
// It is HTTP/1.1 (RFC 9112) without what HomeKit has no use for, read strictly: two readers must never see the border of
// a message at different places. A body has one Content-Length or there is none; a chunked request, a line that ends
// without a carriage return, a folded field, a second Content-Length, even an equal one, are refused, and so is what is
// longer than its [Limits]. After a refused request nobody knows where the next one begins: the connection is over, and
// [Error] has the status that is said before.
//
// [Parse] takes bytes and gives a request whose parts lie in these bytes. It keeps nothing and allocates nothing. Where it
// is lenient, nothing is at stake: an empty line before a request (RFC 9112, 2.2), and a request without Host, as there is
// one host only.
//
// A message to a controller is one head and a body of known length, so that it can be written whole. An event message is
// a response that nobody asked for: its first line begins with EVENT/1.0 (HAP specification, clause 6.8).
package message
