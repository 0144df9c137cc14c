// Package looptest runs the loops of the link as they are in the product: edgehub's and cloudhub's, with TLS and
// WebSockets between them, the device controller, the embedded registry and the node's holder. The lines, the disks and
// the time are made in memory, in a bubble of testing/synctest; a seed decides what happens on them. Mappers are played.
//
// [Run] plays one history: wishes of the cloud and of the house, hands on switches, cuts, black holes, slow lines, crashes
// and failing disks; then all is healed, and the promises of docs/twin.md, section 11, are held against what was
// recorded. Where goroutines meet, two runs of a seed may differ: the exact simulation (internal/simtest) has the rules,
// this has the loops.
package looptest
