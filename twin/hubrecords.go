package twin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	prefixHubNode = "node/"
	prefixHubDev  = "view/"
	prefixHubGone = "tomb/"
	prefixHubPast = "past/"
	prefixHubMod  = "model/"
)

func hubNodeKey(node string) string { return prefixHubNode + node }
func hubDeviceKey(n Name) string    { return prefixHubDev + n.String() }

// goneAt is the key of a tombstone: of one creation, for one node.
func goneAt(uid, node string) string { return uid + "@" + node }

func hubGoneKey(key string) string { return prefixHubGone + key }
func hubPastKey(uid string) string { return prefixHubPast + uid }
func hubModelKey(n Name) string    { return prefixHubMod + n.String() }

type hubDeviceRecord struct {
	Device Device                `json:"device"`
	Model  *DeviceModel          `json:"model,omitempty"`
	Props  map[string]propRecord `json:"props,omitempty"`
	Number uint64                `json:"number,omitempty"`
	Issued issued                `json:"issued,omitempty"`
	Wishes []hubWishRecord       `json:"wishes,omitempty"`
	Ended  []hubWishRecord       `json:"ended,omitempty"`
	MoveTo string                `json:"moveTo,omitempty"`
	Else   []string              `json:"elsewhere,omitempty"`
	Deaf   bool                  `json:"deaf,omitempty"`
	Awaits bool                  `json:"awaits,omitempty"`
	Moves  bool                  `json:"moves,omitempty"`
	Heard  time.Time             `json:"heard,omitzero"`
}

type hubWishRecord struct {
	wishRecord
	Guard     map[string]uint64 `json:"guard,omitempty"`
	Seen      map[string]uint64 `json:"seen,omitempty"`
	SeenStore string            `json:"seenStore,omitempty"`
	Session   string            `json:"session,omitempty"`
	Sent      bool              `json:"sent,omitempty"`
	Question  string            `json:"question,omitempty"`
	Carried   bool              `json:"carried,omitempty"`
	Left      time.Duration     `json:"left,omitempty"` // of a press, when it was written
}

type hubPastRecord struct {
	Name Name            `json:"name"`
	UID  string          `json:"uid"`
	Node string          `json:"node"`
	Open []hubWishRecord `json:"open,omitempty"`
	Over []hubWishRecord `json:"over,omitempty"`
}

type hubNodeRecord struct {
	Name        string      `json:"name"`
	Epoch       string      `json:"epoch"`
	Store       string      `json:"store,omitempty"`
	LastRev     uint64      `json:"lastRev,omitempty"`
	LastOpening string      `json:"lastOpening,omitempty"`
	Former      []StoreMark `json:"former,omitempty"`
	Version     string      `json:"version,omitempty"`
	Since       time.Time   `json:"since,omitzero"`
	Refused     []Refusal   `json:"refused,omitempty"`
	Here        bool        `json:"here,omitempty"`
}

func (h *Hub) encode(key string) []byte {
	var v any // the record types of this file, for json
	prefix, rest, _ := strings.Cut(key, "/")
	switch prefix + "/" {
	case prefixHubNode:
		if n := h.nodes[rest]; n != nil {
			r := &hubNodeRecord{Name: n.Name, Epoch: n.Epoch, Store: n.Store, LastRev: n.LastRev, LastOpening: n.LastOpening, Former: n.Former, Version: n.Version, Since: n.Since, Here: n.ready}
			for _, uid := range slices.Sorted(maps.Keys(n.refused)) {
				r.Refused = append(r.Refused, n.refused[uid])
			}
			v = r
		}
	case prefixHubDev:
		if d := h.devices[mustName(rest)]; d != nil {
			v = d.record(h.now.Mono)
		}
	case prefixHubGone:
		if g := h.gone[rest]; g != nil {
			v = g
		}
	case prefixHubPast:
		if past := h.past[rest]; past != nil {
			v = past.record(h.now.Mono)
		}
	case prefixHubMod:
		if m := h.models[mustName(rest)]; m != nil {
			v = m
		}
	default:
		v = &h.meta
	}
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic("twin: hub record " + key + ": " + err.Error()) // only types of ours, all of them encodable
	}
	return data
}

func (d *hubDevice) record(now time.Duration) *hubDeviceRecord {
	r := &hubDeviceRecord{
		Device: d.def.Device, Model: d.model, Number: d.number, Issued: d.issued, MoveTo: d.moveTo, Moves: d.moves, Awaits: d.awaits, Deaf: d.deaf, Else: d.elsewhere, Heard: d.heard,
		Props: map[string]propRecord{},
	}
	for i := range d.prop {
		s := &d.prop[i]
		r.Props[d.def.Props[i].Name] = propRecord{Expected: pack(s.expected), Origin: s.origin, Rev: s.rev, Act: s.act, Actual: pack(s.actual), ActualAt: s.actualAt}
	}
	r.Wishes, r.Ended = proposalRecords(d.wishes, now), proposalRecords(d.ended, now)
	return r
}

func (w *hubWish) record(now time.Duration) hubWishRecord {
	r := hubWishRecord{
		wishRecord: wishRecord{
			ID: w.ID, Asker: w.Asker, Origin: w.Origin, Values: map[string]packed{}, ValidFor: w.ValidFor,
			Insist: w.Insist, Number: w.number, At: w.at, Outcome: w.outcome, Reason: w.reason, By: w.by, TookOver: w.lost,
		},
		Guard: w.Guard, Seen: w.seenRevs, SeenStore: w.seenStore, Session: w.session, Sent: w.sent, Question: w.question, Carried: w.carried,
	}
	for k, v := range w.Values {
		r.Values[k] = pack(v)
	}
	if w.endsAt != 0 {
		r.Left = max(w.endsAt-now, 1)
	}
	return r
}

// OpenHub makes a Hub of what is on disk; no records make a new one, with a new store id.
func OpenHub(cfg HubConfig, now Now, records []Record) (*Hub, error) {
	h := &Hub{
		cfg: cfg, nodes: map[string]*hubNode{}, devices: map[Name]*hubDevice{}, uids: map[string]*hubDevice{}, gone: map[string]*hubGone{},
		models: map[Name]*DeviceModel{}, seen: map[Name]*DeviceModel{}, past: map[string]*hubPast{},
		changed: map[Name]bool{}, dirty: map[string]bool{}, waiting: map[string]bool{}, talk: map[string]bool{}, now: now,
	}
	for _, r := range records {
		if err := h.load(r, now); err != nil {
			return nil, fmt.Errorf("read record %q: %w", r.Key, err)
		}
	}
	h.adopt()
	if h.meta.StoreID == "" {
		h.meta.StoreID = cfg.NewID()
		h.dirty[keyMeta] = true
	}
	return h, nil
}

func (h *Hub) load(r Record, now Now) error {
	prefix, _, _ := strings.Cut(r.Key, "/")
	switch prefix + "/" {
	case prefixHubNode:
		var nr hubNodeRecord
		if err := json.Unmarshal(r.Data, &nr); err != nil {
			return err
		}
		n := newHubNode(nr.Name)
		n.Epoch, n.Store, n.LastRev, n.LastOpening, n.ackRev = nr.Epoch, nr.Store, nr.LastRev, nr.LastOpening, nr.LastRev
		n.Former, n.Version, n.Since = nr.Former, nr.Version, nr.Since
		for _, r := range nr.Refused {
			n.refused[r.UID] = r
		}
		if nr.Here {
			n.Since = now.Wall // it was there when the hub stopped
		}
		h.nodes[nr.Name] = n
	case prefixHubDev:
		var dr hubDeviceRecord
		if err := json.Unmarshal(r.Data, &dr); err != nil {
			return err
		}
		return h.loadDevice(&dr, now)
	case prefixHubGone:
		g := &hubGone{}
		if err := json.Unmarshal(r.Data, g); err != nil {
			return err
		}
		h.gone[goneAt(g.UID, g.Node)] = g
	case prefixHubPast:
		var pr hubPastRecord
		if err := json.Unmarshal(r.Data, &pr); err != nil {
			return err
		}
		past := &hubPast{name: pr.Name, uid: pr.UID, node: pr.Node}
		var err error
		if past.open, err = loadProposals(pr.Open, now); err != nil {
			return err
		}
		if past.over, err = loadProposals(pr.Over, now); err != nil {
			return err
		}
		h.past[past.uid] = past
	case prefixHubMod:
		m := &DeviceModel{}
		if err := json.Unmarshal(r.Data, m); err != nil {
			return err
		}
		h.models[m.Name] = m
	case keyMeta + "/":
		return json.Unmarshal(r.Data, &h.meta)
	default:
		return fmt.Errorf("no such kind of record")
	}
	return nil
}

func (h *Hub) loadDevice(r *hubDeviceRecord, now Now) error {
	def, err := r.Device.Resolve(r.Model)
	if err != nil {
		return err
	}
	d := &hubDevice{
		def: def, model: h.shared(r.Model), seen: Unknown, prop: make([]hubProp, len(def.Props)), heard: r.Heard,
		number: r.Number, issued: r.Issued, moveTo: r.MoveTo, moves: r.Moves, awaits: r.Awaits, deaf: r.Deaf, elsewhere: r.Else,
	}
	for i := range d.prop {
		pr, ok := r.Props[def.Props[i].Name]
		if !ok {
			continue
		}
		s := &d.prop[i]
		if s.expected, err = pr.Expected.value(); err != nil {
			return err
		}
		if s.actual, err = pr.Actual.value(); err != nil {
			return err
		}
		s.origin, s.rev, s.act, s.actualAt = pr.Origin, pr.Rev, pr.Act, pr.ActualAt
	}
	if d.wishes, err = loadProposals(r.Wishes, now); err != nil {
		return err
	}
	if d.ended, err = loadProposals(r.Ended, now); err != nil {
		return err
	}
	h.devices[def.Name], h.uids[def.UID] = d, d
	return nil
}

// adopt puts what was read in order: devices and tombstones under their nodes.
func (h *Hub) adopt() {
	for _, name := range h.Names() {
		h.place(h.devices[name])
	}
	for _, g := range h.gone {
		h.setGone(g)
	}
}

func loadProposals(from []hubWishRecord, now Now) ([]*hubWish, error) {
	var out []*hubWish
	for i := range from {
		wr := &from[i]
		base, err := wr.wish()
		if err != nil {
			return nil, err
		}
		w := &hubWish{
			Wish: base.Wish, number: wr.Number, seenRevs: wr.Seen, seenStore: wr.SeenStore, session: wr.Session, sent: wr.Sent,
			question: wr.Question, carried: wr.Carried, at: wr.At, outcome: wr.Outcome, reason: wr.Reason, by: wr.By, lost: wr.TookOver,
		}
		w.Guard = wr.Guard
		if wr.Left != 0 {
			w.endsAt = now.Mono + wr.Left
		}
		out = append(out, w)
	}
	return out, nil
}

func (p *hubPast) record(now time.Duration) *hubPastRecord {
	return &hubPastRecord{Name: p.name, UID: p.uid, Node: p.node, Open: proposalRecords(p.open, now), Over: proposalRecords(p.over, now)}
}

func proposalRecords(from []*hubWish, now time.Duration) (out []hubWishRecord) {
	for _, w := range from {
		out = append(out, w.record(now))
	}
	return out
}
