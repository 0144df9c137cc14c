package eventbus

import (
	"sync/atomic"

	"twinbridge/edge/eventbus/topic"
)

// Stats counts what a bus did since it was made.
type Stats struct {
	Clients int64 // connected now
	// Messages is how many messages about devices were received; Reports, Wishes, States and Gets are how many of what.
	Messages, Reports, Wishes, States, Gets uint64
	Deltas                                  uint64 // deltas published
	// Bad, NotFound and Faults count the answers 400, 404 and 500.
	Bad, NotFound, Faults uint64
	Refused               uint64 // publishes of clients on topics on which only the edge speaks
	Denied                uint64 // connections with a wrong user or password
	Dropped               uint64 // messages that found no room with a reader
	Repeated              uint64 // messages that an external broker delivered a second time, and that were not taken again
}

type counters struct {
	clients                                         atomic.Int64
	messages, reports, wishes, states, gets, deltas atomic.Uint64
	bad, notFound, faults, refused, denied, dropped atomic.Uint64
	repeated                                        atomic.Uint64
}

func (c *counters) refusal(code int) {
	switch code {
	case topic.CodeBad:
		c.bad.Add(1)
	case topic.CodeNotFound:
		c.notFound.Add(1)
	default:
		c.faults.Add(1)
	}
}

func (c *counters) stats() Stats {
	return Stats{
		Clients: c.clients.Load(), Messages: c.messages.Load(), Reports: c.reports.Load(), Wishes: c.wishes.Load(),
		States: c.states.Load(), Gets: c.gets.Load(), Deltas: c.deltas.Load(), Bad: c.bad.Load(), NotFound: c.notFound.Load(),
		Faults: c.faults.Load(), Refused: c.refused.Load(), Denied: c.denied.Load(), Dropped: c.dropped.Load(),
		Repeated: c.repeated.Load(),
	}
}
