package simtest

import (
	"strconv"

	"twinbridge/twin"
)

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
			k := v.Store + " " + v.Device.UID + "." + q.Def.Name
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
		b.outcomes(p, dev.UID, dev.Outcomes)
	}
	for _, g := range d.Gone {
		b.outcomes(p, g.UID, g.Outcomes)
	}
}

func (b *book) outcomes(p *nodeProc, uid string, told []twin.OutcomeTold) {
	for _, o := range told {
		a := b.asked[o.ID]
		if a == nil || a.forced || a.out != "" && p.aged || a.gone && b.redefined[a.lamp] {
			continue
		}
		if h := b.w.hub.hub; h != nil {
			if v, err := h.View(a.lamp.name); err == nil && v.Device.UID == uid && v.Device.Node != p.name {
				continue // an old disk remembers a device that lives elsewhere: what it says is ignored
			}
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
	if err == nil && !was.known && v.Outcome == twin.Superseded && v.By == "house" && c.Question == "" {
		b.checkHouseActed(p, c, v)
	}
	if err != nil || !v.At.Equal(b.w.wall) || was.known && was.view.At.Equal(v.At) || v.Outcome != twin.Pending && v.Outcome != twin.Applied {
		return
	}
	l := b.w.lamp(c.Device)
	for prop := range c.Values {
		k := propKey(l, prop)
		if owed, ok := b.owed[k]; ok && c.Origin == twin.FromRestore && owed == c.Values[prop] {
			b.taken[k] = append(b.taken[k], b.w.at)
			continue // paid, and must stay
		}
		b.take(k)
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
