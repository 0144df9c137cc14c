package twin_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

func TestParseName(t *testing.T) {
	for in, want := range map[string]twin.Name{
		"lamp":         {Namespace: "default", Name: "lamp"},
		"home/lamp":    {Namespace: "home", Name: "lamp"},
		"Küche/Lampe1": {Namespace: "Küche", Name: "Lampe1"},
		strings.Repeat("n", twin.MaxNameLen) + "/x": {Namespace: strings.Repeat("n", twin.MaxNameLen), Name: "x"},
	} {
		got, err := twin.ParseName(in)
		if err != nil || got != want {
			t.Errorf("%q: got %v %v, want %v", in, got, err, want)
			continue
		}
		if back, err := twin.ParseName(got.String()); err != nil || back != got {
			t.Errorf("%q: came back as %v %v", got, back, err)
		}
	}
	for in, want := range map[string]string{
		"": "name", "/": "namespace", "a/": "name", "/b": "namespace", "a/b/c": "name", "a b": "name", "a/+": "name", "a/#": "name",
		"a\tb": "name", "a/\x7f": "name", "a/\xff": "name", strings.Repeat("n", twin.MaxNameLen+1): "name",
	} {
		if got, err := twin.ParseName(in); field(err) != want || !got.IsZero() {
			t.Errorf("%q: got %v %v, want an error about the %s", in, got, err, want)
		}
	}
}

func TestNameText(t *testing.T) {
	for _, n := range []twin.Name{{}, lampName} {
		b, err := n.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		back := twin.Name{Namespace: "x", Name: "y"}
		if err := back.UnmarshalText(b); err != nil || back != n {
			t.Errorf("%q: came back as %v %v", b, back, err)
		}
	}
	a, b := twin.Name{Namespace: "a", Name: "z"}, twin.Name{Namespace: "b", Name: "a"}
	if a.Compare(b) >= 0 || b.Compare(a) <= 0 || a.Compare(a) != 0 {
		t.Error("names are not ordered by namespace, then name")
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"", "lamp", "a/b", "a/b/c", "a b", "+/#", "\xff", "Küche/Lampe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := twin.ParseName(s)
		if err != nil {
			if !n.IsZero() {
				t.Fatalf("an error and a name: %v", n)
			}
			return
		}
		if back, err := twin.ParseName(n.String()); err != nil || back != n {
			t.Fatalf("%q: came back as %v %v", n, back, err)
		}
		if strings.ContainsAny(n.Namespace+n.Name, "/+# \x00\n") {
			t.Fatalf("%q does not fit into a topic", n)
		}
	})
}

func TestPropertyValidate(t *testing.T) {
	f := func(x float64) *float64 { return &x }
	tests := []struct {
		prop twin.Property
		want string // the field at fault after "property P: "; "" for none
	}{
		{twin.Property{Name: "p", Type: twin.Bool}, ""},
		{twin.Property{Name: "p", Type: twin.Int, Min: f(-5), Max: f(-5), Step: 0.5, Tolerance: 1}, ""},
		{twin.Property{Name: "", Type: twin.Bool}, "property"},
		{twin.Property{Name: "a/b", Type: twin.Bool}, "property"},
		{twin.Property{Name: "p"}, "type"},
		{twin.Property{Name: "p", Type: 9}, "type"},
		{twin.Property{Name: "p", Type: twin.Int, Min: f(2), Max: f(1)}, "min"},
		{twin.Property{Name: "p", Type: twin.Int, Min: f(math.NaN())}, "min"},
		{twin.Property{Name: "p", Type: twin.Int, Max: f(math.Inf(1))}, "max"},
		{twin.Property{Name: "p", Type: twin.Int, Step: -1}, "step"},
		{twin.Property{Name: "p", Type: twin.Int, Step: 0.45}, "step"},
		{twin.Property{Name: "p", Type: twin.Int, Step: 2, Min: f(0.5)}, "min"},
		{twin.Property{Name: "p", Type: twin.Int, Tolerance: -1}, "tolerance"},
		{twin.Property{Name: "p", Type: twin.Int, Enum: []string{"A"}}, "enum"},
		{twin.Property{Name: "p", Type: twin.Bool, CollectCycle: -1}, "cycle"},
		{twin.Property{Name: "p", Type: twin.Bool, ReportCycle: -1}, "cycle"},
	}
	for _, tc := range tests {
		err := tc.prop.Validate()
		if got := strings.TrimPrefix(field(err), "property p: "); got != tc.want {
			t.Errorf("%+v: got %v, want an error about %q", tc.prop, err, tc.want)
		}
	}
}

func TestPropertyCheckAndEqual(t *testing.T) {
	f := func(x float64) *float64 { return &x }
	tenths := twin.Property{Name: "p", Type: twin.Float, Min: f(0.1), Max: f(0.7), Step: 0.1, Tolerance: 0.05}
	for text, ok := range map[string]bool{"0.1": true, "0.3": true, "0.7": true, "0.25": false, "0": false, "0.8": false} {
		if _, err := tenths.Parse(text); (err == nil) != ok {
			t.Errorf("%s: got %v, want taken: %v", text, err, ok)
		}
	}
	word := twin.Property{Name: "p", Type: twin.String, Enum: []string{"ON", "OFF"}}
	if _, err := word.ParseJSON([]byte(`"on"`)); err == nil || !strings.Contains(err.Error(), "one of ON, OFF") {
		t.Errorf(`"on": got %v, want one of ON, OFF`, err)
	}
	for _, tc := range []struct {
		a, b twin.Value
		want bool
	}{
		{twin.FloatValue(0.3), twin.FloatValue(0.3), true},
		{twin.FloatValue(0.3), twin.FloatValue(0.34), true},
		{twin.FloatValue(0.3), twin.FloatValue(0.36), false},
		{twin.FloatValue(0.3), twin.Value{}, false},
		{twin.Value{}, twin.Value{}, true},
		{twin.FloatValue(0), twin.BoolValue(false), false},
	} {
		if got := tenths.Equal(tc.a, tc.b); got != tc.want {
			t.Errorf("%v equals %v: got %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestAccessText(t *testing.T) {
	for text, want := range map[string]twin.Access{"ReadWrite": twin.ReadWrite, "": twin.ReadWrite, "ReadOnly": twin.ReadOnly} {
		got := twin.ReadOnly
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %v %v, want %v", text, got, err, want)
		}
		if b, _ := want.MarshalText(); text != "" && string(b) != text {
			t.Errorf("%v: written as %q", want, b)
		}
	}
	var a twin.Access
	if err := a.UnmarshalText([]byte("readonly")); field(err) != "accessMode" {
		t.Errorf("readonly: got %v", err)
	}
}

// The annotations of a device.
func TestParsePolicy(t *testing.T) {
	base := twin.Policy{Settle: time.Second, Expose: []string{"homekit", "matter"}}
	with := func(change func(*twin.Policy)) twin.Policy { p := base; change(&p); return p }
	tests := []struct {
		notes map[string]string
		want  twin.Policy
	}{
		{nil, base},
		{
			map[string]string{"kind": "lamp", "name": "Küchenlampe", "room": "Küche"},
			with(func(p *twin.Policy) { p.Kind, p.Title, p.Room = "lamp", "Küchenlampe", "Küche" }),
		},
		{map[string]string{"drift": "hold"}, with(func(p *twin.Policy) { p.Hold = true })},
		{map[string]string{"drift": "follow", "conflict": "house"}, base},
		{map[string]string{"conflict": "cloud"}, with(func(p *twin.Policy) { p.CloudInsists = true })},
		{map[string]string{"kind": "lock"}, with(func(p *twin.Policy) { p.Kind, p.Hold = "lock", true })},
		{map[string]string{"kind": "garage-door", "drift": "follow"}, with(func(p *twin.Policy) { p.Kind, p.Hold = "garage-door", true })},
		{
			map[string]string{"apply-deadline": "90s", "settle": "0s"},
			with(func(p *twin.Policy) { p.ApplyDeadline, p.Settle = 90*time.Second, 0 }),
		},
		{map[string]string{"expose": "none"}, with(func(p *twin.Policy) { p.Expose = nil })},
		{map[string]string{"expose": "matter"}, with(func(p *twin.Policy) { p.Expose = []string{"matter"} })},
		{map[string]string{"attribute.serial": "A-1"}, with(func(p *twin.Policy) { p.Attributes = map[string]string{"serial": "A-1"} })},
	}
	for _, tc := range tests {
		if got, err := twin.ParsePolicy(tc.notes); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%v:\n got  %+v %v\n want %+v", tc.notes, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ key, value, want string }{
		{"drift", "never", "follow or hold"},
		{"conflict", "", "house or cloud"},
		{"apply-deadline", "0s", "a duration"},
		{"apply-deadline", "61m", "a duration"},
		{"settle", "-1s", "a duration"},
		{"settle", "soon", "a duration"},
		{"expose", "alexa", "homekit, matter"},
		{"enum.power", "ON,,OFF", "different words"},
		{"enum.power", "ON,ON", "different words"},
		{"enum.", "ON", "a name after enum."},
		{"tolerance.hue", "-1", "at least 0"},
		{"tolerance.hue", "NaN", "at least 0"},
		{"drft", "hold", "twinbridge.dev/drift"},
		{"aply-deadline", "1s", "twinbridge.dev/apply-deadline"},
		{"name", strings.Repeat("x", twin.MaxValueLen+1), "at most 4096"},
	} {
		_, err := twin.ParsePolicy(map[string]string{tc.key: tc.value})
		if field(err) != "annotation twinbridge.dev/"+tc.key || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s=%.20s: got %v, want %q", tc.key, tc.value, err, tc.want)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	for _, kv := range [][2]string{
		{"drift", "hold"},
		{"settle", "3s"},
		{"enum.power", "ON,OFF"},
		{"tolerance.hue", "2"},
		{"expose", "none"},
		{"attribute.serial", "1"},
		{"drft", "hold"},
		{"apply-deadline", "1h"},
	} {
		f.Add(kv[0], kv[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		p, err := twin.ParsePolicy(map[string]string{key: value})
		if err != nil {
			if field(err) == "" {
				t.Fatalf("an error that names no field: %v", err)
			}
			return
		}
		if p.Settle < 0 || p.Settle > twin.MaxSettle || p.ApplyDeadline < 0 || p.ApplyDeadline > twin.MaxApplyDeadline {
			t.Fatalf("out of bounds: %+v", p)
		}
		dev := twin.Device{Name: lampName, Properties: lampProps(), Annotations: map[string]string{key: value}}
		if r, err := dev.Resolve(nil); err == nil && len(r.Props) != len(dev.Properties) {
			t.Fatalf("annotations changed the number of properties to %d", len(r.Props))
		}
	})
}

// A device joined with its model.
func TestResolve(t *testing.T) {
	model := twin.DeviceModel{
		Name:        twin.Name{Namespace: "default", Name: "bulb"},
		Protocol:    twin.Visitor{Protocol: "gpio", Config: json.RawMessage(`{"chip":"gpiochip0"}`)},
		Annotations: map[string]string{"kind": "lamp", "drift": "hold", "tolerance.hue": "3"},
		Properties: []twin.Property{
			{Name: "power", Type: twin.String},
			{Name: "hue", Type: twin.Float, Visitor: twin.Visitor{Config: json.RawMessage(`{"line":1}`)}, CollectCycle: time.Second},
		},
	}
	dev := twin.Device{
		Name: lampName, Model: model.Name, Annotations: map[string]string{"drift": "follow"},
		Properties: []twin.Property{
			{Name: "hue", Visitor: twin.Visitor{Config: json.RawMessage(`{"line":7}`)}, ReportCycle: time.Minute},
			{Name: "own", Type: twin.Bool},
		},
	}
	got, err := dev.Resolve(&model)
	if err != nil {
		t.Fatal(err)
	}
	if got.Policy.Kind != "lamp" || got.Policy.Hold {
		t.Errorf("annotations: got %+v, want the model's kind and the device's drift", got.Policy)
	}
	if got.PropertyNames() != "power, hue, own" {
		t.Errorf("properties: got %s", got.PropertyNames())
	}
	if e := got.Property("power").Enum; len(e) != 2 || e[0] != "ON" {
		t.Errorf("power without an enum: got %v, want ON and OFF", e)
	}
	hue := got.Property("hue")
	if string(hue.Visitor.Config) != `{"line":7}` || hue.CollectCycle != time.Second || hue.ReportCycle != time.Minute || hue.Tolerance != 3 {
		t.Errorf("hue: got %+v", hue)
	}
	if got.Driver.Protocol != "gpio" || string(got.Driver.Config) != `{"chip":"gpiochip0"}` {
		t.Errorf("driver: got %+v, want the model's", got.Driver)
	}
	if model.Properties[1].Tolerance != 0 || string(model.Properties[1].Visitor.Config) != `{"line":1}` {
		t.Error("resolving a device changed its model")
	}
	for name, change := range map[string]func(*twin.Device){
		"a property that no model types": func(d *twin.Device) { d.Properties = []twin.Property{{Name: "x"}} },
		"a property twice":               func(d *twin.Device) { d.Properties = []twin.Property{{Name: "hue"}, {Name: "hue"}} },
		"an enum for a number":           func(d *twin.Device) { d.Annotations = map[string]string{"enum.hue": "A,B"} },
		"a tolerance for nothing":        func(d *twin.Device) { d.Annotations = map[string]string{"tolerance.x": "1"} },
	} {
		bad := dev
		change(&bad)
		if _, err := bad.Resolve(&model); field(err) == "" {
			t.Errorf("%s: got %v, want a field error", name, err)
		}
	}
}
