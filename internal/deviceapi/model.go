package deviceapi

import (
	"encoding/json"
	"fmt"
	"time"

	"twinbridge/twin"
)

// ModelOf gives what REST shows of a model.
func ModelOf(m *twin.DeviceModel) Model {
	out := Model{
		Namespace: m.Name.Namespace, Name: m.Name.Name, Description: m.Description, Protocol: visitorOf(m.Protocol),
		Properties: make([]ModelProperty, len(m.Properties)), Annotations: m.Annotations,
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		out.Properties[i] = ModelProperty{
			Name: p.Name, Description: p.Description, Type: p.Type.String(), Access: p.Access.String(), Unit: p.Unit,
			Min: p.Min, Max: p.Max, Step: p.Step, Tolerance: p.Tolerance, Enum: p.Enum, Visitor: visitorOf(p.Visitor),
			CollectCycle: durationText(p.CollectCycle), ReportCycle: durationText(p.ReportCycle), ReportToCloud: p.ReportToCloud,
		}
	}
	return out
}

func visitorOf(v twin.Visitor) *Visitor {
	if v.Protocol == "" && len(v.Config) == 0 {
		return nil
	}
	return &Visitor{Protocol: v.Protocol, Config: Object(v.Config)}
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// DecodeModel reads the body that defines the model of that name. A name in the body has to be the same.
func DecodeModel(name twin.Name, b []byte) (twin.DeviceModel, error) {
	var m Model
	if err := decodeStrict(b, &m, "description", "protocol", "properties", "annotations", "namespace", "name"); err != nil {
		return twin.DeviceModel{}, err
	}
	if m.Properties == nil {
		return twin.DeviceModel{}, &twin.FieldError{Field: "properties", Value: "", Want: "a list, be it empty"}
	}
	if m.Namespace != "" && m.Namespace != name.Namespace {
		return twin.DeviceModel{}, &twin.FieldError{Field: "namespace", Value: clip(m.Namespace), Want: "the one of the path, " + name.Namespace}
	}
	if m.Name != "" && m.Name != name.Name {
		return twin.DeviceModel{}, &twin.FieldError{Field: "name", Value: clip(m.Name), Want: "the one of the path, " + name.Name}
	}
	out := twin.DeviceModel{
		Name: name, Description: m.Description, Protocol: m.Protocol.visitor(),
		Properties: make([]twin.Property, len(m.Properties)), Annotations: m.Annotations,
	}
	for i := range m.Properties {
		p, err := m.Properties[i].property()
		if err != nil {
			return twin.DeviceModel{}, fmt.Errorf("properties[%d]: %w", i, err)
		}
		out.Properties[i] = p
	}
	return out, out.Validate()
}

func (v *Visitor) visitor() twin.Visitor {
	if v == nil {
		return twin.Visitor{}
	}
	return twin.Visitor{Protocol: v.Protocol, Config: json.RawMessage(v.Config)}
}

func (p *ModelProperty) property() (twin.Property, error) {
	out := twin.Property{
		Name: p.Name, Description: p.Description, Unit: p.Unit, Min: p.Min, Max: p.Max, Step: p.Step,
		Tolerance: p.Tolerance, Enum: p.Enum, Visitor: p.Visitor.visitor(), ReportToCloud: p.ReportToCloud,
	}
	if err := out.Type.UnmarshalText([]byte(p.Type)); err != nil {
		return out, err
	}
	if err := out.Access.UnmarshalText([]byte(p.Access)); err != nil {
		return out, err
	}
	for _, cycle := range []struct {
		name string
		text string
		to   *time.Duration
	}{{"collectCycle", p.CollectCycle, &out.CollectCycle}, {"reportCycle", p.ReportCycle, &out.ReportCycle}} {
		if cycle.text == "" {
			continue
		}
		d, err := time.ParseDuration(cycle.text)
		if err != nil || d < 0 {
			return out, &twin.FieldError{Field: cycle.name, Value: clip(cycle.text), Want: "a duration, as 1s"}
		}
		*cycle.to = d
	}
	return out, nil
}
