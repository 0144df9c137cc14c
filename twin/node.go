package twin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Bounds of a node's memory per device (rule 2) and of its tombstones.
const (
	MaxWishes     = 64  // unended wishes, and outcomes that the hub has not acknowledged
	KeptOutcomes  = 16  // ended wishes that stay readable
	KeptCloudIDs  = 256 // cloud wishes known by id
	keptOpenings  = 64
	MaxTombstones = 1024
	MaxDevices    = 20000
)

// Errors that a caller decides on.
var (
	ErrNotFound     = errors.New("no such device")
	ErrWishUnknown  = errors.New("no such wish")
	ErrDisk         = errors.New("the disk does not take decisions")
	ErrPrecondition = errors.New("expected has changed since it was read")
	ErrNotOwner     = errors.New("the definition belongs to the other side")
	ErrNodeUnknown  = errors.New("no such node")
	ErrNodeInUse    = errors.New("a device of the cloud's hangs on it")
)

// RefusedError says why a wish was not accepted; nothing changed.
type RefusedError struct {
	Reason string
	Err    error // a *FieldError where a field was at fault, else nil
}

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// Unwrap gives the field at fault.
func (e *RefusedError) Unwrap() error { return e.Err }

// Now is a moment: Mono orders and measures, Wall only labels (rule 9).
type Now struct {
	Mono time.Duration // since the holder started
	Wall time.Time
}

// NodeConfig is what a Node is told at its opening.
type NodeConfig struct {
	Name   string        // the node's name, unique at its hub
	FileID string        // identity of the store's file; another one than last time means a restored backup
	NewID  func() string // random identities

	Version string // of the program, told to the hub for people
	// Deadline gives the apply deadline of a device's kind, for devices that are told none; nil, or 0:
	// DefaultApplyDeadline.
	Deadline func(*Resolved) time.Duration
}

// Node is the deciding side: all twins of one edge node. Each method is one step: it takes an event and the time, and
// leaves behind what changed ([Node.TakeChanged]), what has to be made durable ([Node.TakeBatch]) and which offers are
// due ([View.OfferSeq]). Not safe for concurrent use; [Store] adds the lock.
type Node struct {
	cfg     NodeConfig
	meta    nodeMeta
	opening string
	devices map[Name]*device
	models  map[Name]*DeviceModel // that the node defines
	theirs  map[Name]*DeviceModel // that the cloud defines; its own names
	gone    map[string]*tombstone // by uid
	order   []Name                // names of devices, sorted; nil when stale

	durable uint64          // rev up to which everything is on disk
	shown   []Name          // devices with a rev among those that came there last
	hidden  map[uint64]bool // revs on disk that were overwritten in memory since the last batch was taken
	flying  map[uint64]bool // the same, before the batch under way was taken
	batch   uint64          // rev of the batch under way, 0 if none is
	told    uint64          // highest rev that a hub may have been told
	acked   uint64          // rev up to which the hub is durable
	link    *nodeLink
	diskBad bool // the last commit failed

	now     Now
	started time.Duration
	stepRev uint64 // rev taken in this step, 0 if none yet
	seq     uint64 // for ids of restores and acts of the device
	wake    time.Duration
	changed map[Name]bool
	dirty   map[string]bool // keys of records to be written; true: a decision, false: lazily
	stats   Stats
}

// Stats counts what a node did since it was opened.
type Stats struct {
	Devices, Online, Offline int
	Wishes                   map[Outcome]uint64
	Reports, States          uint64
	Offers, Restores, Acts   uint64
	Pending                  int
	Rev, DurableRev          uint64
}

// nodeMeta is the record of the node itself.
type nodeMeta struct {
	StoreID  string    `json:"storeID"`
	FileID   string    `json:"fileID"`
	HubStore string    `json:"hubStore,omitempty"` // under which cloud numbers count
	Rev      uint64    `json:"rev"`
	Openings []opening `json:"openings"`
}

// opening records which revs were made in one opening of the store (rule 7).
type opening struct {
	ID    string `json:"id"`
	First uint64 `json:"first"` // the first rev it could make
}

// device is the state of one twin. Slices props and def.Props run in parallel.
type device struct {
	def  *Resolved
	prop []propState

	recordKey string // of its twin, made once

	deadline   time.Duration // of the kind of deadlineOf, the definition for which it was found; 0: none
	deadlineOf *Resolved

	presence   Presence
	text       string
	lastSeen   time.Time
	lastOnline time.Time
	sentState  bool // its mapper has sent a state once (rule 8)
	heard      time.Duration
	silentAt   time.Duration // when silence makes it offline; 0: never
	conn       string
	echo       bool
	mapperAt   time.Duration // when its mapper started or came back

	wishes []*wish // unended, restores among them, in order of acceptance
	ended  []*wish // oldest first
	cloud  []cloudRecord
	dealt  uint64 // highest cloud number dealt with, under meta.HubStore
	dealID string

	rev      uint64
	defRev   uint64
	bornRev  uint64 // of its creation here
	whole    uint64 // when all of it was decided again, to be told
	offerSeq uint64
	backoff  time.Duration
	retryAt  time.Duration // 0: no retry due
	next     time.Duration // earliest timer; 0: none
}

// propState is one property of a twin.
type propState struct {
	expected Value
	origin   Origin
	rev      uint64 // of the last decision about expected
	act      uint64 // rev of the last act of the house
	actual   Value
	actualAt time.Time

	first   bool          // the next report is the first after coming online
	adopt   bool          // a press ran out at a start: the first report becomes expected (rule 9)
	settle  time.Duration // when a difference counts; 0: none running
	offerAt time.Duration // when something about it was last offered
	offerID string
}

// wish is an accepted wish at the node. A restore is one of origin FromRestore.
type wish struct {
	Wish
	number    uint64 // cloud number, 0 for the house
	rev       uint64 // of its last decision
	acceptRev uint64 // of its acceptance
	order     []string
	state     map[string]wishProp
	offered   bool
	over      bool          // it took a property from a wish with which the mapper may still be busy
	offerAt   time.Duration // first offer
	risky     bool          // an equal report counts only after the settle time (rule 5)
	againAt   time.Duration // when a risky wish is offered once more; 0: not
	dueAt     time.Duration // apply deadline; 0: not running
	dueLeft   time.Duration // what is left of it while offline
	endsAt    time.Duration // of a press
	trouble   string
	at        time.Time

	outcome Outcome
	reason  string
	by      string
	lost    []string
}

// internal reports whether w is a restore of the node's own, which nobody asked for and nobody is told of.
func (w *wish) internal() bool { return w.Origin == FromRestore && w.number == 0 }

// busies reports whether the mapper may be busy with w, or with what w took a property from: who ends it unshown has to
// hand over what is expected instead (rule 5, an ended wish).
func (w *wish) busies() bool { return w.offered || w.over }

// wishProp is what became of one property of a wish.
type wishProp uint8

const (
	open  wishProp = iota // still its own, not shown yet
	shown                 // the device showed it
	lost                  // somebody else took it
)

// cloudRecord remembers a cloud wish by id (rule 3).
type cloudRecord struct {
	ID      string
	Number  uint64
	Rev     uint64
	Outcome Outcome
	Reason  string
	By      string
	Lost    []string
}

// tombstone remembers a device that is no more until the hub knows (rule 6).
type tombstone struct {
	Name       Name
	UID        string
	Generation int64
	Moved      bool
	ByNode     bool // the node was the definer and has to tell the hub
	Rev        uint64
	Outcomes   []cloudRecord
	Ended      []*wish
}

// begin starts a step.
func (n *Node) begin(now Now) {
	n.now = now
	n.stepRev = 0
}

// key is the key of the record of the device's twin.
func (d *device) key() string {
	if d.recordKey == "" {
		d.recordKey = twinKey(d.def.Name)
	}
	return d.recordKey
}

// decide gives the rev of this step, taking the next one if none was taken yet, and marks d for the disk.
func (n *Node) decide(d *device) uint64 {
	if n.stepRev == 0 {
		n.meta.Rev++
		n.stepRev = n.meta.Rev
		n.dirty[keyMeta] = true
	}
	if d != nil {
		d.rev = n.stepRev
		n.dirty[d.key()] = true
		n.touch(d)
	}
	return n.stepRev
}

// expect decides what is expected of a property. An origin of the house makes it an act.
func (n *Node) expect(d *device, s *propState, v Value, o Origin) {
	rev := n.decide(d)
	n.hide(s.rev)
	s.expected, s.origin, s.rev = v, o, rev
	if o.House() {
		s.act = rev
	}
	s.settle, s.adopt = 0, false
}

// hide notes that what was decided with rev is on disk, or will be with the batch under way, but no longer in memory. A
// hub that was not told of rev must not be told of anything above it before its successor is on disk: a crash would
// bring rev back, and nobody would tell it. The set holds at most two revs for each thing that carries one.
func (n *Node) hide(rev uint64) {
	if rev != 0 && rev <= max(n.durable, n.batch) {
		n.hidden[rev] = true
	}
}

// tellable is the rev up to which a hub that holds everything up to since may be told.
func (n *Node) tellable(since uint64) uint64 {
	upto := n.durable
	for _, set := range [2]map[uint64]bool{n.hidden, n.flying} {
		for rev := range set {
			if rev > since && rev-1 < upto {
				upto = rev - 1
			}
		}
	}
	return upto
}

// touch marks d as changed for watchers and its observations for the lazy write.
func (n *Node) touch(d *device) {
	n.changed[d.def.Name] = true
	if n.link != nil {
		n.link.obs[d.def.Name] = true
	}
	if k := d.key(); !n.dirty[k] {
		n.dirty[k] = false
	}
}

// NodeName is the node's name.
func (n *Node) NodeName() string { return n.cfg.Name }

// StoreID is the identity of the node's store, under which its revs count.
func (n *Node) StoreID() string { return n.meta.StoreID }

// Rev is the last revision taken.
func (n *Node) Rev() uint64 { return n.meta.Rev }

// DurableRev is the revision up to which everything is on disk.
func (n *Node) DurableRev() uint64 { return n.durable }

// Names lists the devices in order.
func (n *Node) Names() []Name {
	if n.order == nil {
		n.order = slices.SortedFunc(maps.Keys(n.devices), Name.Compare)
	}
	return n.order
}

// TakeChanged gives the devices changed since the last call.
func (n *Node) TakeChanged() []Name {
	if len(n.changed) == 0 {
		return nil
	}
	out := slices.SortedFunc(maps.Keys(n.changed), Name.Compare)
	clear(n.changed)
	return out
}

// TakeShown gives the devices of which a rev came to disk since the last call, and is hidden no more.
func (n *Node) TakeShown() []Name {
	out := n.shown
	n.shown = nil
	return out
}

func (n *Node) find(name Name) (*device, error) {
	d := n.devices[name]
	if d == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return d, nil
}

// p gives the state of a property, nil if the device has none of that name.
func (d *device) p(name string) (*propState, *Property) {
	for i := range d.def.Props {
		if d.def.Props[i].Name == name {
			return &d.prop[i], &d.def.Props[i]
		}
	}
	return nil, nil
}

// pending gives the wish or restore that waits for the property, nil if nothing does.
func (d *device) pending(prop string) *wish {
	for _, w := range d.wishes {
		if s, ok := w.state[prop]; ok && s == open {
			return w
		}
	}
	return nil
}

// Stats gives the counters and the present numbers.
func (n *Node) Stats() Stats {
	s := n.stats
	s.Wishes = maps.Clone(n.stats.Wishes)
	s.Devices, s.Rev, s.DurableRev = len(n.devices), n.meta.Rev, n.durable
	for _, d := range n.devices {
		switch d.presence {
		case Online:
			s.Online++
		case Offline:
			s.Offline++
		case Unknown:
		}
		for _, w := range d.wishes {
			if !w.internal() {
				s.Pending++
			}
		}
	}
	return s
}
