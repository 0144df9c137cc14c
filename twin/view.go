package twin

import (
	"maps"
	"slices"
	"time"
)

// Presence tells whether a device answers (rule 8).
type Presence string

// The presences of a device.
const (
	Unknown Presence = "unknown"
	Online  Presence = "online"
	Offline Presence = "offline"
)

// PropertyView is one property as everybody reads it.
type PropertyView struct {
	Def      *Property
	Expected Value // absent: never wished
	Origin   Origin
	Rev      uint64 // of the last decision about Expected; 0 while that is Hidden
	Hidden   bool   // the last decision about Expected is not on disk yet
	Actual   Value  // absent: never reported
	ActualAt time.Time
	// Wish is the id of the pending wish or restore on this property; "" if nothing is pending.
	Wish    string
	Restore bool // the pending wish is a restore
	Trouble string
	// Offered tells whether the pending value stands in the delta: it was offered and not yet shown.
	Offered bool
	// Remaining is what is left of a pending press; 0 for standing wishes and restores.
	Remaining time.Duration
}

// Shown is what HomeKit and Matter show: expected while a wish is pending, else actual (rule 10).
func (p *PropertyView) Shown() Value {
	if p.Wish != "" && !p.Restore || p.Actual.Absent() {
		return p.Expected
	}
	return p.Actual
}

// View is a device and its twin at one moment. It is the reader's own copy, save for Def and Device, which nobody
// changes.
type View struct {
	Device       *Resolved
	Presence     Presence
	PresenceText string    // what the mapper last said of itself, as "unhealthy"
	LastSeen     time.Time // of the last report or state
	LastOnline   time.Time
	Rev          uint64 // highest rev of a decision about the device; while the last one is Hidden, a hub shows the one before, a node 0
	Hidden       bool   // the last decision about the device is not on disk yet
	CloudNumber  uint64 // highest cloud number dealt with
	// OfferSeq grows each time the pending values are due to be handed to the mapper. Who publishes deltas remembers
	// the last one it handed over.
	OfferSeq uint64
	Props    []PropertyView // in the order of Device.Props
	Store    string         // store id of the node, under which revs count
	// At a hub: why the node does not take the definition, and since when the node is away; zero while it is there.
	Trouble  string
	NodeAway time.Time
}

// Prop gives the property of that name, nil if there is none.
func (v *View) Prop(name string) *PropertyView {
	for i := range v.Props {
		if v.Props[i].Def.Name == name {
			return &v.Props[i]
		}
	}
	return nil
}

// Hides reports whether a decision about Expected of these properties is not on disk yet; nil asks for any decision about
// the device.
func (v *View) Hides(props map[string]Value) bool {
	for i := range v.Props {
		p := &v.Props[i]
		if _, named := props[p.Def.Name]; p.Hidden && (named || props == nil) {
			return true
		}
	}
	return props == nil && v.Hidden
}

// View gives a device and its twin as they are now.
func (n *Node) View(now Now, name Name) (v View, err error) {
	err = n.viewInto(now, name, &v)
	return v, err
}

// viewInto makes v the view of a device. The room of its properties is used again.
func (n *Node) viewInto(now Now, name Name, v *View) error {
	d, err := n.find(name)
	if err != nil {
		return err
	}
	props := slices.Grow(v.Props[:0], len(d.prop))[:len(d.prop)]
	*v = View{
		Device: d.def, Presence: d.presence, PresenceText: d.text, LastSeen: d.lastSeen, LastOnline: d.lastOnline,
		Rev: n.onDisk(d.rev), Hidden: d.rev > n.durable, CloudNumber: d.dealt, OfferSeq: d.offerSeq, Store: n.meta.StoreID, Props: props,
	}
	for i := range d.prop {
		s, p := &d.prop[i], &props[i]
		*p = PropertyView{Def: &d.def.Props[i], Expected: s.expected, Origin: s.origin, Rev: n.onDisk(s.rev), Hidden: s.rev > n.durable, Actual: s.actual, ActualAt: s.actualAt}
		if w := d.pending(p.Def.Name); w != nil {
			p.Wish, p.Restore, p.Trouble, p.Offered = w.ID, w.internal(), w.trouble, w.offered
			if w.endsAt != 0 {
				p.Remaining = max(w.endsAt-now.Mono, 1)
			}
		}
	}
	return nil
}

// onDisk hides a rev that is not durable: nothing that carries one is told before (rule 1).
func (n *Node) onDisk(rev uint64) uint64 {
	if rev > n.durable {
		return 0
	}
	return rev
}

// WishView gives a wish of a device by id: pending, or one of those that stay readable.
func (n *Node) WishView(name Name, id string) (WishView, error) {
	if d := n.devices[name]; d != nil {
		if w := d.known(id); w != nil {
			return n.viewOf(name, w), nil
		}
	}
	for _, t := range n.gone {
		if t.Name != name {
			continue
		}
		for _, w := range t.Ended {
			if w.ID == id {
				return n.viewOf(name, w), nil
			}
		}
	}
	return WishView{}, ErrWishUnknown
}

// FindWish gives a wish by id, whatever device it is about.
func (n *Node) FindWish(id string) (WishView, error) {
	for _, name := range n.Names() {
		if w := n.devices[name].known(id); w != nil {
			return n.viewOf(name, w), nil
		}
	}
	for _, t := range n.gone {
		if v, err := n.WishView(t.Name, id); err == nil {
			return v, nil
		}
	}
	return WishView{}, ErrWishUnknown
}

func (n *Node) viewOf(name Name, w *wish) WishView {
	return WishView{
		ID: w.ID, Device: name, Asker: w.Asker, Origin: w.Origin, Values: maps.Clone(w.Values), Outcome: w.outcome,
		Reason: w.reason, By: w.by, Lost: slices.Clone(w.lost), Trouble: w.trouble, Rev: n.onDisk(w.rev), decided: w.rev, At: w.at,
	}
}
