// Package devicetwin is the holder of a node's twins: it keeps the running [twin.Store] and makes durable what it
// decides.
//
// The twin decides in memory, at once. What it decided waits in the twin itself, not in a queue: a record that changes
// five times before the disk is ready is written once. The holder fetches all that is due as one batch, commits it, and
// reports back; meanwhile the next batch gathers. So a slow disk delays nothing but the answers that promise durability
// (rule 1).
//
// Decisions are committed at once; those that follow a commit within some milliseconds together, unless somebody waits
// for the disk. Observations (actual values, presence) are written some seconds late, because they can be asked for again
// and an SD card wears out; they are written at the end too. On a failing disk the house goes on in memory, and the holder
// tries again until the disk takes all of it.
//
// The holder also runs the clock of the twin: settle times, deadlines, silence. It sleeps until something is due.
package devicetwin
