// Package world starts a hub, a node and a mapper as the processes that people start, for tests that look at them from
// outside: all in one process (`twinbridge up`), in three processes, or in three processes each of which has a network
// namespace of its own. A test can kill, stop and start each of them, cut what lies between them, put their data folders
// aside and back, and ask at the hub, at the node, and through MQTT.
//
// The names on the wire are written here once more on purpose: they are a promise.
package world
