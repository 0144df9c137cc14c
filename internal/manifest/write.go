package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

const apiVersion = group + "/v1beta1"

// Write gives the resources of a model and a device, either of which may be nil, as YAML of v1beta1 that [Read] reads
// back to the same. Uid, generation and definer are not in it: they belong to the place where a definition lives. The
// device has to name its model ([WithModel]). What the resources cannot say is refused with a *twin.FieldError.
func Write(d *twin.Device, m *twin.DeviceModel) ([]byte, error) {
	var out []byte
	if m != nil {
		n, err := modelNode(m)
		if err != nil {
			return nil, err
		}
		out = n.YAML()
	}
	if d != nil {
		n, err := deviceNode(d)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, "---\n"...)
		}
		out = append(out, n.YAML()...)
	}
	return out, nil
}

// WithModel moves what a device says of its properties by itself into a model of the device's own name, as the resource
// has types in models only. A device that names a model is given back as it is, with an empty model.
func WithModel(d twin.Device) (twin.Device, twin.DeviceModel) {
	if !d.Model.IsZero() {
		return d, twin.DeviceModel{}
	}
	m := twin.DeviceModel{Name: d.Name}
	own := d.Properties
	d.Model, d.Properties = d.Name, nil
	for _, p := range own {
		q := twin.Property{
			Name: p.Name, Visitor: p.Visitor, CollectCycle: p.CollectCycle, ReportCycle: p.ReportCycle, ReportToCloud: p.ReportToCloud,
		}
		p.Visitor, p.CollectCycle, p.ReportCycle, p.ReportToCloud = twin.Visitor{}, 0, 0, false
		m.Properties = append(m.Properties, p)
		if q.Visitor.Protocol != "" || len(q.Visitor.Config) > 0 || q.CollectCycle != 0 || q.ReportCycle != 0 || q.ReportToCloud {
			d.Properties = append(d.Properties, q)
		}
	}
	return d, m
}

func newMap() *yamltree.Node  { return &yamltree.Node{Kind: yamltree.Map} }
func newList() *yamltree.Node { return &yamltree.Node{Kind: yamltree.List} }

// addText appends a text that is not empty.
func addText(n *yamltree.Node, key, v string) {
	if v != "" {
		n.Add(key, yamltree.Text(v))
	}
}

// labelValue is what a label of Kubernetes may hold.
var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

func resource(kind string, name twin.Name, description string, labels, notes map[string]string) *yamltree.Node {
	meta := newMap().Add("name", yamltree.Text(name.Name)).Add("namespace", yamltree.Text(name.Namespace))
	annotations, words := newMap(), newMap()
	if labelValue.MatchString(description) {
		words.Add(descriptionNote, yamltree.Text(description))
	} else {
		addText(annotations, twin.AnnotationPrefix+descriptionNote, description)
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		words.Add(k, yamltree.Text(labels[k]))
	}
	if len(words.Pairs) > 0 {
		meta.Add("labels", words)
	}
	for _, k := range slices.Sorted(maps.Keys(notes)) {
		annotations.Add(twin.AnnotationPrefix+k, yamltree.Text(notes[k]))
	}
	if len(annotations.Pairs) > 0 {
		meta.Add("annotations", annotations)
	}
	return newMap().Add("apiVersion", yamltree.Text(apiVersion)).Add("kind", yamltree.Text(kind)).Add("metadata", meta)
}

var writtenTypes = map[twin.Type]string{twin.Bool: "BOOLEAN", twin.Int: "INT", twin.Float: "DOUBLE", twin.String: "STRING"}

func modelNode(m *twin.DeviceModel) (*yamltree.Node, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	notes := maps.Clone(m.Annotations)
	note := func(key, value string) {
		if notes == nil {
			notes = map[string]string{}
		}
		notes[key] = value
	}
	spec, list := newMap(), newList()
	addText(spec, "protocol", m.Protocol.Protocol)
	if err := addConfig(spec, "protocolConfigData", m.Protocol.Config); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		if p.Tolerance != 0 {
			note("tolerance."+p.Name, number(p.Tolerance))
		}
		if len(p.Enum) > 0 {
			note("enum."+p.Name, strings.Join(p.Enum, ","))
		}
		n, err := modelProperty(p)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", m.Name, err)
		}
		list.Items = append(list.Items, n)
	}
	if len(list.Items) > 0 {
		spec.Add("properties", list)
	}
	return resource("DeviceModel", m.Name, m.Description, nil, notes).Add("spec", spec), nil
}

func modelProperty(p *twin.Property) (*yamltree.Node, error) {
	cannot := func(field, value string) error {
		return &twin.FieldError{Field: "property " + p.Name + ": " + field, Value: value, Want: "none, as a model of KubeEdge cannot say it"}
	}
	switch {
	case p.Step != 0:
		return nil, cannot("step", number(p.Step))
	case p.CollectCycle != 0 || p.ReportCycle != 0:
		return nil, cannot("cycle", max(p.CollectCycle, p.ReportCycle).String())
	case p.ReportToCloud:
		return nil, cannot("reportToCloud", "true")
	}
	for _, e := range p.Enum {
		if strings.Contains(e, ",") || strings.TrimSpace(e) != e {
			return nil, cannot("enum", e)
		}
	}
	n := newMap().Add("name", yamltree.Text(p.Name))
	addText(n, "description", p.Description)
	n.Add("type", yamltree.Text(writtenTypes[p.Type])).Add("accessMode", yamltree.Text(p.Access.String()))
	if p.Min != nil {
		n.Add("minimum", yamltree.Text(number(*p.Min)))
	}
	if p.Max != nil {
		n.Add("maximum", yamltree.Text(number(*p.Max)))
	}
	addText(n, "unit", p.Unit)
	return n, addVisitor(n, "visitors", p.Visitor)
}

func deviceNode(d *twin.Device) (*yamltree.Node, error) {
	fail := func(err error) (*yamltree.Node, error) { return nil, fmt.Errorf("device %s: %w", d.Name, err) }
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if d.Model.IsZero() || d.Model.Namespace != d.Name.Namespace {
		return fail(&twin.FieldError{Field: "model", Value: d.Model.String(), Want: "a model in namespace " + d.Name.Namespace})
	}
	if word, ok := d.Labels[descriptionNote]; ok {
		return fail(&twin.FieldError{Field: "label " + descriptionNote, Value: word, Want: "none, as it is read as the description"})
	}
	spec := newMap().Add("deviceModelRef", newMap().Add("name", yamltree.Text(d.Model.Name)))
	addText(spec, "nodeName", d.Node)
	if err := addVisitor(spec, "protocol", d.Protocol); err != nil {
		return fail(err)
	}
	list := newList()
	for i := range d.Properties {
		p := &d.Properties[i]
		if p.Type != twin.TypeNone {
			return fail(&twin.FieldError{Field: "property " + p.Name + ": type", Value: p.Type.String(), Want: "none, as it stands in the model"})
		}
		n := newMap().Add("name", yamltree.Text(p.Name))
		if err := addVisitor(n, "visitors", p.Visitor); err != nil {
			return fail(err)
		}
		addCycle(n, "collectCycle", p.CollectCycle)
		addCycle(n, "reportCycle", p.ReportCycle)
		if p.ReportToCloud {
			n.Add("reportToCloud", yamltree.Truth(true))
		}
		list.Items = append(list.Items, n)
	}
	if len(list.Items) > 0 {
		spec.Add("properties", list)
	}
	return resource("Device", d.Name, d.Description, d.Labels, d.Annotations).Add("spec", spec), nil
}

func addVisitor(n *yamltree.Node, key string, v twin.Visitor) error {
	if v.Protocol == "" && len(v.Config) == 0 {
		return nil
	}
	c := newMap()
	addText(c, "protocolName", v.Protocol)
	if err := addConfig(c, "configData", v.Config); err != nil {
		return err
	}
	n.Add(key, c)
	return nil
}

func addConfig(n *yamltree.Node, key string, raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	c, err := yamltree.ParseJSON(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if c.Kind != yamltree.Map {
		return &twin.FieldError{Field: key, Value: c.Kind.String(), Want: "a JSON object"}
	}
	if len(c.Pairs) > 0 {
		n.Add(key, c)
	}
	return nil
}

// addCycle writes nanoseconds; never less than a millisecond, which would be read as so many milliseconds.
func addCycle(n *yamltree.Node, key string, d time.Duration) {
	if d > 0 {
		n.Add(key, yamltree.Int(int64(max(d, time.Millisecond))))
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
