package dnssd

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

func instanceLabels(c *claim) []string {
	return append(append([]string{c.label()}, strings.Split(c.svc.Type, ".")...), local)
}

// add takes a service in. It has been checked.
func (e *engine) add(now time.Time, s Service) (*claim, error) {
	if len(e.services) >= maxServices {
		return nil, ErrTooMany
	}
	c := &claim{svc: &s, base: s.Instance, n: 1, ready: make(chan struct{})}
	if e.taken(c) {
		return nil, &FieldError{"Instance", s.Instance, "a name that no other service of this type has here"}
	}
	e.services = append(e.services, c)
	e.rebuild(now)
	for _, l := range e.order {
		e.begin(now, l, c, probeWait)
	}
	return c, nil
}

// taken reports whether another service of ours has the name that c would have now.
func (e *engine) taken(c *claim) bool {
	key := keyOf(instanceLabels(c)...)
	return slices.ContainsFunc(e.services, func(o *claim) bool { return o != c && o.key == key })
}

// remove says goodbye for a service (RFC 6762 section 10.1) and forgets it.
func (e *engine) remove(now time.Time, c *claim) {
	i := slices.Index(e.services, c)
	if i < 0 {
		return
	}
	for _, l := range e.order {
		e.goodbye(now, l, []*claim{c})
		delete(l.stages, c)
	}
	c.gone = true
	e.services = slices.Delete(e.services, i, i+1)
	e.rebuild(now)
}

// goodbyes ends everything: what has been announced is taken back, except for the host's addresses, which may be known
// under this name from elsewhere.
func (e *engine) goodbyes(now time.Time) {
	for _, l := range e.order {
		e.goodbye(now, l, e.services)
	}
	e.links, e.order = map[linkKey]*link{}, nil
}

func (e *engine) goodbye(now time.Time, l *link, claims []*claim) {
	meta := keyOf(metaLabels...)
	o := outgoing{ttl: noTTL}
	for _, c := range claims {
		if s := l.stages[c]; s == nil || !s.told {
			continue
		}
		for _, r := range c.recs {
			// That there are services of a type is true of others too.
			if r.key != meta {
				o.answers = append(o.answers, r)
			}
		}
		e.count.goodbyes++
	}
	e.multicast(now, l, &o)
}

// setTXT changes a service's TXT record. It has been checked.
func (e *engine) setTXT(now time.Time, c *claim, txt []string) {
	if c.gone || slices.Equal(c.svc.TXT, txt) {
		return
	}
	c.svc.TXT = slices.Clone(txt)
	e.rebuild(now)
	for _, l := range e.order {
		e.announceAnew(now, l, c, dns.TypeTXT)
	}
}

// begin starts a claim on a link: its first probe comes within wait, together with those of other claims that are about
// to begin.
func (e *engine) begin(now time.Time, l *link, c *claim, wait time.Duration) {
	next := now.Add(e.random(wait-probeWait, wait))
	for _, s := range l.stages {
		if s.phase == probing && s.step == 0 && wait == probeWait && s.next.Sub(now) <= probeWait && !s.next.Before(now) {
			next = s.next
			break
		}
	}
	l.stages[c] = &stage{phase: probing, next: next}
}

// announceAnew announces what changed in a claim (RFC 6762 section 8.4): one type of record, or all with 0. What is being
// announced already is joined to it, and changes in one go make one announcement.
func (e *engine) announceAnew(now time.Time, l *link, c *claim, only uint16) {
	s := l.stages[c]
	if s == nil || !s.answers() {
		return // it comes with the first announcement
	}
	next := now.Add(changeWait)
	if s.phase == announcing {
		if s.only != only {
			only = 0
		}
		if s.step == 0 && s.next.Before(next) {
			next = s.next
		}
	}
	*s = stage{phase: announcing, next: next, only: only, told: s.told}
}

// rename gives a claim its next choice of name, on all links. from is the interface on which somebody else has the name;
// on the others it is taken back.
func (e *engine) rename(now time.Time, c *claim, from int) {
	e.count.renames++
	for _, l := range e.order {
		if l.key.index != from && c.svc != nil {
			e.goodbye(now, l, []*claim{c})
		}
	}
	before := c.label()
	for c.n++; c.svc != nil && e.taken(c); c.n++ {
		continue // ends, as there are maxServices names at most
	}
	e.rebuild(now)
	e.renamed = append(e.renamed, before, c.label())
	wait := e.patience(now, c)
	for _, l := range e.order {
		e.begin(now, l, c, wait)
		if c.svc != nil {
			continue
		}
		// The services stand at the host's new name, and wait until it is proven.
		for _, o := range e.services {
			if s := l.stages[o]; s.answers() {
				*s = stage{phase: proven, next: now, told: s.told}
			}
		}
	}
}

// conflict counts one and notes its time.
func (e *engine) conflict(now time.Time, c *claim) {
	e.count.conflicts++
	if n := len(c.conflicts); n > 0 && now.Sub(c.conflicts[n-1]) > stormEnd {
		c.stormy = false
	}
	c.conflicts = append(c.conflicts, now)
	if len(c.conflicts) > maxConflicts {
		c.conflicts = slices.Delete(c.conflicts, 0, 1)
	}
}

// patience gives the wait before a claim's next probes: longer after many conflicts (RFC 6762 section 8.1).
func (e *engine) patience(now time.Time, c *claim) time.Duration {
	if n := len(c.conflicts); n >= stormCount && now.Sub(c.conflicts[n-stormCount]) < stormWindow {
		c.stormy = true
	}
	if c.stormy {
		return stormWait + probeWait
	}
	return probeWait
}
