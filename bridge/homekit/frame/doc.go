// Package frame is the encryption of a HomeKit connection: what goes over the wire after pair-verify, in both
// directions.
//
// A frame is the length of its plaintext (2 bytes, little endian, 0..1024), the plaintext encrypted with
// ChaCha20-Poly1305, and the tag of 16 bytes. The length is authenticated too. The nonce is never sent: each direction
// has its own key and counts its frames from 0, so a frame that is lost, repeated or moved fails like a forged one, and
// the connection is over (HAP specification, clause 6.5.2; the cipher is RFC 8439).
//
// The border of a frame means nothing. Whoever opens frames joins their plaintexts to one stream of bytes and reads
// messages from that.
//
// Both directions work in the buffers of the caller: [Sealer.Append] encrypts where it has copied to, [Opener.Open]
// where the frame lies. Neither allocates, unless the buffer has to grow.
package frame
