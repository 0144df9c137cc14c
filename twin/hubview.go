package twin

// HubStats counts what a hub holds now.
type HubStats struct {
	Devices int
	Online  int // of devices whose node is there
	Pending int // wishes without outcome
	Nodes   int
	Away    int // nodes that are not connected
}

// Stats counts.
func (h *Hub) Stats() HubStats {
	s := HubStats{Devices: len(h.devices), Nodes: len(h.nodes)}
	for _, d := range h.devices {
		if d.seen == Online && h.connected(d) != nil {
			s.Online++
		}
		for _, w := range d.wishes {
			if !w.carried {
				s.Pending++
			}
		}
	}
	for _, n := range h.nodes {
		if n.session == "" || !n.ready {
			s.Away++
		}
	}
	return s
}

// View gives a device as the hub's readers see it: an unanswered wish shows as pending, else the node's decision.
func (h *Hub) View(name Name) (View, error) {
	d, err := h.find(name)
	if err != nil {
		return View{}, err
	}
	v := View{
		Device: d.def, Presence: d.seen, PresenceText: d.text, LastSeen: d.heard, Rev: d.rev, CloudNumber: d.number, Trouble: d.refusal,
		Props: make([]PropertyView, len(d.prop)),
	}
	n := h.nodes[d.def.Node]
	if n != nil {
		v.Store = n.Store
	}
	there := h.connected(d) != nil
	if !there {
		v.Presence = Unknown
		if n != nil {
			v.NodeAway = n.Since
		}
	}
	for i := range d.prop {
		s := &d.prop[i]
		p := PropertyView{Def: &d.def.Props[i], Expected: s.expected, Origin: s.origin, Rev: s.rev, Actual: s.actual, ActualAt: s.actualAt}
		if s.seq > h.durable { // after a crash this hub would show an older one
			p.Rev, p.Hidden, v.Hidden = 0, true, true
		}
		v.Rev = max(v.Rev, p.Rev)
		if w := d.unanswered(p.Def.Name); w != nil && !w.carried {
			p.Expected, p.Origin, p.Wish, p.Trouble = w.Values[p.Def.Name], w.Origin, w.ID, d.trouble[w.ID]
			if p.Trouble == "" {
				p.Trouble = h.obstacle(d)
			}
		}
		v.Props[i] = p
	}
	return v, nil
}

// obstacle tells what keeps wishes from the node of a device, "" if nothing does.
func (h *Hub) obstacle(d *hubDevice) string {
	switch n := h.nodes[d.def.Node]; {
	case h.connected(d) == nil:
		return "node unreachable"
	case n.diskBad:
		return "node: disk"
	}
	return ""
}
