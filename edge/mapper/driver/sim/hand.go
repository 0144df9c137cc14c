package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"twinbridge/twin"
)

// Press is a hand on the device. An empty payload is a push on its button: its first property of two values, one that
// can be wished if there is such, changes over. Else the payload is a JSON object of properties and values, as
// {"powerstatus":"ON"}, which all change together.
func (d *Driver) Press(name twin.Name, payload []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.find(name)
	if err != nil {
		return err
	}
	if len(payload) == 0 {
		return d.toggle(name, s)
	}
	var obj map[string]json.RawMessage
	if err := json.Unmarshal(payload, &obj); err != nil {
		return fmt.Errorf("press %s: not a JSON object: %w", name, err)
	}
	values := make(map[string]twin.Value, len(obj))
	for p, raw := range obj {
		def := s.property(p)
		if def == nil {
			return fmt.Errorf("press %s: it has no property %.80q", name, p)
		}
		if values[p], err = def.ParseJSON(raw); err != nil {
			return fmt.Errorf("press %s: %w", name, err)
		}
	}
	d.hand(name, s, values)
	return nil
}

// Set changes values as a hand does.
func (d *Driver) Set(name twin.Name, values map[string]twin.Value) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.find(name)
	if err != nil {
		return err
	}
	for p, v := range values {
		if def := s.property(p); def == nil || def.Check(v) != nil {
			return fmt.Errorf("set %s: %.80q is no value of property %.80q", name, v.Text(), p)
		}
	}
	d.hand(name, s, values)
	return nil
}

// SetFault makes a device misbehave from now on, or stop doing so.
func (d *Driver) SetFault(name twin.Name, f Fault) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.find(name)
	if err != nil {
		return err
	}
	s.fault = f
	return nil
}

// Values gives what a device shows, as somebody in the room sees it; nil if there is no such device.
func (d *Driver) Values(name twin.Name) map[string]twin.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.devices[name]; s != nil {
		return maps.Clone(s.values)
	}
	return nil
}

func (d *Driver) find(name twin.Name) (*state, error) {
	if s := d.devices[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("there is no simulated device %s", name)
}

func (s *state) property(name string) *twin.Property {
	i := slices.IndexFunc(s.props, func(p twin.Property) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &s.props[i]
}

func (d *Driver) toggle(name twin.Name, s *state) error {
	for _, access := range []twin.Access{twin.ReadWrite, twin.ReadOnly} {
		for i := range s.props {
			if p := &s.props[i]; p.Access == access {
				if v, ok := other(p, s.values[p.Name]); ok {
					d.hand(name, s, map[string]twin.Value{p.Name: v})
					return nil
				}
			}
		}
	}
	return fmt.Errorf("press %s: it has no property of two values", name)
}

// other gives the second of a property's two values.
func other(p *twin.Property, v twin.Value) (twin.Value, bool) {
	switch {
	case p.Type == twin.Bool:
		return twin.BoolValue(!v.Bool()), true
	case p.Type == twin.String && len(p.Enum) == 2:
		if v.Text() == p.Enum[0] {
			return twin.StringValue(p.Enum[1]), true
		}
		return twin.StringValue(p.Enum[0]), true
	case p.Type == twin.Int && p.Min != nil && p.Max != nil && *p.Max-*p.Min == 1:
		return twin.IntValue(int64(*p.Min+*p.Max) - v.Int()), true
	}
	return twin.Value{}, false
}

// hand moves the device and tells who watches, before anybody can read the new values.
func (d *Driver) hand(name twin.Name, s *state, values map[string]twin.Value) {
	d.set(name, s, values)
	switch {
	case !s.open || s.fault.Gone: // who opens it next reads it anyway
	case s.changed != nil:
		s.changed(values)
	default:
		if s.missed == nil {
			s.missed = map[string]twin.Value{}
		}
		maps.Copy(s.missed, values)
	}
}
