package manifest

import (
	"strings"

	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

var alphaTypes = map[string]twin.Type{
	"int": twin.Int, "float": twin.Float, "double": twin.Float, "boolean": twin.Bool, "string": twin.String, "bytes": twin.String,
}

// alphaModel reads the spec of a DeviceModel of v1alpha2, and of v1alpha1, whose visitors stand in the model.
func (r *reader) alphaModel(m *twin.DeviceModel) field {
	seen := map[string]bool{}
	return func(n *yamltree.Node, path string) {
		var visitors []twin.Property
		r.object(n, path, fields{
			"protocol": r.text(&m.Protocol.Protocol),
			"properties": r.each(func(n *yamltree.Node, path string) {
				var p twin.Property
				before := len(r.errs)
				r.object(n, path, fields{
					"name":        r.text(&p.Name),
					"description": r.text(&p.Description),
					"type":        r.alphaType(&p),
				})
				if len(r.errs) > before {
					return
				}
				if p.Type == twin.TypeNone {
					r.bad(n.Line, at(path, "type"), "", "one of int, string, double, float, boolean, bytes")
					return
				}
				r.addModelProperty(n, path, m, seen, p)
			}),
			"propertyVisitors": r.alphaVisitors(&visitors),
		})
	next:
		for _, v := range visitors {
			for i := range m.Properties {
				if p := &m.Properties[i]; p.Name == v.Name {
					p.Visitor, p.CollectCycle, p.ReportCycle = v.Visitor, v.CollectCycle, v.ReportCycle
					continue next
				}
			}
			r.bad(n.Get("propertyVisitors").Line, at(path, "propertyVisitors"), v.Name, "a property of the model")
		}
	}
}

// alphaType reads {int: {accessMode: ...}}: exactly one type.
func (r *reader) alphaType(p *twin.Property) field {
	return func(n *yamltree.Node, path string) {
		known := fields{}
		for name, t := range alphaTypes {
			known[name] = func(n *yamltree.Node, path string) {
				if p.Type != twin.TypeNone {
					r.bad(n.Line, path, name, "one type only")
					return
				}
				p.Type = t
				var ignored string
				f := fields{"accessMode": r.access(&p.Access), "defaultValue": r.value(&ignored)}
				if t == twin.Int || t == twin.Float {
					f["minimum"], f["maximum"], f["unit"] = r.number(&p.Min), r.number(&p.Max), r.text(&p.Unit)
				}
				r.object(n, path, f)
			}
		}
		r.object(n, path, known)
	}
}

// alphaVisitors reads propertyVisitors: how often, and one protocol's map.
func (r *reader) alphaVisitors(out *[]twin.Property) field {
	seen := map[string]bool{}
	return r.each(func(n *yamltree.Node, path string) {
		var p twin.Property
		var custom *yamltree.Node
		v := protocolReader{r: r, visitor: &p.Visitor}
		known := v.fields()
		known["propertyName"] = r.text(&p.Name)
		known["collectCycle"] = r.cycle(&p.CollectCycle)
		known["reportCycle"] = r.cycle(&p.ReportCycle)
		known["customizedValues"] = r.mapNode(&custom)
		r.object(n, path, known)
		if !r.required(n.Line, at(path, "propertyName"), p.Name, "a property's name") ||
			!r.once(seen, n.Line, at(path, "propertyName"), p.Name) {
			return
		}
		v.finish(n.Line, path, "customizedValues", custom)
		*out = append(*out, p)
	})
}

// alphaDevice gives the fields of a Device of v1alpha2.
func (r *reader) alphaDevice(d *DeviceManifest) fields {
	spec := fields{
		"deviceModelRef":   r.modelRef(&d.Device),
		"nodeSelector":     r.nodeSelector(&d.Device.Node),
		"data":             r.unused(""),
		"propertyVisitors": r.alphaVisitors(&d.Device.Properties),
		"protocol": func(n *yamltree.Node, path string) {
			var common *yamltree.Node
			v := protocolReader{r: r, visitor: &d.Device.Protocol}
			known := v.fields()
			known["common"] = r.mapNode(&common)
			r.object(n, path, known)
			v.finish(n.Line, path, "common", common)
		},
	}
	seen := map[string]bool{}
	twins := r.each(func(n *yamltree.Node, path string) {
		var name, desired string
		r.object(n, path, fields{"propertyName": r.text(&name), "desired": r.desired(&desired), "reported": nil})
		if r.required(n.Line, at(path, "propertyName"), name, "a property's name") && r.once(seen, n.Line, at(path, "propertyName"), name) {
			d.want(name, desired)
		}
	})
	return fields{
		"spec":   func(n *yamltree.Node, path string) { r.object(n, path, spec) },
		"status": func(n *yamltree.Node, path string) { r.object(n, path, fields{"twins": twins}) },
	}
}

// nodeSelector takes the first value of the first expression of the first term, as KubeEdge's own controller does.
func (r *reader) nodeSelector(dst *string) field {
	return func(n *yamltree.Node, path string) {
		first := r.each(func(n *yamltree.Node, path string) {
			var v string
			r.text(&v)(n, path)
			if *dst == "" {
				*dst = v
			}
		})
		r.object(n, path, fields{"nodeSelectorTerms": r.each(func(n *yamltree.Node, path string) {
			r.object(n, path, fields{"matchFields": nil, "matchExpressions": r.each(func(n *yamltree.Node, path string) {
				r.object(n, path, fields{"key": nil, "operator": nil, "values": first})
			})})
		})})
	}
}

// protocolReader reads the choice of v1alpha2: one of three protocols by name, or one of the user's own. The maps below
// them are the driver's business and taken as they are; so examples apply whose keys slipped by a level.
type protocolReader struct {
	r       *reader
	visitor *twin.Visitor
	config  *yamltree.Node
}

func (p *protocolReader) fields() fields {
	known := fields{"customizedProtocol": func(n *yamltree.Node, path string) {
		var name string
		var config *yamltree.Node
		p.r.object(n, path, fields{"protocolName": p.r.text(&name), "configData": p.r.mapNode(&config)})
		p.choose(n, path, name, config)
	}}
	for _, name := range []string{"modbus", "opcua", "bluetooth"} {
		known[name] = func(n *yamltree.Node, path string) {
			var config *yamltree.Node
			p.r.mapNode(&config)(n, path)
			p.choose(n, path, name, config)
		}
	}
	return known
}

func (p *protocolReader) choose(n *yamltree.Node, path, name string, config *yamltree.Node) {
	if p.visitor.Protocol != "" {
		p.r.bad(n.Line, path, name, "one protocol only; there is "+p.visitor.Protocol+" already")
		return
	}
	p.visitor.Protocol, p.config = name, config
}

// finish makes the configuration of what was chosen; what all protocols have in common stands in it under its own key.
func (p *protocolReader) finish(line int, path, key string, common *yamltree.Node) {
	all := &yamltree.Node{Kind: yamltree.Map}
	if p.config != nil {
		all.Pairs = append(all.Pairs, p.config.Pairs...)
	}
	if common != nil {
		for i := range all.Pairs {
			if strings.EqualFold(all.Pairs[i].Key, key) {
				p.r.bad(line, at(path, key), key, "no key of this name in the protocol's own map")
				return
			}
		}
		all.Add(key, common)
	}
	if len(all.Pairs) > 0 {
		p.visitor.Config = all.JSON()
	}
}

// mapNode keeps a map as it stands; an empty one is none.
func (r *reader) mapNode(dst **yamltree.Node) field {
	return func(n *yamltree.Node, path string) {
		switch {
		case n.Kind == yamltree.Null:
		case n.Kind != yamltree.Map:
			r.wrong(n, path, "a map")
		case len(n.Pairs) > 0:
			*dst = n
		}
	}
}
