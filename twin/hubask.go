package twin

import (
	"fmt"
	"maps"
	"slices"
)

// connected reports whether wishes for the device go out at once.
func (h *Hub) connected(d *hubDevice) *hubNode {
	if n := h.nodes[d.def.Node]; n != nil && n.session != "" && n.ready && !d.moves {
		return n
	}
	return nil
}

// Ask hands in a wish of the cloud. It is pending from now on, and counts as accepted once it is on disk. Refused with
// *RefusedError, ErrNotFound or ErrPrecondition it changes nothing.
func (h *Hub) Ask(now Now, name Name, w Wish) (WishView, error) {
	h.begin(now)
	d, err := h.find(name)
	if err != nil {
		return WishView{}, err
	}
	if known := d.known(w.ID); known != nil {
		return h.proposal(d, known), nil
	}
	probe := &device{def: d.def, prop: make([]propState, len(d.prop))}
	if err := probe.check(&w); err != nil {
		return WishView{}, err
	}
	for p, rev := range w.Guard {
		if s := d.p(p); s == nil || s.rev != rev || d.unanswered(p) != nil {
			return WishView{}, fmt.Errorf("%w: property %s of %s", ErrPrecondition, p, name)
		}
	}
	rec := &hubWish{Wish: w, at: now.Wall, outcome: Pending}
	rec.Values = maps.Clone(w.Values)
	rec.seenRevs = map[string]uint64{}
	for p := range w.Values {
		rec.seenRevs[p] = d.p(p).rev
	}
	if w.Press() {
		rec.endsAt = now.Mono + w.ValidFor
	}
	if n := h.nodes[d.def.Node]; n != nil {
		rec.seenStore = n.Store
	}
	if n := h.connected(d); n != nil {
		rec.session, rec.sent = n.session, true
	} else {
		h.supersede(d, rec)
	}
	if len(d.wishes) >= MaxWishes {
		return WishView{}, &RefusedError{Reason: fmt.Sprintf("too many wishes: %d of this device have not ended", MaxWishes)}
	}
	h.give(d, rec)
	d.wishes = append(d.wishes, rec)
	h.touch(d)
	rec.seq = h.seq
	return h.proposal(d, rec), nil
}

// give numbers a wish.
func (h *Hub) give(d *hubDevice, w *hubWish) {
	d.number++
	w.number = d.number
	if w.sent {
		d.issued = d.issued.with(issuedTo(w.number, w.ID))
	}
}

// supersede ends what waits unsent and is covered by w (rule 3).
func (h *Hub) supersede(d *hubDevice, w *hubWish) {
	if len(w.Guard) > 0 {
		return
	}
	for _, old := range slices.Clone(d.wishes) {
		covered := true
		for p := range old.Values {
			_, ok := w.Values[p]
			covered = covered && ok
		}
		if old.sent || !covered || w.Press() && !old.Press() || !w.Insist && old.Insist {
			continue
		}
		h.end(d, old, Superseded, "by "+w.ID, w.ID, slices.Sorted(maps.Keys(old.Values)))
	}
}

func (h *Hub) end(d *hubDevice, w *hubWish, o Outcome, reason, by string, lost []string) {
	d.wishes = slices.DeleteFunc(d.wishes, func(x *hubWish) bool { return x == w })
	w.outcome, w.reason, w.by, w.lost = o, reason, by, lost
	if !w.carried { // nobody asked for it, and a node that comes with other stores again and again would push out what was
		d.ended = append(d.ended, w)
	}
	if extra := len(d.ended) - KeptOutcomes; extra > 0 {
		d.ended = slices.Delete(d.ended, 0, extra)
	}
	delete(d.trouble, w.ID)
	h.touch(d)
	w.seq = h.seq
}

func (d *hubDevice) known(id string) *hubWish {
	for _, list := range [2][]*hubWish{d.wishes, d.ended} {
		for _, w := range list {
			if w.ID == id {
				return w
			}
		}
	}
	return nil
}

// unanswered gives the newest wish without outcome for a property.
func (d *hubDevice) unanswered(prop string) *hubWish {
	for i := len(d.wishes) - 1; i >= 0; i-- {
		if _, ok := d.wishes[i].Values[prop]; ok {
			return d.wishes[i]
		}
	}
	return nil
}

// proposal gives a wish with the trouble that the node tells, else with what keeps the hub from the node.
func (h *Hub) proposal(d *hubDevice, w *hubWish) WishView {
	v := viewOfProposal(d.def.Name, w, d.trouble[w.ID])
	if v.Outcome == Pending && v.Trouble == "" {
		v.Trouble = h.obstacle(d)
		v.passing = v.Trouble != ""
	}
	return v
}

func viewOfProposal(name Name, w *hubWish, trouble string) WishView {
	return WishView{
		ID: w.ID, Device: name, Asker: w.Asker, Origin: w.Origin, Values: maps.Clone(w.Values), Outcome: w.outcome,
		Reason: w.reason, By: w.by, Lost: slices.Clone(w.lost), Trouble: trouble, At: w.at, decided: w.seq,
	}
}

// WishView gives a wish by id.
func (h *Hub) WishView(name Name, id string) (WishView, error) {
	if d := h.devices[name]; d != nil {
		if w := d.known(id); w != nil {
			return h.proposal(d, w), nil
		}
	}
	for _, past := range h.past {
		for _, w := range slices.Concat(past.open, past.over) {
			if past.name == name && w.ID == id {
				return viewOfProposal(name, w, ""), nil
			}
		}
	}
	return WishView{}, ErrWishUnknown
}

// FindWish gives a wish by id, whatever device it is about.
func (h *Hub) FindWish(id string) (WishView, error) {
	for _, d := range h.devices {
		if w := d.known(id); w != nil {
			return h.proposal(d, w), nil
		}
	}
	for _, past := range h.past {
		if v, err := h.WishView(past.name, id); err == nil {
			return v, nil
		}
	}
	return WishView{}, ErrWishUnknown
}

// Tick ends presses that ran out before they were sent.
func (h *Hub) Tick(now Now) {
	h.begin(now)
	for _, name := range h.Names() {
		d := h.devices[name]
		if len(d.wishes) == 0 {
			continue
		}
		for _, w := range slices.Clone(d.wishes) {
			if w.endsAt != 0 && w.endsAt <= now.Mono && !w.sent {
				h.end(d, w, Expired, "the node was not reached within "+w.ValidFor.String(), "", nil)
			}
		}
	}
}
