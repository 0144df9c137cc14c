package twin

import (
	"maps"
	"slices"
)

// EncodeAll gives every record of a node as it would be written now.
func (n *Node) EncodeAll() []Record {
	keys := map[string]bool{keyMeta: true}
	for name := range n.models {
		keys[modelKey(DefinedByNode, name)] = true
	}
	for name, d := range n.devices {
		keys[deviceKey(name)], keys[twinKey(name)] = true, true
		for i := range d.cloud {
			keys[cloudKey(name, d.cloud[i].ID)] = true
		}
	}
	for uid := range n.gone {
		keys[goneKey(uid)] = true
	}
	return encodeAll(keys, n.encode)
}

// EncodeAll gives every record of a hub as it would be written now.
func (h *Hub) EncodeAll() []Record {
	keys := map[string]bool{keyMeta: true}
	for name := range h.nodes {
		keys[hubNodeKey(name)] = true
	}
	for name := range h.devices {
		keys[hubDeviceKey(name)] = true
	}
	for uid := range h.gone {
		keys[hubGoneKey(uid)] = true
	}
	for name := range h.models {
		keys[hubModelKey(name)] = true
	}
	for uid := range h.past {
		keys[hubPastKey(uid)] = true
	}
	return encodeAll(keys, h.encode)
}

func encodeAll(keys map[string]bool, encode func(string) []byte) (out []Record) {
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		out = append(out, Record{Key: k, Data: encode(k)})
	}
	return out
}
