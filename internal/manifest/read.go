package manifest

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"twinbridge/internal/nearest"
	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

const group = "devices.kubeedge.io"

// Read reads the documents of one file, YAML or JSON; name stands in errors and sources, and a name that ends in .json
// is read as JSON only. Whatever is wrong, up to 20 mistakes, is in the error, a join of *Error; then the set is empty.
func Read(name string, data []byte) (Set, error) {
	r := reader{file: name, models: map[twin.Name]int{}, devices: map[twin.Name]int{}}
	docs, err := parse(name, data)
	if err != nil {
		line, msg := yamltree.Positioned(err)
		return Set{}, &Error{File: name, Line: line, Err: fmt.Errorf("%s", msg)}
	}
	for _, d := range docs {
		r.document(d, "")
	}
	if len(r.errs) > 0 {
		return Set{}, join(r.errs)
	}
	return r.set, nil
}

func parse(name string, data []byte) ([]*yamltree.Node, error) {
	only := strings.EqualFold(filepath.Ext(name), ".json")
	if trimmed := bytes.TrimSpace(data); only || len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		n, err := yamltree.ParseJSON(data)
		if err == nil {
			return []*yamltree.Node{n}, nil
		}
		if only {
			return nil, err
		}
	}
	return yamltree.ParseYAML(data)
}

// document takes one resource, a list of them, or a JSON device.
func (r *reader) document(n *yamltree.Node, path string) {
	if r.docs++; r.docs > yamltree.MaxDocuments {
		if r.docs == yamltree.MaxDocuments+1 {
			r.fail(n.Line, fmt.Errorf("more than %d resources in a file", yamltree.MaxDocuments))
		}
		return
	}
	if n.Kind == yamltree.List && path == "" {
		r.each(r.document)(n, "devices")
		return
	}
	if n.Kind != yamltree.Map {
		r.wrong(n, cmp.Or(path, "document"), "a map: a Device or a DeviceModel")
		return
	}
	if n.Get("apiVersion") == nil && n.Get("kind") == nil && (n.Get("id") != nil || n.Get("twin") != nil) {
		r.jsonDevice(n, path)
		return
	}
	var version, kind string
	for i := range n.Pairs {
		switch p := n.Pairs[i]; p.Key {
		case "apiVersion":
			r.text(&version)(p.Value, at(path, p.Key))
		case "kind":
			r.text(&kind)(p.Value, at(path, p.Key))
		}
	}
	if !r.knownKind(n, path, kind) {
		return
	}
	if kind == "List" {
		r.object(n, path, fields{"apiVersion": nil, "kind": nil, "metadata": nil, "items": r.each(r.document)})
		return
	}
	v, _ := strings.CutPrefix(version, group+"/")
	versions := map[string]bool{"v1beta1": false, "v1alpha2": true, "v1alpha1": true}
	alpha, ok := versions[v]
	if !ok || v == version {
		line := n.Line
		if a := n.Get("apiVersion"); a != nil {
			line = a.Line
		}
		r.bad(line, at(path, "apiVersion"), version, group+"/v1beta1 or "+group+"/v1alpha2")
		return
	}
	switch kind {
	case "DeviceList", "DeviceModelList", "DeviceStatusList":
		r.object(n, path, fields{"apiVersion": nil, "kind": nil, "metadata": nil, "items": r.each(r.document)})
	case "DeviceStatus":
		r.note(n.Line, at(path, "DeviceStatus")+": accepted and not used; a device's state comes from the device")
	case "Device":
		r.device(n, path, alpha)
	case "DeviceModel":
		r.model(n, path, alpha)
	}
}

func (r *reader) knownKind(n *yamltree.Node, path, kind string) bool {
	kinds := []string{"Device", "DeviceModel", "DeviceStatus", "List", "DeviceList", "DeviceModelList", "DeviceStatusList"}
	if slices.Contains(kinds, kind) {
		return true
	}
	line, want := n.Line, "Device, DeviceModel, DeviceStatus or a list of them"
	if k := n.Get("kind"); k != nil {
		line = k.Line
	}
	if k, ok := nearest.Of(kind, kinds); ok {
		want += "; the nearest known is " + k
	}
	r.bad(line, at(path, "kind"), kind, want)
	return false
}

func (r *reader) device(n *yamltree.Node, path string, alpha bool) {
	before := len(r.errs)
	d := DeviceManifest{Source: r.source(n.Line)}
	d.Device.Definer = twin.DefinedByNode
	m := meta{}
	decode := r.betaDevice
	if alpha {
		decode = r.alphaDevice
	}
	known := decode(&d)
	known["apiVersion"], known["kind"], known["metadata"] = nil, nil, r.metadata(&m)
	r.object(n, path, known)
	if len(r.errs) > before {
		return
	}
	d.Device.Name, d.Device.Description, d.Device.Annotations, d.Device.Labels = m.name, m.description, m.notes, m.labels
	d.Device.Model.Namespace = m.name.Namespace
	if !r.required(n.Line, at(path, "metadata.name"), m.name.Name, "the device's name") ||
		!r.required(n.Line, at(path, "spec.deviceModelRef.name"), d.Device.Model.Name, "the name of the device's model") {
		return
	}
	r.addDevice(n.Line, path, d)
}

func (r *reader) addDevice(line int, path string, d DeviceManifest) {
	if first, ok := r.devices[d.Device.Name]; ok {
		r.bad(line, at(path, "metadata.name"), d.Device.Name.String(), fmt.Sprintf("each device once; the first stands in line %d", first))
		return
	}
	if len(d.Device.Properties) > twin.MaxProperties {
		r.tooMany(line, at(path, "spec.properties"), len(d.Device.Properties))
		return
	}
	if err := d.Device.Validate(); err != nil {
		r.fail(line, err)
		return
	}
	r.devices[d.Device.Name] = line
	r.set.Devices = append(r.set.Devices, d)
}

func (r *reader) model(n *yamltree.Node, path string, alpha bool) {
	before := len(r.errs)
	var model twin.DeviceModel
	m := meta{}
	decode := r.betaModel
	if alpha {
		decode = r.alphaModel
	}
	r.object(n, path, fields{"apiVersion": nil, "kind": nil, "metadata": r.metadata(&m), "spec": decode(&model), "status": nil})
	if len(r.errs) > before {
		return
	}
	model.Name, model.Description, model.Annotations = m.name, m.description, m.notes
	if !r.required(n.Line, at(path, "metadata.name"), m.name.Name, "the model's name") {
		return
	}
	if first, ok := r.models[model.Name]; ok {
		r.bad(n.Line, at(path, "metadata.name"), model.Name.String(), fmt.Sprintf("each model once; the first stands in line %d", first))
		return
	}
	if err := model.Validate(); err != nil {
		r.fail(n.Line, err)
		return
	}
	r.models[model.Name] = n.Line
	r.set.Models = append(r.set.Models, model)
}
