package simtest

import (
	"maps"
	"slices"
	"time"

	"twinbridge/twin"
)

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
