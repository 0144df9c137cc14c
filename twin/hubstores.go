package twin

import (
	"maps"
	"slices"
)

// renew takes a new store id towards a node: this hub's disk is older than what the node knows. What was sent to it once
// is only asked about. The id is for that node alone, so that no node can disturb another by what it claims to know.
// Numbers go on: under the new id every one is new.
func (h *Hub) renew(n *hubNode) {
	n.Epoch, n.renewed = h.cfg.NewID(), true
	for _, name := range slices.SortedFunc(maps.Keys(n.devices), Name.Compare) {
		d := n.devices[name]
		d.issued = nil
		for _, w := range d.wishes {
			if w.sent && !w.carried && w.question == "" {
				w.question = "hub restored"
			}
			w.session = ""
			h.give(d, w)
		}
		h.touch(d)
	}
}

// leaveStore ends what lost against an act of the house that the hub knows, before the store under which acts and seen
// revs count is left. What was sent is only asked about: a node with an old disk may have carried it out.
func (h *Hub) leaveStore(d *hubDevice) {
	for _, w := range slices.Clone(d.wishes) {
		if w.Insist || d.def.Policy.CloudInsists || w.carried {
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(w.Values)) {
			if s := d.p(p); s == nil || s.act <= w.seenRevs[p] {
				continue
			}
			if w.sent {
				w.question = "house"
			} else {
				h.end(d, w, Superseded, "by the house: "+p, "house", []string{p})
			}
			break
		}
	}
	d.rev = 0
	for i := range d.prop {
		d.prop[i].rev, d.prop[i].act = 0, 0
	}
	for _, w := range d.wishes {
		w.seenRevs, w.seenStore = nil, ""
	}
	h.touch(d)
}

// carryOver prepares a device for another store of its node, or for another node: what was expected is offered as one
// waited wish per property; then every wish without outcome under a new number.
func (h *Hub) carryOver(d *hubDevice) {
	h.leaveStore(d)
	var carry []*hubWish
	for i := range d.def.Props {
		p, s := &d.def.Props[i], &d.prop[i]
		if p.Access == ReadOnly || s.expected.Absent() || p.Check(s.expected) != nil {
			continue
		}
		carry = append(carry, &hubWish{
			Wish:    Wish{ID: "carry-" + h.cfg.NewID(), Origin: FromRestore, Values: map[string]Value{p.Name: s.expected}},
			carried: true, at: h.now.Wall, outcome: Pending,
		})
	}
	for _, old := range slices.Clone(d.wishes) {
		if old.carried && slices.ContainsFunc(carry, func(c *hubWish) bool { return maps.Equal(keysOf(c), keysOf(old)) }) {
			h.end(d, old, Superseded, "by a later expected", "", nil)
		}
	}
	d.wishes = append(carry, d.wishes...)
	for _, w := range d.wishes {
		w.session, w.sent, w.offeredIn = "", true, ""
		h.give(d, w)
	}
	for i := range d.prop {
		d.prop[i] = hubProp{actual: d.prop[i].actual, actualAt: d.prop[i].actualAt}
	}
	h.touch(d)
	for _, w := range d.wishes {
		w.seq = h.seq
	}
}

func keysOf(w *hubWish) map[string]bool {
	out := make(map[string]bool, len(w.Values))
	for p := range w.Values {
		out[p] = true
	}
	return out
}
