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
