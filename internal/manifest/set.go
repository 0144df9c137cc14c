package manifest

import (
	"errors"
	"fmt"

	"twinbridge/twin"
)

// Bounds of what is read.
const (
	MaxFileBytes   = 1 << 20  // a file
	MaxFolderBytes = 64 << 20 // the files of a folder together
	MaxFiles       = 10_000   // in a folder
	maxErrors      = 20       // told of one file
	maxNotes       = 200      // kept of one file
)

// Set is what one or several files define.
type Set struct {
	Models  []twin.DeviceModel
	Devices []DeviceManifest
	Notes   []Note
}

// DeviceManifest is a device as a file defines it.
type DeviceManifest struct {
	Device twin.Device
	// Desired holds the wishes that stand in the manifest, by property, in text form. Nil where there are none.
	Desired map[string]string
	// Source is where the device stands, as file:line.
	Source string
}

// Note says what was accepted and is not used.
type Note struct {
	Source string // file:line
	Text   string
}

func (n Note) String() string { return n.Source + ": " + n.Text }

// Error is a mistake in a file.
type Error struct {
	File string
	Line int   // from 1
	Err  error // *twin.FieldError where a field is to blame
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap gives the mistake itself.
func (e *Error) Unwrap() error { return e.Err }

// Sound gives the part of the set that a store can take as a whole: the devices whose model is in the set, or else is
// known, and that agree with it. The others are named in the errors, so that one of them does not disturb the rest.
// known looks a model up that the set does not have; it may be nil.
func (s Set) Sound(known func(twin.Name) (twin.DeviceModel, error)) (Set, []error) {
	models := make(map[twin.Name]*twin.DeviceModel, len(s.Models))
	for i := range s.Models {
		models[s.Models[i].Name] = &s.Models[i]
	}
	out := Set{Models: s.Models, Notes: s.Notes}
	var errs []error
	for _, d := range s.Devices {
		if err := d.agrees(models, known); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.Source, err))
			continue
		}
		out.Devices = append(out.Devices, d)
	}
	return out, errs
}

func (d *DeviceManifest) agrees(models map[twin.Name]*twin.DeviceModel, known func(twin.Name) (twin.DeviceModel, error)) error {
	name := d.Device.Model
	m := models[name]
	if m == nil && !name.IsZero() && known != nil {
		if k, err := known(name); err == nil {
			m = &k
			models[name] = m
		}
	}
	if m == nil && !name.IsZero() {
		return fmt.Errorf("device %s: %w", d.Device.Name,
			&twin.FieldError{Field: "spec.deviceModelRef.name", Value: name.String(), Want: "a model that is defined"})
	}
	_, err := d.Device.Resolve(m)
	return err
}

// join makes one error of several, nil of none.
func join(errs []error) error { return errors.Join(errs...) }
