package eventbus

import (
	"context"
	"slices"
	"sync"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

const (
	// maxCrew bounds the mappers that are known by name; the one that was heard least recently makes room.
	maxCrew = 256
	// returnTime is how long a mapper that names itself may say nothing after the node came back to its broker, until
	// its devices are offline: its will may have been published meanwhile. It is the silence of a start (rule 8).
	returnTime = 30 * time.Second
	// The pauses after which a delta is repeated, growing.
	firstRepeat = time.Second
	maxRepeat   = 60 * time.Second
	mendCycle   = time.Second
)

// crew is what has to be remembered where nobody sees who published or subscribed (rule 5, owner): the mappers that name
// themselves, and the devices whose delta has to be repeated, as who listens to it may have come a moment ago.
type crew struct {
	mu      sync.Mutex
	mates   map[string]*mate
	repeats map[twin.Name]*repeat
	gone    map[twin.Name]bool // devices that were deleted while nobody could be told
}

// mate is a mapper that names itself.
type mate struct {
	peer  peer
	heard time.Time
	due   time.Time // when it has to have been heard again; zero: it has
}

// repeat is a delta that is still to be shown.
type repeat struct {
	due    time.Time
	pause  time.Duration
	wanted []topic.Wanted // with something else the pauses begin anew
}

func newCrew() *crew {
	return &crew{mates: map[string]*mate{}, repeats: map[twin.Name]*repeat{}, gone: map[twin.Name]bool{}}
}

// speaker gives who says something. Where the connection shows it, that is who; else a mapper by the name that it gives
// itself, or nobody.
func (p *protocol) speaker(from *peer, mapper string) *peer {
	c := p.crew
	if c == nil || mapper == "" {
		return from
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mates[mapper]
	if m == nil {
		if len(c.mates) >= maxCrew {
			c.forgetOldest()
		}
		m = &mate{peer: peer{id: connOf(mapper), client: mapper}}
		c.mates[mapper] = m
	}
	m.heard, m.due = p.now(), time.Time{}
	return &m.peer
}

// connOf gives the owner by whose end a mapper's devices go offline.
func connOf(mapper string) string { return "mapper/" + mapper }

func (c *crew) forgetOldest() {
	oldest := ""
	for id, m := range c.mates {
		if oldest == "" || m.heard.Before(c.mates[oldest].heard) {
			oldest = id
		}
	}
	delete(c.mates, oldest)
}

// mapperLost takes the will of a mapper.
func (p *protocol) mapperLost(from *peer, mapper string) {
	if c := p.crew; c != nil {
		c.mu.Lock()
		delete(c.mates, mapper)
		c.mu.Unlock()
		p.store.ConnLost(connOf(mapper))
		return
	}
	p.store.ConnLost(from.id)
}

// connected begins anew over a new connection: everything is told again, what is pending is offered again, and mappers
// that name themselves have to be heard.
func (p *protocol) connected() {
	c := p.crew
	c.mu.Lock()
	due := p.now().Add(returnTime)
	for _, m := range c.mates {
		m.due = due
	}
	clear(c.repeats) // with the offers below their pauses begin anew
	c.mu.Unlock()
	names := p.store.Devices()
	p.mu.Lock()
	p.anew = true
	for _, n := range names {
		p.lost[n] = true
	}
	p.mu.Unlock()
	select {
	case p.again <- struct{}{}:
	default:
	}
	for _, n := range names {
		p.store.Offer(n)
	}
}

// handed notes that a delta was due: until it is shown it is repeated.
func (p *protocol) handed(n twin.Name, wanted []topic.Wanted) {
	c := p.crew
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.repeats[n]; r == nil || !slices.Equal(r.wanted, wanted) {
		c.repeats[n] = &repeat{due: p.now().Add(firstRepeat), pause: firstRepeat, wanted: wanted}
	}
}

// mend repeats deltas and looks after mappers that fell silent, until ctx ends.
func (p *protocol) mend(ctx context.Context) {
	tick := time.NewTicker(mendCycle)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		again := p.overdue()
		if !p.out.wanted("") {
			continue // nobody would hear it, and nobody can be heard
		}
		for _, id := range p.silent() {
			p.log.Warn("a mapper was not heard since the node came back to its broker; its devices are offline", "mapper", id)
			p.mapperLost(nil, id)
		}
		for _, n := range again {
			p.store.Offer(n)
			p.out.pause(ctx)
		}
	}
}

// silent gives the mappers whose time to be heard is over.
func (p *protocol) silent() (ids []string) {
	p.crew.mu.Lock()
	defer p.crew.mu.Unlock()
	now := p.now()
	for id, m := range p.crew.mates {
		if !m.due.IsZero() && !now.Before(m.due) {
			ids = append(ids, id)
		}
	}
	return ids
}

// overdue gives the devices whose delta is to be repeated now, and puts the next time off.
func (p *protocol) overdue() (names []twin.Name) {
	p.crew.mu.Lock()
	defer p.crew.mu.Unlock()
	now := p.now()
	for n, r := range p.crew.repeats {
		if now.Before(r.due) {
			continue
		}
		if v, err := p.store.Device(n); err != nil || !offered(&v) {
			delete(p.crew.repeats, n)
			continue
		}
		r.pause = min(2*r.pause, maxRepeat)
		r.due = now.Add(r.pause)
		names = append(names, n)
	}
	return names
}

// offered reports whether something was handed over that the device has not shown yet.
func offered(v *twin.View) bool {
	for i := range v.Props {
		if v.Props[i].Offered {
			return true
		}
	}
	return false
}

// remember notes devices that were deleted while nobody could be told.
func (p *protocol) remember(removed []topic.Device) {
	c := p.crew
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range removed {
		if len(c.gone) < twin.MaxDevices {
			c.gone[removed[i].ID] = true
		}
	}
}

// remembered gives the deleted devices that can be told now.
func (p *protocol) remembered() (removed []topic.Device) {
	c := p.crew
	if c == nil {
		return nil
	}
	c.mu.Lock()
	gone := c.gone
	c.gone = map[twin.Name]bool{}
	c.mu.Unlock()
	for n := range gone {
		if _, err := p.store.Device(n); err != nil {
			removed = append(removed, topic.Device{ID: n})
		}
	}
	return removed
}
