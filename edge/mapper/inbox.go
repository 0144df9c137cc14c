package mapper

import (
	"maps"
	"sync"
	"time"

	"twinbridge/twin"
)

// inbox is where a worker's work waits. It holds the latest of everything and no more, so whoever puts something in
// never waits, and a slow device never makes it grow.
type inbox struct {
	wake chan struct{} // a token when something was put in

	mu sync.Mutex
	in mail
}

// mail is what was in an inbox.
type mail struct {
	delta   []byte // the latest, nil if none
	arrived time.Time
	acts    map[string]twin.Value // what the device did by itself
	resync  bool                  // there is a new connection: tell everything anew
	blind   error                 // watching ended with this
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) put(change func(*mail)) {
	b.mu.Lock()
	change(&b.in)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) putDelta(payload []byte, arrived time.Time) {
	b.put(func(m *mail) { m.delta, m.arrived = payload, arrived })
}

func (b *inbox) putActs(values map[string]twin.Value) {
	b.put(func(m *mail) {
		if m.acts == nil {
			m.acts = make(map[string]twin.Value, len(values))
		}
		maps.Copy(m.acts, values)
	})
}

// putResync tells of a new connection. What came over the old one is not carried out any more: the node offers again
// what is still wanted.
func (b *inbox) putResync() {
	b.put(func(m *mail) { m.resync, m.delta = true, nil })
}

func (b *inbox) putBlind(err error) {
	b.put(func(m *mail) { m.blind = err })
}

func (b *inbox) take() mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.in
	b.in = mail{}
	return m
}

// acted reports whether the device told of a change of one of these properties that was not taken yet.
func (b *inbox) acted(props map[string]twin.Value) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range b.in.acts {
		if _, ok := props[p]; ok {
			return true
		}
	}
	return false
}

// waiting reports whether something newer came in that could change what is to be done.
func (b *inbox) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in.delta != nil || b.in.acts != nil || b.in.resync
}
