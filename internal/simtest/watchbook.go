package simtest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"twinbridge/twin"
)

// report notes the report that the coming step takes in.
func (b *book) report(p *nodeProc, l *lamp, r twin.Report, why string) {
	b.step.report, b.step.lamp = &r, l
	b.step.firsts = map[string]bool{}
	v, ok := p.views[l.name]
	if !ok {
		return
	}
	for prop, q := range r.Props {
		if q.Error != "" {
			continue
		}
		s := spot{p, l.name, prop}
		b.step.firsts[prop] = b.first[s] || v.Presence != twin.Online
		delete(b.first, s)
		if old := v.Prop(prop); old != nil && old.Actual != q.Value {
			b.w.log("%s hears %s.%s=%s wish=%q act=%v (%s)", p.name, l.name.Name, prop, q.Value, q.Wish, q.Act, why)
		}
	}
	if v.Presence != twin.Online {
		for _, prop := range props {
			if _, in := r.Props[prop]; !in {
				b.first[spot{p, l.name, prop}] = true
			}
		}
	}
}

// says notes a state message; online from a new connection counts as coming online.
func (b *book) says(p *nodeProc, l *lamp, state, conn string) {
	s := spot{p: p, name: l.name}
	if v, ok := p.views[l.name]; ok && state == "online" && (v.Presence != twin.Online || b.conns[s] != conn) {
		for _, prop := range props {
			b.first[spot{p, l.name, prop}] = true
			b.online[spot{p, l.name, prop}] = b.w.at
		}
	}
	b.conns[s] = conn
}

// nodeView looks at one device after a step of its node.
func (b *book) nodeView(p *nodeProc, what string, before, v twin.View, had bool) {
	l := b.w.lamp(v.Device.Name)
	if l == nil {
		return
	}
	if !had || before.Device.UID != v.Device.UID {
		if had {
			b.nodeLost(p, l.name) // another creation of that name
		}
		b.w.log("%s has %s", p.name, l.name.Name)
		l.appear(p)
		before = twin.View{Props: make([]twin.PropertyView, len(v.Props))}
	}
	defining := strings.HasPrefix(what, "def") || what == "start" || what == "delete"
	if what == "report" {
		if b.step.lamp != l {
			b.step.report = nil
		}
	} else {
		b.step.report, b.step.firsts = nil, nil
	}
	for i := range v.Props {
		if i >= len(before.Props) {
			break
		}
		q, old := &v.Props[i], &before.Props[i]
		s := spot{p, l.name, q.Def.Name}
		if q.Wish != "" && !q.Restore || what == "report" && q.Wish == "" {
			delete(b.adopts, s)
		}
		if old.Wish != "" && !old.Restore && q.Wish == "" && q.Actual != old.Expected && !defining {
			if wv, err := p.node.WishView(l.name, old.Wish); err == nil && wv.Outcome == twin.Superseded && !slices.Contains(wv.Lost, s.prop) {
				b.w.fail("Whole", "%s: wish %s lost %v, and its property %s was dropped with them", p.name, old.Wish, wv.Lost, s.prop)
			}
		}
		if q.Expected != old.Expected || q.Origin != old.Origin {
			b.w.log("%s: %s.%s expected %s by %s (%s)", p.name, l.name.Name, s.prop, q.Expected, q.Origin, what)
		}
		if q.Expected.Absent() && !old.Expected.Absent() && !b.step.ended && !defining {
			b.w.fail("Kept", "%s: expected of %s.%s became absent by %s", p.name, l.name.Name, s.prop, what)
		}
		if q.Origin == twin.FromDevice && (q.Expected != old.Expected || old.Origin != twin.FromDevice) && !defining {
			b.deviceActed(p, l, s, q)
		}
		if q.Restore && q.Wish != old.Wish {
			b.w.saw("restore")
			b.w.log("%s: restore of %s.%s=%s (%s)", p.name, l.name.Name, s.prop, q.Expected, what)
			if !defining {
				b.checkRestore(p, l, s.prop, what)
			}
		}
		if q.Wish == "" && !q.Actual.Absent() && q.Actual != q.Expected && v.Presence == twin.Online {
			if _, running := b.diff[s]; !running {
				b.diff[s] = b.w.at
			}
		} else {
			delete(b.diff, s)
		}
	}
	if v.Presence == twin.Online && before.Presence != twin.Online {
		for _, prop := range props {
			b.online[spot{p, l.name, prop}] = b.w.at
		}
	}
	if v.Presence != before.Presence && had {
		b.w.log("%s: %s is %s", p.name, l.name.Name, v.Presence)
	}
}

// deviceActed: an act of the device is explained by a hand on it, after the settle time or marked, and not before it
// came online.
func (b *book) deviceActed(p *nodeProc, l *lamp, s spot, q *twin.PropertyView) {
	k := propKey(l, s.prop)
	b.actedOn(p, k)
	b.w.saw("act of the device")
	marked := b.step.report != nil && b.step.report.Props[s.prop].Act
	if since, running := b.diff[s]; !marked && (!running || b.w.at-since < time.Second) {
		b.w.fail("Follow", "%s: expected of %s follows the device before the settle time", p.name, k)
	}
	if b.step.firsts[s.prop] {
		b.w.fail("Follow", "%s: expected of %s follows the device before it came online", p.name, k)
	}
	if l.hold {
		b.w.fail("Follow", "%s: %s follows a device that holds", p.name, k)
	}
	past := l.past[s.prop]
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].v == q.Expected {
			if past[i].at < b.online[s]-50*time.Millisecond {
				b.w.fail("Follow", "%s: expected of %s follows a hand of %s, before it came online", p.name, k, past[i].at)
			}
			if past[i].by == p {
				b.w.fail("Follow", "%s: expected of %s became %s by an act of the device, but it was a mapper that drove it", p.name, k, q.Expected)
			}
			return
		}
	}
	b.w.fail("Follow", "%s: expected of %s became %s, which the device never was", p.name, k, q.Expected)
}

// checkRestore: a hand on the switch is not undone, but by a restore that has one of its reasons.
func (b *book) checkRestore(p *nodeProc, l *lamp, prop, what string) {
	s := spot{p, l.name, prop}
	if b.adopts[s] {
		b.w.fail("NoGhost", "%s: %s.%s is put back after a start, although a press on it had run out", p.name, l.name.Name, prop)
	}
	if l.hold || b.step.ended || b.step.firsts[prop] {
		return
	}
	if r := b.step.report; r != nil {
		if q := r.Props[prop]; q.Wish != "" || q.Act {
			return
		}
	}
	b.w.fail("NoGhost", "%s: %s.%s is put back for no reason (%s)", p.name, l.name.Name, prop, what)
}

// checkHouseActed: a wish that ended by the house names an act that its asker had not seen, or a settle time runs.
func (b *book) checkHouseActed(p *nodeProc, c twin.CloudWish, v twin.WishView) {
	for _, prop := range v.Lost {
		if _, running := b.diff[spot{p, c.Device, prop}]; running {
			return
		}
		for _, t := range b.ever[c.Device.Name+"."+prop] {
			if t.p == p && (c.SeenStore != p.node.StoreID() || t.store != c.SeenStore || t.rev > c.Seen[prop]) {
				return
			}
		}
	}
	b.w.fail("Explained", "%s ended wish %s by an act of the house on %v, but nobody acted", p.name, c.ID, v.Lost)
}

// offered looks at a delta: a wish's properties go together.
func (b *book) offered(p *nodeProc, v twin.View, d delta) {
	for i := range v.Props {
		q := &v.Props[i]
		if q.Wish == "" {
			continue
		}
		if _, in := d[q.Def.Name]; in {
			continue
		}
		for _, o := range d {
			if o.wish == q.Wish {
				b.w.fail("Whole", "%s: a delta carries wish %s without its property %s", p.name, q.Wish, q.Def.Name)
			}
		}
	}
	for _, prop := range slices.Sorted(maps.Keys(d)) {
		a := b.asked[d[prop].wish]
		if a == nil {
			continue
		}
		wv, err := p.node.WishView(v.Device.Name, a.id)
		switch {
		case err != nil || wv.Outcome.Ended():
			b.w.fail("Once", "%s offers wish %s, which has ended", p.name, a.id)
		case a.p == nil && wv.DecidedRev() > p.node.DurableRev():
			b.w.fail("Durable", "%s offers cloud wish %s before it is on disk", p.name, a.id)
		}
	}
}

// drives: the mapper drives the lamp. What it carries out was offered.
func (b *book) drives(p *nodeProc, l *lamp, prop string, o order) {
	if l.real[prop] != o.value {
		b.w.log("mapper at %s drives %s.%s=%s for %s", p.name, l.name.Name, prop, o.value, o.wish)
	}
}

// --- processes and stores ---------------------------------------------------------------------------------------

// nodeOpens checks that what was told is still there.
func (b *book) nodeOpens(p *nodeProc) {
	if told := b.toldRev[p][p.node.StoreID()]; told > p.node.Rev() {
		b.w.fail("Durable", "%s opens with rev %d, but told rev %d before", p.name, p.node.Rev(), told)
	}
	for _, a := range b.order {
		if t, ok := a.took[p]; ok && a.p == p && a.out == "" && !a.gone {
			if _, err := p.node.WishView(a.lamp.name, a.id); err != nil {
				b.w.fail("Durable", "wish %s was on the disk of %s at rev %d and is gone", a.id, p.name, t.rev)
			}
		}
	}
}

// nodeDies: what was not on disk may be gone.
func (b *book) nodeDies(p *nodeProc) {
	durable := p.node.DurableRev()
	for _, a := range b.order {
		t, ok := a.took[p]
		if !ok {
			continue
		}
		if a.p == p && !a.noop {
			v, err := p.node.WishView(a.lamp.name, a.id)
			if t.rev > durable {
				a.gone = true
			} else if err == nil && v.Outcome.Ended() && v.DecidedRev() > durable {
				a.gone = true // told to the house and not on disk: it may end otherwise
			}
		}
		if t.rev > durable {
			delete(a.took, p)
		}
	}
	for k := range b.acts {
		b.acts[k] = slices.DeleteFunc(b.acts[k], func(t act) bool { return t.p == p && t.rev > durable })
	}
	b.forget(p)
}

func (b *book) forget(p *nodeProc) {
	maps.DeleteFunc(b.online, func(s spot, _ time.Duration) bool { return s.p == p })
	maps.DeleteFunc(b.adopts, func(s spot, _ bool) bool { return s.p == p })
	maps.DeleteFunc(b.first, func(s spot, _ bool) bool { return s.p == p })
	maps.DeleteFunc(b.diff, func(s spot, _ time.Duration) bool { return s.p == p })
	maps.DeleteFunc(b.conns, func(s spot, _ string) bool { return s.p == p })
}

// nodeDestroyed: another disk is in the node now.
func (b *book) nodeDestroyed(p *nodeProc) {
	for store := range b.toldRev[p] {
		delete(b.revs, store)
	}
	delete(b.toldRev, p)
	b.owe(p)
	for k := range b.acts {
		b.acts[k] = slices.DeleteFunc(b.acts[k], func(t act) bool { return t.p == p })
	}
	for _, a := range b.order {
		if _, took := a.took[p]; took && a.p == p {
			a.gone = true
		}
		delete(a.took, p)
		if a.teller == p {
			a.former, a.byNode, a.teller = a.byNode, "", nil
		}
	}
}

// owe notes what the hub knows as expected at a node that has just lost its disk: it has to come back.
func (b *book) owe(p *nodeProc) {
	for _, l := range b.w.lamps { // an old disk has its own past
		for _, prop := range props {
			if l.mappers[p] != nil {
				delete(b.owed, propKey(l, prop))
			}
		}
	}
	if b.w.hub.hub == nil || len(p.disk) != 0 {
		return
	}
	for _, l := range b.w.lamps {
		v, err := b.w.hub.hub.View(l.name)
		if err != nil || v.Device.Node != p.name || l.hold {
			continue
		}
		for i := range v.Props {
			if q := &v.Props[i]; q.Wish == "" && q.Rev != 0 && !q.Expected.Absent() && q.Def.Check(q.Expected) == nil {
				b.owed[propKey(l, q.Def.Name)] = q.Expected
			}
		}
	}
}

func (b *book) nodeLost(p *nodeProc, name twin.Name) {
	b.w.log("%s has %s no more", p.name, name.Name)
	for _, prop := range props { // with the device its acts are forgotten here
		k := name.Name + "." + prop
		b.acts[k] = slices.DeleteFunc(b.acts[k], func(t act) bool { return t.p == p })
	}
	for _, a := range b.order { // a wish of the cloud goes on where the device moves to, be it back again
		if a.p == nil && a.lamp.name == name && a.out == "" {
			delete(a.took, p)
		}
	}
	maps.DeleteFunc(b.diff, func(s spot, _ time.Duration) bool { return s.p == p && s.name == name })
}

func (b *book) hubOpens() {
	clear(b.hubRev)
	clear(b.stores)
}

// hubDies: wishes that were not on disk are gone, and their askers had no answer.
func (b *book) hubDies() {
	for _, a := range b.order {
		if a.p == nil && !a.told {
			a.gone = true
		}
	}
}

// hubDestroyed: another disk is in the hub now; nobody promises anything about what it held.
func (b *book) hubDestroyed() {
	for _, a := range b.order {
		if a.p == nil {
			a.gone = true
		}
	}
	clear(b.hubRev)
	clear(b.owed)
}

// forced: a device was taken from a node that could not be asked. What that node still says is ignored.
func (b *book) forced(l *lamp) {
	for _, a := range b.order {
		if a.lamp == l && a.p == nil && a.out == "" {
			a.forced, a.byNode = true, ""
		}
	}
}

func (b *book) redefines(l *lamp) {
	b.redefined[l] = true
	for _, prop := range props {
		delete(b.owed, propKey(l, prop))
	}
}

// --- the end ----------------------------------------------------------------------------------------------------

// final: everything was healed and quiet for minutes.
func (b *book) final() {
	if b.w.fault != nil {
		return
	}
	for _, a := range b.order {
		if a.told && !a.gone && a.out == "" {
			b.w.fail("Told", "wish %s of %s never got an outcome", a.id, a.wish.Origin)
		}
	}
	h := b.w.hub.hub
	for _, l := range b.w.lamps {
		hv, err := h.View(l.name)
		if err != nil {
			b.w.fail("Converge", "the hub does not know %s", l.name)
			continue
		}
		var at *nodeProc
		for _, p := range b.w.nodes {
			if _, err := p.node.View(b.w.now(), l.name); err == nil {
				if at != nil {
					b.w.fail("Converge", "%s is at %s and at %s", l.name, at.name, p.name)
				}
				at = p
			}
		}
		if at == nil || at.name != hv.Device.Node {
			b.w.fail("Converge", "the hub sees %s at %s, which does not have it", l.name, hv.Device.Node)
			continue
		}
		nv, _ := at.node.View(b.w.now(), l.name)
		for i := range nv.Props {
			q := &nv.Props[i]
			if owed, ok := b.owed[propKey(l, q.Def.Name)]; ok && owed != q.Expected {
				b.w.fail("Kept", "%s.%s: %s was expected when the node lost its disk, and is %s now", l.name, q.Def.Name, owed, q.Expected)
			}
		}
		b.sameView(l, nv, hv)
	}
}

func (b *book) sameView(l *lamp, nv, hv twin.View) {
	if nv.Device.UID != hv.Device.UID || nv.Presence != hv.Presence {
		b.w.fail("Converge", "%s: node has uid %s %s, the hub %s %s", l.name, nv.Device.UID, nv.Presence, hv.Device.UID, hv.Presence)
	}
	for i := range nv.Props {
		n, k := &nv.Props[i], hv.Prop(nv.Props[i].Def.Name)
		switch {
		case k == nil || n.Expected != k.Expected || n.Rev != k.Rev || n.Actual != k.Actual:
			b.w.fail("Converge", "%s.%s: node %s/%s rev %d, hub %s/%s rev %d", l.name, n.Def.Name, n.Expected, n.Actual, n.Rev, k.Expected, k.Actual, k.Rev)
		case n.Wish != "" || k.Wish != "":
			b.w.fail("Converge", "%s.%s: still pending: node %q, hub %q", l.name, n.Def.Name, n.Wish, k.Wish)
		case n.Expected.Absent() && n.Def.Check(n.Actual) != nil: // a definition that the device does not keep to
		case n.Expected != n.Actual:
			b.w.fail("Converge", "%s.%s: expected %s, actual %s", l.name, n.Def.Name, n.Expected, n.Actual)
		case n.Actual != l.real[n.Def.Name]:
			b.w.fail("Converge", "%s.%s: actual %s, really %s", l.name, n.Def.Name, n.Actual, l.real[n.Def.Name])
		}
	}
}
