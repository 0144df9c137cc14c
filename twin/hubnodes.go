package twin

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// NodeView is a node as the hub's readers see it.
type NodeView struct {
	Name      string
	Connected bool
	Since     time.Time // when it came, or went; zero if it never came
	Version   string    // of its program
	Store     string    // its store id
	Rev       uint64    // up to which the hub knows its decisions
	DiskBad   bool
	Devices   int
	Refused   []Refusal // definitions of it that the hub does not take
}

// Nodes lists the nodes that the hub knows, sorted by name.
func (h *Hub) Nodes() []NodeView {
	out := make([]NodeView, 0, len(h.nodes))
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		out = append(out, h.nodeView(h.nodes[name]))
	}
	return out
}

// Node gives one node; false if the hub does not know it.
func (h *Hub) Node(name string) (NodeView, bool) {
	n := h.nodes[name]
	if n == nil {
		return NodeView{}, false
	}
	return h.nodeView(n), true
}

func (h *Hub) nodeView(n *hubNode) NodeView {
	v := NodeView{
		Name: n.Name, Connected: n.session != "" && n.ready, Since: n.Since, Version: n.Version, Store: n.Store, Rev: n.LastRev,
		DiskBad: n.diskBad, Devices: len(n.devices),
	}
	for _, uid := range slices.Sorted(maps.Keys(n.refused)) {
		v.Refused = append(v.Refused, n.refused[uid])
	}
	return v
}

// RemoveNode forgets a node: the views of what it defines go, and what is left of their wishes ends. A node that still
// has devices of the cloud's, or gets one, is not removed: they are deleted or moved first. Whether it may come back is
// not decided here.
func (h *Hub) RemoveNode(now Now, name string) error {
	h.begin(now)
	n := h.nodes[name]
	if n == nil {
		return fmt.Errorf("%w: %s", ErrNodeUnknown, name)
	}
	for _, dev := range h.Names() {
		if d := h.devices[dev]; d.goesTo() == name && d.def.Definer == DefinedByCloud || d.moves && d.def.Node == name {
			return fmt.Errorf("node %s: %w: %s", name, ErrNodeInUse, dev)
		}
	}
	for _, dev := range slices.SortedFunc(maps.Keys(n.devices), Name.Compare) {
		h.drop(n.devices[dev], "node removed", false)
	}
	for _, g := range n.gone {
		h.dropGone(g)
	}
	delete(h.nodes, name)
	h.seq++
	h.dirty[hubNodeKey(name)] = true
	h.news = true
	return nil
}
