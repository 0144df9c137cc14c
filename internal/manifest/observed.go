package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"twinbridge/twin"
)

// Kept is where it is noted which desired values were taken, by device.
type Kept interface {
	// Get gives what stands under a key; ok is false if there is nothing.
	Get(key string) (data []byte, ok bool, err error)
	// Put makes data durable under a key before it returns.
	Put(key string, data []byte) error
}

// Observed remembers which desired values of manifests were taken, so that reading the same manifest again, at each
// start too, switches nothing (rule 6: observedDesired). It is not safe for use by several goroutines at once.
type Observed struct{ kept Kept }

// NewObserved makes one that keeps its notes there.
func NewObserved(kept Kept) *Observed { return &Observed{kept} }

// observedRecord is what is kept for a device.
type observedRecord struct {
	UID     string            `json:"uid"` // of the creation that the values were for
	Desired map[string]string `json:"desired"`
	Times   uint64            `json:"times"` // how often something was taken
}

func (o *Observed) read(d *twin.Resolved) (observedRecord, error) {
	data, ok, err := o.kept.Get(d.Name.String())
	if err != nil || !ok {
		return observedRecord{UID: d.UID}, err
	}
	var r observedRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read what was taken of %s: %w", d.Name, err)
	}
	if r.UID != d.UID {
		return observedRecord{UID: d.UID}, nil
	}
	return r, nil
}

// Ask hands in a wish. onDisk tells whether it is durable; one that is not holds all the same, and is not noted, so that
// it is made again at the next start.
type Ask func(twin.Name, twin.Wish) (v twin.WishView, onDisk bool, err error)

// Take makes wishes of the desired values in a set that changed since they were last taken. The wishes have id and
// values; asker and origin are the caller's to give. A device that view does not know is passed over. The notes tell
// which values have no effect, the errors which could not be taken; one does not disturb another.
func (o *Observed) Take(set Set, view func(twin.Name) (twin.View, error), ask Ask) (made []twin.WishView, notes []string, errs []error) {
	for i := range set.Devices {
		dev := &set.Devices[i]
		if len(dev.Desired) == 0 {
			continue
		}
		v, err := view(dev.Device.Name)
		if err != nil {
			continue // it was not taken, which is said already
		}
		desired, readOnly := wishable(v.Device, dev.Desired)
		for _, name := range readOnly {
			notes = append(notes, Note{
				Source: dev.Source, Text: fmt.Sprintf("device %s: desired of %s has no effect, as the property is read-only", dev.Device.Name, name),
			}.String())
		}
		w, err := o.wish(v.Device, desired)
		if err == nil && w != nil {
			got, onDisk, refused := ask(dev.Device.Name, *w)
			if err = refused; err == nil {
				made = append(made, got)
				if onDisk {
					err = o.taken(v.Device, desired)
				}
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: device %s: desired: %w", dev.Source, dev.Device.Name, err))
		}
	}
	return made, notes, errs
}

// wishable parts desired values from those on read-only properties, which come back by name, sorted. Manifests of
// KubeEdge carry such: v1alpha2's status has a desired for every twin. They are nobody's wish, and a wish with one of
// them in it would be refused whole (rule 2).
func wishable(d *twin.Resolved, desired map[string]string) (wished map[string]string, readOnly []string) {
	wished = make(map[string]string, len(desired))
	for _, name := range slices.Sorted(maps.Keys(desired)) {
		if p := d.Property(name); p != nil && p.Access == twin.ReadOnly {
			readOnly = append(readOnly, name)
			continue
		}
		wished[name] = desired[name]
	}
	return wished, readOnly
}

// wish gives the wish that the desired values of a manifest make, nil if none of them changed.
func (o *Observed) wish(d *twin.Resolved, desired map[string]string) (*twin.Wish, error) {
	r, err := o.read(d)
	if err != nil {
		return nil, err
	}
	values := map[string]twin.Value{}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q%d", d.UID, r.Times) // a hash takes everything
	for _, name := range slices.Sorted(maps.Keys(desired)) {
		old, had := r.Desired[name]
		_, _ = fmt.Fprintf(sum, "%q%q", name, desired[name])
		if had && old == desired[name] {
			continue
		}
		p := d.Property(name)
		if p == nil {
			return nil, &twin.FieldError{Field: "desired", Value: name, Want: "one of " + d.PropertyNames()}
		}
		if values[name], err = p.Parse(desired[name]); err != nil {
			return nil, err
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	// The same change has the same id: after a crash between the wish and the note of it, the store knows the wish.
	return &twin.Wish{ID: "manifest-" + hex.EncodeToString(sum.Sum(nil)[:16]), Values: values}, nil
}

// taken notes values that have become a wish.
func (o *Observed) taken(d *twin.Resolved, desired map[string]string) error {
	r, err := o.read(d)
	if err != nil {
		return err
	}
	if r.Desired == nil {
		r.Desired = map[string]string{}
	}
	maps.Copy(r.Desired, desired)
	r.Times++
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("note what was taken of %s: %w", d.Name, err)
	}
	return o.kept.Put(d.Name.String(), data)
}
