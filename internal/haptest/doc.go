// Package haptest is a HomeKit controller for tests and measurements: what an iPhone is to an accessory server, but one
// that can also misbehave. It sends half a frame, a request cut into frames of one byte, ten requests at once, a proof
// that is wrong; it stops reading, and goes on.
//
// It is written from the protocol alone and shares no code with our server, so that it is a second opinion: a mistake
// that both would make has to be made twice. What it can do with others' accessories it was seen to do with HAP-NodeJS
// 1.2.0, HAP-python 5.0.0 and brutella/hap 0.0.35; its own tests pair with the last of these.
//
// # Three layers
//
//   - [Setup] and [Verify] are the two handshakes message by message. They know no socket: each step takes the items of
//     the message before and gives those of the next one, which the caller may change before they go out.
//   - [Conn] is a connection, in the clear until [Conn.Secure]. [Conn.Write] and [Conn.Seal] are the raw access,
//     [Conn.Send] and [Conn.Next] whole messages, [Conn.Do] and what stands on it an exchange.
//   - [Controller] has an identity: it pairs and dials.
//
// # Who reads
//
// A Conn has no goroutine. It reads when it is asked for something, on the goroutine that asks, which makes an exchange
// as short as it can be; events that come in between are kept for [Conn.Event]. Who does not ask does not read, as a
// phone that has gone away. [Conn.Listen] starts a reader for those who want events as they come, from a channel.
//
// The names M1 to M6 and those of items, methods and error codes are the specification's (HAP R14, chapter 5).
package haptest
