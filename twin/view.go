package twin

import (
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
	Rev      uint64 // of the last decision about Expected
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
	Rev          uint64 // highest rev of any decision about the device
	CloudNumber  uint64 // highest cloud number dealt with
	// OfferSeq grows each time the pending values are due to be handed to the mapper. Who publishes deltas remembers
	// the last one it handed over.
	OfferSeq uint64
	Props    []PropertyView // in the order of Device.Props
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
