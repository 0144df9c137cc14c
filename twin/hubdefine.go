package twin

import (
	"fmt"
	"maps"
	"slices"
)

// Define takes a device that the cloud defines, with its model. A device of that name that a node defines is not taken
// over (ErrNotOwner).
func (h *Hub) Define(now Now, dev Device, m *DeviceModel) error {
	h.begin(now)
	d := h.devices[dev.Name]
	dev.Definer, dev.Generation = DefinedByCloud, 1
	if d != nil {
		if d.def.Definer != DefinedByCloud {
			return fmt.Errorf("device %s: %w", dev.Name, ErrNotOwner)
		}
		dev.UID, dev.Generation, dev.Node = d.def.UID, d.def.Generation+1, d.def.Node
	} else {
		dev.UID = h.cfg.NewID()
	}
	r, err := dev.Resolve(m)
	if err != nil {
		return err
	}
	if d == nil {
		h.create(r, m)
		return nil
	}
	d.redefine(r, m)
	for _, w := range slices.Clone(d.wishes) {
		for _, p := range slices.Sorted(maps.Keys(w.Values)) {
			if def := r.Property(p); !w.sent && (def == nil || def.Check(w.Values[p]) != nil) {
				h.end(d, w, Superseded, "definition: "+p, "definition", []string{p})
				break
			}
		}
	}
	h.touch(d)
	d.defSeq = h.seq
	return nil
}

// Delete removes a device that the cloud defines. Its node hears of it by a tombstone.
func (h *Hub) Delete(now Now, name Name) error {
	h.begin(now)
	d, err := h.find(name)
	if err != nil {
		return err
	}
	if d.def.Definer != DefinedByCloud {
		return fmt.Errorf("device %s: %w", name, ErrNotOwner)
	}
	h.bury(d, d.def.Node, false)
	h.drop(d, "deleted", true)
	return nil
}

func (h *Hub) bury(d *hubDevice, node string, moved bool) {
	h.buryAt(node, d.def.Name, d.def.UID, d.def.Generation, moved)
}

func (h *Hub) buryAt(node string, name Name, uid string, generation int64, moved bool) {
	h.seq++
	k := goneAt(uid, node)
	h.gone[k] = &hubGone{Name: name, UID: uid, Generation: generation, Node: node, Moved: moved, seq: h.seq}
	h.dirty[hubGoneKey(k)] = true
}

// Move gives a device to another node. The old node gets a tombstone; the new one the definition, what was expected and
// the wishes without outcome, once the old one has acknowledged it, or at once if forced.
func (h *Hub) Move(now Now, name Name, to string, force bool) error {
	h.begin(now)
	d, err := h.find(name)
	if err != nil {
		return err
	}
	if d.def.Definer != DefinedByCloud {
		return fmt.Errorf("device %s: %w", name, ErrNotOwner)
	}
	if d.def.Node == to && !d.moves {
		return nil
	}
	if !d.moves {
		h.bury(d, d.def.Node, true)
	}
	d.moves, d.moveTo = true, to
	h.touch(d)
	if force {
		h.arrive(d)
	}
	return nil
}

// arrive gives a moving device to its new node.
func (h *Hub) arrive(d *hubDevice) {
	def := d.def.Device
	def.Node, def.Generation = d.moveTo, def.Generation+1
	if r, err := def.Resolve(d.model); err == nil {
		d.def = r
	}
	for _, node := range d.elsewhere {
		if node != d.moveTo {
			h.bury(d, node, true)
		}
	}
	d.moves, d.moveTo, d.elsewhere = false, "", nil
	d.seen, d.text = Unknown, ""
	h.carryOver(d)
	d.defSeq, d.deaf = h.seq, true
}
