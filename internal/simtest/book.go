package simtest

import (
	"maps"
	"slices"
	"strconv"
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
	forced bool // the device was moved by force meanwhile: the old node may know of another end
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
	acts  map[string][]act // by device and property
	taken map[string][]time.Duration

	first   map[spot]bool          // the next report is the first after coming online
	diff    map[spot]time.Duration // since when actual differs with nothing pending
	conns   map[spot]string
	revs    map[string]map[string]twin.Value // by node store: what each rev said of each property
	toldRev map[*nodeProc]map[string]uint64  // by store: highest rev told
	hubRev  map[string]uint64                // by uid and property: what the hub's view showed
	stores  map[string]string                // by node: the store that the hub knows

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
	return &book{w: w, asked: map[string]*asked{}, acts: map[string][]act{}, taken: map[string][]time.Duration{}, first: map[spot]bool{},
		diff: map[spot]time.Duration{}, conns: map[spot]string{}, revs: map[string]map[string]twin.Value{},
		toldRev: map[*nodeProc]map[string]uint64{}, hubRev: map[string]uint64{}, stores: map[string]string{}, redefined: map[*lamp]bool{}}
}

func propKey(l *lamp, prop string) string { return l.name.Name + "." + prop }

func (b *book) add(a *asked) {
	b.asked[a.id] = a
	b.order = append(b.order, a)
}

// --- wishes -----------------------------------------------------------------------------------------------------

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
		k := propKey(l, prop)
		b.acts[k] = append(b.acts[k], act{p, p.life, p.node.StoreID(), p.node.Rev()})
		b.taken[k] = append(b.taken[k], b.w.at)
	}
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

// guardNow makes a guard of what the cloud's reader sees.
func (b *book) guardNow(l *lamp, wish twin.Wish) map[string]uint64 {
	v, err := b.w.hub.hub.View(l.name)
	if err != nil {
		return nil
	}
	g := map[string]uint64{}
	for prop := range wish.Values {
		if q := v.Prop(prop); q != nil {
			g[prop] = q.Rev
		}
	}
	return g
}

// cloudAsks hands a wish of the cloud to the hub.
func (b *book) cloudAsks(l *lamp, wish twin.Wish, now twin.Now) {
	h := b.w.hub.hub
	view, err := h.View(l.name)
	if err != nil {
		return
	}
	v, err := h.Ask(now, l.name, wish)
	b.w.log("cloud wishes %s %v validFor=%s insist=%v guard=%v id=%s -> %s %v", l.name.Name, values(wish), wish.ValidFor, wish.Insist, wish.Guard, wish.ID, v.Outcome, err)
	if err != nil {
		return
	}
	a := &asked{id: wish.ID, lamp: l, wish: wish, at: b.w.at, seen: map[string]uint64{}, took: map[*nodeProc]acceptance{}, over: map[*nodeProc]bool{}}
	for prop := range wish.Values {
		a.seen[prop] = view.Prop(prop).Rev
	}
	b.add(a)
}

func values(w twin.Wish) map[string]string {
	out := map[string]string{}
	for k, v := range w.Values {
		out[k] = v.Text()
	}
	return out
}

// hubViews looks at the hub after a step: outcomes told to askers, and the views.
func (b *book) hubViews() {
	h := b.w.hub.hub
	for _, a := range b.order {
		if a.p != nil || a.gone {
			continue
		}
		v, err := h.WishView(a.lamp.name, a.id)
		if err != nil {
			if a.told && a.out == "" {
				b.w.fail("Durable", "wish %s was accepted and is unknown to the hub", a.id)
			}
			continue
		}
		if !h.Durable(v) {
			continue
		}
		if !a.told {
			a.told = true
		}
		if !v.Outcome.Ended() {
			if a.out != "" {
				b.w.fail("Told", "wish %s was told %s, and is pending again", a.id, a.out)
			}
			continue
		}
		b.cloudEnded(a, v)
	}
	for _, name := range h.Names() {
		v, _ := h.View(name)
		for i := range v.Props {
			q := &v.Props[i]
			k := v.Device.Node + " " + v.Device.UID + "." + q.Def.Name
			if q.Rev != 0 && q.Rev < b.hubRev[k] {
				b.w.fail("Monotone", "the hub's view of %s.%s went back from rev %d to %d", name, q.Def.Name, b.hubRev[k], q.Rev)
			}
			if q.Rev != 0 {
				b.hubRev[k] = q.Rev
			}
		}
	}
}

func (b *book) cloudEnded(a *asked, v twin.WishView) {
	if a.out != "" {
		if a.out != v.Outcome {
			b.w.fail("Told", "wish %s was told %s, then %s", a.id, a.out, v.Outcome)
		}
		return
	}
	a.out, a.outAt, a.by, a.lost = v.Outcome, b.w.at, v.By, v.Lost
	b.w.log("cloud learns: %s %s (%s)", a.id, v.Outcome, v.Reason)
	b.w.saw("cloud " + string(v.Outcome))
	house := v.Outcome == twin.Superseded && (v.By == "house" || v.By == "deleted" || v.By == "moved")
	if a.former != "" && a.former == v.Outcome {
		return // it was on its way when the node's disk was lost
	}
	if a.sent && a.byNode == "" && !house && !a.forced {
		b.w.fail("Told", "the hub ended wish %s as %s, although it was sent and no node said so", a.id, v.Outcome)
	}
	if a.byNode != "" && a.byNode != v.Outcome {
		b.w.fail("Told", "wish %s: the node said %s, the asker was told %s", a.id, a.byNode, v.Outcome)
	}
	b.checkOutcome(a)
}

// nodeWishes looks at the outcomes of the house's wishes after a step of their node.
func (b *book) nodeWishes(p *nodeProc) {
	b.step.ended = false
	for _, a := range b.order {
		if _, took := a.took[p]; !took || a.p == nil && a.over[p] {
			continue
		}
		v, err := p.node.WishView(a.lamp.name, a.id)
		if a.p == nil {
			if a.over[p] = err == nil && v.Outcome.Ended(); a.over[p] && a.wish.Press() && v.Outcome != twin.Applied {
				b.step.ended = true
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
			b.step.ended = true
		}
		b.checkOutcome(a)
	}
}

// checkOutcome: an outcome names a cause that exists, and applied means that the device did it.
func (b *book) checkOutcome(a *asked) {
	if a.noop || b.redefined[a.lamp] {
		return
	}
	switch a.out {
	case twin.Applied:
		for prop, want := range a.wish.Values {
			if !slices.Contains(a.lost, prop) && !b.had(a.lamp, prop, want, a.at-2*time.Second, a.outAt) {
				b.w.fail("NothingLost", "wish %s ended applied, but %s.%s never was %s since", a.id, a.lamp.name.Name, prop, want)
			}
		}
	case twin.Superseded:
		if a.by == "deleted" || a.by == "moved" || a.by == "definition" || a.by == "" {
			return
		}
		for _, prop := range a.lost {
			if !slices.ContainsFunc(b.taken[propKey(a.lamp, prop)], func(t time.Duration) bool { return a.p == nil || t >= a.at }) {
				b.w.fail("Explained", "wish %s ended superseded by %s on %s, but nobody took it", a.id, a.by, prop)
			}
		}
		if a.by != "house" && a.by != "hub restored" && b.asked[a.by] == nil && !known(a.by) {
			b.w.fail("Explained", "wish %s ended superseded by %s, which does not exist", a.id, a.by)
		}
	case twin.Failed, twin.Expired:
		if !a.wish.Press() {
			b.w.fail("Explained", "standing wish %s ended %s", a.id, a.out)
		}
	case twin.Pending, twin.Refused:
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

// --- the link ---------------------------------------------------------------------------------------------------

// told: a node tells decisions. Each must be on its disk, and no rev may come back with another content.
func (b *book) told(p *nodeProc, d twin.Decisions) {
	if d.Rev > p.node.DurableRev() {
		b.w.fail("Durable", "%s tells rev %d, on disk is %d", p.name, d.Rev, p.node.DurableRev())
	}
	b.w.log("%s tells up to rev %d: %d devices, %d gone", p.name, d.Rev, len(d.Devices), len(d.Gone))
	if b.toldRev[p] == nil {
		b.toldRev[p] = map[string]uint64{}
	}
	b.toldRev[p][d.NodeStore] = max(b.toldRev[p][d.NodeStore], d.Rev)
	if b.revs[d.NodeStore] == nil {
		b.revs[d.NodeStore] = map[string]twin.Value{}
	}
	for _, dev := range d.Devices {
		for _, q := range dev.Props {
			k := dev.UID + "." + q.Name + "@" + strconv.FormatUint(q.Rev, 10)
			if old, ok := b.revs[d.NodeStore][k]; ok && old != q.Expected {
				b.w.fail("Monotone", "%s: rev %d of %s.%s was %s, now it is %s", p.name, q.Rev, dev.Name, q.Name, old, q.Expected)
			}
			b.revs[d.NodeStore][k] = q.Expected
		}
		b.outcomes(p, dev.Outcomes)
	}
	for _, g := range d.Gone {
		b.outcomes(p, g.Outcomes)
	}
}

func (b *book) outcomes(p *nodeProc, told []twin.OutcomeTold) {
	for _, o := range told {
		a := b.asked[o.ID]
		if a == nil || a.gone || a.forced {
			continue
		}
		if a.byNode != "" && a.byNode != o.Outcome {
			b.w.fail("Told", "wish %s: a node told %s, then %s told %s", a.id, a.byNode, p.name, o.Outcome)
		}
		a.byNode, a.teller = o.Outcome, p
	}
}

func (b *book) hubOffers(c twin.CloudWish) {
	if a := b.asked[c.ID]; a != nil {
		a.sent = true
		if !a.told && !a.gone {
			b.w.fail("Durable", "wish %s was offered before it was on the hub's disk", a.id)
		}
	}
}

func (b *book) hubGreeted(p *nodeProc, h twin.NodeHello) {
	if b.stores[p.name] != h.NodeStore {
		b.stores[p.name] = h.NodeStore
		maps.DeleteFunc(b.hubRev, func(k string, _ uint64) bool { return len(k) > len(p.name) && k[:len(p.name)] == p.name })
	}
}

// beforeOffer and afterOffer watch how a node takes a wish of the cloud.
func (b *book) beforeOffer(p *nodeProc, c twin.CloudWish) {
	b.step.firsts = nil
	v, err := p.node.WishView(c.Device, c.ID)
	b.w.log("%s is offered %s (number %d, session %q)", p.name, c.ID, c.Number, c.Session)
	b.offerWas = offerWas{v, err == nil}
}

func (b *book) afterOffer(p *nodeProc, c twin.CloudWish) {
	v, err := p.node.WishView(c.Device, c.ID)
	was := b.offerWas
	if err != nil || !v.At.Equal(b.w.wall) || was.known && was.view.At.Equal(v.At) || v.Outcome != twin.Pending && v.Outcome != twin.Applied {
		return
	}
	l := b.w.lamp(c.Device)
	for prop := range c.Values {
		k := propKey(l, prop)
		b.taken[k] = append(b.taken[k], b.w.at)
	}
	b.checkHouseWins(p, l, c)
	a := b.asked[c.ID]
	if a == nil {
		return
	}
	if t, took := a.took[p]; took && t.store == p.node.StoreID() && !(a.gone && b.redefined[l]) {
		b.w.fail("Once", "%s took wish %s twice", p.name, c.ID)
	}
	a.over[p] = false
	a.took[p] = acceptance{p.node.StoreID(), p.node.Rev(), b.w.at}
	a.noop = v.Outcome == twin.Applied
	b.w.saw("cloud wish taken")
	if after, err := p.node.View(b.w.now(), c.Device); err == nil && v.Outcome == twin.Pending {
		b.checkWhole(a, after)
	}
}

// checkHouseWins: no waited wish takes effect over an act of the house that its asker had not seen.
func (b *book) checkHouseWins(p *nodeProc, l *lamp, c twin.CloudWish) {
	if c.Session != "" && c.Session == p.node.Session() {
		return
	}
	b.w.saw("waited wish taken")
	if view, err := p.node.View(b.w.now(), c.Device); c.Insist || err == nil && view.Device.Policy.CloudInsists {
		return
	}
	for prop := range c.Values {
		for _, t := range b.acts[propKey(l, prop)] {
			if t.p != p {
				continue
			}
			if same := c.SeenStore == p.node.StoreID() && t.store == c.SeenStore; same && t.rev > c.Seen[prop] || !same && t.life == p.life && t.rev != 0 {
				b.w.fail("HouseWins", "waited wish %s on %s (seen rev %d) took effect over an act of the house (rev %d)", c.ID, prop, c.Seen[prop], t.rev)
			}
		}
	}
}

type offerWas struct {
	view  twin.WishView
	known bool
}
