package edge

import (
	"errors"
	"fmt"
	"slices"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

// Manifest gives a device and its model as the manifest that would define them so.
func (d *definitions) Manifest(name twin.Name) ([]byte, error) {
	v, err := d.store.Device(name)
	if err != nil {
		return nil, err
	}
	text, err := manifest.Export(v.Device, d.store.Model)
	if err != nil {
		return nil, fmt.Errorf("device %s as a manifest: %w: %w", name, deviceapi.ErrConflict, err)
	}
	return text, nil
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
		devices = append(devices, manifest.Profiled(&v))
	}
	text, err := manifest.Profile(devices)
	if err != nil {
		return nil, fmt.Errorf("write the profile: %w: %w", deviceapi.ErrConflict, err)
	}
	return text, nil
}
