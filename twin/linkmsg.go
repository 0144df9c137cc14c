package twin

import "time"

// HubHello opens a session: which hub store it is, and up to where this hub knows the node (rule 7).
type HubHello struct {
	HubStore string
	Session  string // of this connection, fresh
	// NodeStore, LastRev and LastOpening name the last decision that the hub holds durably, and the opening of the
	// node's store that made it. Empty at a hub that does not know the node.
	NodeStore   string
	LastRev     uint64
	LastOpening string
	// Former names earlier stores of the node in the same way, the latest last: a disk of one of them can be put back.
	Former []StoreMark
}

// StoreMark is up to where a hub knows a store of a node, and the opening that made that rev.
type StoreMark struct {
	Store   string
	Rev     uint64
	Opening string
}

// NodeHello answers it, once what it says is on disk.
type NodeHello struct {
	NodeStore string
	Version   string // of the node's program, for people
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

// Refusal says that a definition was not taken, and why.
type Refusal struct {
	Name       Name
	UID        string
	Generation int64
	Reason     string
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
	// Again asks the node to tell a device of its own again, if it still has it, and is no definition: the hub did not
	// take it before, and would now.
	Again bool
}
