package dnssd

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const mdnsPort = 5353

// Nobody in particular.
var (
	noAddr     netip.Addr
	noAddrPort netip.AddrPort
)

// receive takes a packet that came in on a link.
func (e *engine) receive(now time.Time, key linkKey, from sender, data []byte) {
	l := e.links[key]
	if l == nil {
		e.count.ignored++
		return
	}
	if e.echoed(data) {
		e.count.echoes++
		return
	}
	m, err := parse(data, e.names)
	if err != nil {
		e.count.malformed++
		return
	}
	if m.response {
		// RFC 6762 section 11: what came by multicast is from this link, whatever its source says.
		if from.src.Port() != mdnsPort || from.unicast && !l.onLink(from.src.Addr()) {
			e.count.ignored++
			return
		}
		e.count.responses++
		e.response(now, l, &m)
		return
	}
	// A source that is not on the link gets nothing, so that nobody can send our answers abroad.
	if !l.onLink(from.src.Addr()) && (from.unicast || from.src.Port() != mdnsPort) {
		e.count.ignored++
		return
	}
	e.count.queries++
	e.query(now, l, &m, from)
}

// response looks for claims of others in what they say (RFC 6762 sections 8.1 and 9), and for our records that they are
// about to forget.
func (e *engine) response(now time.Time, l *link, m *message) {
	for _, c := range e.claims() {
		s := l.stages[c]
		if s == nil {
			continue
		}
		verdict := agreed
		for i := range m.records {
			verdict = max(verdict, e.judge(now, l, c, s, &m.records[i]))
		}
		switch verdict {
		case agreed:
		case fading:
			if s.phase == settled {
				e.count.rescues++
				e.announceAnew(now, l, c, 0)
			}
		case contested:
			e.conflict(now, c)
			if s.phase == probing {
				e.rename(now, c, l.key.index)
			} else {
				told := s.told
				e.begin(now, l, c, e.patience(now, c))
				l.stages[c].told = told
			}
		}
	}
}

// A judgement is what a record of somebody else means for a claim.
type judgement int

const (
	agreed    judgement = iota
	fading              // ours, but with a short time to live (RFC 6762 section 6.6), as after somebody's goodbye
	contested           // somebody else's under our name
)

func (e *engine) judge(now time.Time, l *link, c *claim, s *stage, x *entry) judgement {
	if x.key != c.key {
		match := func(r *record) bool { return r.key == x.key && r.rtype == x.rtype && r.folded == x.folded }
		if x.ttl == 0 && c.svc != nil && slices.ContainsFunc(c.recs, match) {
			return fading
		}
		return agreed
	}
	if e.ours(x, now) {
		for _, r := range l.unique(c) {
			if r.rtype == x.rtype && r.folded == x.folded && x.ttl < ownTTL(r)/2 {
				return fading
			}
		}
		return agreed
	}
	switch {
	case x.ttl == 0, x.rtype == dns.TypeNSEC: // a goodbye; what is said about types is no data
		return agreed
	case s.phase == probing && s.step > 0, s.phase != probing && c.owns(x.rtype):
		// Before the first probe nothing is lost: who has the name will say so again.
		return contested
	}
	return agreed
}

// rivals settles probes of others for names that we probe for as well (RFC 6762 section 8.2).
func (e *engine) rivals(now time.Time, l *link, m *message) {
	for _, c := range e.claims() {
		s := l.stages[c]
		if s == nil || s.phase != probing || s.step == 0 {
			continue
		}
		var theirs, mine []entry
		foreign := false
		for i := range m.rivals {
			if x := &m.rivals[i]; x.key == c.key {
				theirs = append(theirs, *x)
				foreign = foreign || !e.ours(x, now)
			}
		}
		if !foreign {
			continue // none, or our own by way of another link
		}
		for _, r := range l.unique(c) {
			mine = append(mine, entry{rtype: r.rtype, raw: r.raw})
		}
		if compareSets(mine, theirs) < 0 {
			e.count.lostProbes++
			*s = stage{phase: probing, next: now.Add(lostWait)}
		}
	}
}
