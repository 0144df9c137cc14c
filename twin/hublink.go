package twin

import (
	"maps"
	"slices"
	"strconv"
)

// Connect begins a session with a node and fences an older one. The hello may be sent once it is on disk.
func (h *Hub) Connect(now Now, node string) HubHello {
	h.begin(now)
	n := h.node(node)
	h.meta.Sessions++
	h.dirty[keyMeta] = true
	h.touchNode(n)
	n.session = h.meta.StoreID + "-" + strconv.FormatUint(h.meta.Sessions, 10)
	n.ready, n.acked, n.defSent = false, 0, map[string]int64{}
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
// and begins again with the hello given; else nil. A node with a new store gets what was expected, and every wish
// without outcome, anew (rule 7).
func (h *Hub) NodeHello(now Now, node, session string, nh NodeHello) *HubHello {
	h.begin(now)
	n := h.node(node)
	if n.session != session {
		return nil
	}
	for _, dl := range nh.Dealt {
		d := h.byUID(dl.UID)
		if d != nil && d.def.Node == node && !slices.Contains(d.issued, issuedNumber{Number: dl.Number, ID: dl.ID}) {
			h.renew()
			hello := h.Connect(now, node)
			return &hello
		}
	}
	if n.Store != nh.NodeStore {
		had := n.Store != ""
		n.Store, n.LastRev, n.LastOpening, n.ackRev = nh.NodeStore, 0, "", 0
		for _, name := range h.Names() {
			if d := h.devices[name]; d.def.Node == node && !d.moves && had {
				h.carryOver(d)
			}
		}
		h.touchNode(n)
	}
	n.ready = true
	h.changeAll(node)
	return nil
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
			w.question = w.question || w.sent && !w.carried
			w.session = ""
			h.give(d, w)
		}
		h.touch(d)
	}
}

// carryOver prepares a device for another store of its node, or for another node: wishes that lost against an act of
// the house that the hub knows end; what was expected is offered as one waited wish per property; then every wish
// without outcome under a new number.
func (h *Hub) carryOver(d *hubDevice) {
	for _, w := range slices.Clone(d.wishes) {
		if w.Insist || d.def.Policy.CloudInsists || w.carried {
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(w.Values)) {
			if s := d.p(p); s != nil && s.act > w.seenRevs[p] {
				h.end(d, w, Superseded, "by the house: "+p, "house", []string{p})
				break
			}
		}
	}
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
		w.seenRevs, w.seenStore = nil, ""
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
	for i := range m.Devices {
		h.learnDevice(n, &m.Devices[i])
	}
	for i := range m.Gone {
		h.learnGone(n, &m.Gone[i])
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
	if _, deleted := h.gone[def.UID]; deleted {
		return nil
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
		h.drop(d, "deleted")
	}
	return h.create(r, m.Model)
}

func (h *Hub) create(r *Resolved, m *DeviceModel) *hubDevice {
	d := &hubDevice{def: r, model: m, seen: Unknown, prop: make([]hubProp, len(r.Props)), trouble: map[string]string{}}
	h.devices[r.Name] = d
	h.order = nil
	h.touch(d)
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
}

// learnGone takes a tombstone: the node's own deletion, or its acknowledgement of the cloud's.
func (h *Hub) learnGone(n *hubNode, m *GoneDecision) {
	d := h.byUID(m.UID)
	if d != nil && d.def.Node == n.Name {
		h.learnOutcomes(d, m.Outcomes)
	}
	if !m.Removed {
		return
	}
	if g := h.gone[m.UID]; g != nil && g.Node == n.Name {
		delete(h.gone, m.UID)
		h.seq++
		h.dirty[hubGoneKey(m.UID)] = true
		if d != nil && d.moves {
			h.arrive(d)
		}
		return
	}
	if d != nil && d.def.Node == n.Name && d.def.Definer == DefinedByNode {
		h.drop(d, "deleted")
	}
}

// drop removes a device; its wishes end superseded.
func (h *Hub) drop(d *hubDevice, reason string) {
	for _, w := range slices.Clone(d.wishes) {
		h.end(d, w, Superseded, reason, reason, slices.Sorted(maps.Keys(w.Values)))
	}
	h.touch(d)
	delete(h.devices, d.def.Name)
	h.order = nil
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
	for _, uid := range slices.Sorted(maps.Keys(h.gone)) {
		if g := h.gone[uid]; g.Node == node && g.sentIn != n.session && g.seq <= h.durable {
			g.sentIn = n.session
			out = append(out, Definition{Device: Device{Name: g.Name, UID: g.UID, Generation: g.Generation}, Removed: true, Moved: g.Moved})
		}
	}
	for _, name := range h.Names() {
		d := h.devices[name]
		if d.def.Node != node || d.def.Definer != DefinedByCloud || d.moves || n.defSent[d.def.UID] >= d.def.Generation {
			continue
		}
		n.defSent[d.def.UID] = d.def.Generation
		out = append(out, Definition{Device: d.def.Device, Model: d.model})
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
		if d.def.Node != node || d.moves {
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
