package twin

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"slices"
)

// node gives what is known of a node, which may be nothing yet.
func (h *Hub) node(name string) *hubNode {
	n := h.nodes[name]
	if n == nil {
		n = newHubNode(name)
		n.Epoch = h.cfg.NewID()
		h.nodes[name] = n
		h.touchNode(n)
	}
	return n
}

func newHubNode(name string) *hubNode {
	return &hubNode{
		Name: name, defSent: map[string]int64{}, devices: map[Name]*hubDevice{}, due: map[Name]bool{}, gone: map[string]*hubGone{},
		refused: map[string]Refusal{}, refuse: map[string]bool{}, again: map[string]bool{},
	}
}

// place puts a device under the node of its definition.
func (h *Hub) place(d *hubDevice) {
	if d.at != nil && d.at.Name == d.def.Node {
		return
	}
	if d.at != nil {
		delete(d.at.devices, d.def.Name)
		delete(d.at.due, d.def.Name)
	}
	d.at = h.node(d.def.Node)
	d.at.devices[d.def.Name] = d
}

// due lets the device's node be told what there is about it, once that is on disk.
func (h *Hub) due(d *hubDevice) {
	if d.at != nil {
		d.at.due[d.def.Name] = true
		h.waiting[d.at.Name] = true
	}
}

// dueAll makes all devices of a node due.
func (h *Hub) dueAll(n *hubNode) {
	for name := range n.devices {
		n.due[name] = true
	}
	h.talk[n.Name] = true
}

// setGone and dropGone keep the index of tombstones.
func (h *Hub) setGone(g *hubGone) {
	k := goneAt(g.UID, g.Node)
	h.gone[k] = g
	h.node(g.Node).gone[k] = g
	h.waiting[g.Node] = true
}

func (h *Hub) dropGone(g *hubGone) {
	k := goneAt(g.UID, g.Node)
	delete(h.gone, k)
	delete(h.node(g.Node).gone, k)
	h.seq++
	h.dirty[hubGoneKey(k)] = true
}

// shared gives a model that is equal to m and kept already, if there is one: a thousand homes have the same lamps.
func (h *Hub) shared(m *DeviceModel) *DeviceModel {
	if m == nil {
		return nil
	}
	if old := h.seen[m.Name]; old != nil && sameJSON(old, m) {
		return old
	}
	if len(h.seen) > MaxHubDevices {
		clear(h.seen) // it only saves memory
	}
	h.seen[m.Name] = m
	return m
}

// keptIssued is how many numbers of a device are remembered with the wish that each was given to. A node deals with no
// number that was not sent to it, and there are at most MaxWishes that were sent and have no outcome; the one that it
// dealt with last before them counts too, and some that an old disk of it may still name.
const keptIssued = 2 * MaxWishes

// issued remembers the last numbers of a device and whose they were, to find an old disk (rule 7): 16 bytes each.
type issued []issuedNumber

type issuedNumber struct {
	number uint64
	wish   uint64 // hash of its id
}

func issuedTo(number uint64, id string) issuedNumber {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(id)) // a hash takes everything
	return issuedNumber{number, hash.Sum64()}
}

func (s issued) with(n issuedNumber) issued {
	s = append(s, n)
	if extra := len(s) - keptIssued; extra > 0 {
		s = slices.Delete(s, 0, extra)
	}
	return s
}

// MarshalJSON gives the numbers as base64 of 16 bytes each.
func (s issued) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 16*len(s))
	for _, n := range s {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, n.number), n.wish)
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(b))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (s *issued) UnmarshalJSON(text []byte) error {
	var packed string
	if err := json.Unmarshal(text, &packed); err != nil {
		return err
	}
	b, err := base64.RawStdEncoding.DecodeString(packed)
	if err != nil || len(b)%16 != 0 {
		return &FieldError{Field: "issued", Value: clip(packed), Want: "base64 of 16 bytes a number"}
	}
	*s = make(issued, 0, len(b)/16)
	for ; len(b) > 0; b = b[16:] {
		*s = append(*s, issuedNumber{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])})
	}
	return nil
}
