package manifest

import (
	"encoding/json"
	"testing"

	"twinbridge/twin"
)

func TestProfile(t *testing.T) {
	var devices []ProfileDevice
	for _, name := range []string{"modbus-v1alpha2.yaml", "thermometer-v1beta1.yaml", "led-v1alpha2.yaml", "custom-v1alpha2.yaml", "device.json"} {
		s := readTestdata(t, name)
		var m *twin.DeviceModel
		if len(s.Models) > 0 {
			m = &s.Models[0]
		}
		r, err := s.Devices[0].Device.Resolve(m)
		if err != nil {
			t.Fatal(err)
		}
		p := ProfileDevice{Device: r}
		if name == "led-v1alpha2.yaml" {
			p.Expected = map[string]twin.Value{"power-status": twin.StringValue("OFF")}
			p.Actual = map[string]twin.Value{"power-status": twin.StringValue("ON")}
		}
		devices = append(devices, p)
	}
	first := devices[0].Device.Name
	out, err := Profile(devices)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "golden/deviceProfile.json", string(out))
	if devices[0].Device.Name != first {
		t.Error("the caller's slice was sorted")
	}
	again, err := Profile(devices)
	if err != nil || string(again) != string(out) {
		t.Errorf("a second time: %v, or another text", err)
	}

	// A mapper finds its visitor by property and its protocol by name.
	var p profile
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	protocols := map[string]bool{}
	for _, x := range p.Protocols {
		protocols[x.Name] = true
	}
	for _, inst := range p.DeviceInstances {
		if inst.Protocol != "" && !protocols[inst.Protocol] {
			t.Errorf("%s: protocol %s is not listed", inst.ID, inst.Protocol)
		}
		visitors := map[string]bool{}
		for _, v := range inst.PropertyVisitors {
			visitors[v.PropertyName] = true
		}
		for _, tw := range inst.Twins {
			if len(visitors) > 0 && !visitors[tw.PropertyName] {
				t.Errorf("%s: twin %s has no visitor", inst.ID, tw.PropertyName)
			}
		}
	}
}

// TestProfileModels: devices share a model as long as it has the same properties for them; a mapper finds the properties
// of each device in the model that the device names.
func TestProfileModels(t *testing.T) {
	device := func(namespace, name, model string, props ...string) ProfileDevice {
		d := twin.Device{Name: twin.Name{Namespace: namespace, Name: name}}
		if model != "" {
			d.Model = twin.Name{Namespace: namespace, Name: model}
		}
		r := &twin.Resolved{Device: d}
		for _, p := range props {
			r.Props = append(r.Props, twin.Property{Name: p, Type: twin.Int, Visitor: twin.Visitor{Protocol: "modbus", Config: []byte(`{"offset":1}`)}})
		}
		return ProfileDevice{Device: r}
	}
	out, err := Profile([]ProfileDevice{
		device("default", "a", "tank", "level"), device("default", "b", "tank", "level"),
		device("default", "c", "tank", "level", "pump"),
		device("default", "tank", "", "heat"),    // no model, and the name of one
		device("garden", "d", "tank", "sprayer"), // another namespace's
	})
	if err != nil {
		t.Fatal(err)
	}
	var p profile
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	models := map[string]map[string]bool{}
	for _, m := range p.DeviceModels {
		if models[m.Name] != nil {
			t.Errorf("model %s stands there twice", m.Name)
		}
		models[m.Name] = map[string]bool{}
		for _, prop := range m.Properties {
			models[m.Name][prop.Name] = true
		}
	}
	want := map[string]string{
		"default/a": "tank", "default/b": "tank", "default/c": "device/default/c", "default/tank": "device/default/tank", "garden/d": "garden/tank",
	}
	for _, inst := range p.DeviceInstances {
		if inst.Model != want[inst.ID] {
			t.Errorf("%s: model %s, want %s", inst.ID, inst.Model, want[inst.ID])
		}
		for _, v := range inst.PropertyVisitors {
			if v.ModelName != inst.Model || !models[v.ModelName][v.PropertyName] {
				t.Errorf("%s: %s is looked up in model %s, which has %v", inst.ID, v.PropertyName, v.ModelName, models[v.ModelName])
			}
		}
	}
	if len(p.DeviceInstances) != 5 || len(models) != 4 {
		t.Errorf("%d devices and %d models, want 5 and 4", len(p.DeviceInstances), len(models))
	}
}

func TestProfileEmpty(t *testing.T) {
	out, err := Profile(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"deviceInstances\": [],\n  \"deviceModels\": [],\n  \"protocols\": []\n}\n"; string(out) != want {
		t.Errorf("got %s, want empty lists, not null", out)
	}
}

func TestProfileRefusesBrokenConfig(t *testing.T) {
	name := twin.Name{Namespace: "default", Name: "d"}
	for _, d := range []*twin.Resolved{
		{Device: twin.Device{Name: name}, Driver: twin.Visitor{Protocol: "modbus", Config: []byte("[]")}},
		{Device: twin.Device{Name: name}, Props: []twin.Property{{Name: "p", Type: twin.Int, Visitor: twin.Visitor{Config: []byte("1")}}}},
	} {
		if out, err := Profile([]ProfileDevice{{Device: d}}); err == nil {
			t.Errorf("got %s, want an error", out)
		}
	}
}
