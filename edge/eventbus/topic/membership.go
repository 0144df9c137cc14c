package topic

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"twinbridge/twin"
)

// Device is a device in a membership message. Its first fields are KubeEdge's; Protocol and Properties are ours and tell
// a mapper all that it needs to drive the device.
type Device struct {
	ID          twin.Name // its Name is also told alone, as KubeEdge does
	Description string
	State       string
	LastOnline  string // RFC 3339
	Attributes  map[string]string
	Twins       []Twin // with versions; only in messages about added devices

	Protocol   twin.Visitor
	Properties []twin.Property
}

// Membership tells which devices a node got and lost. A device that is told again has been defined anew.
type Membership struct {
	EventID        string
	Timestamp      int64
	Added, Removed []Device
}

// Members answers the question for a node's devices. A long list comes in parts, which carry the same EventID; who asks
// has all of them when it has Parts messages.
type Members struct {
	EventID     string
	Timestamp   int64
	Devices     []Device
	Part, Parts int // from 1; 0 of 0 if the list is whole
	Code        int // 0: success
	Reason      string
}

// The forms on the wire. Membership messages are rare, so reflection may read and write them.
type (
	wireDevice struct {
		ID          string              `json:"id,omitempty"`
		Name        string              `json:"name,omitempty"`
		Description string              `json:"description,omitempty"`
		State       string              `json:"state,omitempty"`
		LastOnline  string              `json:"last_online,omitempty"`
		Attributes  map[string]wireAttr `json:"attributes,omitempty"`
		Twin        json.RawMessage     `json:"twin,omitempty"`
		Protocol    *wireVisitor        `json:"protocol,omitempty"`
		Properties  []wireProperty      `json:"properties,omitempty"`
	}
	wireAttr struct {
		Value    string   `json:"value"`
		Optional bool     `json:"optional,omitempty"`
		Metadata wireType `json:"metadata,omitzero"`
	}
	wireType struct {
		Type string `json:"type,omitempty"`
	}
	wireVisitor struct {
		Protocol string          `json:"protocolName,omitempty"`
		Config   json.RawMessage `json:"configData,omitempty"`
	}
	wireProperty struct {
		Name        string       `json:"name"`
		Type        string       `json:"type"`
		Access      twin.Access  `json:"access"`
		Description string       `json:"description,omitempty"`
		Unit        string       `json:"unit,omitempty"`
		Min         *float64     `json:"minimum,omitempty"`
		Max         *float64     `json:"maximum,omitempty"`
		Step        float64      `json:"step,omitempty"`
		Tolerance   float64      `json:"tolerance,omitempty"`
		Enum        []string     `json:"enum,omitempty"`
		Visitors    *wireVisitor `json:"visitors,omitempty"`
		Collect     int64        `json:"collectCycle,omitempty"` // ns, as in manifests
		Report      int64        `json:"reportCycle,omitempty"`
	}
	wireBase struct {
		EventID   string          `json:"event_id"`
		Timestamp json.RawMessage `json:"timestamp"` // lenient; nobody orders anything by it
	}
	wireMembership struct {
		wireBase
		Added   []wireDevice `json:"added_devices"`
		Removed []wireDevice `json:"removed_devices"`
	}
	wireMembers struct {
		wireBase
		Code    int          `json:"code,omitempty"`
		Reason  string       `json:"reason,omitempty"`
		Devices []wireDevice `json:"devices,omitempty"`
		Part    int          `json:"part,omitempty"`
		Parts   int          `json:"parts,omitempty"`
	}
)

func base(event string, timestamp int64) wireBase {
	w := writer{}
	w.num(timestamp)
	return wireBase{EventID: event, Timestamp: w.b}
}

func (b *wireBase) timestamp() int64 {
	r := reader{b: b.Timestamp}
	t, err := r.millis()
	if err != nil {
		return 0
	}
	return t
}

func visitorOut(v twin.Visitor) *wireVisitor {
	if v.Protocol == "" && len(v.Config) == 0 {
		return nil
	}
	return &wireVisitor{v.Protocol, v.Config}
}

func (v *wireVisitor) in() twin.Visitor {
	if v == nil {
		return twin.Visitor{}
	}
	return twin.Visitor{Protocol: v.Protocol, Config: v.Config}
}

func deviceOut(d *Device) wireDevice {
	out := wireDevice{
		ID: d.ID.String(), Name: d.ID.Name, Description: d.Description, State: d.State,
		LastOnline: d.LastOnline, Protocol: visitorOut(d.Protocol),
	}
	if len(d.Attributes) > 0 {
		out.Attributes = make(map[string]wireAttr, len(d.Attributes))
		for k, v := range d.Attributes {
			out.Attributes[k] = wireAttr{Value: v, Optional: true, Metadata: wireType{"string"}}
		}
	}
	if len(d.Twins) > 0 {
		w := writer{make([]byte, 0, 192*len(d.Twins))}
		w.twins(d.Twins)
		out.Twin = w.b
	}
	for i := range d.Properties {
		p := &d.Properties[i]
		out.Properties = append(out.Properties, wireProperty{
			Name: p.Name, Type: TypeName(p.Type), Access: p.Access, Description: p.Description, Unit: p.Unit,
			Min: p.Min, Max: p.Max, Step: p.Step, Tolerance: p.Tolerance, Enum: p.Enum,
			Visitors: visitorOut(p.Visitor), Collect: int64(p.CollectCycle), Report: int64(p.ReportCycle),
		})
	}
	return out
}

func (d *wireDevice) in() (Device, error) {
	id := d.ID
	if id == "" {
		id = d.Name
	}
	name, err := twin.ParseName(id)
	if err != nil {
		return Device{}, err
	}
	out := Device{ID: name, Description: d.Description, State: d.State, LastOnline: d.LastOnline, Protocol: d.Protocol.in()}
	if len(d.Attributes) > 0 {
		out.Attributes = make(map[string]string, len(d.Attributes))
		for k, a := range d.Attributes {
			out.Attributes[k] = a.Value
		}
	}
	if len(d.Twin) > 0 && d.Twin[0] == '{' {
		r := reader{b: d.Twin, path: []string{"twin"}}
		if out.Twins, err = r.twins(); err != nil {
			return Device{}, err
		}
	}
	if len(d.Properties) > MaxProperties {
		return Device{}, &twin.FieldError{Field: "properties", Value: name.String(), Want: "at most 256 properties"}
	}
	for i := range d.Properties {
		p := &d.Properties[i]
		prop := twin.Property{
			Name: p.Name, Access: p.Access, Description: p.Description, Unit: p.Unit,
			Min: p.Min, Max: p.Max, Step: p.Step, Tolerance: p.Tolerance, Enum: p.Enum,
			Visitor: p.Visitors.in(), CollectCycle: time.Duration(p.Collect), ReportCycle: time.Duration(p.Report),
		}
		if prop.Type, err = parseType(p.Type); err != nil {
			return Device{}, err
		}
		if err := prop.Validate(); err != nil {
			return Device{}, err
		}
		out.Properties = append(out.Properties, prop)
	}
	return out, nil
}

func parseType(s string) (t twin.Type, err error) {
	if s == "boolean" {
		return twin.Bool, nil
	}
	err = t.UnmarshalText([]byte(s))
	return t, err
}

func devicesOut(list []Device) []wireDevice {
	var out []wireDevice
	for i := range list {
		out = append(out, deviceOut(&list[i]))
	}
	return out
}

// devicesIn reads the devices it can read; a device of a kind that is not known yet does not hide the others.
func devicesIn(list []wireDevice) ([]Device, error) {
	var out []Device
	var bad []error
	for i := range list {
		d, err := list[i].in()
		if err != nil {
			bad = append(bad, fmt.Errorf("device %s: %w", clip(list[i].ID), err))
			continue
		}
		out = append(out, d)
	}
	return out, errors.Join(bad...)
}

// Encode gives the payload. A device whose configuration is no JSON is an error.
func (m *Membership) Encode() ([]byte, error) {
	return json.Marshal(wireMembership{base(m.EventID, m.Timestamp), devicesOut(m.Added), devicesOut(m.Removed)})
}

// DecodeMembership reads a [Membership]. Devices that cannot be read are left out and named in the error; the others are
// given with it.
func DecodeMembership(b []byte) (m Membership, err error) {
	var w wireMembership
	if err := unmarshal(b, &w); err != nil {
		return m, err
	}
	m.EventID, m.Timestamp = w.EventID, w.timestamp()
	var errAdded, errRemoved error
	m.Added, errAdded = devicesIn(w.Added)
	m.Removed, errRemoved = devicesIn(w.Removed)
	return m, errors.Join(errAdded, errRemoved)
}

// Encode gives the payload. A device whose configuration is no JSON is an error.
func (m *Members) Encode() ([]byte, error) {
	return json.Marshal(wireMembers{
		wireBase: base(m.EventID, m.Timestamp), Code: m.Code, Reason: m.Reason, Devices: devicesOut(m.Devices), Part: m.Part, Parts: m.Parts,
	})
}

// DecodeMembers reads a [Members]; with devices that cannot be read as [DecodeMembership].
func DecodeMembers(b []byte) (m Members, err error) {
	var w wireMembers
	if err := unmarshal(b, &w); err != nil {
		return m, err
	}
	m = Members{EventID: w.EventID, Timestamp: w.timestamp(), Code: w.Code, Reason: w.Reason, Part: w.Part, Parts: w.Parts}
	m.Devices, err = devicesIn(w.Devices)
	return m, err
}

// unmarshal reads a payload by reflection, within the bounds of all payloads.
func unmarshal(b []byte, to any) error {
	if err := decode(b, func(r *reader, _ string) error { return r.skip() }); err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}
