package twin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Apply takes models and devices that the cloud defines, all or none. What is defined as before stays untouched; what
// changed gets the next generation. A device whose node changes is moved. One of a name that a node defines is not taken
// over (ErrNotOwner).
func (h *Hub) Apply(now Now, models []DeviceModel, devices []Device) error {
	h.begin(now)
	known := maps.Clone(h.models)
	for i := range models {
		if err := models[i].Validate(); err != nil {
			return err
		}
		known[models[i].Name] = &models[i]
	}
	type job struct {
		r    *Resolved
		m    *DeviceModel
		old  *hubDevice
		move string
	}
	var jobs []job
	add := func(dev Device, old *hubDevice, move string) error {
		r, err := resolveWith(&dev, known)
		if err == nil {
			err = checkSize(&dev, known[dev.Model])
		}
		if err == nil {
			jobs = append(jobs, job{r, known[dev.Model], old, move})
		}
		return err
	}
	named := map[Name]bool{}
	fresh := map[string]int{}
	for i := range devices {
		dev := devices[i]
		if named[dev.Name] {
			return &FieldError{Field: "device", Value: dev.Name.String(), Want: "each device once"}
		}
		named[dev.Name] = true
		old := h.devices[dev.Name]
		if old == nil && dev.Node == "" {
			return fmt.Errorf("device %s: %w", dev.Name, &FieldError{Field: "nodeName", Value: "", Want: "the node that it hangs on"})
		}
		if dev.Node != "" {
			if err := checkLabel("nodeName", dev.Node); err != nil {
				return fmt.Errorf("device %s: %w", dev.Name, err)
			}
		}
		dev.Definer, dev.Generation = DefinedByCloud, 1
		move := ""
		if old == nil {
			dev.UID = h.cfg.NewID()
			fresh[dev.Node]++
		} else {
			if old.def.Definer != DefinedByCloud {
				return fmt.Errorf("device %s: %w", dev.Name, &OwnerError{Node: old.def.Node})
			}
			if at := old.goesTo(); dev.Node != "" && dev.Node != at {
				move = dev.Node
			}
			dev.UID, dev.Generation, dev.Node = old.def.UID, old.def.Generation, old.def.Node
			if !sameDefinition(&old.def.Device, &dev) {
				dev.Generation++
			}
		}
		if err := add(dev, old, move); err != nil {
			return err
		}
	}
	var defects []error
	for _, name := range h.Names() { // devices not named here, whose model changes
		d := h.devices[name]
		if m := d.def.Model; !named[name] && d.def.Definer == DefinedByCloud && !m.IsZero() && known[m] != h.models[m] {
			dev := d.def.Device
			dev.Generation++
			defects = append(defects, add(dev, d, ""))
		}
	}
	if err := errors.Join(defects...); err != nil {
		return err
	}
	total := len(h.devices)
	for node, n := range fresh {
		total += n
		have := 0
		if at := h.nodes[node]; at != nil {
			have = len(at.devices)
		}
		if have+n > MaxDevices {
			return &FieldError{Field: "devices", Value: fmt.Sprint(n), Want: fmt.Sprintf("at most %d in all at node %s", MaxDevices, node)}
		}
	}
	if total > MaxHubDevices {
		return &FieldError{Field: "devices", Value: fmt.Sprint(len(devices)), Want: fmt.Sprintf("at most %d in all", MaxHubDevices)}
	}
	for i := range models {
		if m := models[i]; h.models[m.Name] == nil || !sameJSON(h.models[m.Name], &m) {
			h.models[m.Name] = known[m.Name]
			h.seq++
			h.dirty[hubModelKey(m.Name)] = true
		}
	}
	for _, j := range jobs {
		switch {
		case j.old == nil:
			h.create(j.r, j.m)
		case j.old.def.Generation != j.r.Generation || !sameShape(j.old.def, j.r):
			h.redefineByCloud(j.old, j.r, j.m)
		}
		if j.move != "" {
			h.move(j.old, j.move, false)
		}
	}
	return nil
}

// OwnerError says that a device is defined by a node. It is an [ErrNotOwner].
type OwnerError struct{ Node string }

func (e *OwnerError) Error() string {
	return "node " + e.Node + " defines it; change it there, by its devices folder or its socket"
}

// Is makes an OwnerError an ErrNotOwner.
func (e *OwnerError) Is(target error) bool { return target == ErrNotOwner }

// goesTo is the node that has the device, or that gets it.
func (d *hubDevice) goesTo() string {
	if d.moves {
		return d.moveTo
	}
	return d.def.Node
}

// redefineByCloud gives a device a new definition of the cloud's. What waits unsent and no longer fits ends.
func (h *Hub) redefineByCloud(d *hubDevice, r *Resolved, m *DeviceModel) {
	h.redefine(d, r, m)
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
}

// Models lists the models that the cloud defines, sorted.
func (h *Hub) Models() []DeviceModel {
	out := make([]DeviceModel, 0, len(h.models))
	for _, name := range slices.SortedFunc(maps.Keys(h.models), Name.Compare) {
		out = append(out, *h.models[name])
	}
	return out
}

// Model gives a model of the cloud's, or ErrNotFound.
func (h *Hub) Model(name Name) (DeviceModel, error) {
	if m := h.models[name]; m != nil {
		return *m, nil
	}
	return DeviceModel{}, ErrNotFound
}

// ModelOf gives the model that a device was resolved with, whoever defined it; false if it has none.
func (h *Hub) ModelOf(name Name) (DeviceModel, bool) {
	if d := h.devices[name]; d != nil && d.model != nil {
		return *d.model, true
	}
	return DeviceModel{}, false
}

// Delete removes a device that the cloud defines. Its node hears of it by a tombstone.
func (h *Hub) Delete(now Now, name Name) error {
	h.begin(now)
	d, err := h.find(name)
	if err != nil {
		return err
	}
	if d.def.Definer != DefinedByCloud {
		return fmt.Errorf("device %s: %w", name, &OwnerError{Node: d.def.Node})
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
	h.setGone(&hubGone{Name: name, UID: uid, Generation: generation, Node: node, Moved: moved, seq: h.seq})
	h.dirty[hubGoneKey(goneAt(uid, node))] = true
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
		return fmt.Errorf("device %s: %w", name, &OwnerError{Node: d.def.Node})
	}
	if d.def.Node == to && !d.moves {
		return nil
	}
	if err := checkLabel("node", to); err != nil {
		return err
	}
	h.move(d, to, force)
	return nil
}

func (h *Hub) move(d *hubDevice, to string, force bool) {
	if !d.moves {
		h.bury(d, d.def.Node, true)
	}
	d.moves, d.moveTo = true, to
	h.touch(d)
	if force {
		h.arrive(d)
	}
}

// arrive gives a moving device to its new node.
func (h *Hub) arrive(d *hubDevice) {
	def := d.def.Device
	def.Node, def.Generation = d.moveTo, def.Generation+1
	if r, err := def.Resolve(d.model); err == nil {
		d.def = r
		h.place(d)
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
