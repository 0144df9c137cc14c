package twin

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Ask hands in a wish of the house. It is accepted whole, and works at once; or refused whole with a *RefusedError, or
// ErrNotFound, or ErrPrecondition if it was guarded, and changes nothing. A wish whose id is known already is not taken
// twice: its view is given.
func (n *Node) Ask(now Now, name Name, w Wish) (WishView, error) {
	rec, err := n.ask(now, name, &w)
	if err != nil {
		return WishView{}, err
	}
	return n.viewOf(name, rec), nil
}

// ask is Ask for who does not look at the wish.
func (n *Node) ask(now Now, name Name, w *Wish) (*wish, error) {
	n.begin(now)
	d, err := n.find(name)
	if err != nil {
		return nil, err
	}
	if known := d.known(w.ID); known != nil {
		return known, nil
	}
	if err := d.check(w); err != nil {
		return nil, err
	}
	for p, rev := range w.Guard {
		if s, _ := d.p(p); s == nil || s.rev != rev {
			return nil, fmt.Errorf("%w: property %s of %s", ErrPrecondition, p, name)
		}
	}
	if w.Press() && d.presence == Offline {
		return nil, &RefusedError{Reason: "the device is offline"}
	}
	if d.unended() >= MaxWishes {
		return nil, &RefusedError{Reason: fmt.Sprintf("too many wishes: %d of this device have not ended", MaxWishes)}
	}
	rec := n.newWish(w)
	if d.isNoop(w) {
		if n.link == nil && d.unsaidAct(rec.order, n.told) {
			for _, p := range rec.order {
				s, _ := d.p(p)
				n.expect(d, s, s.expected, s.origin)
				s.act = s.rev
			}
		}
		n.end(d, rec, Applied, "")
		return rec, nil
	}
	n.accept(d, rec)
	n.offer(d)
	n.arm(d)
	return rec, nil
}

// check reports why w cannot be a wish of d at all.
func (d *device) check(w *Wish) error {
	refuse := func(err error) error { return &RefusedError{Reason: err.Error(), Err: err} }
	if w.ID == "" || len(w.ID) > MaxWishIDLen {
		return refuse(&FieldError{Field: "id", Value: clip(w.ID), Want: fmt.Sprintf("1 to %d bytes", MaxWishIDLen)})
	}
	if !utf8.ValidString(w.ID) || !utf8.ValidString(w.Asker) {
		return refuse(&FieldError{Field: "id", Value: clip(strconv.QuoteToASCII(w.ID + w.Asker)), Want: "UTF-8 text"})
	}
	if len(w.Asker) > MaxAskerLen {
		return refuse(&FieldError{Field: "asker", Value: clip(w.Asker), Want: fmt.Sprintf("at most %d bytes", MaxAskerLen)})
	}
	if w.ValidFor < 0 || w.ValidFor > MaxValidFor {
		return refuse(&FieldError{Field: "validFor", Value: w.ValidFor.String(), Want: "a duration up to 24h"})
	}
	if len(w.Values) == 0 {
		return refuse(&FieldError{Field: "expected", Value: "", Want: "at least one property"})
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(w.Values)) {
		p := d.def.Property(name)
		if p == nil {
			return refuse(&FieldError{Field: "property", Value: clip(name), Want: "one of " + d.def.PropertyNames()})
		}
		if p.Access == ReadOnly {
			return refuse(&FieldError{Field: name, Value: clip(w.Values[name].Text()), Want: "nothing: the property is read-only"})
		}
		if err := p.Check(w.Values[name]); err != nil {
			return refuse(err)
		}
		total += len(name) + len(w.Values[name].Text())
	}
	for i := range d.prop {
		name, e := d.def.Props[i].Name, d.prop[i].expected
		if _, ok := w.Values[name]; !ok && !e.Absent() {
			total += len(name) + len(e.Text())
		}
	}
	for name := range w.Guard {
		if _, ok := w.Values[name]; !ok {
			total += len(name)
		}
	}
	if total > MaxDeviceState {
		return refuse(&FieldError{Field: "expected", Value: fmt.Sprintf("%d bytes", total), Want: fmt.Sprintf("at most %d bytes a device", MaxDeviceState)})
	}
	return nil
}

// unended counts the wishes of the device that are pending. A wish of the house is measured by them alone: its success
// does not depend on what a hub acknowledges.
func (d *device) unended() (k int) {
	for _, w := range d.wishes {
		if !w.internal() {
			k++
		}
	}
	return k
}

// full reports whether the device holds as many wishes as it may take from the cloud: unended ones, and outcomes not
// acknowledged.
func (d *device) full(acked uint64) bool {
	k := d.unended()
	for i := range d.cloud {
		if d.cloud[i].Outcome.Ended() && d.cloud[i].Rev > acked {
			k++
		}
	}
	return k >= MaxWishes
}

// known finds a wish of the house by id, pending or ended.
func (d *device) known(id string) *wish {
	for _, list := range [2][]*wish{d.wishes, d.ended} {
		for _, w := range list {
			if w.ID == id && !w.internal() {
				return w
			}
		}
	}
	return nil
}

// isNoop: expected and actual equal the wish, nothing is pending or being restored, and the device is online (rule 2).
func (d *device) isNoop(w *Wish) bool {
	if d.presence != Online {
		return false
	}
	for name, v := range w.Values {
		s, p := d.p(name)
		if s.adopt || s.settle != 0 || !p.Equal(s.expected, v) || !p.Equal(s.actual, v) || d.pending(name) != nil {
			return false
		}
	}
	return true
}

// unsaidAct reports whether a hub could still believe that the house has not acted on one of the properties.
func (d *device) unsaidAct(props []string, told uint64) bool {
	return slices.ContainsFunc(props, func(p string) bool { s, _ := d.p(p); return s.act <= told })
}

func (n *Node) newWish(w *Wish) *wish {
	rec := &wish{Wish: *w, outcome: Pending, at: n.now.Wall, state: make(map[string]wishProp, len(w.Values))}
	rec.Values = maps.Clone(w.Values)
	rec.order = slices.Sorted(maps.Keys(w.Values))
	for _, p := range rec.order {
		rec.state[p] = open
	}
	if w.ValidFor > 0 {
		rec.endsAt = n.now.Mono + w.ValidFor
	}
	return rec
}

// accept makes w's values expected and takes its properties from whoever waits for them.
func (n *Node) accept(d *device, w *wish) {
	rev := n.decide(d)
	w.rev, w.acceptRev = rev, rev
	for _, name := range w.order {
		if old := d.pending(name); old != nil {
			w.over = w.over || old.busies()
			n.lose(d, old, name, w.ID)
		}
		s, _ := d.p(name)
		n.expect(d, s, w.Values[name], w.Origin)
	}
	d.wishes = append(d.wishes, w)
	d.backoff, d.retryAt = 0, 0
	n.retryTrouble(d)
}

// lose takes one property away from a pending wish; it ends when its last one is gone.
func (n *Node) lose(d *device, w *wish, prop, by string) {
	w.state[prop] = lost
	if w.internal() {
		n.settleWish(d, w)
		return
	}
	w.lost = append(w.lost, prop)
	w.by = by
	n.decide(d)
	n.settleWish(d, w)
}

// settleWish ends w if none of its properties is open any more.
func (n *Node) settleWish(d *device, w *wish) {
	for _, s := range w.state {
		if s == open {
			return
		}
	}
	if len(w.lost) > 0 {
		n.end(d, w, Superseded, "by "+w.by+": "+strings.Join(w.lost, ", "))
		return
	}
	n.end(d, w, Applied, "")
}

// end gives w its outcome. Restores just go.
func (n *Node) end(d *device, w *wish, o Outcome, reason string) {
	d.wishes = slices.DeleteFunc(d.wishes, func(x *wish) bool { return x == w })
	n.touch(d)
	if w.internal() {
		return
	}
	if w.rev != 0 || w.number != 0 || n.stepRev != 0 {
		w.rev = n.decide(d)
	}
	w.outcome, w.reason, w.trouble = o, Clip(reason, maxReason), ""
	if n.stats.Wishes == nil {
		n.stats.Wishes = map[Outcome]uint64{}
	}
	n.stats.Wishes[o]++
	if w.number != 0 {
		n.recordCloud(d, w)
	}
	d.ended = append(d.ended, w)
	if extra := len(d.ended) - KeptOutcomes; extra > 0 {
		d.ended = slices.Delete(d.ended, 0, extra)
	}
}

// recordCloud writes the outcome of a cloud wish beside its id and keeps the record within its bound.
func (n *Node) recordCloud(d *device, w *wish) {
	rec := cloudRecord{ID: w.ID, Number: w.number, Rev: w.rev, Outcome: w.outcome, Reason: w.reason, By: w.by, Lost: w.lost}
	n.keepCloud(d, rec)
	for len(d.cloud) > KeptCloudIDs {
		i := slices.IndexFunc(d.cloud, func(r cloudRecord) bool { return r.Outcome.Ended() && r.Rev <= n.acked })
		if i < 0 {
			break // full() bounds what is left
		}
		n.dirty[cloudKey(d.def.Name, d.cloud[i].ID)] = true
		d.cloud = slices.Delete(d.cloud, i, i+1)
	}
}

// keepCloud remembers a cloud wish, in the order of the last decisions about them.
func (n *Node) keepCloud(d *device, rec cloudRecord) {
	if i := d.cloudIndex(rec.ID); i >= 0 {
		d.cloud[i] = rec
	} else {
		d.cloud = append(d.cloud, rec)
	}
	n.dirty[cloudKey(d.def.Name, rec.ID)] = true
}

func (d *device) cloudIndex(id string) int {
	return slices.IndexFunc(d.cloud, func(r cloudRecord) bool { return r.ID == id })
}
