package manifest

import (
	"strings"

	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

// Types of v1beta1 properties. BYTES and STREAM travel as texts.
var betaTypes = map[string]twin.Type{
	"INT": twin.Int, "FLOAT": twin.Float, "DOUBLE": twin.Float, "BOOLEAN": twin.Bool,
	"STRING": twin.String, "BYTES": twin.String, "STREAM": twin.String,
}

const betaTypeNames = "INT, FLOAT, DOUBLE, BOOLEAN, STRING, BYTES or STREAM"

// betaModel reads the spec of a DeviceModel of v1beta1.
func (r *reader) betaModel(m *twin.DeviceModel) field {
	seen := map[string]bool{}
	return func(n *yamltree.Node, path string) {
		r.object(n, path, fields{
			"protocol":           r.text(&m.Protocol.Protocol),
			"protocolConfigData": r.config(&m.Protocol.Config),
			"properties": r.each(func(n *yamltree.Node, path string) {
				var p twin.Property
				var kind string
				before := len(r.errs)
				r.object(n, path, fields{
					"name":        r.text(&p.Name),
					"description": r.text(&p.Description),
					"type":        r.text(&kind),
					"accessMode":  r.access(&p.Access),
					"minimum":     r.number(&p.Min),
					"maximum":     r.number(&p.Max),
					"unit":        r.text(&p.Unit),
					"visitors":    r.betaVisitor(&p.Visitor),
				})
				if len(r.errs) > before {
					return
				}
				var ok bool
				if p.Type, ok = betaTypes[strings.ToUpper(kind)]; !ok {
					line := n.Line
					if t := n.Get("type"); t != nil {
						line = t.Line
					}
					r.bad(line, at(path, "type"), kind, betaTypeNames)
					return
				}
				r.addModelProperty(n, path, m, seen, p)
			}),
		})
	}
}

// addModelProperty takes a property into a model, if it is sound and new.
func (r *reader) addModelProperty(n *yamltree.Node, path string, m *twin.DeviceModel, seen map[string]bool, p twin.Property) {
	if !r.required(n.Line, at(path, "name"), p.Name, "the property's name") || !r.once(seen, n.Line, at(path, "name"), p.Name) {
		return
	}
	if err := p.Validate(); err != nil {
		r.fail(n.Line, err)
		return
	}
	m.Properties = append(m.Properties, p)
}

func (r *reader) access(dst *twin.Access) field {
	return func(n *yamltree.Node, path string) {
		var s string
		before := len(r.errs)
		r.text(&s)(n, path)
		if len(r.errs) == before && dst.UnmarshalText([]byte(s)) != nil {
			r.bad(n.Line, path, s, "ReadWrite or ReadOnly")
		}
	}
}

func (r *reader) betaVisitor(v *twin.Visitor) field {
	return func(n *yamltree.Node, path string) {
		r.object(n, path, fields{"protocolName": r.text(&v.Protocol), "configData": r.config(&v.Config)})
	}
}

// betaDevice gives the fields of a Device of v1beta1.
func (r *reader) betaDevice(d *DeviceManifest) fields {
	seen := map[string]bool{}
	spec := fields{
		"deviceModelRef": r.modelRef(&d.Device),
		"nodeName":       r.text(&d.Device.Node),
		"protocol":       r.betaVisitor(&d.Device.Protocol),
		"methods":        r.unused(""),
		"stateReport":    r.unused("; states are told as they come"),
		"properties": r.each(func(n *yamltree.Node, path string) {
			var p twin.Property
			var desired string
			r.object(n, path, fields{
				"name":          r.text(&p.Name),
				"desired":       r.desired(&desired),
				"visitors":      r.betaVisitor(&p.Visitor),
				"reportCycle":   r.cycle(&p.ReportCycle),
				"collectCycle":  r.cycle(&p.CollectCycle),
				"reportToCloud": r.truth(&p.ReportToCloud),
				"pushMethod":    r.unused(""),
			})
			if !r.required(n.Line, at(path, "name"), p.Name, "the property's name") || !r.once(seen, n.Line, at(path, "name"), p.Name) {
				return
			}
			d.Device.Properties = append(d.Device.Properties, p)
			d.want(p.Name, desired)
		}),
	}
	return fields{
		"spec":   func(n *yamltree.Node, path string) { r.object(n, path, spec) },
		"status": r.unused("; a device's state comes from the device"),
	}
}

func (r *reader) modelRef(d *twin.Device) field {
	return func(n *yamltree.Node, path string) {
		r.object(n, path, fields{"name": r.text(&d.Model.Name)})
	}
}

// desired reads {value, metadata}.
func (r *reader) desired(dst *string) field {
	return func(n *yamltree.Node, path string) {
		r.object(n, path, fields{"value": r.value(dst), "metadata": nil})
	}
}

// want takes a wish; an empty one is none.
func (d *DeviceManifest) want(property, value string) {
	if value == "" {
		return
	}
	if d.Desired == nil {
		d.Desired = map[string]string{}
	}
	d.Desired[property] = value
}
