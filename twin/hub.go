package twin

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Bounds of a hub's memory.
const (
	MaxHubDevices = 200000
	MaxHubNodes   = 20000
	maxPast       = 256 // removed devices whose outcomes stay readable
	maxFormer     = 8   // earlier stores of one node that are remembered
	maxRefusals   = 64  // definitions of one node that were not taken, and are told to it
)

// HubConfig is what a Hub is told at its opening.
type HubConfig struct {
	NewID func() string
}

// Hub is the viewing side: what the cloud knows of the twins of many nodes, and the wishes it proposes to them. Like
// [Node] it is a state machine without sockets, disk or clock. It never decides about a twin: it ends a wish by itself
// only as long as the wish was never sent (rule 3). What one node says never changes what the hub holds of another.
type Hub struct {
	cfg     HubConfig
	meta    hubMeta
	nodes   map[string]*hubNode
	devices map[Name]*hubDevice
	uids    map[string]*hubDevice
	models  map[Name]*DeviceModel // that the cloud defines
	seen    map[Name]*DeviceModel // models of nodes as they came last, so that equal ones are kept once
	gone    map[string]*hubGone   // by uid and node: tombstones that a node has to acknowledge
	past    map[string]*hubPast   // by uid: outcomes of wishes for devices that are no more
	order   []Name

	now     Now
	seq     uint64 // of the last change; not durable itself
	durable uint64
	changed map[Name]bool
	dirty   map[string]bool
	waiting map[string]bool // nodes to which something may be told once it is on disk
	talk    map[string]bool // nodes to which something may be told now
	news    bool            // something about a node changed, its session among it
}

type hubMeta struct {
	StoreID string `json:"storeID"`
}

// hubNode is what the hub knows of a node.
type hubNode struct {
	Name        string
	Epoch       string // id of this hub's store as the node is told it: numbers count under it (rule 7)
	Store       string // the node's store under which views and seen revs count
	LastRev     uint64
	LastOpening string
	Former      []StoreMark // earlier stores of the node
	Version     string      // of the node's program, as it last said
	Since       time.Time   // when it came or went

	session  string // "" : away
	ready    bool   // hellos are exchanged, both stores known
	renewed  bool   // the epoch was renewed in this connection
	helloSeq uint64 // change that has to be durable before the hello is told
	diskBad  bool
	ackRev   uint64            // LastRev as it is on disk
	acked    uint64            // told to the node in this session
	learned  bool              // its first decisions of this session have come
	dealt    map[string]uint64 // by uid: what the node said in its hello
	defSent  map[string]int64
	devices  map[Name]*hubDevice // that hang on it
	due      map[Name]bool       // devices that may have something to be told in this session
	turn     Name                // whose wishes are offered first next time
	gone     map[string]*hubGone
	refused  map[string]Refusal // by uid: definitions of the node that this hub does not take
	refuse   map[string]bool    // uids of those that the node was not told of in this session
	again    map[string]bool    // uids of those that the node is asked to tell again: the name is free now
}

// hubDevice is the view of a device, and the wishes for it that have no outcome yet.
type hubDevice struct {
	def     *Resolved
	model   *DeviceModel
	at      *hubNode // under which it is indexed
	prop    []hubProp
	rev     uint64 // highest that was shown and gave way to a later decision
	seen    Presence
	text    string
	heard   time.Time // LastSeen, as the node said
	trouble map[string]string
	refusal string // why its node does not take the definition

	number uint64 // last one given
	issued issued
	wishes []*hubWish // without outcome, in order of their numbers
	ended  []*hubWish
	moveTo string // the node that gets the device once the old one acknowledged the tombstone
	moves  bool
	// elsewhere names nodes that said, while it moved, that they have it (from a past that this hub has lost).
	elsewhere []string
	defSeq    uint64 // change that made the definition; told once durable
	deaf      bool   // what its node said before it came there was not taken: it has to tell it all again
	awaits    bool   // the node has a new store and has not said how it defines the device
}

// hubProp is a node's decision and observation as the hub holds them.
type hubProp struct {
	expected Value
	origin   Origin
	rev      uint64
	seq      uint64 // change that brought the decision; its rev is shown once that is durable
	act      uint64
	actual   Value
	actualAt time.Time
}

// hubWish is a proposal.
type hubWish struct {
	Wish
	number    uint64
	seenRevs  map[string]uint64
	seenStore string
	session   string // in which it was made
	sent      bool
	question  string        // set: only asked about, and why (CloudWish.Question)
	carried   bool          // the last known expected, offered to a new store
	endsAt    time.Duration // of a press, on the hub's clock
	seq       uint64        // change that made it; offered once durable
	offeredIn string        // session of the last offer
	at        time.Time

	outcome Outcome
	reason  string
	by      string
	lost    []string
}

// hubGone is a deletion or a move that a node has to hear of.
type hubGone struct {
	Name       Name
	UID        string
	Generation int64
	Node       string
	Moved      bool
	seq        uint64
	sentIn     string
}

// hubPast keeps the wishes of a removed device readable. Those that were sent end when its node has acknowledged the
// tombstone: only then is it known what became of them.
type hubPast struct {
	name Name
	uid  string
	node string
	open []*hubWish
	over []*hubWish
	seq  uint64 // change that removed it
}

func (h *Hub) begin(now Now) { h.now = now }

// touch marks a device as changed and due for the disk.
func (h *Hub) touch(d *hubDevice) {
	h.seq++
	h.changed[d.def.Name] = true
	h.dirty[hubDeviceKey(d.def.Name)] = true
	h.due(d)
}

func (h *Hub) touchNode(n *hubNode) {
	h.seq++
	h.dirty[hubNodeKey(n.Name)] = true
	h.waiting[n.Name] = true
	h.news = true
}

// StoreID is the identity of the hub's store.
func (h *Hub) StoreID() string { return h.meta.StoreID }

// Names lists the devices, sorted.
func (h *Hub) Names() []Name {
	if h.order == nil {
		h.order = slices.SortedFunc(maps.Keys(h.devices), Name.Compare)
	}
	return h.order
}

// TakeChanged gives the devices changed since the last call.
func (h *Hub) TakeChanged() []Name {
	if len(h.changed) == 0 {
		return nil
	}
	out := slices.SortedFunc(maps.Keys(h.changed), Name.Compare)
	clear(h.changed)
	return out
}

// TakeTalk gives the nodes to which something may have to be told since the last call.
func (h *Hub) TakeTalk() []string {
	if len(h.talk) == 0 {
		return nil
	}
	out := slices.Sorted(maps.Keys(h.talk))
	clear(h.talk)
	return out
}

// TakeNews reports whether anything about a node changed since the last call.
func (h *Hub) TakeNews() bool {
	was := h.news
	h.news = false
	return was
}

func (h *Hub) find(name Name) (*hubDevice, error) {
	d := h.devices[name]
	if d == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return d, nil
}

func (d *hubDevice) p(name string) *hubProp {
	for i := range d.def.Props {
		if d.def.Props[i].Name == name {
			return &d.prop[i]
		}
	}
	return nil
}
