package twin

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// HubHello opens a session: which hub store it is, and up to where this hub knows the node (rule 7).
type HubHello struct {
	HubStore string
	Session  string // of this connection, fresh
	// NodeStore, LastRev and LastOpening name the last decision that the hub holds durably, and the opening of the
	// node's store that made it. Empty at a hub that does not know the node.
	NodeStore   string
	LastRev     uint64
	LastOpening string
}

// NodeHello answers it, once what it says is on disk.
type NodeHello struct {
	NodeStore string
	Dealt     []Dealt
}

// Dealt is the highest cloud number that a device dealt with under the hub's store, and its wish.
type Dealt struct {
	UID    string
	Number uint64
	ID     string
}

// Decisions carries everything decided above what was sent before, latest value per property.
type Decisions struct {
	NodeStore string
	Rev       uint64 // everything up to here is in this message or was in an earlier one
	Opening   string // that made Rev
	Devices   []DeviceDecisions
	Gone      []GoneDecision
}

// DeviceDecisions is what was decided about one device.
type DeviceDecisions struct {
	Name       Name
	UID        string
	Definition *Device // set if the definition is new to the hub
	Model      *DeviceModel
	Whole      bool // all of it, as asked (Definition.Retell)
	Props      []PropDecision
	Outcomes   []OutcomeTold
}

// PropDecision is the expected value of a property in force.
type PropDecision struct {
	Name     string
	Expected Value
	Origin   Origin
	Rev      uint64
	Act      uint64 // rev of the last act of the house
}

// OutcomeTold tells what became of a cloud wish.
type OutcomeTold struct {
	ID      string
	Number  uint64
	Outcome Outcome
	Reason  string
	By      string
	Lost    []string
}

// GoneDecision is a tombstone, and outcomes of wishes for a creation that is no more.
type GoneDecision struct {
	Name       Name
	UID        string
	Generation int64
	Removed    bool // the device is gone here: deleted, or moved away
	Moved      bool
	Outcomes   []OutcomeTold
}

// Observations carries actual values and presence: no rev, latest only. The first of a session is Full and replaces
// what the hub had.
type Observations struct {
	Full    bool
	DiskBad bool
	Devices []Observation
}

// Observation is one device as it shows itself.
type Observation struct {
	Name     Name
	UID      string
	Presence Presence
	Text     string
	LastSeen time.Time
	Props    []Observed
	Trouble  map[string]string // by wish id
}

// Observed is the actual value of a property.
type Observed struct {
	Name   string
	Actual Value
	At     time.Time
}

// nodeLink is the node's end of a session.
type nodeLink struct {
	session string
	helloAt uint64 // rev that must be on disk before the hello may be told
	since   uint64 // what the hub holds at the start
	sent    uint64
	full    bool // the full snapshot was taken
	obs     map[Name]bool
}

// LinkUp begins a session. The node finds out whether one of the two stores is not the one that the other knows: an old
// disk that was put back takes a new store id before anything else; under another hub store numbers start anew.
func (n *Node) LinkUp(now Now, h HubHello) {
	n.begin(now)
	n.link = &nodeLink{session: h.Session, obs: map[Name]bool{}}
	if h.NodeStore == n.meta.StoreID && h.LastRev > 0 && !n.made(h.LastRev, h.LastOpening) {
		n.renew()
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
	h := NodeHello{NodeStore: n.meta.StoreID}
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

// Observations gives what is to be observed since it was last asked: all of it the first time in a session.
func (n *Node) Observations() (Observations, bool) {
	if n.link == nil || n.link.full && len(n.link.obs) == 0 {
		return Observations{}, false
	}
	msg := Observations{Full: !n.link.full}
	for _, name := range n.Names() {
		d := n.devices[name]
		if n.link.full && !n.link.obs[name] {
			continue
		}
		o := Observation{Name: name, UID: d.def.UID, Presence: d.presence, Text: d.text, LastSeen: d.lastSeen}
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
		msg.Devices = append(msg.Devices, o)
	}
	n.link.full = true
	clear(n.link.obs)
	return msg, true
}

// retell gives everything decided about d a new rev, so that it is told again.
func (n *Node) retell(d *device) {
	rev := n.decide(d)
	n.hide(d.defRev)
	d.defRev, d.whole = rev, rev
	for i := range d.prop {
		if s := &d.prop[i]; s.rev != 0 {
			n.hide(s.rev)
			s.rev = rev
		}
	}
}

// Definition is what a hub tells a node about a device that the cloud defines.
type Definition struct {
	Device  Device
	Model   *DeviceModel
	Removed bool // the device is deleted, or has moved to another node
	Moved   bool
	// Retell asks a node that has the device already to tell all of it again: the hub had no ear for it, because it
	// saw the device elsewhere.
	Retell bool
}

// DefineCloud takes a definition of the cloud: new, newer than the one here, or a tombstone. What does not resolve is
// an error, and changes nothing.
func (n *Node) DefineCloud(now Now, def Definition) error {
	n.begin(now)
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
