package deviceapi

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"twinbridge/twin"
)

// labelKey is the parameter that may be repeated.
const labelKey = "label"

// Filter says which devices are meant; empty fields mean all.
type Filter struct {
	Namespace string            `json:"namespace,omitempty" doc:"Devices of this namespace"`
	Model     string            `json:"model,omitempty" doc:"Devices of this model, as namespace/name"`
	Node      string            `json:"node,omitempty" doc:"Devices of this node"`
	Labels    map[string]string `json:"labels,omitempty" doc:"Devices with all of these labels"`
}

// IsZero reports whether all devices are meant.
func (f *Filter) IsZero() bool {
	return f.Namespace == "" && f.Model == "" && f.Node == "" && len(f.Labels) == 0
}

// String gives the filter as people read it.
func (f *Filter) String() string {
	var parts []string
	for _, p := range [][2]string{{"namespace", f.Namespace}, {"model", f.Model}, {"node", f.Node}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
		parts = append(parts, "label "+k+"="+f.Labels[k])
	}
	if len(parts) == 0 {
		return "all devices"
	}
	return strings.Join(parts, ", ")
}

func (f *Filter) query() url.Values {
	q := url.Values{}
	for key, v := range map[string]string{"namespace": f.Namespace, "model": f.Model, "node": f.Node} {
		if v != "" {
			q.Set(key, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
		q.Add(labelKey, k+"="+f.Labels[k])
	}
	return q
}

// newFilter reads the parameters of a request.
func newFilter(namespace, model, node string, labels []string) (*Filter, error) {
	f := &Filter{Namespace: namespace, Model: model, Node: node}
	for _, text := range labels {
		key, value, err := ParseLabel(text)
		if err != nil {
			return nil, err
		}
		if old, twice := f.Labels[key]; twice && old != value {
			return nil, &twin.FieldError{Field: labelKey, Value: clip(text), Want: "one value for each key"}
		}
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		f.Labels[key] = value
	}
	return f, f.check()
}

// ParseLabel reads key=value.
func ParseLabel(text string) (key, value string, err error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", &twin.FieldError{Field: labelKey, Value: clip(text), Want: "key=value, as room=hall"}
	}
	return key, value, twin.CheckLabel(key, value)
}

// check completes the model's name.
func (f *Filter) check() error {
	if err := twin.CheckLabels(f.Labels); err != nil {
		return err
	}
	if f.Model == "" {
		return nil
	}
	n, err := twin.ParseName(f.Model)
	if err != nil {
		return err
	}
	f.Model = n.String()
	return nil
}

func (f *Filter) wants(n twin.Name) bool { return f.Namespace == "" || f.Namespace == n.Namespace }

func (f *Filter) wantsView(v *twin.View) bool {
	d := v.Device
	for k, want := range f.Labels {
		if got, ok := d.Labels[k]; !ok || got != want {
			return false
		}
	}
	return (f.Model == "" || f.Model == d.Model.String()) && (f.Node == "" || f.Node == d.Node)
}
