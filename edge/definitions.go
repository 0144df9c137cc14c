package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

// definitions brings manifests into the store: those of the devices folder, whenever it changes, and those that
// somebody applies.
//
// Taking a manifest out of the folder deletes nothing (rule 6): its device stays until somebody deletes it.
type definitions struct {
	store *twin.Store
	seen  *manifest.Observed
	log   *slog.Logger

	loaded chan struct{} // closed when the folder was read once
	once   sync.Once

	mu      sync.Mutex // one manifest at a time
	sources map[twin.Name]string
	said    map[string]bool // complaints and notes about the folder as it is
}

// noteTime bounds how long a desired value waits for the disk.
const noteTime = 5 * time.Second

func newDefinitions(store *twin.Store, seen *manifest.Observed, log *slog.Logger) *definitions {
	return &definitions{store: store, seen: seen, log: log, loaded: make(chan struct{}), sources: map[twin.Name]string{}, said: map[string]bool{}}
}

// Source names the file and line that define a device in the folder.
func (d *definitions) Source(name twin.Name) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sources[name]
}

// Apply takes a manifest, all or none. Its desired values become wishes where they changed.
func (d *definitions) Apply(ctx context.Context, text []byte) (deviceapi.Applied, error) {
	set, err := manifest.Read("manifest", text)
	if err != nil {
		return deviceapi.Applied{}, fmt.Errorf("%w: %w", deviceapi.ErrInvalid, err)
	}
	if len(set.Models)+len(set.Devices) == 0 {
		return deviceapi.Applied{}, fmt.Errorf("%w: it defines no device and no model", deviceapi.ErrInvalid)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.store.Apply(set.Models, devicesOf(set)); err != nil {
		return deviceapi.Applied{}, err
	}
	done := deviceapi.Applied{Models: []string{}, Devices: []string{}}
	for i := range set.Models {
		done.Models = append(done.Models, set.Models[i].Name.String())
	}
	for i := range set.Devices {
		done.Devices = append(done.Devices, set.Devices[i].Device.Name.String())
	}
	for _, n := range set.Notes {
		done.Notes = append(done.Notes, n.String())
	}
	wishes, notes, errs := d.wish(ctx, set)
	done.Notes = append(done.Notes, notes...)
	for i := range wishes {
		done.Wishes = append(done.Wishes, deviceapi.WishOf(&wishes[i]))
	}
	if len(errs) > 0 {
		return done, fmt.Errorf("the definitions are taken, not all desired values: %w", errors.Join(errs...))
	}
	return done, nil
}

// folder takes the devices folder as it is now. What is wrong in it, or has no effect, is logged, once, and disturbs
// nothing else.
func (d *definitions) folder(ctx context.Context, set manifest.Set, broken map[string]error) {
	defer d.once.Do(func() { close(d.loaded) })
	d.mu.Lock()
	defer d.mu.Unlock()
	var complaints []string
	for _, file := range slices.Sorted(maps.Keys(broken)) {
		complaints = append(complaints, broken[file].Error())
	}
	sound, errs := set.Sound(d.store.Model)
	errs = append(errs, d.take(sound)...)
	_, notes, refused := d.wish(ctx, sound)
	for _, err := range append(errs, refused...) {
		complaints = append(complaints, err.Error())
	}
	d.say(ctx, complaints, notes)
	d.remember(sound, len(broken) == 0)
}

// take applies the whole set, or if that fails, each definition that can be taken by itself.
func (d *definitions) take(set manifest.Set) []error {
	if d.store.Apply(set.Models, devicesOf(set)) == nil {
		return nil
	}
	var errs []error
	for _, m := range set.Models {
		if err := d.store.Apply([]twin.DeviceModel{m}, nil); err != nil {
			errs = append(errs, err)
		}
	}
	for _, dev := range set.Devices {
		if err := d.store.Apply(nil, []twin.Device{dev.Device}); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dev.Source, err))
		}
	}
	return errs
}

// say logs what is new among the complaints and notes.
func (d *definitions) say(ctx context.Context, complaints, notes []string) {
	now := make(map[string]bool, len(complaints)+len(notes))
	tell := func(level slog.Level, texts []string) {
		for _, text := range texts {
			if !d.said[text] && !now[text] {
				d.log.Log(ctx, level, "device folder: "+strings.ReplaceAll(text, "\n", "; "))
			}
			now[text] = true
		}
	}
	tell(slog.LevelWarn, complaints)
	tell(slog.LevelInfo, notes)
	d.said = now
}

// remember keeps where devices are defined. If all of the folder could be read, a device that is no longer in it is
// named: it stays.
func (d *definitions) remember(set manifest.Set, whole bool) {
	now := make(map[twin.Name]string, len(set.Devices))
	for i := range set.Devices {
		now[set.Devices[i].Device.Name] = set.Devices[i].Source
	}
	for _, name := range slices.SortedFunc(maps.Keys(d.sources), twin.Name.Compare) {
		if _, still := now[name]; still {
			continue
		}
		if !whole {
			now[name] = d.sources[name] // perhaps in the file that is broken
			continue
		}
		d.log.Info("device is no longer in the device folder; it stays until it is deleted", "device", name.String(),
			"delete", "twinbridge device delete "+name.String())
	}
	d.sources = now
}

// wish makes wishes of desired values that changed since they were last taken (rule 6). The notes tell which have no
// effect.
func (d *definitions) wish(ctx context.Context, set manifest.Set) (made []twin.WishView, notes []string, errs []error) {
	return d.seen.Take(set, d.store.Device, func(name twin.Name, w twin.Wish) (twin.WishView, bool, error) {
		w.Asker, w.Origin = "manifest", twin.FromLocal
		v, err := d.store.Ask(name, w)
		if err != nil {
			return v, false, err
		}
		ctx, cancel := context.WithTimeout(ctx, noteTime)
		defer cancel()
		return v, d.store.WaitDurable(ctx, v.DecidedRev()) == nil, nil
	})
}

func devicesOf(set manifest.Set) []twin.Device {
	out := make([]twin.Device, len(set.Devices))
	for i := range set.Devices {
		out[i] = set.Devices[i].Device
	}
	return out
}
