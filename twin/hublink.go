package twin

import (
	"maps"
	"slices"
)

// Connect begins a session with a node and fences an older one. It gives the session's id; [Hub.Hello] gives what to
// say first.
func (h *Hub) Connect(now Now, node string) string {
	h.begin(now)
	n := h.node(node)
	n.renewed = false
	h.connect(n)
	return n.session
}

func (h *Hub) connect(n *hubNode) {
	h.touchNode(n)
	n.session = h.cfg.NewID() // never a count: a restored hub would use one again
	n.ready, n.learned, n.acked, n.defSent = false, false, 0, map[string]int64{}
	n.helloSeq = h.seq
	clear(n.due)
	for uid := range n.refused {
		n.refuse[uid] = true
	}
}

// Hello gives what opens the session, once it is on disk; false: not yet, or the session is over.
func (h *Hub) Hello(node, session string) (HubHello, bool) {
	n := h.nodes[node]
	if n == nil || n.session != session || session == "" {
		return HubHello{}, false
	}
	if n.helloSeq > h.durable {
		h.waiting[node] = true
		return HubHello{}, false
	}
	return HubHello{HubStore: n.Epoch, Session: n.session, NodeStore: n.Store, LastRev: n.LastRev, LastOpening: n.LastOpening, Former: n.Former}, true
}

// Current reports whether that is the node's present session.
func (h *Hub) Current(node, session string) bool {
	n := h.nodes[node]
	return n != nil && session != "" && n.session == session
}

// Disconnect ends a session, if it is the node's present one.
func (h *Hub) Disconnect(now Now, node, session string) {
	h.begin(now)
	n := h.nodes[node]
	if n == nil || n.session != session || session == "" {
		return
	}
	n.session, n.ready = "", false
	n.Since = now.Wall
	clear(n.due)
	h.touchNode(n)
	h.changeAll(n)
}

func (h *Hub) changeAll(n *hubNode) {
	for name := range n.devices {
		h.changed[name] = true
	}
}

// NodeHello takes the node's answer. If it shows that the hub's own disk is an old one, as far as this node is
// concerned, the hub takes a new store id towards it and begins again: it gives the id of the session that takes the
// place of this one, else "". A node with a new store gets what was expected, and every wish without outcome, anew
// (rule 7).
func (h *Hub) NodeHello(now Now, node, session string, nh NodeHello) string {
	h.begin(now)
	n := h.node(node)
	if n.session != session || session == "" || n.ready {
		return ""
	}
	n.dealt = make(map[string]uint64, len(nh.Dealt))
	for _, dl := range nh.Dealt {
		n.dealt[dl.UID] = dl.Number
		if !n.renewed && !h.issued(dl, node) {
			h.renew(n)
			h.connect(n)
			return n.session
		}
	}
	if n.Store != nh.NodeStore {
		had := n.Store != ""
		n.leave(nh.NodeStore)
		n.Store, n.LastRev, n.LastOpening, n.ackRev = nh.NodeStore, 0, "", 0
		for _, name := range slices.SortedFunc(maps.Keys(n.devices), Name.Compare) {
			switch d := h.devices[name]; {
			case !had:
			case d.moves:
				h.leaveStore(d)
			default:
				h.carryOver(d)
				d.awaits = d.def.Definer == DefinedByNode
			}
		}
	}
	for uid, r := range n.refused {
		if h.devices[r.Name] == nil { // what was in its way went meanwhile
			n.again[uid] = true
		}
	}
	n.Version = nh.Version
	n.ready, n.diskBad, n.Since = true, false, now.Wall
	h.touchNode(n)
	h.dueAll(n)
	h.changeAll(n)
	return ""
}

// leave remembers up to where the present store is known, for its disk may come back after that of the next one.
func (n *hubNode) leave(next string) {
	n.Former = slices.DeleteFunc(n.Former, func(m StoreMark) bool { return m.Store == n.Store || m.Store == next })
	if n.LastRev > 0 {
		n.Former = append(n.Former, StoreMark{n.Store, n.LastRev, n.LastOpening})
	}
	if extra := len(n.Former) - maxFormer; extra > 0 {
		n.Former = slices.Delete(n.Former, 0, extra)
	}
}

// issued reports whether this hub gave that number to that wish, as far as it can know.
func (h *Hub) issued(dl Dealt, node string) bool {
	if d := h.uids[dl.UID]; d != nil {
		return slices.Contains(d.issued, issuedTo(dl.Number, dl.ID))
	}
	return h.past[dl.UID] != nil || h.gone[goneAt(dl.UID, node)] != nil
}

// Ack gives the rev to acknowledge to the node, if there is a new one on disk.
func (h *Hub) Ack(node, session string) (uint64, bool) {
	n := h.live(node, session)
	if n == nil || n.ackRev <= n.acked {
		return 0, false
	}
	n.acked = n.ackRev
	return n.ackRev, true
}

// live gives the node if that is its present session and the hellos are exchanged, else nil.
func (h *Hub) live(node, session string) *hubNode {
	if n := h.nodes[node]; n != nil && n.ready && session != "" && n.session == session {
		return n
	}
	return nil
}

// Definitions gives what the node has to hear of definitions in this session, tombstones first: at most that many at a
// time.
func (h *Hub) Definitions(node, session string, most int) (out []Definition) {
	n := h.live(node, session)
	if n == nil {
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(n.gone)) {
		g := n.gone[k]
		if g.sentIn == n.session {
			continue
		}
		if g.seq > h.durable {
			h.waiting[node] = true
			continue
		}
		if len(out) == most {
			return out
		}
		g.sentIn = n.session
		out = append(out, Definition{Device: Device{Name: g.Name, UID: g.UID, Generation: g.Generation}, Removed: true, Moved: g.Moved})
	}
	for _, uid := range slices.Sorted(maps.Keys(n.again)) {
		if len(out) == most {
			return out
		}
		delete(n.again, uid)
		if r, ok := n.refused[uid]; ok {
			out = append(out, Definition{Device: Device{Name: r.Name, UID: r.UID, Generation: r.Generation}, Again: true})
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(n.due), Name.Compare) {
		d := n.devices[name]
		if d == nil || !h.tellsDefinition(n, d) || n.defSent[d.def.UID] >= d.def.Generation {
			continue
		}
		if d.defSeq > h.durable {
			h.waiting[node] = true
			continue
		}
		if len(out) == most {
			return out
		}
		n.defSent[d.def.UID] = d.def.Generation
		out = append(out, Definition{Device: d.def.Device, Model: d.model, Retell: d.deaf})
	}
	return out
}

// tellsDefinition: the cloud's own definitions, those of which the hub wants to hear more, and those that a node with a
// new store lost.
func (h *Hub) tellsDefinition(n *hubNode, d *hubDevice) bool {
	if d.moves {
		return false
	}
	return d.def.Definer == DefinedByCloud || d.awaits && n.learned || d.deaf
}

// Offers gives the wishes to offer to the node now, in order, at most that many at a time. A wish that goes out for the
// first time in a later session than it was made in is marked as sent, and offered once that is on disk.
func (h *Hub) Offers(now Now, node, session string, most int) (out []CloudWish) {
	h.begin(now)
	n := h.live(node, session)
	if n == nil || n.diskBad {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(n.due), Name.Compare)
	from, _ := slices.BinarySearchFunc(names, n.turn, Name.Compare) // nobody is always the last
	for _, name := range slices.Concat(names[from:], names[:from]) {
		d := n.devices[name]
		if d == nil {
			delete(n.due, name)
			continue
		}
		if d.moves || d.awaits || d.def.Definer == DefinedByCloud && n.defSent[d.def.UID] < d.def.Generation {
			continue
		}
		all := d.defSeq <= h.durable
		for _, w := range d.wishes {
			if !w.sent {
				w.sent = true
				d.issued = d.issued.with(issuedTo(w.number, w.ID))
				h.touch(d)
				w.seq = h.seq
			}
			if w.seq > h.durable {
				h.waiting[node], all = true, false
				break // order is kept
			}
			if w.offeredIn == n.session {
				continue
			}
			if len(out) == most {
				n.turn = name
				return out
			}
			w.offeredIn = n.session
			c := CloudWish{
				Device: name, UID: d.def.UID, Number: w.number, Wish: w.Wish, Seen: w.seenRevs, SeenStore: w.seenStore,
				Session: w.session, Question: w.question,
			}
			if w.endsAt != 0 {
				c.Remaining = max(w.endsAt-now.Mono, 0)
			}
			out = append(out, c)
		}
		if all && !(h.tellsDefinition(n, d) && n.defSent[d.def.UID] < d.def.Generation) {
			delete(n.due, name)
		}
	}
	return out
}
