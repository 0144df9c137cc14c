// Package simtest runs the rules of the twin (package twin, docs/twin.md) as a whole world in one thread: two nodes, a
// hub, mappers, lamps and people, over links that cut, stall and repeat, on disks that fail, get lost and are put back
// old. Time is virtual and every choice comes from a seed, so a history replays bit for bit.
//
// While a history runs, every step is recorded and checked against the promises of docs/twin.md, section 11. At its end
// everything is healed, and after a quiet time all views must agree and every wish must have its one outcome.
package simtest
