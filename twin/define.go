package twin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Apply takes models and devices that the node defines itself, all or none. What is defined as before stays untouched;
// what changed gets the next generation. A device that the cloud defines is not taken (ErrNotOwner).
func (n *Node) Apply(now Now, models []DeviceModel, devices []Device) error {
	n.begin(now)
	known := maps.Clone(n.models)
	for i := range models {
		if err := models[i].Validate(); err != nil {
			return err
		}
		known[models[i].Name] = &models[i]
	}
	type job struct {
		r   *Resolved
		old *device
	}
	var jobs []job
	seen := map[Name]bool{}
	for i := range devices {
		dev := devices[i]
		if seen[dev.Name] {
			return &FieldError{Field: "device", Value: dev.Name.String(), Want: "each device once"}
		}
		seen[dev.Name] = true
		old := n.devices[dev.Name]
		dev.Definer, dev.Generation, dev.Node = DefinedByNode, 1, n.cfg.Name
		if old != nil {
			if old.def.Definer != DefinedByNode {
				return fmt.Errorf("device %s: %w", dev.Name, errOfCloud)
			}
			dev.UID, dev.Generation = old.def.UID, old.def.Generation
			if !sameDefinition(&old.def.Device, &dev) {
				dev.Generation++
			}
		} else {
			dev.UID = n.cfg.NewID()
		}
		r, err := resolveWith(&dev, known)
		if err == nil {
			err = checkSize(&dev, known[dev.Model])
		}
		if err != nil {
			return err
		}
		jobs = append(jobs, job{r, old})
	}
	var defects []error
	for _, name := range n.Names() { // devices not named here, whose model changes
		d := n.devices[name]
		if m := d.def.Model; !seen[name] && d.def.Definer == DefinedByNode && !m.IsZero() && known[m] != n.models[m] {
			r, err := resolveWith(&d.def.Device, known)
			if err == nil {
				err = checkSize(&d.def.Device, known[m])
			}
			if err != nil {
				defects = append(defects, err)
				continue
			}
			jobs = append(jobs, job{r, d})
		}
	}
	if len(defects) > 0 {
		return errors.Join(defects...)
	}
	fresh := 0
	for _, j := range jobs {
		if j.old == nil {
			fresh++
		}
	}
	if len(n.devices)+fresh > MaxDevices {
		return &FieldError{Field: "devices", Value: fmt.Sprint(fresh), Want: fmt.Sprintf("at most %d in all", MaxDevices)}
	}
	for i := range models {
		m := models[i]
		if old := n.models[m.Name]; old != nil && sameJSON(old, &m) {
			continue
		}
		n.decide(nil)
		n.dirty[modelKey(DefinedByNode, m.Name)] = true
		n.models[m.Name] = &m
	}
	for _, j := range jobs {
		if j.old == nil {
			n.create(j.r)
		} else if j.old.def.Generation != j.r.Generation || !sameShape(j.old.def, j.r) {
			n.redefine(j.old, j.r)
		}
	}
	return nil
}

// errOfCloud says that the cloud defines a device.
var errOfCloud = fmt.Errorf("%w: the cloud; change it at the hub", ErrNotOwner)

func resolveWith(dev *Device, models map[Name]*DeviceModel) (*Resolved, error) {
	var m *DeviceModel
	if !dev.Model.IsZero() {
		if m = models[dev.Model]; m == nil {
			return nil, fmt.Errorf("device %s: %w", dev.Name, &FieldError{Field: "deviceModelRef", Value: dev.Model.String(), Want: "a model that exists"})
		}
	}
	return dev.Resolve(m)
}

// sameShape reports whether two resolved definitions mean the same.
func sameShape(a, b *Resolved) bool {
	return sameJSON(a.Props, b.Props) && sameJSON(a.Driver, b.Driver) && sameJSON(a.Policy, b.Policy)
}

// create makes a new device. Nothing is expected of it until somebody wishes or it reports.
func (n *Node) create(r *Resolved) *device {
	d := &device{def: r, presence: Unknown, prop: make([]propState, len(r.Props))}
	n.devices[r.Name] = d
	n.order = nil
	d.bornRev = n.decide(d)
	d.defRev = d.bornRev
	n.dirty[deviceKey(r.Name)] = true
	return d
}

// redefine gives a device a new definition and keeps of its twin what still fits (rule 6).
func (n *Node) redefine(d *device, r *Resolved) {
	old := make(map[string]propState, len(d.prop))
	var refit, gone []string
	for i := range d.prop {
		name := d.def.Props[i].Name
		old[name] = d.prop[i]
		p := r.Property(name)
		if p == nil {
			gone = append(gone, name)
		} else if d.prop[i].expected.Type() != TypeNone && (p.Access == ReadOnly || p.Check(d.prop[i].expected) != nil) {
			refit = append(refit, name)
		}
	}
	n.hide(d.defRev)
	d.defRev = n.decide(d)
	for _, name := range gone {
		n.hide(old[name].rev)
		for _, w := range d.wishes {
			if w.state[name] == shown {
				w.state[name] = lost // there is nothing left that could go back
			}
		}
	}
	offered := map[string]bool{}
	for _, name := range slices.Concat(refit, gone) {
		if w := d.pending(name); w != nil {
			if w.busies() {
				offered[name] = true
			}
			n.lose(d, w, name, "definition")
		}
	}
	props := make([]propState, len(r.Props))
	for i := range r.Props {
		p := &r.Props[i]
		s, had := old[p.Name]
		if had {
			s.actual = keepIf(s.actual.Type() == p.Type && p.reportable(s.actual), s.actual)
		}
		fits := p.Access == ReadWrite && !s.actual.Absent() && p.Check(s.actual) == nil
		if had && (slices.Contains(refit, p.Name) || fits && s.expected.Absent()) {
			n.expect(d, &s, keepIf(fits, s.actual), FromRestore)
		}
		props[i] = s
	}
	d.def, d.prop = r, props
	n.dirty[deviceKey(r.Name)] = true
	var again []string
	for _, name := range refit {
		if offered[name] {
			again = append(again, name)
		}
	}
	n.restore(d, again...)
	if len(offered) > 0 {
		n.offer(d) // without what does not fit any more
	}
	n.arm(d)
}

func keepIf(ok bool, v Value) Value {
	if ok {
		return v
	}
	return Value{}
}

// Delete removes a device that the node defines; what is left of its wishes ends superseded. A tombstone tells the hub.
func (n *Node) Delete(now Now, name Name) error {
	n.begin(now)
	d, err := n.find(name)
	if err != nil {
		return err
	}
	if d.def.Definer != DefinedByNode {
		return fmt.Errorf("device %s: %w", name, errOfCloud)
	}
	n.remove(d, false, true)
	return nil
}

// remove ends the device's wishes and leaves a tombstone.
func (n *Node) remove(d *device, moved, byNode bool) {
	reason := "deleted"
	if moved {
		reason = "moved"
	}
	n.decide(d)
	n.hide(d.defRev)
	for i := range d.prop {
		n.hide(d.prop[i].rev)
	}
	for i := range d.cloud {
		n.hide(d.cloud[i].Rev)
		n.dirty[cloudKey(d.def.Name, d.cloud[i].ID)] = true
	}
	for _, w := range slices.Clone(d.wishes) {
		if moved && w.number != 0 {
			continue // goes on at the other node, which tells its outcome
		}
		w.by = reason
		for _, p := range w.order {
			if w.state[p] == open {
				w.lost = append(w.lost, p)
			}
		}
		n.end(d, w, Superseded, reason+": "+strings.Join(w.lost, ", "))
	}
	name := d.def.Name
	t := n.gone[d.def.UID]
	if t == nil {
		t = &tombstone{Name: name, UID: d.def.UID}
		n.gone[d.def.UID] = t
	}
	t.Generation, t.Moved, t.ByNode, t.Rev = d.def.Generation, moved, byNode, n.stepRev
	t.Outcomes = append(t.Outcomes, d.cloud...)
	t.Ended = d.ended
	n.trimGone()
	delete(n.devices, name)
	n.order = nil
	n.dirty[deviceKey(name)], n.dirty[twinKey(name)], n.dirty[goneKey(t.UID)] = true, true, true
	n.changed[name] = true
}

// trimGone bounds the tombstones: the oldest go. Those that the hub has acknowledged went with prune.
func (n *Node) trimGone() {
	for len(n.gone) > MaxTombstones {
		var oldest *tombstone
		for _, t := range n.gone {
			if oldest == nil || t.maxRev() < oldest.maxRev() {
				oldest = t
			}
		}
		delete(n.gone, oldest.UID)
		n.dirty[goneKey(oldest.UID)] = true
	}
}

// modelsOf gives the models of a definer. Each has its own names: a model of the cloud never changes a device of the
// house, nor the reverse.
func (n *Node) modelsOf(by Definer) map[Name]*DeviceModel {
	if by == DefinedByCloud {
		return n.theirs
	}
	return n.models
}

// Models lists the models, sorted; where both sides have one of a name, the node's.
func (n *Node) Models() []DeviceModel {
	out := make([]DeviceModel, 0, len(n.models))
	for _, m := range n.models {
		out = append(out, *m)
	}
	for name, m := range n.theirs {
		if n.models[name] == nil {
			out = append(out, *m)
		}
	}
	slices.SortFunc(out, func(a, b DeviceModel) int { return a.Name.Compare(b.Name) })
	return out
}
