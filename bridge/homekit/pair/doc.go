// Package pair is how HomeKit controllers and the accessory get to know each other: pair-setup, in which a controller
// proves that it knows the setup code and both sides exchange their long-term keys; pair-verify, in which they recognise
// each other and make the keys of a session; and the list of pairings, which admins look after (HomeKit Accessory
// Protocol, clauses 5.6, 5.7 and 5.10 to 5.12).
//
// Everything here is a function of a state and a message: no sockets, no clock. A [Pairer] holds what all connections
// share, a [Conn] what one connection has reached. Each message has one answer, which is never nil: errors are answers
// too. Whatever is not expected is answered with an error, sets back the state of its connection, and changes nothing
// else.
//
// # What is durable
//
// The table of pairings and the number of failed proofs are with the [Keeper] before the answer exists that depends on
// them. If it fails, the answer is an error and the table in memory is the one on disk. A failed proof that could not be
// counted on disk shuts pair-setup until it could.
//
// # Turns
//
// There is one procedure of pair-setup at a time; others are told Busy (HAP 5.6.2). It has 30 seconds, after which
// somebody else may take its place. That alone would let an attacker who always comes back first keep the owner out for
// ever, so there is a rule of politeness: who has had a turn lets those pass who were turned away meanwhile. Who is who is
// told by the address that [Pairer.Conn] is given. So each address of an attacker can keep the owner waiting once.
//
// # Lost answers
//
// The pairing is on disk before the last answer of pair-setup leaves. If the process dies in between, the accessory knows
// a controller that does not know the accessory. So a pairing is marked as unseen until its controller has come back with
// a pair-verify, and after a restart a table of nothing but unseen pairings does not count: the accessory says that it is
// not paired and takes a new pair-setup, which replaces them. If the controller did get the answer, it verifies, and all
// is well.
package pair
