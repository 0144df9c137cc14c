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
		if q.Expected.Absent() && !old.Expected.Absent() && b.step.ended {
			b.nothing[s] = b.w.at
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
			if at, ok := b.nothing[s]; past[i].by == p && (!ok || b.w.at-at > 2*time.Second) {
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
