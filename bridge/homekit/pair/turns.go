package pair

import (
	"slices"
	"time"

	"twinbridge/bridge/homekit/srp"
)

const (
	// SetupTime is how long a procedure of pair-setup keeps others away (HomeKit ADK), and for how long somebody who was
	// turned away is remembered.
	SetupTime = 30 * time.Second

	maxKnocks = 16 // that are remembered
	maxServed = 64
)

// procedure is a pair-setup that has begun. It is at one of three stages: an offer is made, the proof was right, or it
// has ended.
type procedure struct {
	party party
	since time.Duration
	stage byte // the state of the message that must come next
	offer *srp.Offer
	keys  *proven // nil until the proof was right
}

// proven are the keys of a procedure whose controller knows the setup code.
type proven struct {
	shared  [srp.KeyLen]byte
	session Key
}

// party is who wants something: a connection, and where it comes from.
type party struct {
	conn uint64
	addr string // empty if not known
}

// knock is somebody who was turned away; one for each address.
type knock struct {
	party
	first, last time.Duration
}

// served is somebody who had a turn, until a time.
type served struct {
	party
	until time.Duration
}

// turns says whose procedure it is. All times are of [Conn.Setup].
type turns struct {
	now     time.Duration // the latest that we heard of
	running *procedure
	knocks  []knock
	served  []served
}

// begin gives somebody a procedure if it is their turn.
func (t *turns) begin(now time.Duration, who party) (*procedure, bool) {
	t.tick(now)
	since := t.now
	if p := t.running; p != nil {
		own, fresh := p.party.conn == who.conn, t.now-p.since < SetupTime
		if fresh && own {
			if t.awaited(who) {
				since = p.since // starting again gains no time
			}
		} else if fresh || t.mustLetPass(who) {
			t.knock(who)
			return nil, false
		}
	} else if t.mustLetPass(who) {
		t.knock(who)
		return nil, false
	}
	t.end(t.running)
	t.knocks = slices.DeleteFunc(t.knocks, func(k knock) bool { return k.conn == who.conn || who.addr != "" && k.addr == who.addr })
	t.running = &procedure{party: who, since: since, stage: 3}
	return t.running, true
}

// tick forgets who came too long ago.
func (t *turns) tick(now time.Duration) {
	t.now = max(t.now, now)
	t.knocks = slices.DeleteFunc(t.knocks, func(k knock) bool { return t.now-k.last > SetupTime })
	if len(t.knocks) == 0 {
		t.served = nil
		return
	}
	first := slices.MinFunc(t.knocks, func(a, b knock) int { return int(a.first - b.first) }).first
	t.served = slices.DeleteFunc(t.served, func(s served) bool { return s.until < first })
}

// awaited reports whether somebody else waits.
func (t *turns) awaited(who party) bool {
	return slices.ContainsFunc(t.knocks, func(k knock) bool { return k.conn != who.conn })
}

// mustLetPass reports whether somebody who waits has had no turn since who had one: the same connection, or another one
// from the same address.
func (t *turns) mustLetPass(who party) bool {
	had := t.served
	if p := t.running; p != nil {
		had = append(slices.Clip(had), served{p.party, t.now})
	}
	for _, k := range t.knocks {
		for _, s := range had {
			switch {
			case s.until < k.first:
			case s.conn == who.conn && k.conn != who.conn, who.addr != "" && s.addr == who.addr && k.addr != who.addr:
				return true
			}
		}
	}
	return false
}

// knock remembers somebody who was turned away. If too many are remembered, the new one is not.
func (t *turns) knock(who party) {
	for i := range t.knocks {
		if k := &t.knocks[i]; k.conn == who.conn || who.addr != "" && k.addr == who.addr {
			k.party, k.last = who, t.now
			return
		}
	}
	if len(t.knocks) < maxKnocks {
		t.knocks = append(t.knocks, knock{who, t.now, t.now})
	}
}

// end ends a procedure, if it is still the one that runs.
func (t *turns) end(p *procedure) {
	if p == nil || t.running != p {
		return
	}
	t.running = nil
	p.keys = nil
	// One entry for each, or who begins again and again would push out those of others.
	t.served = slices.DeleteFunc(t.served, func(s served) bool {
		return s.conn == p.party.conn || s.addr != "" && s.addr == p.party.addr
	})
	if len(t.served) == maxServed {
		t.served = t.served[1:]
	}
	t.served = append(t.served, served{p.party, t.now})
}
