// Package srp is the accessory's side of the Secure Remote Password protocol (SRP-6a, RFC 2945 and RFC 5054) as HomeKit
// uses it: the group of 3072 bits, SHA-512, the user name "Pair-Setup". Both sides prove to each other that they know the
// setup code, and share a key afterwards; who does not know the code learns nothing but that one guess was wrong.
//
// What is kept is a [Verifier], from which the code cannot be had but by trying all. A [Server] makes an [Offer] for a
// procedure: a secret, and the public key B that goes to the controller. It can be made before somebody asks, and judges
// one proof.
//
// # Leading zeros
//
// Numbers are hashed as bytes, and implementations differ on the zeros before a number that is short, about one of 256.
// We do as Apple's HomeKit ADK does (PAL/Crypto, both backends): the scrambling parameter u is over A and B with 384
// bytes, the key K over S without leading zeros, the controller's proof M1 over A and B without leading zeros, and our
// proof M2 over A with 384 bytes. Where we have the choice there is nothing to differ about: a B or a salt that begins
// with a zero is drawn again.
//
// # Time
//
// The proofs are compared in constant time. The arithmetic is that of math/big, which is not constant; the secrets in it,
// besides the verifier, are of one offer and are gone after its one proof.
package srp
