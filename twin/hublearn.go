package twin

import (
	"cmp"
	"maps"
	"slices"
)

// Learn takes what a node decided. What comes in another session than the present one is ignored.
func (h *Hub) Learn(now Now, node, session string, m Decisions) {
	h.begin(now)
	n := h.node(node)
	if n.session != session || !n.ready || m.NodeStore != n.Store {
		return
	}
	for i := range m.Gone { // before a new creation of the same name
		h.learnGone(n, &m.Gone[i])
	}
	for i := range m.Devices {
		h.learnDevice(n, &m.Devices[i])
	}
	n.learned = true
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
	for _, p := range m.Props {
		if s := d.p(p.Name); s != nil && p.Rev > s.rev {
			s.expected, s.origin, s.rev, s.act = p.Expected, p.Origin, p.Rev, p.Act
		}
	}
	h.learnOutcomes(d, m.Outcomes)
	h.touch(d)
}

// learnDefinition takes a definition that the node owns, or one of the cloud's that this hub has lost.
func (h *Hub) learnDefinition(n *hubNode, d *hubDevice, m *DeviceDecisions) *hubDevice {
	def := *m.Definition
	def.Node = n.Name
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
	if d != nil && d.awaits && def.Definer == DefinedByNode {
		if r, err := def.Resolve(m.Model); err == nil { // the same device, as a node with a new store defines it now
			d.redefine(r, m.Model)
			d.awaits, d.deaf = false, true
			h.above(d, n.dealt[def.UID])
		}
		return d
	}
	if d != nil && d.def.UID == def.UID && d.def.Generation >= def.Generation && d.def.Definer != DefinedByNode {
		return d
	}
	if d != nil && d.def.UID != def.UID && (def.Definer == DefinedByCloud || d.def.Definer == DefinedByCloud) {
		return d
	}
	r, err := def.Resolve(m.Model)
	if err != nil {
		return d
	}
	if d != nil && d.def.UID == def.UID {
		d.redefine(r, m.Model)
		return d
	}
	if d != nil {
		h.drop(d, "deleted", false)
	}
	d = h.create(r, m.Model)
	d.deaf = true // unless this message tells the whole of it
	h.above(d, n.dealt[def.UID])
	return d
}

// above gives a device's wishes new numbers, above those that its node has dealt with: the hub knew it by another uid, or
// not at all.
func (h *Hub) above(d *hubDevice, dealt uint64) {
	if d.number >= dealt && len(d.wishes) == 0 {
		return
	}
	d.number = max(d.number, dealt)
	for _, w := range d.wishes {
		h.give(d, w)
	}
	h.touch(d)
}

func (h *Hub) create(r *Resolved, m *DeviceModel) *hubDevice {
	d := &hubDevice{def: r, model: m, seen: Unknown, prop: make([]hubProp, len(r.Props)), trouble: map[string]string{}}
	h.devices[r.Name] = d
	h.order = nil
	h.touch(d)
	d.defSeq = h.seq
	return d
}

func (d *hubDevice) redefine(r *Resolved, m *DeviceModel) {
	props := make([]hubProp, len(r.Props))
	for i := range r.Props {
		if s := d.p(r.Props[i].Name); s != nil {
			props[i] = *s
		}
	}
	d.def, d.model, d.prop = r, m, props
}

func (h *Hub) learnOutcomes(d *hubDevice, told []OutcomeTold) {
	for _, o := range told {
		if i := slices.IndexFunc(d.wishes, func(w *hubWish) bool { return w.ID == o.ID }); i >= 0 {
			h.end(d, d.wishes[i], o.Outcome, o.Reason, o.By, o.Lost)
		}
	}
}

func (h *Hub) learnOutcomesByUID(uid, node string, told []OutcomeTold) {
	if d := h.byUID(uid); d != nil && d.def.Node == node {
		h.learnOutcomes(d, told)
	}
	past := h.past[uid]
	if past == nil {
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
	d := h.byUID(m.UID)
	h.learnOutcomesByUID(m.UID, n.Name, m.Outcomes)
	if !m.Removed {
		return
	}
	if past := h.past[m.UID]; past != nil {
		for _, w := range slices.Clone(past.open) {
			h.endPast(past, w, OutcomeTold{Outcome: Superseded, Reason: "deleted", By: "deleted", Lost: slices.Sorted(maps.Keys(w.Values))})
		}
	}
	if k := goneAt(m.UID, n.Name); h.gone[k] != nil {
		delete(h.gone, k)
		h.seq++
		h.dirty[hubGoneKey(k)] = true
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
	h.order = nil
	past := &hubPast{name: d.def.Name, uid: d.def.UID, open: d.wishes, over: d.ended, seq: h.seq}
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

// Observe takes what a node observed.
func (h *Hub) Observe(now Now, node, session string, m Observations) {
	h.begin(now)
	n := h.node(node)
	if n.session != session || !n.ready {
		return
	}
	n.diskBad = m.DiskBad
	for i := range m.Devices {
		o := &m.Devices[i]
		d := h.devices[o.Name]
		if d == nil || d.def.UID != o.UID || d.def.Node != node || d.moves {
			continue
		}
		d.seen, d.text = o.Presence, o.Text
		d.trouble = map[string]string{}
		maps.Copy(d.trouble, o.Trouble)
		for j := range d.prop {
			if m.Full {
				d.prop[j].actual = Value{}
			}
		}
		for _, p := range o.Props {
			if s := d.p(p.Name); s != nil {
				s.actual, s.actualAt = p.Actual, p.At
			}
		}
		h.changed[o.Name] = true
	}
}
