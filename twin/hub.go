package twin

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// HubConfig is what a Hub is told at its opening.
type HubConfig struct {
	NewID func() string
}

// Hub is the viewing side: what the cloud knows of the twins of many nodes, and the wishes it proposes to them. Like
// [Node] it is a state machine without sockets, disk or clock. It never decides about a twin: it ends a wish by itself
// only as long as the wish was never sent (rule 3).
type Hub struct {
	cfg     HubConfig
	meta    hubMeta
	nodes   map[string]*hubNode
	devices map[Name]*hubDevice
	gone    map[string]*hubGone // by uid and node: tombstones that a node has to acknowledge
	past    map[string]*hubPast // by uid: outcomes of wishes for devices that are no more
	order   []Name

	now     Now
	seq     uint64 // of the last change; not durable itself
	durable uint64
	changed map[Name]bool
	dirty   map[string]bool
}

type hubMeta struct {
	StoreID string `json:"storeID"`
}

// hubNode is what the hub knows of a node.
type hubNode struct {
	Name        string
	Store       string // the node's store under which views and seen revs count
	LastRev     uint64
	LastOpening string

	session string // "" : away
	ready   bool   // hellos are exchanged, both stores known
	diskBad bool
	ackRev  uint64            // LastRev as it is on disk
	acked   uint64            // told to the node in this session
	learned bool              // its first decisions of this session have come
	dealt   map[string]uint64 // by uid: what the node said in its hello
	defSent map[string]int64
	since   time.Time
}

// hubDevice is the view of a device, and the wishes for it that have no outcome yet.
type hubDevice struct {
	def     *Resolved
	model   *DeviceModel
	prop    []hubProp
	seen    Presence
	text    string
	trouble map[string]string

	number uint64 // last one given
	issued []issuedNumber
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
	act      uint64
	actual   Value
	actualAt time.Time
}

// issuedNumber remembers whose number it was, to find an old disk (rule 7).
type issuedNumber struct {
	Number uint64
	ID     string
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
	open []*hubWish
	over []*hubWish
	seq  uint64 // change that removed it
}

// maxPast bounds the removed devices whose outcomes stay readable.
const maxPast = 256

func (h *Hub) begin(now Now) { h.now = now }

// touch marks a device as changed and due for the disk.
func (h *Hub) touch(d *hubDevice) {
	h.seq++
	h.changed[d.def.Name] = true
	h.dirty[hubDeviceKey(d.def.Name)] = true
}

func (h *Hub) touchNode(n *hubNode) {
	h.seq++
	h.dirty[hubNodeKey(n.Name)] = true
}

// StoreID is the identity of the hub's store, under which its numbers count.
func (h *Hub) StoreID() string { return h.meta.StoreID }

// Names lists the devices, sorted.
func (h *Hub) Names() []Name {
	if h.order == nil {
		h.order = slices.SortedFunc(maps.Keys(h.devices), Name.Compare)
	}
	return h.order
}

func (h *Hub) node(name string) *hubNode {
	n := h.nodes[name]
	if n == nil {
		n = &hubNode{Name: name, defSent: map[string]int64{}}
		h.nodes[name] = n
	}
	return n
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

// connected reports whether wishes for the device go out at once.
func (h *Hub) connected(d *hubDevice) *hubNode {
	if n := h.nodes[d.def.Node]; n != nil && n.session != "" && n.ready && !d.moves {
		return n
	}
	return nil
}

// Ask hands in a wish of the cloud. It is pending from now on, and counts as accepted once it is on disk. Refused with
// *RefusedError, ErrNotFound or ErrPrecondition it changes nothing.
func (h *Hub) Ask(now Now, name Name, w Wish) (WishView, error) {
	h.begin(now)
	d, err := h.find(name)
	if err != nil {
		return WishView{}, err
	}
	if known := d.known(w.ID); known != nil {
		return d.view(known), nil
	}
	probe := &device{def: d.def, prop: make([]propState, len(d.prop))}
	if err := probe.check(&w); err != nil {
		return WishView{}, err
	}
	for p, rev := range w.Guard {
		if s := d.p(p); s == nil || s.rev != rev || d.unanswered(p) != nil {
			return WishView{}, fmt.Errorf("%w: property %s of %s", ErrPrecondition, p, name)
		}
	}
	rec := &hubWish{Wish: w, at: now.Wall, outcome: Pending}
	rec.Values = maps.Clone(w.Values)
	rec.seenRevs = map[string]uint64{}
	for p := range w.Values {
		rec.seenRevs[p] = d.p(p).rev
	}
	if w.Press() {
		rec.endsAt = now.Mono + w.ValidFor
	}
	if n := h.nodes[d.def.Node]; n != nil {
		rec.seenStore = n.Store
	}
	if n := h.connected(d); n != nil {
		rec.session, rec.sent = n.session, true
	} else {
		h.supersede(d, rec)
	}
	if len(d.wishes) >= MaxWishes {
		return WishView{}, &RefusedError{Reason: fmt.Sprintf("too many wishes: %d of this device have not ended", MaxWishes)}
	}
	h.give(d, rec)
	d.wishes = append(d.wishes, rec)
	h.touch(d)
	rec.seq = h.seq
	return d.view(rec), nil
}

// give numbers a wish.
func (h *Hub) give(d *hubDevice, w *hubWish) {
	d.number++
	w.number = d.number
	d.issued = append(d.issued, issuedNumber{Number: w.number, ID: w.ID})
	if extra := len(d.issued) - KeptCloudIDs; extra > 0 {
		d.issued = slices.Delete(d.issued, 0, extra)
	}
}

// supersede ends what waits unsent and is covered by w (rule 3).
func (h *Hub) supersede(d *hubDevice, w *hubWish) {
	if len(w.Guard) > 0 {
		return
	}
	for _, old := range slices.Clone(d.wishes) {
		covered := true
		for p := range old.Values {
			_, ok := w.Values[p]
			covered = covered && ok
		}
		if old.sent || !covered || w.Press() && !old.Press() || !w.Insist && old.Insist {
			continue
		}
		h.end(d, old, Superseded, "by "+w.ID, w.ID, slices.Sorted(maps.Keys(old.Values)))
	}
}

func (h *Hub) end(d *hubDevice, w *hubWish, o Outcome, reason, by string, lost []string) {
	d.wishes = slices.DeleteFunc(d.wishes, func(x *hubWish) bool { return x == w })
	w.outcome, w.reason, w.by, w.lost = o, reason, by, lost
	d.ended = append(d.ended, w)
	if extra := len(d.ended) - KeptOutcomes; extra > 0 {
		d.ended = slices.Delete(d.ended, 0, extra)
	}
	delete(d.trouble, w.ID)
	h.touch(d)
	w.seq = h.seq
}

func (d *hubDevice) known(id string) *hubWish {
	for _, list := range [2][]*hubWish{d.wishes, d.ended} {
		for _, w := range list {
			if w.ID == id {
				return w
			}
		}
	}
	return nil
}

// unanswered gives the newest wish without outcome for a property.
func (d *hubDevice) unanswered(prop string) *hubWish {
	for i := len(d.wishes) - 1; i >= 0; i-- {
		if _, ok := d.wishes[i].Values[prop]; ok {
			return d.wishes[i]
		}
	}
	return nil
}

func (d *hubDevice) view(w *hubWish) WishView { return viewOfProposal(d.def.Name, w, d.trouble[w.ID]) }

func viewOfProposal(name Name, w *hubWish, trouble string) WishView {
	return WishView{
		ID: w.ID, Device: name, Asker: w.Asker, Origin: w.Origin, Values: maps.Clone(w.Values), Outcome: w.outcome,
		Reason: w.reason, By: w.by, Lost: slices.Clone(w.lost), Trouble: trouble, At: w.at, decided: w.seq,
	}
}

// WishView gives a wish by id.
func (h *Hub) WishView(name Name, id string) (WishView, error) {
	if d := h.devices[name]; d != nil {
		if w := d.known(id); w != nil {
			return d.view(w), nil
		}
	}
	for _, past := range h.past {
		for _, w := range slices.Concat(past.open, past.over) {
			if past.name == name && w.ID == id {
				return viewOfProposal(name, w, ""), nil
			}
		}
	}
	return WishView{}, ErrWishUnknown
}

// Tick ends presses that ran out before they were sent.
func (h *Hub) Tick(now Now) {
	h.begin(now)
	for _, name := range h.Names() {
		d := h.devices[name]
		for _, w := range slices.Clone(d.wishes) {
			if w.endsAt != 0 && w.endsAt <= now.Mono && !w.sent {
				h.end(d, w, Expired, "the node was not reached within "+w.ValidFor.String(), "", nil)
			}
		}
	}
}

// View gives a device as the hub's readers see it: an unanswered wish shows as pending, else the node's decision.
func (h *Hub) View(name Name) (View, error) {
	d, err := h.find(name)
	if err != nil {
		return View{}, err
	}
	v := View{Device: d.def, Presence: d.seen, PresenceText: d.text, CloudNumber: d.number, Props: make([]PropertyView, len(d.prop))}
	if h.connected(d) == nil {
		v.Presence = Unknown
	}
	for i := range d.prop {
		s := &d.prop[i]
		p := PropertyView{Def: &d.def.Props[i], Expected: s.expected, Origin: s.origin, Rev: s.rev, Actual: s.actual, ActualAt: s.actualAt}
		v.Rev = max(v.Rev, s.rev)
		if w := d.unanswered(p.Def.Name); w != nil && !w.carried {
			p.Expected, p.Origin, p.Wish, p.Trouble = w.Values[p.Def.Name], w.Origin, w.ID, d.trouble[w.ID]
			if h.connected(d) == nil && p.Trouble == "" {
				p.Trouble = "node unreachable"
			}
		}
		v.Props[i] = p
	}
	return v, nil
}
