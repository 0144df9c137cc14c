package dnssd

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// query takes one in: it is answered, or it waits for the rest of its known answers.
func (e *engine) query(now time.Time, l *link, m *message, from sender) {
	e.rivals(now, l, m)
	if !m.asks {
		// RFC 6762 section 7.2: the rest of a list.
		for _, h := range l.held {
			if h.from.src == from.src {
				room := maxKnown - len(h.msg.records)
				h.msg.records = append(h.msg.records, m.records[:min(room, len(m.records))]...)
			}
		}
		return
	}
	if m.truncated && from.src.Port() == mdnsPort {
		if len(l.held) < maxHeld {
			l.held = append(l.held, &heldQuery{from: from, msg: *m, due: now.Add(e.random(heldWaitLeast, heldWaitMost))})
			return
		}
		e.count.heldOver++
	}
	e.answer(now, l, m, from, false)
}

// answer sends what is asked for, by unicast or multicast, or puts it among what waits. waited says that the query has
// been held back, so that no other wait is needed.
func (e *engine) answer(now time.Time, l *link, m *message, from sender, waited bool) {
	legacy := from.src.Port() != mdnsPort
	window := rateWindow
	if len(m.rivals) > 0 {
		window = defenceWindow
	}
	var direct, soon, later []*record
	for i := range m.questions {
		q := &m.questions[i]
		// 5.4 and 5.5; a source off the link gets no unicast.
		alone := legacy || (from.unicast || q.unicast) && l.onLink(from.src.Addr())
		for _, r := range e.match(l, q) {
			if known(m.records, r) || legacy && r.rtype == dns.TypeNSEC {
				e.count.suppressed++
				continue
			}
			if alone {
				direct = append(direct, r)
				// 5.4: by multicast too if the others have not heard of it for a quarter of its life.
				quarter := time.Duration(ownTTL(r)) * time.Second / 4
				if legacy || window == rateWindow && l.recent(r, now, quarter) {
					continue
				}
			}
			if r.unique || waited {
				soon = append(soon, r)
			} else {
				later = append(later, r)
			}
		}
	}
	e.reply(now, l, m, from, direct, legacy)
	e.respond(now, l, soon, window)
	if len(later) > 0 {
		l.wait(now.Add(e.random(sharedWaitLeast, sharedWaitMost)), later...)
	}
}

// match gives our records that answer a question on a link; where a name of ours has none of the type, the record that
// says so.
func (e *engine) match(l *link, q *question) []*record {
	var out []*record
	fits := func(r *record) {
		if r.key != q.key || q.rtype != dns.TypeANY && q.rtype != r.rtype {
			return
		}
		if s := l.stages[r.claim]; s != nil && s.answers() && !has(out, r) {
			out = append(out, r)
		}
	}
	for _, r := range e.byName[q.key] {
		fits(r)
	}
	for _, r := range l.host {
		fits(r)
	}
	if len(out) > 0 {
		return out
	}
	for _, c := range e.claims() {
		if s := l.stages[c]; c.key == q.key && s != nil && s.answers() {
			if r := nsecRecord(c, l.own(c)); r != nil {
				return []*record{r}
			}
		}
	}
	return nil
}

// known reports whether the querier has the record, with at least half of its life left (RFC 6762 section 7.1).
func known(list []entry, r *record) bool {
	return slices.ContainsFunc(list, func(x entry) bool {
		return x.key == r.key && x.rtype == r.rtype && x.folded == r.folded && x.ttl >= ownTTL(r)/2
	})
}

// reply answers one querier alone.
func (e *engine) reply(now time.Time, l *link, m *message, from sender, recs []*record, legacy bool) {
	if len(recs) == 0 {
		return
	}
	o := outgoing{answers: recs, extra: e.extra(l, recs)}
	if legacy {
		o.legacy, o.ttl = m, legacyTTL
		o.extra = slices.DeleteFunc(o.extra, func(r *record) bool { return r.rtype == dns.TypeNSEC })
	}
	var src netip.Addr
	if from.unicast {
		src = from.dst
	}
	for _, b := range o.packets() {
		if !l.mayUnicast(now) {
			e.count.overLimit++
			return
		}
		e.count.unicasts++
		e.send(l, [][]byte{b}, from.src, src, nil)
	}
}

// respond multicasts answers. Those that were multicast within the window have to wait until it is over (RFC 6762 section
// 6): who asks may have come since then. A probe is not answered later.
func (e *engine) respond(now time.Time, l *link, recs []*record, window time.Duration) {
	recent := func(r *record) bool { return l.recent(r, now, window) }
	n := len(recs)
	recs = slices.Clone(recs)
	if window == rateWindow {
		for _, r := range recs {
			if recent(r) {
				l.wait(l.sent[r.id].Add(window), r)
			}
		}
	}
	recs = slices.DeleteFunc(recs, recent)
	e.count.suppressed += uint64(n - len(recs))
	if len(recs) == 0 {
		return
	}
	e.count.answers++
	e.multicast(now, l, &outgoing{answers: recs, extra: slices.DeleteFunc(e.extra(l, recs), recent)})
}

// extra gives what a querier will want next (RFC 6763 section 12, RFC 6762 sections 6.1 and 6.2): the host's addresses
// first, as without them the rest is of no use.
func (e *engine) extra(l *link, recs []*record) []*record {
	meta := keyOf(metaLabels...)
	var out, ends []*record
	var seen []*claim
	visit := func(c *claim) {
		s := l.stages[c]
		if slices.Contains(seen, c) || s == nil || !s.answers() {
			return
		}
		seen = append(seen, c)
		out = append(out, l.unique(c)...)
		if r := nsecRecord(c, l.own(c)); r != nil {
			ends = append(ends, r)
		}
	}
	for _, r := range recs {
		if r.key != meta && r.rtype != dns.TypeTXT {
			visit(e.host)
			visit(r.claim)
		}
	}
	return append(out, ends...)
}
