// Package twin is the domain of twinbridge: what a device is, what is expected of it, what it actually does, and who
// decides.
//
// A device twin holds, for each property of a device, an expected value (what somebody wished) and an actual value
// (what the device last reported). Exactly one place decides about a twin: the edge node that owns the device. A phone,
// a hub, a dashboard or an API server holds a view of it and hands in wishes; mappers hand in reports.
//
// [Node] is the deciding side and [Hub] the viewing side. Both are plain state machines: a method takes an event and
// the time, changes the state and says what has to happen outside. They know no socket, disk, clock or goroutine, so
// the exact simulation (internal/simtest) can run them in one thread with a seed. [Store] puts a Node behind a lock for
// the rims of a running edge: they read views, watch which devices changed, and hand in wishes and reports. A [Journal]
// makes what was decided durable.
//
// The rules themselves are written in docs/twin.md; comments here cite its sections as "rule 5".
package twin
