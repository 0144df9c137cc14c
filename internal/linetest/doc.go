// Package linetest is a network in memory: connections that delay, slow down, stall and break as a test says. They keep
// to net.Conn's contract, deadlines included, and wait on nothing but channels and timers, so that they run in a bubble
// of testing/synctest.
//
// A line that stalls is a black hole: neither end notices anything, what is written fills the buffers and then blocks,
// and what was on its way arrives if the line ever goes on.
package linetest
