// Package dnssd tells the local network which services we have: a responder for multicast DNS (RFC 6762) and DNS-based
// service discovery (RFC 6763). HomeKit's `_hap._tcp`, and Matter's `_matterc._udp` and `_matter._tcp` with subtypes, are
// announced by one [Responder] with one socket per family. It asks nobody anything except whether a name is free.
//
// # Claims
//
// Two kinds of names must be ours alone: that of the host, and that of each service's instance. Such a name is a claim.
// On each link, which is an interface in one family, a claim is probed three times, then announced twice, then answered
// for, see link.go. All claims that begin together are probed in the same packets, so that ten services take as long as
// one. Who else has the name wins, and ours gets a number: "Lamp (2)", "host-2", on every link.
//
// # A machine without sockets
//
// The engine is the whole protocol as a plain value: it is handed packets, links, changes and the time, and gives
// packets to send and when it wants to be called next. It knows no socket, goroutine or clock, see engine.go. Around it
// [Responder.Run] owns the sockets, the watch on links and addresses, and the clock.
//
// # Beside others on the same machine
//
// Avahi or another responder may have port 5353 open as well. Multicast reaches all sockets of the port, unicast one of
// them, which may not be ours. So two of three probes ask for an answer by multicast. The host's label is ours
// alone, and no goodbye is ever sent for an address that the interface still has. What we sent ourselves comes back on
// other links, or by a reflector; it is known by its bytes and by its data, and is no conflict.
//
// # Floods
//
// Most packets on a large network are about names of others. The readers look for ours in the bytes of a packet before
// anything is unpacked, see scan.go. Multicast of a record is limited to one per second and link (RFC 6762 section 6),
// unicast to a number of packets per second. Everything that waits has a bound, see limits.go.
package dnssd
