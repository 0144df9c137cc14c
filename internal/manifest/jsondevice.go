package manifest

import (
	"strings"

	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

// Types of a twin's metadata in a JSON device; none is a text, as KubeEdge has it.
var jsonTypes = map[string]twin.Type{
	"": twin.String, "string": twin.String, "int": twin.Int, "integer": twin.Int, "float": twin.Float, "double": twin.Float,
	"boolean": twin.Bool, "bool": twin.Bool,
}

// jsonDevice reads KubeEdge's oldest form, the device of its membership messages: id, name, attributes and twin. It
// names no model, as its twins say their types themselves.
func (r *reader) jsonDevice(n *yamltree.Node, path string) {
	before := len(r.errs)
	d := DeviceManifest{Source: r.source(n.Line)}
	d.Device.Definer = twin.DefinedByNode
	var id, title string
	r.object(n, path, fields{
		"id":          r.text(&id),
		"name":        r.text(&title),
		"description": r.text(&d.Device.Description),
		"state":       nil,
		"last_online": nil,
		"attributes":  r.attributes(&d.Device),
		"twin":        r.jsonTwins(&d),
	})
	if len(r.errs) > before || !r.required(n.Line, at(path, "id"), id, "the device's id, as default/lamp") {
		return
	}
	name, err := twin.ParseName(id)
	if err != nil {
		r.fail(n.Line, err)
		return
	}
	d.Device.Name = name
	if title != "" && title != name.Name && title != id {
		annotate(&d.Device, "name", title)
	}
	r.addDevice(n.Line, path, d)
}

// attributes become annotations: attribute.serial and so on.
func (r *reader) attributes(d *twin.Device) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Null && n.Kind != yamltree.Map {
			r.wrong(n, path, "a map")
			return
		}
		for i := range n.Pairs {
			p := &n.Pairs[i]
			if p.Value.Kind == yamltree.Null {
				continue
			}
			var v string
			r.object(p.Value, at(path, p.Key), fields{"value": r.value(&v), "optional": nil, "metadata": nil})
			if _, err := twin.ParsePolicy(map[string]string{"attribute." + p.Key: v}); err != nil {
				r.fail(p.Line, err)
				continue
			}
			annotate(d, "attribute."+p.Key, v)
		}
	}
}

func (r *reader) jsonTwins(d *DeviceManifest) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Null && n.Kind != yamltree.Map {
			r.wrong(n, path, "a map")
			return
		}
		for i := range n.Pairs {
			r.jsonTwin(d, &n.Pairs[i], at(path, n.Pairs[i].Key))
		}
	}
}

func (r *reader) jsonTwin(d *DeviceManifest, pair *yamltree.Pair, path string) {
	var kind, desired string
	before := len(r.errs)
	r.object(pair.Value, path, fields{
		"expected": r.desired(&desired),
		"actual":   nil,
		"optional": nil,
		"metadata": func(n *yamltree.Node, path string) { r.object(n, path, fields{"type": r.text(&kind)}) },

		"expected_version": nil, "actual_version": nil,
	})
	// null and the type "deleted" are how KubeEdge takes a twin away.
	if len(r.errs) > before || pair.Value.Kind == yamltree.Null || kind == "deleted" {
		return
	}
	t, ok := jsonTypes[strings.ToLower(kind)]
	if !ok {
		r.bad(pair.Line, at(path, "metadata.type"), kind, "string, int, float or boolean")
		return
	}
	p := twin.Property{Name: pair.Key, Type: t}
	if err := p.Validate(); err != nil {
		r.fail(pair.Line, err)
		return
	}
	d.Device.Properties = append(d.Device.Properties, p)
	d.want(p.Name, desired)
}

func annotate(d *twin.Device, key, value string) {
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[key] = value
}
