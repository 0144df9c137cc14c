package simtest

import (
	"maps"
	"slices"
	"time"

	"twinbridge/twin"
)

var props = []string{"power", "level"}

func (w *world) model() twin.DeviceModel {
	lo, hi := 0.0, 3.0
	return twin.DeviceModel{Name: twin.Name{Namespace: "default", Name: "lamps"}, Properties: []twin.Property{
		{Name: "power", Type: twin.String, Enum: []string{"ON", "OFF"}},
		{Name: "level", Type: twin.Int, Min: &lo, Max: &hi},
	}}
}

func (w *world) value(prop string) twin.Value {
	if prop == "power" {
		return twin.StringValue([]string{"ON", "OFF"}[w.rng.IntN(2)])
	}
	return twin.IntValue(int64(w.rng.IntN(4)))
}

// setup builds the world: two nodes, a hub, a lamp that its node defines and one that the cloud defines and moves.
func (w *world) setup() {
	w.hub = &hubProc{w: w, disk: disk{}}
	for _, name := range []string{"attic", "barn"} {
		w.nodes = append(w.nodes, &nodeProc{w: w, name: name, disk: disk{}})
	}
	for _, name := range []string{"own", "cloudy"} {
		l := &lamp{
			w: w, name: twin.Name{Namespace: "default", Name: name}, real: map[string]twin.Value{}, past: map[string][]moment{},
			mappers: map[*nodeProc]*mapper{}, hold: w.chance(12), slow: w.chance(40),
		}
		l.kind.echo = w.chance(55)
		l.kind.marks = l.kind.echo && w.chance(60)
		l.kind.state = l.kind.echo || w.chance(60)
		if w.chance(50) {
			l.kind.cycle = w.between(500*time.Millisecond, 3*time.Second)
			if !l.kind.echo && w.chance(50) {
				l.kind.cycle = w.between(20*time.Millisecond, 200*time.Millisecond)
			}
		}
		for _, prop := range props {
			l.set(prop, w.value(prop), nil)
		}
		for _, p := range w.nodes {
			if name == "cloudy" || p == w.nodes[0] {
				l.mappers[p] = &mapper{l: l, p: p}
			}
		}
		w.lamps = append(w.lamps, l)
		w.log("lamp %s: %+v hold=%v slow=%v", name, l.kind, l.hold, l.slow)
	}
	w.hub.start()
	for _, p := range w.nodes {
		p.start()
	}
	w.defineOwn(w.lamps[0])
	w.defineCloud(w.lamps[1], w.nodes[0].name)
	clear(w.book.redefined) // the first definitions change nothing that anybody wished
	for _, l := range w.lamps {
		for _, m := range l.each() {
			m.start()
		}
	}
	for _, p := range w.nodes {
		w.maybeDial(p)
	}
	w.run(w.at + w.between(0, 5*time.Second))
}

func (w *world) notes(l *lamp, insists bool) map[string]string {
	notes := map[string]string{}
	if l.hold {
		notes["drift"] = "hold"
	}
	if insists {
		notes["conflict"] = "cloud"
	}
	return notes
}

func (w *world) defineOwn(l *lamp) {
	p := w.nodes[0]
	m := w.model()
	if w.chance(30) { // a changed range: level 3 does not fit any more
		hi := 2.0
		m.Properties[1].Max = &hi
	}
	p.step("define", func(now twin.Now) {
		w.log("%s defines %s (level up to %v)", p.name, l.name.Name, *m.Properties[1].Max)
		w.book.redefines(l)
		if err := p.node.Apply(now, []twin.DeviceModel{m}, []twin.Device{{Name: l.name, Model: m.Name, Annotations: w.notes(l, false)}}); err != nil {
			w.fail("Explained", "a good definition was refused: %v", err)
		}
	})
}

func (w *world) defineCloud(l *lamp, node string) {
	m := w.model()
	w.hub.step(func(now twin.Now) {
		w.log("cloud defines %s at %s", l.name.Name, node)
		w.book.redefines(l)
		dev := twin.Device{Name: l.name, Model: m.Name, Node: node, Annotations: w.notes(l, w.chance(15))}
		if err := w.hub.hub.Apply(now, []twin.DeviceModel{m}, []twin.Device{dev}); err != nil {
			w.fail("Explained", "a good definition was refused: %v", err)
		}
	})
}

// live lets a number of random things happen.
func (w *world) live() {
	n := 15 + w.rng.IntN(50)
	for range n {
		if w.fault != nil {
			return
		}
		w.pick()
		switch w.rng.IntN(10) {
		case 0, 1, 2, 3:
			w.run(w.at + w.between(0, 60*time.Millisecond))
		case 4, 5, 6:
			w.run(w.at + w.between(0, 2*time.Second))
		case 7, 8:
			w.run(w.at + w.between(0, 12*time.Second))
		default:
			w.run(w.at + w.between(0, 45*time.Second))
		}
	}
}

func (w *world) anyLamp() *lamp { return w.lamps[w.rng.IntN(len(w.lamps))] }

func (w *world) anyNode() *nodeProc { return w.nodes[w.rng.IntN(100)/75] } // the first has most of the lamps

// pick does one random thing. A history may have a theme, of which there is more in it: what is rare by itself meets
// more often that way.
func (w *world) pick() {
	switch {
	case w.theme == stores && w.chance(15):
		w.stores()
		return
	case w.theme == stores && w.chance(15), w.theme == links && w.chance(20):
		w.cloudWish()
		return
	case w.theme == crashes && w.chance(20):
		w.houseWish()
		return
	case w.theme == crashes && w.chance(12):
		p := w.anyNode()
		w.log("%s crashes", p.name)
		p.crash()
		w.after(w.between(0, time.Second), p.start)
		return
	case w.theme == links && w.chance(20):
		if s := w.anyNode().link; s != nil {
			s.cut()
		}
		return
	}
	switch k := w.rng.IntN(100); {
	case k < 20:
		w.houseWish()
	case k < 45:
		w.cloudWish()
	case k < 55:
		l, prop := w.anyLamp(), props[w.rng.IntN(2)]
		l.press(prop, w.value(prop))
	case k < 62:
		if s := w.anyNode().link; s != nil {
			s.cut()
		}
	case k < 65:
		if s := w.anyNode().link; s != nil {
			s.lossy = !s.lossy
		}
	case k < 70:
		p := w.anyNode()
		w.log("%s crashes", p.name)
		p.crash()
		w.after(w.between(0, 20*time.Second), p.start)
	case k < 74:
		w.log("hub crashes")
		w.hub.crash()
		w.after(w.between(0, 20*time.Second), w.hub.start)
	case k < 79:
		w.mapperComesOrGoes()
	case k < 83:
		l := w.anyLamp()
		l.broken = !l.broken
		w.log("%s broken: %v", l.name.Name, l.broken)
	case k < 87:
		w.stores()
	case k < 89:
		p := w.anyNode()
		p.bad = !p.bad
		w.log("%s disk bad: %v", p.name, p.bad)
	case k < 90:
		w.wall = w.wall.Add(w.between(-1000*time.Hour, 1000*time.Hour))
		w.log("the clock jumps to %s", w.wall)
	case k < 94:
		w.moveOrDelete()
	case k < 96:
		if w.nodes[0].node != nil && !w.nodes[0].bad {
			w.defineOwn(w.lamps[0])
		}
	default: // copies are made of disks, to be put back some day
		for _, p := range w.nodes {
			p.old = append(p.old, maps.Clone(p.disk))
		}
		w.hub.old = append(w.hub.old, maps.Clone(w.hub.disk))
	}
}

func (w *world) wish() twin.Wish {
	wish := twin.Wish{ID: "w" + w.newID(), Asker: "somebody", Values: map[string]twin.Value{}}
	for _, prop := range props {
		if w.chance(60) {
			wish.Values[prop] = w.value(prop)
		}
	}
	if len(wish.Values) == 0 {
		wish.Values["power"] = w.value("power")
	}
	if w.chance(30) {
		wish.ValidFor = w.between(500*time.Millisecond, 30*time.Second)
		if w.chance(30) {
			wish.ValidFor = w.between(20*time.Millisecond, 300*time.Millisecond)
		}
	}
	return wish
}

func (w *world) houseWish() {
	p, l := w.anyNode(), w.anyLamp()
	if p.node == nil {
		return
	}
	wish := w.wish()
	wish.Origin = []twin.Origin{twin.FromHomeKit, twin.FromMatter, twin.FromMQTT, twin.FromLocal, twin.FromRule}[w.rng.IntN(5)]
	p.step("wish", func(now twin.Now) { w.book.houseAsks(p, l, wish, now) })
}

func (w *world) cloudWish() {
	l := w.anyLamp()
	if w.hub.hub == nil {
		return
	}
	wish := w.wish()
	wish.Origin = twin.FromCloud
	wish.Insist = w.chance(15)
	if w.chance(12) {
		wish.Guard = w.book.guardNow(l, wish)
	}
	w.hub.step(func(now twin.Now) { w.book.cloudAsks(l, wish, now) })
	if w.chance(20) || w.theme == stores && w.chance(50) { // a copy with a wish under way
		w.after(w.between(2*time.Millisecond, 50*time.Millisecond), func() { w.hub.old = append(w.hub.old, maps.Clone(w.hub.disk)) })
	}
}

func (w *world) mapperComesOrGoes() {
	ms := w.anyLamp().each()
	m := ms[w.rng.IntN(len(ms))]
	if m.up {
		m.stop(w.chance(50))
	} else {
		m.start()
	}
}

// stores lets disks get lost, or puts old ones back.
func (w *world) stores() {
	switch w.rng.IntN(4) {
	case 0:
		p := w.anyNode()
		w.log("%s loses its disk", p.name)
		w.saw("node store lost")
		p.crash()
		p.putBack(disk{})
		w.after(w.between(0, 10*time.Second), func() { p.start(); w.ownAgain(p) })
	case 1:
		w.log("the hub loses its disk")
		w.saw("hub store lost")
		w.hub.crash()
		w.hub.putBack(disk{})
		w.after(w.between(0, 10*time.Second), w.hub.start)
	case 2:
		if p := w.anyNode(); len(p.old) > 0 {
			i := w.rng.IntN(len(p.old))
			w.log("%s gets old disk %d back", p.name, i)
			w.saw("node old disk")
			p.crash()
			p.putBack(p.old[i])
			w.after(w.between(0, 10*time.Second), func() { p.start(); w.ownAgain(p) })
		}
	default:
		if len(w.hub.old) > 0 {
			i := max(w.rng.IntN(len(w.hub.old)), w.rng.IntN(len(w.hub.old)))
			w.log("the hub gets old disk %d back", i)
			w.saw("hub old disk")
			w.hub.crash()
			w.hub.putBack(w.hub.old[i])
			w.after(w.between(0, 10*time.Second), w.hub.start)
		}
	}
}

// ownAgain: the manifest still lies in the node's folder.
func (w *world) ownAgain(p *nodeProc) {
	if !w.quiet && w.chance(40) {
		return // not this time: the hub may give the definition back
	}
	if p == w.nodes[0] && p.node != nil && !slices.Contains(p.node.Names(), w.lamps[0].name) {
		w.defineOwn(w.lamps[0])
	}
}

func (w *world) moveOrDelete() {
	l := w.lamps[1]
	h := w.hub.hub
	if w.chance(25) { // the house's own lamp is deleted, and defined again
		own, p := w.lamps[0], w.nodes[0]
		if p.node != nil && slices.Contains(p.node.Names(), own.name) {
			p.step("delete", func(now twin.Now) {
				w.log("%s deletes %s", p.name, own.name.Name)
				w.book.redefines(own)
				_ = p.node.Delete(now, own.name)
			})
			w.defineOwn(own)
		}
		return
	}
	if h == nil {
		return
	}
	if !slices.Contains(h.Names(), l.name) {
		w.defineCloud(l, w.nodes[w.rng.IntN(2)].name)
		return
	}
	if w.chance(30) {
		w.hub.step(func(now twin.Now) {
			w.log("cloud deletes %s", l.name.Name)
			w.book.redefines(l)
			_ = h.Delete(now, l.name)
		})
		return
	}
	to, force := w.nodes[w.rng.IntN(2)].name, w.chance(25)
	w.hub.step(func(now twin.Now) {
		w.log("cloud moves %s to %s, force %v", l.name.Name, to, force)
		w.saw("move")
		w.book.redefines(l)
		_ = h.Move(now, l.name, to, force)
		if force {
			w.book.forced(l)
		}
	})
}

// heal ends all trouble and lets the world come to rest.
func (w *world) heal() {
	if w.fault != nil {
		return
	}
	w.run(w.at + w.between(0, 3*time.Second))
	w.log("--- healed ---")
	w.quiet = true
	w.hub.start()
	for _, p := range w.nodes {
		p.bad = false
		p.start()
		w.after(30*time.Second, func() { w.ownAgain(p) })
		if p.link != nil {
			p.link.lossy = false
			p.link.cut()
		}
	}
	if h := w.hub.hub; h != nil && !slices.Contains(h.Names(), w.lamps[1].name) && w.fault == nil {
		w.defineCloud(w.lamps[1], w.nodes[0].name)
	}
	for _, l := range w.lamps {
		l.broken, l.slow = false, false
		for _, m := range l.each() {
			m.start()
		}
	}
	for _, p := range w.nodes {
		w.after(2*time.Second, func() { w.maybeDial(p) })
	}
	w.run(w.at + 240*time.Second)
}
