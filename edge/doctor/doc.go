// Package doctor looks at a node from outside and says what is wrong with it, and what to do about that.
//
// It is for the person whose phone shows "No Response", or does not find the bridge at all. The cause is mostly not in
// the node: a second network interface, a firewall, a clock that nobody set, a port that another program has. So the
// doctor believes nobody, the node included. It looks for what is announced with a browser of its own that shares no code
// with the responder, connects to the addresses it finds there as a phone would, and asks the kernel who has a port.
//
// A [Check] is a function over probes, which are small functions that the caller hands in: the real ones are in this
// package as far as they are about the system ([System], [Browse], [Dial], [Fetch]), and in package edge as far as they
// are about twinbridge. A check gives a [Finding]: a status, what was seen, and what to do. What could not be looked at
// is [Skipped], with the reason, and never OK. No check changes anything: none writes, takes a port or holds a lock.
//
// [Run] runs all checks at the same time, each with a bound, and keeps their order: what most often keeps phones from
// seeing a bridge comes first.
package doctor
