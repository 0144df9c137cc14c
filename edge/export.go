package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

// Manifest gives a device and its model as the manifest that would define them so. What is expected of the device is
// not in it: to apply it switches nothing.
func (d *definitions) Manifest(name twin.Name) ([]byte, error) {
	v, err := d.store.Device(name)
	if err != nil {
		return nil, err
	}
	dev, model := manifest.WithModel(v.Device.Device)
	cannot := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("device %s as a manifest: %w: %w", name, deviceapi.ErrConflict, err)
	}
	switch known, missing := d.store.Model(dev.Model); {
	case missing == nil:
		if model, err = modelFor(v.Device, model, known); err != nil {
			return cannot(err)
		}
	case !v.Device.Model.IsZero():
		return cannot(fmt.Errorf("model %s is not there any more", dev.Model))
	}
	text, err := manifest.Write(&dev, &model)
	if err != nil {
		return cannot(err)
	}
	return text, nil
}

// modelFor gives the model that goes into a device's manifest: the known one if the device names one, else the one that
// was made for it. It must not bring a manifest about that changes something when it is applied.
func modelFor(r *twin.Resolved, made, known twin.DeviceModel) (twin.DeviceModel, error) {
	if r.Model.IsZero() {
		if !same(made, known) {
			return made, fmt.Errorf("the device names no model, so the manifest needs one named %s, and there is another of that name", known.Name)
		}
		return made, nil
	}
	// Each side has models of its own under a name, and one may have changed since the device was read.
	if now, err := r.Resolve(&known); err != nil || !same(now, r) {
		return known, fmt.Errorf("model %s is not, or no longer, the one that the device was made with", known.Name)
	}
	return known, nil
}

// same compares two definitions by their encoding.
func same[T any](a, b T) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && bytes.Equal(x, y)
}

// Profile gives deviceProfile.json of these devices with their state of this moment; none named: of all.
func (d *definitions) Profile(names []twin.Name) ([]byte, error) {
	all := len(names) == 0
	if all {
		names = d.store.Devices()
	}
	names = slices.Compact(slices.SortedFunc(slices.Values(names), twin.Name.Compare))
	devices := make([]manifest.ProfileDevice, 0, len(names))
	for _, name := range names {
		v, err := d.store.Device(name)
		if all && errors.Is(err, twin.ErrNotFound) {
			continue // deleted since they were listed
		}
		if err != nil {
			return nil, err
		}
		devices = append(devices, profiled(&v))
	}
	text, err := manifest.Profile(devices)
	if err != nil {
		return nil, fmt.Errorf("write the profile: %w: %w", deviceapi.ErrConflict, err)
	}
	return text, nil
}

func profiled(v *twin.View) manifest.ProfileDevice {
	p := manifest.ProfileDevice{Device: v.Device, Expected: map[string]twin.Value{}, Actual: map[string]twin.Value{}}
	for i := range v.Props {
		prop := &v.Props[i]
		if !prop.Expected.Absent() {
			p.Expected[prop.Def.Name] = prop.Expected
		}
		if !prop.Actual.Absent() {
			p.Actual[prop.Def.Name] = prop.Actual
		}
	}
	return p
}
