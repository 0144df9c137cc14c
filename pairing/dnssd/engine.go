package dnssd

import (
	"cmp"
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// An engine is the protocol: all claims on all links. It is a value without sockets, goroutines and clock; one caller at
// a time hands in what happened and when, then calls tick, and sends what take gives.
type engine struct {
	random   func(least, most time.Duration) time.Duration
	host     *claim
	services []*claim
	links    map[linkKey]*link
	order    []*link // the same, sorted
	names    names   // of all records; replaced, never changed
	byName   map[string][]*record
	former   []formerRecord
	echoes   [maxEchoes]uint64
	echo     int
	seed     maphash.Seed
	out      []packet
	renamed  []string // for the log: from, to
	count    counts
}

// A packet is to be sent.
type packet struct {
	link linkKey
	name string         // of the interface
	to   netip.AddrPort // none: multicast
	from netip.Addr     // none: as the system chooses
	data []byte
	news []*claim // what is announced with it
}

// counts are what the engine counts for [Stats].
type counts struct {
	queries, responses, malformed, ignored, echoes        uint64
	answers, unicasts, probes, announcements, goodbyes    uint64
	conflicts, renames, lostProbes, suppressed, overLimit uint64
	heldOver, rescues                                     uint64
}

// A formerRecord was ours a short time ago.
type formerRecord struct {
	id, folded string
	until      time.Time
}

func newEngine(host string, random func(least, most time.Duration) time.Duration) *engine {
	e := &engine{
		random: random, links: map[linkKey]*link{}, seed: maphash.MakeSeed(),
		host: &claim{base: host, n: 1, ready: make(chan struct{})},
	}
	e.rebuild(time.Time{})
	return e
}

// claims gives the host's and then the services'.
func (e *engine) claims() []*claim { return append([]*claim{e.host}, e.services...) }

// rebuild makes all records anew, after any of them changed.
func (e *engine) rebuild(now time.Time) {
	former := e.present()
	h := e.host
	h.key, h.name = keyOf(h.label(), local), fqdn(h.label(), local)
	n, by := names{h.key: true}, map[string][]*record{}
	for _, c := range e.services {
		labels := instanceLabels(c)
		c.key, c.name = keyOf(labels...), fqdn(labels...)
		c.recs = serviceRecords(c, h.name)
		for _, r := range c.recs {
			n[r.key] = r.unique
			by[r.key] = append(by[r.key], r)
		}
	}
	e.names, e.byName = n, by
	for _, l := range e.order {
		l.host = hostRecords(h, l.addrs)
		l.pending = slices.DeleteFunc(l.pending, func(r *record) bool { return !has(l.own(r.claim), r) })
	}
	e.remember(now, former)
}

// present gives all records that are ours alone.
func (e *engine) present() []*record {
	var out []*record
	for _, l := range e.order {
		out = append(out, l.host...)
	}
	for _, c := range e.services {
		for _, r := range c.recs {
			if r.unique {
				out = append(out, r)
			}
		}
	}
	return out
}

// remember keeps those of former records that are no more, as packets with them may still be under way.
func (e *engine) remember(now time.Time, former []*record) {
	present := e.present()
	e.former = slices.DeleteFunc(e.former, func(f formerRecord) bool { return !now.Before(f.until) })
	for _, r := range former {
		if !has(present, r) {
			e.former = append(e.former, formerRecord{r.id, r.folded, now.Add(formerTime)})
		}
	}
	if len(e.former) > maxFormer {
		e.former = slices.Delete(e.former, 0, len(e.former)-maxFormer)
	}
}

// ours reports whether a record is, or was a short time ago, one of ours on whichever link.
func (e *engine) ours(x *entry, now time.Time) bool {
	id := idOf(x.key, x.rtype)
	match := func(r *record) bool { return r.unique && r.id == id && r.folded == x.folded }
	if slices.ContainsFunc(e.byName[x.key], match) {
		return true
	}
	for _, l := range e.order {
		if slices.ContainsFunc(l.host, match) {
			return true
		}
	}
	return slices.ContainsFunc(e.former, func(f formerRecord) bool {
		return f.id == id && f.folded == x.folded && now.Before(f.until)
	})
}

// setLinks tells which links there are, at most maxLinks. Those in reset were down in between, so that what is known of them is void.
func (e *engine) setLinks(now time.Time, infos []linkInfo, reset map[int]bool) {
	former := e.present()
	next := map[linkKey]*link{}
	var changed []*link
	lost := map[*link][]*record{}
	for _, info := range infos {
		l := e.links[info.key]
		if l == nil || reset[info.key.index] {
			l = newLink(info, now)
		} else if !slices.Equal(l.addrs, info.addrs) {
			lost[l] = goneRecords(l.host, info.addrs)
			changed = append(changed, l)
		}
		next[info.key] = l
	}
	for _, info := range infos {
		next[info.key].linkInfo = info
	}
	e.links = next
	e.order = slices.SortedFunc(maps.Values(next), func(a, b *link) int {
		return cmp.Or(cmp.Compare(a.key.index, b.key.index), cmp.Compare(a.key.family, b.key.family))
	})
	for _, l := range e.order {
		l.host = hostRecords(e.host, l.addrs)
		for _, c := range e.claims() {
			if l.stages[c] == nil {
				e.begin(now, l, c, probeWait)
			}
		}
	}
	e.remember(now, former)
	for _, l := range changed {
		if len(lost[l]) > 0 && l.stages[e.host].told {
			e.multicast(now, l, &outgoing{answers: lost[l], ttl: noTTL})
		}
		e.announceAnew(now, l, e.host, 0)
	}
}

// goneRecords gives those of a family of which nothing is left. Where something is left, its cache-flush bit takes the
// others away.
func goneRecords(recs []*record, left []netip.Addr) []*record {
	return slices.DeleteFunc(slices.Clone(recs), func(r *record) bool {
		return slices.ContainsFunc(left, func(a netip.Addr) bool { return a.Is4() == (r.rtype == dns.TypeA) })
	})
}

// take gives the packets to be sent and forgets them.
func (e *engine) take() []packet {
	out := e.out
	e.out = nil
	return out
}

// next gives the time at which tick has something to do, false if none.
func (e *engine) next() (time.Time, bool) {
	var first time.Time
	at := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, l := range e.order {
		for c, s := range l.stages {
			switch s.phase {
			case probing, announcing:
				at(s.next)
			case proven:
				if e.mayAnnounce(l, c) {
					at(s.next)
				}
			case settled:
			}
		}
		if len(l.pending) > 0 {
			at(l.due)
		}
		for _, h := range l.held {
			at(h.due)
		}
	}
	return first, !first.IsZero()
}

// multicast puts packets in the queue, and what they hold among what has been multicast.
func (e *engine) multicast(now time.Time, l *link, o *outgoing) {
	e.send(l, o.packets(), netip.AddrPort{}, netip.Addr{}, nil)
	l.mark(o.answers, now)
	l.mark(o.added, now)
}

func (e *engine) send(l *link, data [][]byte, to netip.AddrPort, from netip.Addr, news []*claim) {
	for i, b := range data {
		p := packet{link: l.key, name: l.name, to: to, from: from, data: b}
		if i == len(data)-1 {
			p.news = news
		}
		if !to.IsValid() {
			e.echoes[e.echo] = maphash.Bytes(e.seed, b)
			e.echo = (e.echo + 1) % maxEchoes
		}
		e.out = append(e.out, p)
	}
}

// echoed reports whether a packet is one that was multicast from here a short time ago.
func (e *engine) echoed(b []byte) bool {
	return slices.Contains(e.echoes[:], maphash.Bytes(e.seed, b))
}
