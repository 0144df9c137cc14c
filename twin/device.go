package twin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxProperties bounds the properties of a device.
const MaxProperties = 256

// MaxDeviceState bounds what is expected of a device: the names and the texts of all values together, in bytes.
const MaxDeviceState = 32 << 10

// Definer is the side that owns a definition (rule 6).
type Definer string

// A device is defined by its node (a manifest in its folder, a discovered device) or by the cloud.
const (
	DefinedByNode  Definer = "node"
	DefinedByCloud Definer = "cloud"
)

// DeviceModel is the template of a class of devices: their properties, and annotations that hold for all of them.
type DeviceModel struct {
	Name        Name              `json:"name"`
	Description string            `json:"description,omitempty"`
	Protocol    Visitor           `json:"protocol,omitzero"` // device-wide driver configuration, the device's wins
	Properties  []Property        `json:"properties"`
	Annotations map[string]string `json:"annotations,omitempty"` // keys without "twinbridge.dev/"
}

// Validate reports the first defect of the model.
func (m *DeviceModel) Validate() error {
	if err := m.Name.Validate(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := checkProperties(m.Properties); err != nil {
		return fmt.Errorf("model %s: %w", m.Name, err)
	}
	if _, err := ParsePolicy(m.Annotations); err != nil {
		return fmt.Errorf("model %s: %w", m.Name, err)
	}
	return nil
}

// Device is the static side of a device: who it is, where it hangs, how its driver reaches it. Its dynamic side, the
// twin, is not in here.
type Device struct {
	Name        Name    `json:"name"`
	UID         string  `json:"uid"` // made at creation; another creation of the same name has another
	Generation  int64   `json:"generation"`
	Definer     Definer `json:"definer"`
	Description string  `json:"description,omitempty"`
	Model       Name    `json:"model,omitzero"` // zero: Properties are complete by themselves
	Node        string  `json:"node,omitempty"`
	// Labels are the user's own words to choose devices by, as Kubernetes has them; see [CheckLabels].
	Labels   map[string]string `json:"labels,omitempty"`
	Protocol Visitor           `json:"protocol,omitzero"`
	// Properties completes or overrides the model's: visitor and cycles of a property that the model types, or a
	// property of its own.
	Properties  []Property        `json:"properties,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // keys without "twinbridge.dev/"
}

// Validate reports the first defect of the device by itself, without its model.
func (d *Device) Validate() error {
	if err := d.Name.Validate(); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	if d.UID != "" { // given by the node or the hub that created it
		if err := checkLabel("uid", d.UID); err != nil {
			return fmt.Errorf("device %s: %w", d.Name, err)
		}
	}
	seen := make(map[string]bool, len(d.Properties))
	for i := range d.Properties {
		n := d.Properties[i].Name
		if seen[n] {
			return fmt.Errorf("device %s: %w", d.Name, &FieldError{Field: "property", Value: clip(n), Want: "each name once"})
		}
		seen[n] = true
	}
	if err := CheckLabels(d.Labels); err != nil {
		return fmt.Errorf("device %s: %w", d.Name, err)
	}
	if _, err := ParsePolicy(d.Annotations); err != nil {
		return fmt.Errorf("device %s: %w", d.Name, err)
	}
	return nil
}

// Resolve joins a device and its model into what the twin works with. model is nil if the device names none.
func (d *Device) Resolve(model *DeviceModel) (*Resolved, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	fail := func(err error) (*Resolved, error) { return nil, fmt.Errorf("device %s: %w", d.Name, err) }
	notes := map[string]string{}
	var props []Property
	protocol := d.Protocol
	if model != nil {
		maps.Copy(notes, model.Annotations)
		props = slices.Clone(model.Properties)
		if protocol.Protocol == "" {
			protocol.Protocol = model.Protocol.Protocol
		}
		if len(protocol.Config) == 0 {
			protocol.Config = model.Protocol.Config
		}
	}
	maps.Copy(notes, d.Annotations)
	for _, own := range d.Properties {
		i := slices.IndexFunc(props, func(p Property) bool { return p.Name == own.Name })
		if i < 0 {
			if own.Type == TypeNone {
				return fail(&FieldError{Field: "property", Value: clip(own.Name), Want: "a property of model " + d.Model.String()})
			}
			props = append(props, own)
			continue
		}
		p := &props[i]
		if own.Visitor.Protocol != "" || len(own.Visitor.Config) > 0 {
			p.Visitor = own.Visitor
		}
		if own.CollectCycle > 0 {
			p.CollectCycle = own.CollectCycle
		}
		if own.ReportCycle > 0 {
			p.ReportCycle = own.ReportCycle
		}
		p.ReportToCloud = p.ReportToCloud || own.ReportToCloud
	}
	policy, err := ParsePolicy(notes)
	if err != nil {
		return fail(err)
	}
	for i := range props {
		if err := policy.refine(&props[i]); err != nil {
			return fail(err)
		}
	}
	if err := policy.allKnown(props); err != nil {
		return fail(err)
	}
	if err := checkProperties(props); err != nil {
		return fail(err)
	}
	if protocol.Protocol == "" {
		for i := range props {
			if props[i].Visitor.Protocol != "" {
				protocol.Protocol = props[i].Visitor.Protocol
				break
			}
		}
	}
	return &Resolved{Device: *d, Policy: policy, Driver: protocol, Props: props}, nil
}

func checkProperties(props []Property) error {
	if len(props) > MaxProperties {
		return &FieldError{Field: "properties", Value: fmt.Sprint(len(props)), Want: fmt.Sprintf("at most %d", MaxProperties)}
	}
	seen := make(map[string]bool, len(props))
	for i := range props {
		if err := props[i].Validate(); err != nil {
			return err
		}
		if seen[props[i].Name] {
			return &FieldError{Field: "property", Value: clip(props[i].Name), Want: "each name once"}
		}
		seen[props[i].Name] = true
	}
	return nil
}

// Resolved is a device joined with its model: every property typed, every annotation read. It is never changed after
// Resolve made it.
type Resolved struct {
	Device
	Policy Policy
	Driver Visitor
	Props  []Property
}

// Property gives the property of that name, nil if there is none.
func (r *Resolved) Property(name string) *Property {
	for i := range r.Props {
		if r.Props[i].Name == name {
			return &r.Props[i]
		}
	}
	return nil
}

// ReportCycle gives the longest reporting cycle that the device's properties declare, 0 if none does.
func (r *Resolved) ReportCycle() (d int64) {
	for i := range r.Props {
		d = max(d, int64(r.Props[i].ReportCycle))
	}
	return d
}

// PropertyNames lists the properties for an error message.
func (r *Resolved) PropertyNames() string {
	names := make([]string, len(r.Props))
	for i := range r.Props {
		names[i] = r.Props[i].Name
	}
	return strings.Join(names, ", ")
}

// sameDefinition reports whether two devices are defined alike, generation apart.
func sameDefinition(a, b *Device) bool {
	x, y := *a, *b
	x.Generation, y.Generation = 0, 0
	x.UID, y.UID = "", ""
	return sameJSON(&x, &y)
}

// sameJSON compares two of the package's own types by their encoding.
func sameJSON[T any](a, b T) bool {
	p, err1 := json.Marshal(a)
	q, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(p) == string(q)
}
