package twin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Record is one key of a holder's durable state. Data nil deletes the key.
type Record struct {
	Key  string
	Data []byte
}

// Batch is what one transaction makes durable, all or nothing.
type Batch struct {
	Rev     uint64
	Records []Record
	keys    map[string]bool
}

const (
	keyMeta     = "meta"
	prefixModel = "model/"
	prefixDev   = "device/"
	prefixTwin  = "twin/"
	prefixGone  = "gone/"
	prefixCloud = "cloud/"
)

func modelKey(by Definer, n Name) string {
	return prefixModel + string(by) + "/" + n.String()
}
func deviceKey(n Name) string   { return prefixDev + n.String() }
func twinKey(n Name) string     { return prefixTwin + n.String() }
func goneKey(uid string) string { return prefixGone + uid }

// cloudKey is the record of one cloud wish of a device: alone, because there are up to KeptCloudIDs of them.
func cloudKey(n Name, id string) string { return prefixCloud + n.String() + "/" + id }

// TakeBatch gives what has to be made durable: everything decided, and with lazy also what was only observed. False:
// nothing. At most one batch may be under way; Committed ends it.
func (n *Node) TakeBatch(lazy bool) (Batch, bool) {
	b := Batch{Rev: n.meta.Rev, keys: map[string]bool{}}
	for k, urgent := range n.dirty {
		if urgent || lazy {
			b.keys[k] = urgent
		}
	}
	if len(b.keys) == 0 {
		return Batch{}, false
	}
	for _, k := range slices.Sorted(maps.Keys(b.keys)) {
		b.Records = append(b.Records, Record{Key: k, Data: n.encode(k)})
		delete(n.dirty, k)
	}
	n.flying, n.hidden, n.batch = n.hidden, map[uint64]bool{}, n.meta.Rev
	return b, true
}

// DecisionsDue reports whether a decision waits for the disk.
func (n *Node) DecisionsDue() bool { return n.durable < n.meta.Rev }

// Committed tells that a batch is on disk, or that it is not: then its records are due again. Wishes of the cloud that
// became durable are offered.
func (n *Node) Committed(now Now, b Batch, err error) {
	n.begin(now)
	n.diskBad = err != nil
	if err != nil {
		for k, urgent := range b.keys {
			n.dirty[k] = urgent || n.dirty[k]
		}
		maps.Copy(n.hidden, n.flying)
		n.flying, n.batch = nil, 0
		maps.DeleteFunc(n.hidden, func(rev uint64, _ bool) bool { return rev > n.durable })
		return
	}
	n.flying, n.batch = nil, 0
	before := n.durable
	n.durable = max(n.durable, b.Rev)
	for _, name := range n.Names() {
		d := n.devices[name]
		if d.rev <= before {
			continue
		}
		n.shown = append(n.shown, name)
		for _, w := range d.wishes {
			if w.number != 0 && !w.offered && w.rev <= n.durable {
				n.offer(d)
				n.arm(d)
				break
			}
		}
	}
}

func (n *Node) encode(key string) []byte {
	var v any // the record types below, for json
	prefix, rest, _ := strings.Cut(key, "/")
	switch prefix + "/" {
	case prefixModel:
		by, name, _ := strings.Cut(rest, "/")
		if m := n.modelsOf(Definer(by))[mustName(name)]; m != nil {
			v = m
		}
	case prefixDev:
		if d := n.devices[mustName(rest)]; d != nil {
			v = &deviceRecord{Device: d.def.Device, Rev: d.defRev, Born: d.bornRev}
		}
	case prefixTwin:
		if d := n.devices[mustName(rest)]; d != nil {
			v = d.record()
		}
	case prefixCloud:
		if rec := n.cloudRecord(rest); rec != nil {
			v = rec
		}
	case prefixGone:
		if t := n.gone[rest]; t != nil {
			tr := &tombRecord{Name: t.Name, UID: t.UID, Generation: t.Generation, Moved: t.Moved, ByNode: t.ByNode, Rev: t.Rev, Outcomes: t.Outcomes}
			for _, w := range t.Ended {
				tr.Ended = append(tr.Ended, w.record())
			}
			v = tr
		}
	default:
		v = &n.meta
	}
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic("twin: record " + key + ": " + err.Error()) // only types of ours, all of them encodable
	}
	return data
}

// cloudRecord finds the record of a key without its prefix; nil if it is not remembered any more.
func (n *Node) cloudRecord(key string) *cloudRecord {
	space, rest, _ := strings.Cut(key, "/")
	name, id, _ := strings.Cut(rest, "/")
	if d := n.devices[Name{Namespace: space, Name: name}]; d != nil {
		if i := d.cloudIndex(id); i >= 0 {
			return &d.cloud[i]
		}
	}
	return nil
}

func mustName(s string) Name {
	ns, name, _ := strings.Cut(s, "/")
	return Name{Namespace: ns, Name: name}
}

type deviceRecord struct {
	Device Device `json:"device"`
	Rev    uint64 `json:"rev"`
	Born   uint64 `json:"born"`
}

type tombRecord struct {
	Name       Name
	UID        string
	Generation int64
	Moved      bool
	ByNode     bool
	Rev        uint64
	Outcomes   []cloudRecord
	Ended      []wishRecord `json:",omitempty"`
}

type twinRecord struct {
	UID        string                `json:"uid"`
	SentState  bool                  `json:"sentState,omitempty"`
	LastSeen   time.Time             `json:"lastSeen,omitzero"`
	LastOnline time.Time             `json:"lastOnline,omitzero"`
	Rev        uint64                `json:"rev"`
	Dealt      uint64                `json:"dealt,omitempty"`
	DealtID    string                `json:"dealtID,omitempty"`
	Props      map[string]propRecord `json:"props,omitempty"`
	Wishes     []wishRecord          `json:"wishes,omitempty"`
	Ended      []wishRecord          `json:"ended,omitempty"`
}

type propRecord struct {
	Expected packed    `json:"e,omitempty"`
	Origin   Origin    `json:"o,omitempty"`
	Rev      uint64    `json:"r,omitempty"`
	Act      uint64    `json:"a,omitempty"`
	Actual   packed    `json:"v,omitempty"`
	ActualAt time.Time `json:"t,omitzero"`
	Adopt    bool      `json:"adopt,omitempty"`
}

type wishRecord struct {
	ID       string            `json:"id"`
	Asker    string            `json:"asker,omitempty"`
	Origin   Origin            `json:"origin"`
	Values   map[string]packed `json:"values"`
	Lost     []string          `json:"lost,omitempty"`
	Shown    []string          `json:"shown,omitempty"`
	ValidFor time.Duration     `json:"validFor,omitempty"`
	Insist   bool              `json:"insist,omitempty"`
	Number   uint64            `json:"number,omitempty"`
	Rev      uint64            `json:"rev,omitempty"`
	Accepted uint64            `json:"accepted,omitempty"`
	At       time.Time         `json:"at,omitzero"`
	Outcome  Outcome           `json:"outcome,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	By       string            `json:"by,omitempty"`
	TookOver []string          `json:"took,omitempty"`
}

// packed is a value with its type, in one string: "b1", "i5", "f2.5", "sON"; "" absent.
type packed string

func pack(v Value) packed { return packed(v.Pack()) }

func (p packed) value() (Value, error) { return Unpack(string(p)) }

func (d *device) record() *twinRecord {
	r := &twinRecord{
		UID: d.def.UID, SentState: d.sentState, LastSeen: d.lastSeen, LastOnline: d.lastOnline,
		Rev: d.rev, Dealt: d.dealt, DealtID: d.dealID, Props: make(map[string]propRecord, len(d.prop)),
	}
	for i := range d.prop {
		s := &d.prop[i]
		r.Props[d.def.Props[i].Name] = propRecord{
			Expected: pack(s.expected), Origin: s.origin, Rev: s.rev, Act: s.act,
			Actual: pack(s.actual), ActualAt: s.actualAt, Adopt: s.adopt,
		}
	}
	for _, w := range d.wishes {
		if !w.internal() {
			r.Wishes = append(r.Wishes, w.record())
		}
	}
	for _, w := range d.ended {
		if w.rev != 0 {
			r.Ended = append(r.Ended, w.record())
		}
	}
	return r
}

func (w *wish) record() wishRecord {
	r := wishRecord{
		ID: w.ID, Asker: w.Asker, Origin: w.Origin, Values: make(map[string]packed, len(w.Values)), ValidFor: w.ValidFor,
		Insist: w.Insist, Number: w.number, Rev: w.rev, Accepted: w.acceptRev, At: w.at, Outcome: w.outcome, Reason: w.reason, By: w.by, TookOver: w.lost,
	}
	for k, v := range w.Values {
		r.Values[k] = pack(v)
	}
	for _, k := range w.order {
		switch w.state[k] {
		case lost:
			r.Lost = append(r.Lost, k)
		case shown:
			r.Shown = append(r.Shown, k)
		case open:
		}
	}
	return r
}

func (r *wishRecord) wish() (*wish, error) {
	w := &wish{
		Wish:   Wish{ID: r.ID, Asker: r.Asker, Origin: r.Origin, ValidFor: r.ValidFor, Insist: r.Insist, Values: make(map[string]Value, len(r.Values))},
		number: r.Number, rev: r.Rev, acceptRev: r.Accepted, at: r.At, outcome: r.Outcome, reason: r.Reason, by: r.By, lost: r.TookOver,
		order: slices.Sorted(maps.Keys(r.Values)), state: make(map[string]wishProp, len(r.Values)),
	}
	for k, p := range r.Values {
		v, err := p.value()
		if err != nil {
			return nil, fmt.Errorf("wish %s: %w", r.ID, err)
		}
		w.Values[k], w.state[k] = v, open
	}
	for _, k := range r.Lost {
		w.state[k] = lost
	}
	for _, k := range r.Shown {
		w.state[k] = shown
	}
	return w, nil
}
