package twin

import (
	"maps"
	"slices"
	"strings"
)

// HubBatch is what one transaction of the hub makes durable.
type HubBatch struct {
	Records []Record
	seq     uint64
	revs    map[string]nodeRev
	keys    map[string]bool
}

// nodeRev is up to where a batch knows a node.
type nodeRev struct {
	store string
	rev   uint64
}

// TakeBatch gives what has to be made durable; false: nothing. At most one batch may be under way.
func (h *Hub) TakeBatch() (HubBatch, bool) {
	if len(h.dirty) == 0 {
		return HubBatch{}, false
	}
	b := HubBatch{seq: h.seq, revs: map[string]nodeRev{}, keys: h.dirty}
	for _, k := range slices.Sorted(maps.Keys(h.dirty)) {
		b.Records = append(b.Records, Record{Key: k, Data: h.encode(k)})
	}
	for k := range b.keys {
		if n := h.nodes[strings.TrimPrefix(k, prefixHubNode)]; n != nil && strings.HasPrefix(k, prefixHubNode) {
			b.revs[n.Name] = nodeRev{n.Store, n.LastRev}
		}
	}
	h.dirty = map[string]bool{}
	return b, true
}

// Due reports whether something waits for the disk.
func (h *Hub) Due() bool { return len(h.dirty) > 0 }

// Durable reports whether the wish of that view is on disk.
func (h *Hub) Durable(v WishView) bool { return v.decided <= h.durable }

// Committed tells that a batch is on disk, or that it is not.
func (h *Hub) Committed(b HubBatch, err error) {
	if err != nil {
		maps.Copy(h.dirty, b.keys)
		return
	}
	h.shown(b)
	for name, r := range b.revs {
		if n := h.nodes[name]; n != nil && n.Store == r.store {
			n.ackRev = max(n.ackRev, r.rev)
			h.talk[name] = true
		}
	}
	maps.Copy(h.talk, h.waiting)
	clear(h.waiting)
}

// shown tells readers of the revs that are on disk with this batch.
func (h *Hub) shown(b HubBatch) {
	before := h.durable
	h.durable = max(h.durable, b.seq)
	for k := range b.keys {
		name, ok := strings.CutPrefix(k, prefixHubDev)
		if !ok {
			continue
		}
		d := h.devices[mustName(name)]
		if d != nil && slices.ContainsFunc(d.prop, func(s hubProp) bool { return s.seq > before && s.seq <= h.durable }) {
			h.changed[d.def.Name] = true
		}
	}
}
