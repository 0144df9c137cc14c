// Package embedded is the registry of a hub that stands alone: its records lie in one file beside it.
//
// The [twin.HubStore] decides in memory what a step changes; what changed waits in it, not in a queue, until this package
// has committed it. A record that changes five times before the disk is ready is written once. Askers are answered, and
// nodes are told, after that: the store knows what is on disk.
package embedded
