// Package sim is a driver whose devices exist in memory only: a lamp to try things with, and a device that fails on
// demand. The lamp's state lives in the Driver, not in the opened device, as a relay keeps its position while nobody
// talks to it; a new Driver is a house after a power cut.
package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"twinbridge/edge/mapper"
	"twinbridge/twin"
)

// Fault says how a simulated device misbehaves. It is also the device-wide configuration of the driver, as
// {"delay":"20ms","failEvery":3}.
type Fault struct {
	Delay     time.Duration // how long each write takes
	Stuck     bool          // writes are taken and change nothing, as with welded contacts
	FailEvery int           // every n-th write is refused; 0: none
	Gone      bool          // unplugged: open, read and write say so
}

// Driver holds the simulated devices. It is safe for use by several goroutines.
type Driver struct {
	show func(name twin.Name, property string, v twin.Value)

	mu      sync.Mutex
	devices map[twin.Name]*state
}

// state is one simulated device. It stays when its opened device is closed.
type state struct {
	props   []twin.Property
	values  map[string]twin.Value
	config  string
	fault   Fault
	writes  int
	open    bool
	changed func(map[string]twin.Value) // whoever watches
	missed  map[string]twin.Value       // what a hand did between Open and Watch
}

// New makes a driver without devices. show, if not nil, is called with each change of a device's property, in order; it
// must not block and must not call the driver.
func New(show func(name twin.Name, property string, v twin.Value)) *Driver {
	if show == nil {
		show = func(twin.Name, string, twin.Value) {}
	}
	return &Driver{show: show, devices: map[twin.Name]*state{}}
}

var (
	_ mapper.Driver  = (*Driver)(nil)
	_ mapper.Presser = (*Driver)(nil)
)

// Open makes the device, or takes up the one of that name. Visitor configurations are not looked at, so that a manifest
// for another driver can be tried by changing its protocolName alone.
func (d *Driver) Open(_ context.Context, spec mapper.Spec) (mapper.Device, error) {
	fault, err := ParseFault(spec.Config)
	if err != nil {
		return nil, mapper.Permanent(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.devices[spec.Name]
	if s == nil {
		s = &state{values: map[string]twin.Value{}}
		d.devices[spec.Name] = s
	}
	if s.open {
		return nil, fmt.Errorf("device %s is open already", spec.Name)
	}
	if c := string(spec.Config); c != s.config { // the same configuration again does not undo a SetFault
		s.config, s.fault = c, fault
	}
	if s.fault.Gone {
		return nil, errGone
	}
	s.props = spec.Props
	old := s.values
	s.values = map[string]twin.Value{}
	for i := range s.props {
		p := &s.props[i]
		v := old[p.Name]
		if p.Check(v) != nil {
			v = initial(p)
			d.show(spec.Name, p.Name, v)
		}
		s.values[p.Name] = v
	}
	s.open, s.missed = true, nil
	return &device{driver: d, name: spec.Name, state: s}, nil
}

// initial is what a property shows after a power cut.
func initial(p *twin.Property) twin.Value {
	switch p.Type {
	case twin.Bool:
		return twin.BoolValue(false)
	case twin.Int:
		if p.Min != nil {
			return twin.IntValue(int64(*p.Min))
		}
		return twin.IntValue(0)
	case twin.Float:
		if p.Min != nil {
			return twin.FloatValue(*p.Min)
		}
		return twin.FloatValue(0)
	}
	for _, w := range p.Enum {
		if strings.EqualFold(w, "off") {
			return twin.StringValue(w)
		}
	}
	if len(p.Enum) > 0 {
		return twin.StringValue(p.Enum[0])
	}
	return twin.StringValue("")
}

// ParseFault reads the device-wide configuration: {"delay":"20ms","stuck":true,"failEvery":3,"gone":true}, all
// optional; nothing gives a device without faults.
func ParseFault(raw []byte) (Fault, error) {
	if len(raw) == 0 {
		return Fault{}, nil
	}
	bad := func(key string, v []byte, want string) (Fault, error) {
		return Fault{}, &twin.FieldError{Field: "protocol: " + key, Value: string(v[:min(len(v), 80)]), Want: want}
	}
	var obj map[string]json.RawMessage
	if json.Unmarshal(raw, &obj) != nil {
		return bad("configData", raw, "a JSON object")
	}
	var f Fault
	for _, key := range slices.Sorted(maps.Keys(obj)) {
		v := obj[key]
		switch key {
		case "delay":
			var s string
			err := json.Unmarshal(v, &s)
			if err == nil {
				f.Delay, err = time.ParseDuration(s)
			}
			if err != nil || f.Delay < 0 || f.Delay > time.Minute {
				return bad(key, v, "a duration up to 1m, as 20ms")
			}
		case "stuck", "gone":
			b := &f.Stuck
			if key == "gone" {
				b = &f.Gone
			}
			if json.Unmarshal(v, b) != nil {
				return bad(key, v, "true or false")
			}
		case "failEvery":
			if json.Unmarshal(v, &f.FailEvery) != nil || f.FailEvery < 0 {
				return bad(key, v, "a whole number, 0 or more")
			}
		default:
			return bad(key, v, "no such key; known are delay, stuck, failEvery, gone")
		}
	}
	return f, nil
}

// errGone and errRefused are what the faults say.
var (
	errGone    = mapper.Gone(errors.New("simulated device is unplugged"))
	errRefused = errors.New("simulated device refused the write")
)

// device is an opened simulated device.
type device struct {
	driver *Driver
	name   twin.Name
	state  *state
}

func (v *device) Write(ctx context.Context, values map[string]twin.Value) error {
	d, s := v.driver, v.state
	d.mu.Lock()
	delay := s.fault.Delay
	d.mu.Unlock()
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.writes++
	switch {
	case s.fault.Gone:
		return errGone
	case s.fault.FailEvery > 0 && s.writes%s.fault.FailEvery == 0:
		return errRefused
	case s.fault.Stuck:
		return nil
	}
	d.set(v.name, s, values)
	return nil
}

// set moves the device and shows what changed.
func (d *Driver) set(name twin.Name, s *state, values map[string]twin.Value) {
	next := maps.Clone(s.values) // readers keep the old map
	for _, p := range slices.Sorted(maps.Keys(values)) {
		if next[p] != values[p] {
			next[p] = values[p]
			d.show(name, p, values[p])
		}
	}
	s.values = next
}

func (v *device) Read(context.Context) (map[string]twin.Value, error) {
	v.driver.mu.Lock()
	defer v.driver.mu.Unlock()
	if v.state.fault.Gone {
		return nil, errGone
	}
	return v.state.values, nil
}

func (v *device) Watch(ctx context.Context, changed func(map[string]twin.Value)) error {
	v.watch(changed)
	<-ctx.Done()
	v.watch(nil)
	return nil
}

func (v *device) watch(changed func(map[string]twin.Value)) {
	v.driver.mu.Lock()
	defer v.driver.mu.Unlock()
	if s := v.state; changed != nil && s.missed != nil {
		changed(s.missed)
	}
	v.state.changed, v.state.missed = changed, nil
}

func (v *device) Close() error {
	v.driver.mu.Lock()
	defer v.driver.mu.Unlock()
	v.state.open = false
	return nil
}
