package dnssd

import (
	"slices"
	"time"
)

// tick does what has become due.
func (e *engine) tick(now time.Time) {
	for _, l := range e.order {
		e.probe(now, l)
		e.announce(now, l)
		e.release(now, l)
		e.flush(now, l)
	}
}

// probe sends the probes that are due, all in the same packets (RFC 6762 section 8.1).
func (e *engine) probe(now time.Time, l *link) {
	var ask [2][]*claim // by multicast; by unicast
	for _, c := range e.claims() {
		s := l.stages[c]
		if s == nil || s.phase != probing || s.next.After(now) {
			continue
		}
		if s.step == probeCount {
			*s = stage{phase: proven, next: now, told: s.told}
			continue
		}
		s.step++
		// Who was called late does not let the lateness add up, but leaves others most of their time to answer.
		s.next = s.next.Add(probeGap)
		if least := now.Add(probeGap * 4 / 5); s.next.Before(least) {
			s.next = least
		}
		// The clause wants unicast. But that reaches one of the sockets of the port only, which can be another program's
		// on this machine; so all but the first ask for what everybody gets.
		way := 0
		if s.step == 1 {
			way = 1
		}
		ask[way] = append(ask[way], c)
	}
	for way, claims := range ask {
		data := probePackets(claims, l.unique, way == 1)
		e.count.probes += uint64(len(data))
		e.send(l, data, noAddrPort, noAddr, nil)
	}
}

// mayAnnounce reports whether a claim that is proven can be announced: a service at a host's name that is free as well.
func (e *engine) mayAnnounce(l *link, c *claim) bool {
	if c.svc == nil {
		return true
	}
	h := l.stages[e.host]
	return h != nil && h.phase != probing
}

// announce sends the announcements that are due, all in the same packets (RFC 6762 sections 8.3 and 8.4).
func (e *engine) announce(now time.Time, l *link) {
	var o outgoing
	var news []*claim
	for _, c := range e.claims() {
		s := l.stages[c]
		if s == nil {
			continue
		}
		if s.phase == proven && e.mayAnnounce(l, c) {
			*s = stage{phase: announcing, next: now, told: s.told}
		}
		if s.phase != announcing || s.next.After(now) {
			continue
		}
		recs := l.own(c)
		if s.only != 0 {
			recs = slices.DeleteFunc(slices.Clone(recs), func(r *record) bool { return r.rtype != s.only })
		}
		// Two values of one record are that far apart, so that the later one replaces the earlier one. What was sent in
		// between, as an answer, had the later one.
		if at := l.latest(recs); s.told && s.step == 0 && now.Sub(at) < announceGap {
			s.next = at.Add(announceGap)
			continue
		}
		o.answers = append(o.answers, recs...)
		news = append(news, c)
		s.told = true
		s.step++
		s.next = now.Add(announceGap)
		if s.step == announceCount {
			*s = stage{phase: settled, told: true}
		}
	}
	if len(news) == 0 {
		return
	}
	o.answers = distinct(o.answers)
	e.count.announcements++
	e.send(l, o.packets(), noAddrPort, noAddr, news)
	l.mark(o.answers, now)
}

// latest gives when one of the records that are ours alone was last multicast, the zero time if none was.
func (l *link) latest(recs []*record) time.Time {
	var at time.Time
	for _, r := range recs {
		if t := l.sent[r.id]; r.unique && t.After(at) {
			at = t
		}
	}
	return at
}

// release answers the queries that have waited for the rest of their known answers.
func (e *engine) release(now time.Time, l *link) {
	var due []*heldQuery
	l.held = slices.DeleteFunc(l.held, func(h *heldQuery) bool {
		if h.due.After(now) {
			return false
		}
		due = append(due, h)
		return true
	})
	for _, h := range due {
		e.answer(now, l, &h.msg, h.from, true)
	}
}

// flush sends the answers whose wait is over.
func (e *engine) flush(now time.Time, l *link) {
	if len(l.pending) == 0 || l.due.After(now) {
		return
	}
	recs := l.pending
	l.pending = nil
	e.respond(now, l, recs, rateWindow)
}
