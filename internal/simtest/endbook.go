package simtest

import (
	"twinbridge/twin"
)

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
	for _, p := range b.w.nodes {
		b.bounded(p.name, p.disk)
		if n := p.node.Stats().Pending; n > twin.MaxWishes*len(b.w.lamps) {
			b.w.fail("Bounded", "%s holds %d wishes without outcome", p.name, n)
		}
	}
	b.bounded("the hub", b.w.hub.disk)
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

// maxRecord is what a record may grow to: a few properties, the wishes that are kept, the ids of the last cloud wishes.
const maxRecord = 128 << 10

func (b *book) bounded(who string, d disk) {
	for key, data := range d {
		if len(data) > maxRecord {
			b.w.fail("Bounded", "%s has a record %s of %d bytes", who, key, len(data))
		}
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
