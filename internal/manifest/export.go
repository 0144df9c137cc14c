package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"twinbridge/twin"
)

// Export gives a device and its model as the manifest that would define them so. What is expected of the device is not
// in it: to apply it switches nothing. model gives the side's model of a name, or an error. What a manifest cannot say,
// and a model that would change something when it is applied, is an error.
func Export(r *twin.Resolved, model func(twin.Name) (twin.DeviceModel, error)) ([]byte, error) {
	dev, m := WithModel(r.Device)
	switch known, missing := model(dev.Model); {
	case missing == nil:
		var err error
		if m, err = modelFor(r, m, known); err != nil {
			return nil, err
		}
	case !r.Model.IsZero():
		return nil, fmt.Errorf("model %s is not there any more", dev.Model)
	}
	return Write(&dev, &m)
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

// Profiled gives a device with its state of this moment, for [Profile].
func Profiled(v *twin.View) ProfileDevice {
	p := ProfileDevice{Device: v.Device, Expected: map[string]twin.Value{}, Actual: map[string]twin.Value{}}
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
