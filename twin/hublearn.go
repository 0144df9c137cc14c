package twin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Learn takes what a node decided. What comes in another session than the present one is ignored. A message whose Rev
// is 0 is a part of a larger one, the last of which carries it.
func (h *Hub) Learn(now Now, node, session string, m Decisions) {
	h.begin(now)
	n := h.live(node, session)
	if n == nil || m.NodeStore != n.Store {
		return
	}
	for i := range m.Gone { // before a new creation of the same name
		h.learnGone(n, &m.Gone[i])
	}
	for i := range m.Devices {
		h.learnDevice(n, &m.Devices[i])
	}
	if m.Rev == 0 {
		return
	}
	if !n.learned {
		n.learned = true
		h.dueAll(n)
	}
	if m.Rev > n.LastRev {
		n.LastRev, n.LastOpening = m.Rev, m.Opening
		h.touchNode(n)
	}
}

func (h *Hub) learnDevice(n *hubNode, m *DeviceDecisions) {
	d := h.devices[m.Name]
	if m.Definition != nil {
		d = h.learnDefinition(n, d, m)
	}
	if d == nil || d.def.UID != m.UID || d.def.Node != n.Name || d.moves {
		h.learnOutcomesByUID(m.UID, n.Name, m.Outcomes)
		return
	}
	d.deaf = d.deaf && !m.Whole
	h.touch(d)
	for _, p := range m.Props {
		if s := d.p(p.Name); s != nil && p.Rev > s.rev {
			if s.seq <= h.durable {
				d.rev = max(d.rev, s.rev)
			}
			s.expected, s.origin, s.rev, s.seq, s.act = p.Expected, p.Origin, p.Rev, h.seq, p.Act
		}
	}
	h.learnOutcomes(d, m.Outcomes)
}

// learnDefinition takes a definition that the node owns, or one of the cloud's that this hub has lost. It gives the
// device that the message is about, nil if the hub does not have it.
func (h *Hub) learnDefinition(n *hubNode, d *hubDevice, m *DeviceDecisions) *hubDevice {
	def := *m.Definition
	def.Node = n.Name
	if other := h.uids[def.UID]; other != nil && other.def.Name != def.Name {
		h.refuse(n, &def, "its uid is that of "+other.def.Name.String())
		return nil
	}
	if d == nil && (len(h.devices) >= MaxHubDevices || len(n.devices) >= MaxDevices) {
		h.refuse(n, &def, "the hub has no room for more devices")
		return nil
	}
	if _, deleted := h.gone[goneAt(def.UID, n.Name)]; deleted {
		return nil
	}
	if d != nil && def.Definer == DefinedByCloud && (d.def.UID != def.UID || d.def.Node != n.Name && !d.moves) {
		// The node holds a creation that is no more, or one that lives elsewhere: it missed the tombstone, or got an old
		// disk back.
		h.buryAt(n.Name, def.Name, def.UID, def.Generation, d.def.UID == def.UID)
		return nil
	}
	if d != nil && d.def.UID == def.UID && d.moves {
		if n.Name != d.def.Node && !slices.Contains(d.elsewhere, n.Name) {
			d.elsewhere = append(d.elsewhere, n.Name)
			h.touch(d)
		}
		return d // it is between two nodes; who gets it will tell it all again
	}
	if d != nil && d.def.Node != n.Name {
		h.refuse(n, &def, "node "+d.def.Node+" has a device of that name")
		return nil
	}
	if d != nil && d.awaits && def.Definer == DefinedByNode {
		if r, err := def.Resolve(m.Model); err == nil { // the same device, as a node with a new store defines it now
			h.redefine(d, r, h.shared(m.Model))
			d.awaits, d.deaf = false, true
			h.above(d, n.dealt[def.UID])
		}
		return d
	}
	if d != nil && d.def.UID == def.UID && d.def.Generation >= def.Generation && d.def.Definer != DefinedByNode {
		return d
	}
	if d != nil && d.def.UID != def.UID && (def.Definer == DefinedByCloud || d.def.Definer == DefinedByCloud) {
		h.refuse(n, &def, "the cloud defines a device of that name")
		return nil
	}
	r, err := def.Resolve(m.Model)
	if err == nil {
		err = checkSize(&def, m.Model)
	}
	if def.Generation < 1 || def.Generation > maxClaimed {
		err = &FieldError{Field: "generation", Value: fmt.Sprint(def.Generation), Want: "1 to 2^62"}
	}
	if err != nil {
		h.refuse(n, &def, err.Error())
		return d
	}
	h.accepted(n, def.UID)
	if d != nil && d.def.UID == def.UID {
		h.redefine(d, r, h.shared(m.Model))
		return d
	}
	if d != nil {
		h.drop(d, "deleted", false)
	}
	d = h.create(r, h.shared(m.Model))
	d.deaf = true // unless this message tells the whole of it
	h.above(d, n.dealt[def.UID])
	return d
}

// maxClaimed bounds numbers and generations that a node claims: they are counted on from, also for another node.
const maxClaimed = 1 << 62

// above gives a device's wishes new numbers, above those that its node has dealt with: the hub knew it by another uid, or
// not at all.
func (h *Hub) above(d *hubDevice, dealt uint64) {
	if dealt = min(dealt, maxClaimed); d.number >= dealt && len(d.wishes) == 0 {
		return
	}
	d.number = max(d.number, dealt)
	for _, w := range d.wishes {
		h.give(d, w)
	}
	h.touch(d)
}

func (h *Hub) create(r *Resolved, m *DeviceModel) *hubDevice {
	d := &hubDevice{def: r, model: m, seen: Unknown, prop: make([]hubProp, len(r.Props))}
	h.devices[r.Name], h.uids[r.UID] = d, d
	h.order = nil
	h.place(d)
	h.touch(d)
	d.defSeq = h.seq
	return d
}

// redefine gives a device a definition, which may have another uid.
func (h *Hub) redefine(d *hubDevice, r *Resolved, m *DeviceModel) {
	props := make([]hubProp, len(r.Props))
	for i := range r.Props {
		if s := d.p(r.Props[i].Name); s != nil {
			props[i] = *s
		}
	}
	delete(h.uids, d.def.UID)
	d.def, d.model, d.prop, d.refusal = r, m, props, ""
	h.uids[r.UID] = d
	h.place(d)
	h.touch(d)
}

func (h *Hub) learnOutcomes(d *hubDevice, told []OutcomeTold) {
	for _, o := range told {
		if i := slices.IndexFunc(d.wishes, func(w *hubWish) bool { return w.ID == o.ID }); i >= 0 {
			h.end(d, d.wishes[i], o.Outcome, o.Reason, o.By, o.Lost)
		}
	}
}

func (h *Hub) learnOutcomesByUID(uid, node string, told []OutcomeTold) {
	if d := h.uids[uid]; d != nil && d.def.Node == node {
		h.learnOutcomes(d, told)
	}
	past := h.past[uid]
	if past == nil || past.node != node {
		return
	}
	for _, o := range told {
		if i := slices.IndexFunc(past.open, func(w *hubWish) bool { return w.ID == o.ID }); i >= 0 {
			h.endPast(past, past.open[i], o)
		}
	}
}

// learnGone takes a tombstone: the node's own deletion, or its acknowledgement of the cloud's.
func (h *Hub) learnGone(n *hubNode, m *GoneDecision) {
	d := h.uids[m.UID]
	h.learnOutcomesByUID(m.UID, n.Name, m.Outcomes)
	if !m.Removed {
		return
	}
	if past := h.past[m.UID]; past != nil && past.node == n.Name {
		for _, w := range slices.Clone(past.open) {
			h.endPast(past, w, OutcomeTold{Outcome: Superseded, Reason: "deleted", By: "deleted", Lost: slices.Sorted(maps.Keys(w.Values))})
		}
	}
	h.accepted(n, m.UID)
	if g := n.gone[goneAt(m.UID, n.Name)]; g != nil {
		h.dropGone(g)
		if d != nil && d.moves && d.def.Node == n.Name {
			h.arrive(d)
		}
		return
	}
	if d != nil && d.def.Node == n.Name && d.def.Definer == DefinedByNode {
		h.drop(d, "deleted", false)
	}
}

// drop removes a device; its wishes end superseded, save those of which the node will tell.
func (h *Hub) drop(d *hubDevice, reason string, nodeTells bool) {
	for _, w := range slices.Clone(d.wishes) {
		if nodeTells && w.sent && !w.carried {
			continue
		}
		h.end(d, w, Superseded, reason, reason, slices.Sorted(maps.Keys(w.Values)))
	}
	h.touch(d)
	delete(h.devices, d.def.Name)
	delete(h.uids, d.def.UID)
	delete(d.at.devices, d.def.Name)
	delete(d.at.due, d.def.Name)
	h.order = nil
	h.freed(d.def.Name)
	past := &hubPast{name: d.def.Name, uid: d.def.UID, node: d.def.Node, open: d.wishes, over: d.ended, seq: h.seq}
	h.past[past.uid] = past
	h.dirty[hubPastKey(past.uid)] = true
	for len(h.past) > maxPast {
		oldest := slices.MinFunc(slices.Collect(maps.Values(h.past)), func(a, b *hubPast) int { return cmp.Compare(a.seq, b.seq) })
		delete(h.past, oldest.uid)
		h.dirty[hubPastKey(oldest.uid)] = true
	}
}

// endPast ends a wish of a removed device.
func (h *Hub) endPast(past *hubPast, w *hubWish, o OutcomeTold) {
	past.open = slices.DeleteFunc(past.open, func(x *hubWish) bool { return x == w })
	w.outcome, w.reason, w.by, w.lost = o.Outcome, o.Reason, o.By, o.Lost
	past.over = append(past.over, w)
	h.seq++
	w.seq = h.seq
	h.dirty[hubPastKey(past.uid)] = true
	h.changed[past.name] = true
}
