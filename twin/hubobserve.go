package twin

import "maps"

// Observe takes what a node observed.
func (h *Hub) Observe(now Now, node, session string, m Observations) {
	h.begin(now)
	n := h.live(node, session)
	if n == nil {
		return
	}
	if n.diskBad != m.DiskBad {
		n.diskBad, h.news, h.talk[node] = m.DiskBad, true, true
		h.changeAll(n)
	}
	for i := range m.Devices {
		o := &m.Devices[i]
		d := h.devices[o.Name]
		if d == nil || d.def.UID != o.UID || d.def.Node != node || d.moves {
			continue
		}
		d.seen, d.text, d.heard = o.Presence, o.Text, o.LastSeen
		d.trouble = maps.Clone(o.Trouble)
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

// refuse notes that a definition of a node is not taken. The node is told, and the hub's readers see it with the node.
func (h *Hub) refuse(n *hubNode, def *Device, reason string) {
	if old, known := n.refused[def.UID]; !known && len(n.refused) >= maxRefusals || known && old.Reason == reason {
		return
	}
	n.refused[def.UID] = Refusal{Name: def.Name, UID: def.UID, Generation: def.Generation, Reason: reason}
	n.refuse[def.UID] = true
	h.touchNode(n)
	h.talk[n.Name] = true
}

// accepted takes back a refusal.
func (h *Hub) accepted(n *hubNode, uid string) {
	if _, was := n.refused[uid]; was {
		delete(n.refused, uid)
		delete(n.refuse, uid)
		delete(n.again, uid)
		h.touchNode(n)
	}
}

// freed lets nodes tell again what was not taken because another device had the name.
func (h *Hub) freed(name Name) {
	for _, n := range h.nodes {
		for uid, r := range n.refused {
			if r.Name == name {
				n.again[uid] = true
				h.talk[n.Name] = true
			}
		}
	}
}

// Refusals gives the definitions of which the node has to hear that they are not taken.
func (h *Hub) Refusals(node, session string) (out []Refusal) {
	n := h.live(node, session)
	if n == nil || len(n.refuse) == 0 {
		return nil
	}
	for uid := range n.refuse {
		if r, ok := n.refused[uid]; ok {
			out = append(out, r)
		}
	}
	clear(n.refuse)
	return out
}

// DefinitionRefused takes a node's word that it does not take a definition of the cloud. It stays the device's trouble
// until it is defined anew.
func (h *Hub) DefinitionRefused(now Now, node, session string, r Refusal) {
	h.begin(now)
	if h.live(node, session) == nil {
		return
	}
	d := h.uids[r.UID]
	if d == nil || d.def.Node != node || d.def.Generation != r.Generation {
		return
	}
	d.refusal = "node " + node + " does not take the definition: " + clip(r.Reason)
	h.changed[d.def.Name] = true
}
