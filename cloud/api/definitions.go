package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

// Models lists the models that the cloud defines.
func (s *service) Models(context.Context) ([]twin.DeviceModel, error) { return s.reg.Models(), nil }

// Model gives a model of the cloud's, else the one of that name that a node's device was made with.
func (s *service) Model(_ context.Context, name twin.Name) (twin.DeviceModel, error) {
	m, err := s.reg.Model(name)
	if !errors.Is(err, twin.ErrNotFound) {
		return m, err
	}
	for _, dev := range s.reg.Devices() {
		if m, ok := s.reg.ModelOf(dev); ok && m.Name == name {
			return m, nil
		}
	}
	return twin.DeviceModel{}, fmt.Errorf("model %s: %w", name, errNoModel)
}

// errNoModel is twin.ErrNotFound in other words.
var errNoModel error = noModel{}

type noModel struct{}

func (noModel) Error() string        { return "no such model" }
func (noModel) Is(target error) bool { return target == twin.ErrNotFound }

// PutModel defines a model of the cloud's.
func (s *service) PutModel(ctx context.Context, m twin.DeviceModel) error {
	e := deviceapi.AuditEntry{Action: "define-model", Object: m.Name.String()}
	return s.act(ctx, e, nil, func(ctx context.Context) error {
		return s.reg.Apply(ctx, []twin.DeviceModel{m}, nil)
	})
}

// Delete removes a device that the cloud defines.
func (s *service) Delete(ctx context.Context, name twin.Name) error {
	return s.act(ctx, deviceapi.AuditEntry{Action: "delete", Object: name.String()}, nil, func(ctx context.Context) error {
		err := s.reg.Delete(ctx, name)
		if err == nil {
			s.kept.Begin(Change{Key: observedPrefix + name.String()}) // with whatever is committed next
		}
		return err
	})
}

// Apply takes a manifest, all or none. Its desired values become wishes where they changed.
func (s *service) Apply(ctx context.Context, text []byte) (deviceapi.Applied, error) {
	set, err := manifest.Read("manifest", text)
	if err != nil {
		return deviceapi.Applied{}, fmt.Errorf("%w: %w", deviceapi.ErrInvalid, err)
	}
	if len(set.Models)+len(set.Devices) == 0 {
		return deviceapi.Applied{}, fmt.Errorf("%w: it defines no device and no model", deviceapi.ErrInvalid)
	}
	done := deviceapi.Applied{Models: []string{}, Devices: []string{}}
	devices, names := make([]twin.Device, len(set.Devices)), make([]twin.Name, len(set.Devices))
	for i := range set.Models {
		done.Models = append(done.Models, set.Models[i].Name.String())
	}
	for i := range set.Devices {
		devices[i], names[i] = set.Devices[i].Device, set.Devices[i].Device.Name
		done.Devices = append(done.Devices, names[i].String())
	}
	for _, n := range set.Notes {
		done.Notes = append(done.Notes, n.String())
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.placed(set.Devices); err != nil {
		return deviceapi.Applied{}, err
	}
	e := deviceapi.AuditEntry{Action: "apply", Object: strings.Join(slices.Concat(done.Models, done.Devices), " "), Devices: len(devices)}
	var errs []error
	err = s.act(ctx, e, names, func(ctx context.Context) error {
		if err := s.reg.Apply(ctx, set.Models, devices); err != nil {
			return err
		}
		errs = s.wish(ctx, set, &done)
		return nil
	})
	if err != nil {
		return deviceapi.Applied{}, err
	}
	if len(errs) > 0 {
		return done, fmt.Errorf("the definitions are taken, not all desired values: %w", errors.Join(errs...))
	}
	return done, nil
}

// placed makes sure that each new device names its node. Where a device hangs is a fact about a house; the hub does not
// guess it, though there be one node only.
func (s *service) placed(devices []manifest.DeviceManifest) error {
	var errs []error
	for i := range devices {
		d := &devices[i].Device
		if d.Node != "" {
			continue
		}
		if _, err := s.reg.Device(d.Name); errors.Is(err, twin.ErrNotFound) {
			errs = append(errs, fmt.Errorf("%s: device %s: %w", devices[i].Source, d.Name, &twin.FieldError{
				Field: "spec.nodeName", Value: "", Want: "the node that it hangs on; " + s.known(),
			}))
		}
	}
	return errors.Join(errs...)
}

// known names the nodes that there are, a few of many.
func (s *service) known() string {
	const few = 10
	nodes := s.reg.Nodes()
	if len(nodes) == 0 {
		return "no node has joined yet"
	}
	var names []string
	for i := range nodes[:min(few, len(nodes))] {
		names = append(names, nodes[i].Name)
	}
	more := ""
	if len(nodes) > few {
		more = fmt.Sprintf(" and %d more", len(nodes)-few)
	}
	return "known are " + strings.Join(names, ", ") + more
}

// wish makes wishes of desired values that changed since they were last taken.
func (s *service) wish(ctx context.Context, set manifest.Set, done *deviceapi.Applied) []error {
	made, notes, errs := s.observed.Take(set, s.reg.Device, func(name twin.Name, w twin.Wish) (twin.WishView, bool, error) {
		v, err := s.Ask(noted(ctx), name, w)
		return v, err == nil, err
	})
	done.Notes = append(done.Notes, notes...)
	for i := range made {
		done.Wishes = append(done.Wishes, deviceapi.WishOf(&made[i]))
	}
	return errs
}

// Manifest gives a device and its model as the manifest that would define them so.
func (s *service) Manifest(_ context.Context, name twin.Name) ([]byte, error) {
	v, err := s.reg.Device(name)
	if err != nil {
		return nil, err
	}
	text, err := manifest.Export(v.Device, func(model twin.Name) (twin.DeviceModel, error) {
		if m, ok := s.reg.ModelOf(name); ok && m.Name == model {
			return m, nil
		}
		return s.reg.Model(model)
	})
	if err != nil {
		return nil, fmt.Errorf("device %s as a manifest: %w: %w", name, deviceapi.ErrConflict, err)
	}
	return text, nil
}

// Profile gives deviceProfile.json of these devices with their state of this moment; none named: of all.
func (s *service) Profile(_ context.Context, names []twin.Name) ([]byte, error) {
	all := len(names) == 0
	if all {
		names = s.reg.Devices()
	}
	names = slices.Compact(slices.SortedFunc(slices.Values(names), twin.Name.Compare))
	devices := make([]manifest.ProfileDevice, 0, len(names))
	for _, name := range names {
		v, err := s.reg.Device(name)
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
