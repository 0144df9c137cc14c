package twin

import (
	"cmp"
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

// renew takes a new store id: this hub's disk is older than what its nodes know. Numbers start anew; what was sent
// once is only asked about.
func (h *Hub) renew() {
	h.meta.StoreID = h.cfg.NewID()
	h.dirty[keyMeta] = true
	for _, n := range h.nodes {
		n.session, n.ready = "", false
	}
	for _, name := range h.Names() {
		d := h.devices[name]
		d.number, d.issued = 0, nil
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
		carry = append(carry, &hubWish{Wish: Wish{ID: "carry-" + h.cfg.NewID(), Origin: FromRestore, Values: map[string]Value{p.Name: s.expected}},
			carried: true, at: h.now.Wall, outcome: Pending})
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
		return d // it is between two nodes; who gets it will tell it all again
	}
	if d != nil && d.awaits && def.Definer == DefinedByNode {
		if r, err := def.Resolve(m.Model); err == nil { // the same device, as a node with a new store defines it now
			d.redefine(r, m.Model)
			d.awaits = false
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
		if mine := d.def.Definer == DefinedByCloud; !mine && !(d.awaits && n.learned) || d.def.Node != node || d.moves || d.defSeq > h.durable || n.defSent[d.def.UID] >= d.def.Generation {
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
			c := CloudWish{Device: name, UID: d.def.UID, Number: w.number, Wish: w.Wish, Seen: w.seenRevs, SeenStore: w.seenStore,
				Session: w.session, Question: w.question}
			if w.endsAt != 0 {
				c.Remaining = max(w.endsAt-now.Mono, 0)
			}
			out = append(out, c)
		}
	}
	return out
}
