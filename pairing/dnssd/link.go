package dnssd

import (
	"fmt"
	"net/netip"
	"time"
)

// A family is that of addresses.
type family int

const (
	ipv4 family = 4
	ipv6 family = 6
)

// A linkKey names a link: an interface in one family.
type linkKey struct {
	index  int
	family family
}

// linkInfo is what the world says about a link.
type linkInfo struct {
	key      linkKey
	name     string
	addrs    []netip.Addr   // those that are announced there, of both families
	prefixes []netip.Prefix // what is on the link (RFC 6762 section 11)
}

// A phase is how far a claim has got on a link.
type phase int

const (
	probing    phase = iota // step is the number of probes sent
	proven                  // nobody else has it; a service waits here for the host
	announcing              // step is the number of announcements sent
	settled
)

func (p phase) String() string {
	switch p {
	case probing:
		return "probing"
	case proven:
		return "proven"
	case announcing:
		return "announcing"
	case settled:
		return "settled"
	}
	return fmt.Sprintf("phase %d", int(p))
}

// A stage is where a claim is on a link.
type stage struct {
	phase phase
	step  int
	next  time.Time // of the next probe or announcement
	// only is the type of the record that is announced anew, 0 for all.
	only uint16
	told bool // something of it has been announced under the present name, so that there is something to take back
}

func (s *stage) answers() bool { return s.phase == announcing || s.phase == settled }

// A link is the state of one.
type link struct {
	linkInfo
	host    []*record
	stages  map[*claim]*stage
	sent    map[string]time.Time // by record's id: the latest multicast
	pending []*record            // answers that wait
	due     time.Time            // for pending
	held    []*heldQuery
	budget  float64   // unicast packets that may be sent
	budgetT time.Time // as of when
}

// A heldQuery waits for the rest of its known answers (RFC 6762 section 7.2).
type heldQuery struct {
	from sender
	msg  message
	due  time.Time
}

// A sender is where a packet came from, and to.
type sender struct {
	src     netip.AddrPort
	dst     netip.Addr
	unicast bool // it was sent to us alone
}

func newLink(info linkInfo, now time.Time) *link {
	return &link{
		linkInfo: info, stages: map[*claim]*stage{}, sent: map[string]time.Time{}, budget: unicastBurst, budgetT: now,
	}
}

// onLink reports whether an address belongs to the network of the link.
func (l *link) onLink(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLinkLocalUnicast() {
		return true
	}
	for _, p := range l.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// mayUnicast takes one packet from the link's budget.
func (l *link) mayUnicast(now time.Time) bool {
	if d := now.Sub(l.budgetT); d > 0 {
		l.budget = min(unicastBurst, l.budget+d.Seconds()*unicastRate)
		l.budgetT = now
	}
	if l.budget < 1 {
		return false
	}
	l.budget--
	return true
}

// wait puts answers among those that are multicast at a time, or before.
func (l *link) wait(until time.Time, recs ...*record) {
	if len(l.pending) == 0 || until.Before(l.due) {
		l.due = until
	}
	for _, r := range recs {
		if !has(l.pending, r) {
			l.pending = append(l.pending, r)
		}
	}
}

// recent reports whether the record was multicast within the window.
func (l *link) recent(r *record, now time.Time, window time.Duration) bool {
	at, ok := l.sent[r.id]
	return ok && now.Sub(at) < window
}

// mark notes that records are multicast now, and forgets what no rule asks for any more.
func (l *link) mark(recs []*record, now time.Time) {
	for _, r := range recs {
		l.sent[r.id] = now
	}
	if len(l.sent) > 16*maxServices {
		for id, at := range l.sent {
			if now.Sub(at) > ttlOther*time.Second/4 {
				delete(l.sent, id)
			}
		}
	}
}

// own gives the records of a claim as they are on this link.
func (l *link) own(c *claim) []*record {
	if c.svc == nil {
		return l.host
	}
	return c.recs
}

// unique gives those at the claim's own name.
func (l *link) unique(c *claim) []*record {
	var out []*record
	for _, r := range l.own(c) {
		if r.unique {
			out = append(out, r)
		}
	}
	return out
}
