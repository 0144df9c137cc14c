package simtest

import (
	"slices"
	"time"

	"twinbridge/twin"
)

// asked is a wish as its asker knows it.
type asked struct {
	id     string
	lamp   *lamp
	wish   twin.Wish
	p      *nodeProc // of the house; nil: of the cloud
	at     time.Duration
	seen   map[string]uint64 // revs that the asker's view showed
	told   bool              // the asker was told that it is accepted
	gone   bool              // a crash or a lost disk may have swallowed it
	noop   bool
	outAt  time.Duration
	out    twin.Outcome // told to the asker
	by     string
	lost   []string
	byNode twin.Outcome // told by a node
	teller *nodeProc    // the node that told it
	former twin.Outcome // told by a node that has lost that disk since
	sent   bool         // offered to a node
	took   map[*nodeProc]acceptance
	over   map[*nodeProc]bool // it has ended there
	forced bool               // the device was moved by force meanwhile: the old node may know of another end
}

// acceptance is a node's taking of a wish.
type acceptance struct {
	store string
	rev   uint64
	at    time.Duration
}

// act is an act of the house on a property.
type act struct {
	p     *nodeProc
	life  int
	store string
	rev   uint64
	at    time.Duration
}

// spot is a property of a device at a node.
type spot struct {
	p    *nodeProc
	name twin.Name
	prop string
}

// book records what was asked, told and seen, and checks every step against the promises.
type book struct {
	w     *world
	asked map[string]*asked
	order []*asked
	acts  map[string][]act // by device and property; forgotten with what they were kept on
	ever  map[string][]act // all of them
	taken map[string][]time.Duration

	first   map[spot]bool          // the next report is the first after coming online
	online  map[spot]time.Duration // when it came online last
	adopts  map[spot]bool          // a press on it was found on disk: the next report is expected, without restore
	nothing map[spot]time.Duration // when a press went back to nothing: there was nothing to hand over instead of it
	owed    map[string]twin.Value  // what a hub knew as expected when a node lost its disk
	diff    map[spot]time.Duration // since when actual differs with nothing pending
	conns   map[spot]string
	revs    map[string]map[string]twin.Value // by node store: what each rev said of each property
	toldRev map[*nodeProc]map[string]uint64  // by store: highest rev told
	hubRev  map[string]uint64                // by store, uid and property: what the hub's view showed

	step struct { // what the present step is about
		report *twin.Report
		lamp   *lamp
		firsts map[string]bool
		ended  bool // a press ended without being applied
	}
	redefined map[*lamp]bool
	offerWas  offerWas
}

func newBook(w *world) *book {
	return &book{
		w: w, asked: map[string]*asked{}, acts: map[string][]act{}, ever: map[string][]act{}, taken: map[string][]time.Duration{}, first: map[spot]bool{},
		online: map[spot]time.Duration{}, adopts: map[spot]bool{}, nothing: map[spot]time.Duration{}, owed: map[string]twin.Value{},
		diff: map[spot]time.Duration{}, conns: map[spot]string{}, revs: map[string]map[string]twin.Value{},
		toldRev: map[*nodeProc]map[string]uint64{}, hubRev: map[string]uint64{}, redefined: map[*lamp]bool{},
	}
}

func propKey(l *lamp, prop string) string { return l.name.Name + "." + prop }

func (b *book) add(a *asked) {
	b.asked[a.id] = a
	b.order = append(b.order, a)
}

// houseAsks hands a wish of the house to a node and checks the answer.
func (b *book) houseAsks(p *nodeProc, l *lamp, wish twin.Wish, now twin.Now) {
	before, err := p.node.View(now, l.name)
	if err != nil {
		return
	}
	v, err := p.node.Ask(now, l.name, wish)
	b.w.log("%s: %s wishes %s %v validFor=%s id=%s -> %s %v", p.name, wish.Origin, l.name.Name, values(wish), wish.ValidFor, wish.ID, v.Outcome, err)
	if err != nil {
		if wish.Press() && before.Presence == twin.Offline {
			b.w.saw("press refused offline")
		}
		return
	}
	a := &asked{id: wish.ID, lamp: l, wish: wish, p: p, at: b.w.at, told: true, took: map[*nodeProc]acceptance{p: {p.node.StoreID(), v.DecidedRev(), b.w.at}}}
	b.add(a)
	if v.Outcome == twin.Applied {
		a.noop = true
		b.w.saw("no-op")
		b.checkNoop(a, before)
		if v.DecidedRev() != 0 {
			b.acted(p, l, a.wish)
		}
		return
	}
	b.acted(p, l, a.wish)
	after, _ := p.node.View(now, l.name)
	b.checkWhole(a, after)
	if after.OfferSeq <= before.OfferSeq {
		b.w.fail("LocalFirst", "wish %s was accepted and not offered in the same step", a.id)
	}
}

func (b *book) acted(p *nodeProc, l *lamp, wish twin.Wish) {
	for prop := range wish.Values {
		b.actedOn(p, propKey(l, prop))
	}
}

func (b *book) actedOn(p *nodeProc, k string) {
	t := act{p, p.life, p.node.StoreID(), p.node.Rev(), b.w.at}
	b.acts[k] = append(b.acts[k], t)
	b.ever[k] = append(b.ever[k], t)
	b.take(k)
}

// take notes that somebody took a property.
func (b *book) take(k string) {
	b.taken[k] = append(b.taken[k], b.w.at)
	delete(b.owed, k)
}

func (b *book) checkNoop(a *asked, before twin.View) {
	for prop, want := range a.wish.Values {
		q := before.Prop(prop)
		if q == nil || q.Expected != want || q.Actual != want || q.Wish != "" || before.Presence != twin.Online {
			b.w.fail("NothingLost", "wish %s ended applied at once, but %s.%s was %s/%s pending %q, %s", a.id, a.lamp.name.Name, prop,
				q.Expected, q.Actual, q.Wish, before.Presence)
		}
	}
}

// checkWhole: a wish just accepted has all its properties.
func (b *book) checkWhole(a *asked, v twin.View) {
	for prop, want := range a.wish.Values {
		if q := v.Prop(prop); q == nil || q.Wish != a.id || q.Expected != want {
			b.w.fail("Whole", "wish %s was accepted without its property %s", a.id, prop)
		}
	}
}

func values(w twin.Wish) map[string]string {
	out := map[string]string{}
	for k, v := range w.Values {
		out[k] = v.Text()
	}
	return out
}

// nodeWishes looks at the outcomes of the house's wishes after a step of their node.
func (b *book) nodeWishes(p *nodeProc, what string) {
	b.step.ended = false
	for _, a := range b.order {
		if _, took := a.took[p]; !took || a.p == nil && a.over[p] {
			continue
		}
		v, err := p.node.WishView(a.lamp.name, a.id)
		if a.p == nil {
			a.over[p] = err == nil && v.Outcome.Ended()
			if a.over[p] && v.Outcome == twin.Superseded && v.By != "" {
				b.checkRest(p, a, v.Lost)
			}
			if a.over[p] && a.wish.Press() && v.Outcome != twin.Applied {
				b.pressEnded(p, a, what, v)
			}
			continue
		}
		if a.gone || a.out != "" {
			continue
		}
		if err != nil {
			b.w.fail("Told", "wish %s is unknown to %s and has no outcome", a.id, p.name)
			return
		}
		if !v.Outcome.Ended() {
			continue
		}
		a.out, a.outAt, a.by, a.lost = v.Outcome, b.w.at, v.By, v.Lost
		b.w.log("%s: %s %s (%s)", p.name, a.id, v.Outcome, v.Reason)
		b.w.saw("house " + string(v.Outcome))
		if a.wish.Press() && v.Outcome != twin.Applied {
			b.pressEnded(p, a, what, v)
		}
		b.checkOutcome(a)
	}
}

func (b *book) pressEnded(p *nodeProc, a *asked, what string, v twin.WishView) {
	b.step.ended = true
	if what != "start" {
		return
	}
	b.w.saw("press found on disk")
	for prop := range a.wish.Values {
		if !slices.Contains(v.Lost, prop) {
			b.adopts[spot{p, a.lamp.name, prop}] = true
		}
	}
}

// checkOutcome: an outcome names a cause that exists, and applied means that the device did it.
func (b *book) checkOutcome(a *asked) {
	if a.noop || b.redefined[a.lamp] {
		return
	}
	switch a.out {
	case twin.Applied:
		if a.p != nil && a.lamp.left(a.p) || a.p == nil && a.lamp.leftSince(a.at) {
			return
		}
		for prop, want := range a.wish.Values {
			if !slices.Contains(a.lost, prop) && !b.had(a.lamp, prop, want, a.at-2*time.Second, a.outAt) {
				b.w.fail("NothingLost", "wish %s ended applied, but %s.%s never was %s since", a.id, a.lamp.name.Name, prop, want)
			}
		}
	case twin.Superseded:
		if a.by == "deleted" || a.by == "moved" || a.by == "definition" || a.by == "" || a.by == "house" || a.by == "hub restored" {
			return
		}
		if a.p != nil {
			b.checkRest(a.p, a, a.lost)
		}
		for _, prop := range a.lost {
			if by := b.asked[a.by]; by != nil && !by.wish.Values[prop].Absent() {
				continue
			}
			if !slices.ContainsFunc(b.taken[propKey(a.lamp, prop)], func(t time.Duration) bool { return a.p == nil || t >= a.at }) {
				b.w.fail("Explained", "wish %s ended superseded by %s on %s, but nobody took it", a.id, a.by, prop)
			}
		}
		if b.asked[a.by] == nil && !known(a.by) {
			b.w.fail("Explained", "wish %s ended superseded by %s, which does not exist", a.id, a.by)
		}
	case twin.Failed, twin.Expired:
		if !a.wish.Press() {
			b.w.fail("Explained", "standing wish %s ended %s", a.id, a.out)
		}
	case twin.Pending, twin.Refused:
	}
}

// checkRest: a wish that ended superseded was carried out in what it did not lose.
func (b *book) checkRest(p *nodeProc, a *asked, lost []string) {
	if b.redefined[a.lamp] || a.lamp.left(p) {
		return
	}
	for prop, want := range a.wish.Values {
		if !slices.Contains(lost, prop) && !b.had(a.lamp, prop, want, a.at-2*time.Second, b.w.at) {
			b.w.fail("Whole", "wish %s lost only %v, and its property %s was dropped with them", a.id, lost, prop)
		}
	}
}

// known: acts of the device and wishes carried over have ids of the holders' own.
func known(id string) bool {
	return len(id) > 6 && (id[:6] == "device" || id[:6] == "carry-")
}

// had reports whether the real device had the value at some time in the window.
func (b *book) had(l *lamp, prop string, v twin.Value, from, to time.Duration) bool {
	past := l.past[prop]
	for i, m := range past {
		end := to + 1
		if i+1 < len(past) {
			end = past[i+1].at
		}
		if m.v == v && m.at <= to && end >= from {
			return true
		}
	}
	return false
}
