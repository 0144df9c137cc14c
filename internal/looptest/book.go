package looptest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"twinbridge/twin"
)

// asked is a wish as its asker knows it.
type asked struct {
	id    string
	lamp  *lamp
	wish  twin.Wish
	cloud bool
	at    time.Time
	away  bool // the node was away, as the hub knew
	ok    bool // its asker was told that it is on disk
	gone  bool // a crash may have swallowed it
	rev   uint64
	noop  bool

	out   twin.Outcome // told for good
	outAt time.Time
	lost  []string

	maybe struct { // an outcome that may not be on the hub's disk yet
		out  twin.Outcome
		life int
		seq  uint64
	}
}

// most bounds the wishes of the cloud for one lamp: the outcomes of so many stay readable.
const most = twin.KeptOutcomes - 2

func (w *world) wish() twin.Wish {
	wish := twin.Wish{ID: fmt.Sprint("w", len(w.asked)), Asker: "somebody", Values: map[string]twin.Value{}}
	for _, prop := range props {
		if w.chance(60) {
			wish.Values[prop] = w.value(prop)
		}
	}
	if len(wish.Values) == 0 {
		wish.Values["power"] = w.value("power")
	}
	if w.chance(25) {
		wish.ValidFor = w.between(500*time.Millisecond, 30*time.Second)
	}
	return wish
}

func (w *world) add(a *asked) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, a)
}

func (w *world) cloudAsks(l *lamp) {
	n := 0
	for _, a := range w.asked {
		if a.cloud && a.lamp == l {
			n++
		}
	}
	reg := w.hub.reg
	if reg == nil || n >= most {
		return
	}
	a := &asked{lamp: l, wish: w.wish(), cloud: true, at: time.Now()}
	a.id, a.wish.Origin, a.wish.Insist = a.wish.ID, twin.FromCloud, w.chance(15)
	node, _ := reg.Node(l.node.name)
	a.away = !node.Connected
	w.add(a)
	w.log("cloud wishes %s %v validFor=%s insist=%v id=%s, node away %v", l.name, a.wish.Values, a.wish.ValidFor, a.wish.Insist, a.id, a.away)
	w.asks.Go(func() {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		_, err := reg.Ask(ctx, l.name, a.wish)
		if err != nil {
			w.log("cloud is told of %s: %v", a.id, err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		a.ok = err == nil
	})
}

func (w *world) houseAsks(l *lamp) {
	h := l.node.holder
	if h == nil {
		return
	}
	a := &asked{lamp: l, wish: w.wish(), at: time.Now()}
	a.id, a.wish.Origin = a.wish.ID, twin.FromHomeKit
	v, err := h.Store.Ask(l.name, a.wish)
	w.log("house wishes %s %v validFor=%s id=%s -> %s %v", l.name, a.wish.Values, a.wish.ValidFor, a.id, v.Outcome, err)
	if !time.Now().Equal(a.at) {
		w.fail("LocalFirst", "wish %s of the house took %s", a.id, time.Since(a.at))
	}
	if err != nil {
		return
	}
	a.ok, a.rev, a.noop = true, v.DecidedRev(), v.Outcome == twin.Applied
	w.add(a)
}

// nodeDies: what was not on the node's disk may be gone.
func (w *world) nodeDies(p *nodeProc) {
	durable := p.holder.Store.Stats().DurableRev
	for _, a := range w.asked {
		if a.cloud || a.lamp.node != p {
			continue
		}
		v, err := p.holder.Store.Wish(a.lamp.name, a.id)
		if a.rev > durable || err == nil && v.DecidedRev() > durable {
			a.gone = true
		}
	}
}

// look reads what askers and readers are told now.
func (w *world) look() {
	for _, a := range w.asked {
		switch {
		case a.out != "":
		case a.cloud:
			w.lookCloud(a)
		case a.lamp.node.holder != nil && !a.gone:
			v, err := a.lamp.node.holder.Store.Wish(a.lamp.name, a.id)
			if err != nil {
				w.fail("Durable", "wish %s of the house is unknown to %s: %v", a.id, a.lamp.node.name, err)
			} else if v.Outcome.Ended() {
				w.told(a, v)
			}
		}
	}
	reg := w.hub.reg
	if reg == nil {
		return
	}
	for _, l := range w.lamps {
		v, err := reg.Device(l.name)
		if err != nil {
			continue
		}
		for i := range v.Props {
			p := &v.Props[i]
			if p.Hidden {
				continue
			}
			k := fmt.Sprint(v.Store, l.name, p.Def.Name)
			if p.Rev < w.revs[k] {
				w.fail("Monotone", "the hub's view of %s.%s went back from rev %d to %d", l.name, p.Def.Name, w.revs[k], p.Rev)
			}
			w.revs[k] = p.Rev
		}
	}
}

// lookCloud takes an outcome for told once it is on the hub's disk.
func (w *world) lookCloud(a *asked) {
	reg := w.hub.reg
	if reg == nil {
		return
	}
	v, err := reg.Wish(a.id)
	if err != nil || !v.Outcome.Ended() {
		a.maybe.out = ""
		return
	}
	if a.maybe.out != v.Outcome || a.maybe.life != w.hub.life {
		a.maybe.out, a.maybe.life, a.maybe.seq = v.Outcome, w.hub.life, reg.Seq()
		return
	}
	now, stop := context.WithCancel(context.Background())
	stop()
	if reg.WaitDurable(now, a.maybe.seq) == nil {
		w.told(a, v)
	}
}

func (w *world) told(a *asked, v twin.WishView) {
	a.out, a.outAt, a.lost = v.Outcome, time.Now(), v.Lost
	w.log("told: %s %s (%s)", a.id, v.Outcome, v.Reason)
	who := "house "
	if a.cloud {
		who = "cloud "
	}
	w.saw(who + string(v.Outcome))
	switch {
	case a.out == twin.Applied && !a.noop:
		for prop, want := range a.wish.Values {
			if !slices.Contains(a.lost, prop) && !a.lamp.had(prop, want, a.at.Add(-2*time.Second), a.outAt) {
				w.fail("NothingLost", "wish %s ended applied, but %s.%s never was %s since", a.id, a.lamp.name, prop, want)
			}
		}
	case !a.wish.Press() && (a.out == twin.Failed || a.out == twin.Expired):
		w.fail("Explained", "standing wish %s ended %s", a.id, a.out)
	}
}

// final: all was healed, and quiet for minutes.
func (w *world) final() {
	for _, a := range w.asked {
		w.finalWish(a)
	}
	for _, l := range w.lamps {
		w.finalLamp(l)
	}
	if n := w.hub.hub.Stats().Sessions; n != len(w.nodes) {
		w.fail("Converge", "the hub has %d sessions, there are %d nodes", n, len(w.nodes))
	}
	for _, p := range w.nodes {
		if s := p.link.Stats(); !s.Connected {
			w.fail("Converge", "%s is not connected: %s", p.name, s.Trouble)
		}
		if n := p.file.largest(); n > 128<<10 {
			w.fail("Bounded", "%s has a record of %d bytes", p.name, n)
		}
	}
	if n := w.hub.file.largest(); n > 128<<10 {
		w.fail("Bounded", "the hub has a record of %d bytes", n)
	}
}

func (w *world) finalWish(a *asked) {
	if a.gone {
		return
	}
	nv, nerr := a.lamp.node.holder.Store.Wish(a.lamp.name, a.id)
	if !a.cloud {
		if a.out == "" {
			w.fail("Told", "wish %s of the house never got an outcome", a.id)
		}
		return
	}
	v, err := w.hub.reg.Wish(a.id)
	switch {
	case err != nil && a.ok:
		w.fail("Durable", "wish %s was accepted and is unknown to the hub: %v", a.id, err)
	case err != nil && nerr == nil:
		w.fail("Durable", "%s was offered wish %s, which the hub does not know any more", a.lamp.node.name, a.id)
	case err != nil:
	case !v.Outcome.Ended():
		w.fail("Told", "wish %s of the cloud never got an outcome", a.id)
	case a.out != "" && a.out != v.Outcome:
		w.fail("Told", "wish %s was told %s, then %s", a.id, a.out, v.Outcome)
	case nerr == nil && nv.Outcome != v.Outcome:
		w.fail("Told", "wish %s: %s has %s, its asker was told %s", a.id, a.lamp.node.name, nv.Outcome, v.Outcome)
	case nerr == nil && a.away && !a.wish.Insist && v.Outcome == twin.Applied:
		w.houseWins(a, nv.At)
	}
}

// houseWins: no wish that waited took effect over an act of the house of which its asker could not know.
func (w *world) houseWins(a *asked, taken time.Time) {
	for _, h := range w.asked {
		if h.cloud || h.gone || h.rev == 0 || h.lamp != a.lamp || !h.at.After(a.at) || !h.at.Before(taken) {
			continue
		}
		for prop := range h.wish.Values {
			if !a.wish.Values[prop].Absent() {
				w.fail("HouseWins", "waited wish %s took effect over the house's %s on %s", a.id, h.id, prop)
			}
		}
	}
}

func (w *world) finalLamp(l *lamp) {
	hv, err := w.hub.reg.Device(l.name)
	nv, nerr := l.node.holder.Store.Device(l.name)
	if err = errors.Join(err, nerr); err != nil {
		w.fail("Converge", "%s: %v", l.name, err)
		return
	}
	if hv.Presence != nv.Presence || nv.Presence != twin.Online || hv.Device.UID != nv.Device.UID {
		w.fail("Converge", "%s: node has %s %s, hub %s %s", l.name, nv.Device.UID, nv.Presence, hv.Device.UID, hv.Presence)
	}
	real := l.state()
	for i := range nv.Props {
		n, h := &nv.Props[i], &hv.Props[i]
		switch prop := n.Def.Name; {
		case n.Expected != h.Expected || n.Rev != h.Rev || n.Actual != h.Actual:
			w.fail("Converge", "%s.%s: node %s/%s rev %d, hub %s/%s rev %d", l.name, prop, n.Expected, n.Actual, n.Rev, h.Expected, h.Actual, h.Rev)
		case n.Wish != "" || h.Wish != "":
			w.fail("Converge", "%s.%s: still pending: node %q, hub %q", l.name, prop, n.Wish, h.Wish)
		case n.Expected != n.Actual || n.Actual != real[prop]:
			w.fail("Converge", "%s.%s: expected %s, actual %s, really %s", l.name, prop, n.Expected, n.Actual, real[prop])
		}
	}
}
