package twin

import (
	"fmt"
	"maps"
	"slices"
)

// nodeLink is the node's end of a session.
type nodeLink struct {
	session string
	helloAt uint64 // rev that must be on disk before the hello may be told
	since   uint64 // what the hub holds at the start
	sent    uint64
	full    bool // the full snapshot is begun
	obs     map[Name]bool
	first   map[Name]bool      // of obs: not told yet in this session
	disk    bool               // what the hub was told of the disk
	refused []Refusal          // definitions of the cloud that this node does not take
	theirs  map[string]Refusal // definitions of this node that the hub does not take, by uid
}

// LinkUp begins a session. The node finds out whether one of the two stores is not the one that the other knows: an old
// disk that was put back takes a new store id before anything else; under another hub store numbers start anew.
func (n *Node) LinkUp(now Now, h HubHello) {
	n.begin(now)
	n.link = &nodeLink{session: h.Session, obs: map[Name]bool{}, first: map[Name]bool{}, theirs: map[string]Refusal{}}
	for name := range n.devices {
		n.link.obs[name], n.link.first[name] = true, true
	}
	for _, m := range append(h.Former, StoreMark{h.NodeStore, h.LastRev, h.LastOpening}) {
		if m.Store == n.meta.StoreID && m.Rev > 0 && !n.made(m.Rev, m.Opening) {
			n.renew()
		}
	}
	if h.HubStore != n.meta.HubStore {
		n.meta.HubStore = h.HubStore
		for _, d := range n.devices {
			if d.dealt != 0 {
				d.dealt, d.dealID = 0, ""
			}
			n.decide(d)
		}
		n.decide(nil)
	}
	if h.NodeStore == n.meta.StoreID {
		n.link.since = h.LastRev
	}
	n.acked = n.link.since
	n.prune()
	n.link.sent = n.link.since
	// Not before the opening is on disk either: it is the first thing that a store commits (rule 7).
	n.link.helloAt = max(n.stepRev, n.meta.Openings[len(n.meta.Openings)-1].First)
}

// made reports whether rev was made in that opening of this store.
func (n *Node) made(rev uint64, opening string) bool {
	return rev <= n.meta.Rev && n.openingOf(rev) == opening
}

func (n *Node) openingOf(rev uint64) string {
	id := ""
	for _, o := range n.meta.Openings {
		if o.First <= rev {
			id = o.ID
		}
	}
	return id
}

// renew takes a new store id and forgets the acts that were on the disk when it was opened: others may know better.
func (n *Node) renew() {
	n.meta.StoreID = n.cfg.NewID()
	n.decide(nil)
	first := n.meta.Openings[len(n.meta.Openings)-1].First
	for _, d := range n.devices {
		for i := range d.prop {
			if s := &d.prop[i]; s.act != 0 && s.act < first {
				s.act = 0
				n.decide(d)
			}
		}
	}
}

// Hello gives the answer to the hub's hello; false: it is not on disk yet.
func (n *Node) Hello() (NodeHello, bool) {
	if n.link == nil || n.link.helloAt > n.durable {
		return NodeHello{}, false
	}
	h := NodeHello{NodeStore: n.meta.StoreID, Version: n.cfg.Version}
	for _, name := range n.Names() {
		if d := n.devices[name]; d.dealt != 0 {
			h.Dealt = append(h.Dealt, Dealt{UID: d.def.UID, Number: d.dealt, ID: d.dealID})
		}
	}
	return h, true
}

// LinkDown ends the session.
func (n *Node) LinkDown() { n.link = nil }

// Session is the id of the present session, "" if there is none.
func (n *Node) Session() string {
	if n.link == nil {
		return ""
	}
	return n.link.session
}

// Acked takes the hub's word that it holds everything up to rev durably. Tombstones up to there have done their work.
func (n *Node) Acked(now Now, rev uint64) {
	n.begin(now)
	if n.link == nil || rev <= n.acked || rev > n.link.sent {
		return
	}
	n.acked = rev
	n.prune()
}

// prune forgets the tombstones that the hub has acknowledged.
func (n *Node) prune() {
	for uid, t := range n.gone {
		if t.maxRev() <= n.acked {
			delete(n.gone, uid)
			n.dirty[goneKey(uid)] = false
		}
	}
}

func (t *tombstone) maxRev() uint64 {
	rev := t.Rev
	for i := range t.Outcomes {
		rev = max(rev, t.Outcomes[i].Rev)
	}
	return rev
}

// Decisions gives what was decided since it was last asked and is on disk; false: nothing.
func (n *Node) Decisions() (Decisions, bool) {
	if n.link == nil {
		return Decisions{}, false
	}
	since := n.link.sent
	upto := n.tellable(since)
	if upto <= since {
		return Decisions{}, false
	}
	in := func(rev uint64) bool { return rev > since && rev <= upto }
	msg := Decisions{NodeStore: n.meta.StoreID, Rev: upto, Opening: n.openingOf(upto)}
	for _, name := range n.Names() {
		d := n.devices[name]
		if d.rev <= since {
			continue
		}
		out := DeviceDecisions{Name: name, UID: d.def.UID, Whole: in(d.whole) || in(d.bornRev)}
		if in(d.defRev) {
			dev := d.def.Device
			out.Definition, out.Model = &dev, n.modelsOf(dev.Definer)[dev.Model]
			n.link.obs[name] = true // the hub could not place what it was told before
		}
		for i := range d.prop {
			if s := &d.prop[i]; in(s.rev) {
				out.Props = append(out.Props, PropDecision{Name: d.def.Props[i].Name, Expected: s.expected, Origin: s.origin, Rev: s.rev, Act: s.act})
			}
		}
		out.Outcomes = toldOutcomes(d.cloud, in)
		if out.Definition != nil || len(out.Props) > 0 || len(out.Outcomes) > 0 {
			msg.Devices = append(msg.Devices, out)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(n.gone)) {
		t := n.gone[uid]
		g := GoneDecision{Name: t.Name, UID: uid, Generation: t.Generation, Removed: in(t.Rev), Moved: t.Moved, Outcomes: toldOutcomes(t.Outcomes, in)}
		if g.Removed || len(g.Outcomes) > 0 {
			msg.Gone = append(msg.Gone, g)
		}
	}
	n.link.sent = upto
	n.told = max(n.told, upto)
	return msg, true
}

func toldOutcomes(recs []cloudRecord, in func(uint64) bool) (out []OutcomeTold) {
	for _, r := range recs {
		if r.Outcome.Ended() && in(r.Rev) {
			out = append(out, OutcomeTold{ID: r.ID, Number: r.Number, Outcome: r.Outcome, Reason: r.Reason, By: r.By, Lost: r.Lost})
		}
	}
	return out
}

// Observations gives what is to be observed since it was last asked, of at most that many devices: in the beginning of a
// session of all of them. What is told of a device first in a session replaces what the hub had.
func (n *Node) Observations(most int) (Observations, bool) {
	l := n.link
	if l == nil || l.full && len(l.obs) == 0 && l.disk == n.diskBad {
		return Observations{}, false
	}
	msg := Observations{Full: len(l.first) > 0 || !l.full, DiskBad: n.diskBad}
	from := l.obs
	if len(l.first) > 0 {
		from = l.first
	}
	for _, name := range slices.SortedFunc(maps.Keys(from), Name.Compare) {
		if len(msg.Devices) == most {
			break
		}
		delete(l.obs, name)
		delete(l.first, name)
		if d := n.devices[name]; d != nil {
			msg.Devices = append(msg.Devices, d.observation())
		}
	}
	l.full, l.disk = true, n.diskBad
	return msg, true
}

func (d *device) observation() Observation {
	o := Observation{Name: d.def.Name, UID: d.def.UID, Presence: d.presence, Text: d.text, LastSeen: d.lastSeen}
	for i := range d.prop {
		if s := &d.prop[i]; !s.actual.Absent() {
			o.Props = append(o.Props, Observed{Name: d.def.Props[i].Name, Actual: s.actual, At: s.actualAt})
		}
	}
	for _, w := range d.wishes {
		if w.trouble != "" && w.number != 0 {
			if o.Trouble == nil {
				o.Trouble = map[string]string{}
			}
			o.Trouble[w.ID] = w.trouble
		}
	}
	return o
}

// LinkDue reports whether there is something to tell the hub: an answer to its hello, decisions, observations, refusals.
func (n *Node) LinkDue(greeted bool) bool {
	l := n.link
	switch {
	case l == nil:
		return false
	case !greeted:
		return l.helloAt <= n.durable
	case len(l.refused) > 0 || !l.full || len(l.obs) > 0 || l.disk != n.diskBad:
		return true
	}
	return n.durable > l.sent && n.tellable(l.sent) > l.sent
}

// Refusals gives the definitions of the cloud that were not taken since it was last asked.
func (n *Node) Refusals() []Refusal {
	if n.link == nil {
		return nil
	}
	out := n.link.refused
	n.link.refused = nil
	return out
}

// RefusedByHub takes the hub's word that it does not take a definition of this node.
func (n *Node) RefusedByHub(r Refusal) {
	if n.link != nil && len(n.link.theirs) < maxRefusals {
		n.link.theirs[r.UID] = r
	}
}

// HubRefusals lists what the hub of the present session does not take of this node.
func (n *Node) HubRefusals() (out []Refusal) {
	if n.link == nil {
		return nil
	}
	for _, uid := range slices.Sorted(maps.Keys(n.link.theirs)) {
		out = append(out, n.link.theirs[uid])
	}
	return out
}

// retell gives everything decided about d a new rev, so that it is told again.
func (n *Node) retell(d *device) {
	for _, w := range d.wishes { // revs will not tell any more what is still a wish's own
		for _, name := range w.order {
			if s, _ := d.p(name); w.state[name] == shown && s.rev != w.acceptRev {
				w.state[name] = lost
			}
		}
	}
	rev := n.decide(d)
	for _, w := range d.wishes {
		w.acceptRev = rev
	}
	n.hide(d.defRev)
	d.defRev, d.whole = rev, rev
	for i := range d.prop {
		if s := &d.prop[i]; s.rev != 0 {
			n.hide(s.rev)
			s.rev = rev
		}
	}
}

// DefineCloud takes a definition of the cloud: new, newer than the one here, or a tombstone. What cannot be taken is an
// error, changes nothing, and is told to the hub.
func (n *Node) DefineCloud(now Now, def Definition) error {
	n.begin(now)
	err := n.defineCloud(def)
	if err != nil && n.link != nil && len(n.link.refused) < maxRefusals {
		n.link.refused = append(n.link.refused, Refusal{Name: def.Device.Name, UID: def.Device.UID, Generation: def.Device.Generation, Reason: err.Error()})
	}
	return err
}

func (n *Node) defineCloud(def Definition) error {
	if def.Again {
		if d := n.devices[def.Device.Name]; d != nil && d.def.UID == def.Device.UID {
			if n.link != nil {
				delete(n.link.theirs, d.def.UID) // it is said anew, if it is still so
			}
			n.retell(d)
		}
		return nil
	}
	d := n.devices[def.Device.Name]
	if def.Removed {
		if d != nil && d.def.UID == def.Device.UID {
			n.remove(d, def.Moved, false)
			return nil
		}
		t := n.gone[def.Device.UID]
		if t == nil {
			t = &tombstone{Name: def.Device.Name, UID: def.Device.UID}
			n.gone[def.Device.UID] = t
		}
		t.Moved, t.Generation, t.Rev = def.Moved, def.Device.Generation, n.decide(nil)
		n.dirty[goneKey(t.UID)] = true
		n.trimGone()
		return nil
	}
	if d != nil && d.def.UID == def.Device.UID && d.def.Generation >= def.Device.Generation {
		if def.Retell {
			n.retell(d)
		}
		return nil
	}
	if d != nil && def.Device.Definer == DefinedByNode {
		return nil // this node's own definition, given back; it has one already
	}
	if d != nil && d.def.Definer == DefinedByNode {
		return &FieldError{Field: "device", Value: def.Device.Name.String(), Want: "a name that the node does not define itself"}
	}
	if def.Model != nil {
		if err := def.Model.Validate(); err != nil {
			return err
		}
	}
	r, err := def.Device.Resolve(def.Model)
	if err == nil {
		err = checkSize(&def.Device, def.Model)
	}
	if err != nil {
		return err
	}
	if d == nil && len(n.devices) >= MaxDevices {
		return &FieldError{Field: "devices", Value: def.Device.Name.String(), Want: fmt.Sprintf("at most %d in all", MaxDevices)}
	}
	if m := def.Model; m != nil {
		n.modelsOf(r.Definer)[m.Name] = m
		n.dirty[modelKey(r.Definer, m.Name)] = true
	}
	switch {
	case d == nil:
		n.create(r)
	case d.def.UID != r.UID:
		n.remove(d, false, false)
		n.create(r)
	default:
		n.redefine(d, r)
		if def.Retell {
			n.retell(d)
		}
	}
	return nil
}
