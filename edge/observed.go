package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

// observed remembers which desired values of manifests were taken, so that reading the same manifest again, at each
// start too, switches nothing (rule 6: observedDesired).
type observed struct{ file *store.Store }

const observedBucket = "observed-desired"

// observedRecord is what is kept for a device.
type observedRecord struct {
	UID     string            `json:"uid"` // of the creation that the values were for
	Desired map[string]string `json:"desired"`
	Times   uint64            `json:"times"` // how often something was taken
}

func (o *observed) read(d *twin.Resolved) (observedRecord, error) {
	data, err := o.file.Get(observedBucket, d.Name.String())
	if errors.Is(err, store.ErrNotFound) {
		return observedRecord{UID: d.UID}, nil
	}
	if err != nil {
		return observedRecord{}, err
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
func (o *observed) wish(d *twin.Resolved, desired map[string]string) (*twin.Wish, error) {
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
	id := "manifest-" + hex.EncodeToString(sum.Sum(nil)[:16])
	return &twin.Wish{ID: id, Asker: "manifest", Origin: twin.FromLocal, Values: values}, nil
}

// taken notes values that have become a wish.
func (o *observed) taken(d *twin.Resolved, desired map[string]string) error {
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
	return o.file.Commit(store.Change{Bucket: observedBucket, Key: d.Name.String(), Data: data})
}
