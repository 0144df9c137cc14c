// Package mapper moves real devices over MQTT, as KubeEdge's mappers do. It is a party of its own: it speaks to its
// node over the broker only, so it may run inside the edge process, beside it, or on another machine.
//
// A Mapper learns its devices from the node's membership messages, opens each with the [Driver] of its protocol, and
// gives each a worker: one goroutine that owns the device. Deltas wait in a slot that holds the latest only. The
// worker writes what a wish asks for, reads back, and reports what it read together with the wish's id, so that the
// node knows what the report shows. What the device did by itself is reported as an act.
//
// Nothing is kept on disk: after a start the node offers again what is pending, and the device tells its own state.
package mapper
