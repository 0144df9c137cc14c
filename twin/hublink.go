package twin

import (
	"maps"
	"slices"
)

// Connect begins a session with a node and fences an older one. The hello may be sent once it is on disk.
func (h *Hub) Connect(now Now, node string) HubHello {
	h.begin(now)
	n := h.node(node)
	h.touchNode(n)
	n.session = h.cfg.NewID() // never a count: a restored hub would use one again
	n.ready, n.learned, n.acked, n.defSent = false, false, 0, map[string]int64{}
	return h.hello(n)
}

func (h *Hub) hello(n *hubNode) HubHello {
	return HubHello{HubStore: h.meta.StoreID, Session: n.session, NodeStore: n.Store, LastRev: n.LastRev, LastOpening: n.LastOpening}
}

// Disconnect ends a session, if it is the node's present one.
func (h *Hub) Disconnect(now Now, node, session string) {
	h.begin(now)
	n := h.node(node)
	if n.session != session {
		return
	}
	n.session, n.ready = "", false
	n.since = now.Wall
	h.changeAll(node)
}

func (h *Hub) changeAll(node string) {
	for _, name := range h.Names() {
		if h.devices[name].def.Node == node {
			h.changed[name] = true
		}
	}
}

// NodeHello takes the node's answer. If it shows that the hub's own disk is an old one, the hub takes a new store id
// and begins again with the hello given, and every other session has ended and must be closed; else nil. A node with a new store gets what was expected, and every wish
// without outcome, anew (rule 7).
func (h *Hub) NodeHello(now Now, node, session string, nh NodeHello) *HubHello {
	h.begin(now)
	n := h.node(node)
	if n.session != session {
		return nil
	}
	n.dealt = make(map[string]uint64, len(nh.Dealt))
	for _, dl := range nh.Dealt {
		n.dealt[dl.UID] = dl.Number
		if !h.issued(dl, node) {
			h.renew()
			hello := h.Connect(now, node)
			return &hello
		}
	}
	if n.Store != nh.NodeStore {
		had := n.Store != ""
		n.Store, n.LastRev, n.LastOpening, n.ackRev = nh.NodeStore, 0, "", 0
		for _, name := range h.Names() {
			switch d := h.devices[name]; {
			case d.def.Node != node || !had:
			case d.moves:
				h.leaveStore(d)
			default:
				h.carryOver(d)
				d.awaits = d.def.Definer == DefinedByNode
			}
		}
		h.touchNode(n)
	}
	n.ready = true
	h.changeAll(node)
	return nil
}

// issued reports whether this hub gave that number to that wish, as far as it can know.
func (h *Hub) issued(dl Dealt, node string) bool {
	if d := h.byUID(dl.UID); d != nil {
		return slices.Contains(d.issued, issuedNumber{Number: dl.Number, ID: dl.ID})
	}
	return h.past[dl.UID] != nil || h.gone[goneAt(dl.UID, node)] != nil
}

func (h *Hub) byUID(uid string) *hubDevice {
	for _, d := range h.devices {
		if d.def.UID == uid {
			return d
		}
	}
	return nil
}

// Ack gives the rev to acknowledge to the node, if there is a new one on disk.
func (h *Hub) Ack(node string) (uint64, bool) {
	n := h.node(node)
	if n.session == "" || !n.ready || n.ackRev <= n.acked {
		return 0, false
	}
	n.acked = n.ackRev
	return n.ackRev, true
}

// Definitions gives what the node has to hear of definitions in this session: tombstones first.
func (h *Hub) Definitions(node string) (out []Definition) {
	n := h.node(node)
	if n.session == "" || !n.ready {
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(h.gone)) {
		if g := h.gone[k]; g.Node == node && g.sentIn != n.session && g.seq <= h.durable {
			g.sentIn = n.session
			out = append(out, Definition{Device: Device{Name: g.Name, UID: g.UID, Generation: g.Generation}, Removed: true, Moved: g.Moved})
		}
	}
	for _, name := range h.Names() {
		d := h.devices[name]
		if mine := d.def.Definer == DefinedByCloud; !mine && !(d.awaits && n.learned) && !d.deaf || d.def.Node != node || d.moves || d.defSeq > h.durable || n.defSent[d.def.UID] >= d.def.Generation {
			continue
		}
		n.defSent[d.def.UID] = d.def.Generation
		out = append(out, Definition{Device: d.def.Device, Model: d.model, Retell: d.deaf})
	}
	return out
}

// Offers gives the wishes to offer to the node now, in order. A wish that goes out for the first time in a later
// session than it was made in is marked as sent, and offered once that is on disk.
func (h *Hub) Offers(now Now, node string) (out []CloudWish) {
	h.begin(now)
	n := h.node(node)
	if n.session == "" || !n.ready || n.diskBad {
		return nil
	}
	for _, name := range h.Names() {
		d := h.devices[name]
		if d.def.Node != node || d.moves || d.awaits || d.def.Definer == DefinedByCloud && n.defSent[d.def.UID] < d.def.Generation {
			continue
		}
		for _, w := range d.wishes {
			if !w.sent {
				w.sent = true
				h.touch(d)
				w.seq = h.seq
			}
			if w.seq > h.durable {
				break // order is kept
			}
			if w.offeredIn == n.session {
				continue
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
	}
	return out
}
