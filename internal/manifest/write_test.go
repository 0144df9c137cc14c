package manifest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRoundTrip writes what was read from each form of manifest and reads it again.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{
		"led-v1alpha2.yaml", "counter.yaml", "modbus-v1alpha2.yaml", "bluetooth-v1alpha2.yaml", "opcua-v1alpha2.yaml",
		"custom-v1alpha2.yaml", "thermometer-v1beta1.yaml", "relay-v1beta1.yaml", "device.json", "list.json",
	} {
		t.Run(name, func(t *testing.T) {
			s := readTestdata(t, name)
			d := &s.Devices[0].Device
			var m *twin.DeviceModel
			if len(s.Models) > 0 {
				m = &s.Models[0]
			}
			roundTrip(t, d, m)
		})
	}
}

func roundTrip(t *testing.T, d *twin.Device, m *twin.DeviceModel) {
	t.Helper()
	if d.Model.IsZero() {
		device, model := WithModel(*d)
		d, m = &device, &model
	}
	out, err := Write(d, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read("out.yaml", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(got.Notes) > 0 {
		t.Errorf("notes on our own output: %v", got.Notes)
	}
	if len(got.Devices) != 1 {
		t.Fatalf("got %d devices, want 1\n%s", len(got.Devices), out)
	}
	if got, want := asJSON(t, got.Devices[0].Device), asJSON(t, *d); got != want {
		t.Errorf("device: got  %s\nwant %s\n%s", got, want, out)
	}
	if m != nil {
		if got, want := asJSON(t, got.Models), asJSON(t, []twin.DeviceModel{*m}); got != want {
			t.Errorf("model: got  %s\nwant %s\n%s", got, want, out)
		}
	}
}

func TestWrittenForm(t *testing.T) {
	s := readTestdata(t, "thermometer-v1beta1.yaml")
	out, err := Write(&s.Devices[0].Device, &s.Models[0])
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "golden/thermometer-written.yaml", string(out))
}

// TestEnumAndTolerance writes what the resource has no field for as annotations; the resolved device is the same.
func TestEnumAndTolerance(t *testing.T) {
	lo, hi := 0.0, 100.0
	d := twin.Device{
		Name: twin.Name{Namespace: "default", Name: "lamp"}, Definer: twin.DefinedByNode, Description: "found by itself, with \"quotes\"",
		Properties: []twin.Property{
			{Name: "mode", Type: twin.String, Enum: []string{"eco", "warm"}, Visitor: twin.Visitor{Protocol: "sim"}},
			{Name: "level", Type: twin.Float, Min: &lo, Max: &hi, Tolerance: 0.5, CollectCycle: time.Second, Access: twin.ReadOnly},
		},
	}
	device, model := WithModel(d)
	out, err := Write(&device, &model)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read("out.yaml", out)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Devices[0].Device.Description; got != d.Description {
		t.Errorf("description %q, want %q", got, d.Description)
	}
	r, err := s.Devices[0].Device.Resolve(&s.Models[0])
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := asJSON(t, r.Props), asJSON(t, want.Props); got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, out)
	}
}

func TestCannotBeWritten(t *testing.T) {
	name := twin.Name{Namespace: "default", Name: "x"}
	model := func(p twin.Property) *twin.DeviceModel {
		p.Name = "p"
		return &twin.DeviceModel{Name: name, Properties: []twin.Property{p}}
	}
	for _, c := range []struct {
		name string
		d    *twin.Device
		m    *twin.DeviceModel
		want string
	}{
		{"step", nil, model(twin.Property{Type: twin.Int, Step: 2}), "step"},
		{"cycle in a model", nil, model(twin.Property{Type: twin.Int, CollectCycle: 1}), "cycle"},
		{"report in a model", nil, model(twin.Property{Type: twin.Int, ReportToCloud: true}), "reportToCloud"},
		{"enum with comma", nil, model(twin.Property{Type: twin.String, Enum: []string{"a,b"}}), "enum"},
		{"configuration is no JSON", nil, model(twin.Property{Type: twin.Int, Visitor: twin.Visitor{Config: []byte("{")}}), "configData"},
		{"configuration is a list", nil, model(twin.Property{Type: twin.Int, Visitor: twin.Visitor{Config: []byte("[]")}}), "a JSON object"},
		{"model of another namespace", &twin.Device{Name: name, Model: twin.Name{Namespace: "other", Name: "m"}}, nil, "a model in namespace default"},
		{"typed property beside the model", &twin.Device{Name: name, Model: name, Properties: []twin.Property{{Name: "p", Type: twin.Int}}}, nil, "type"},
		{"model that the device does not name", &twin.Device{Name: name}, model(twin.Property{Type: twin.Int}), "a model in namespace default"},
		{"bad name", &twin.Device{Name: twin.Name{Namespace: "default", Name: "a/b"}, Model: name}, nil, "name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Write(c.d, c.m)
			if err == nil {
				t.Fatalf("written as %s, want an error", out)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to contain %q", err, c.want)
			}
		})
	}
}

// FuzzRead looks for input that panics, and checks that what is read can be written and reads back to the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		betaDeviceHead + ref + "  properties: [{name: p, desired: {value: 1}, visitors: {protocolName: gpio, configData: {line: 1}}, collectCycle: 100}]\n",
		betaModelHead + "spec: {properties: [{name: p, type: INT, minimum: '1', accessMode: ReadOnly}]}\n",
		alphaHead + ref + "  protocol: {modbus: {slaveID: 1}, common: {com: {}}}\nstatus: {twins: [{propertyName: p}]}\n",
		alphaModelHead + "spec: {properties: [{name: p, type: {string: {defaultValue: x}}}]}\n",
		`{"id":"a/b","attributes":{"x":{"value":"1"}},"twin":{"p":{"expected":{"value":"1"},"metadata":{"type":"int"}}}}`,
		`{"kind":"List","items":[{"apiVersion":"devices.kubeedge.io/v1beta1","kind":"DeviceStatus"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read("f", data)
		if err != nil {
			return
		}
		models := map[twin.Name]*twin.DeviceModel{}
		for i := range s.Models {
			models[s.Models[i].Name] = &s.Models[i]
		}
		for i := range s.Devices {
			d := &s.Devices[i].Device
			roundTrip(t, d, models[d.Model])
		}
	})
}
