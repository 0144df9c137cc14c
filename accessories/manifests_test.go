package accessories

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

// Every device of the manifests that the repository holds for its tests.
func TestManifests(t *testing.T) {
	want := map[string]string{
		"lamp.yaml default/porch":                               "lamp: on=powerstatus",
		"relay-v1beta1.yaml default/lamp":                       "lamp: on=powerstatus",
		"led-v1alpha2.yaml default/led-light-instance-01":       "lamp: on=power-status",
		"bluetooth-v1alpha2.yaml plant/tag-01":                  "temperature-sensor: temperature=temperature(ro)",
		"counter.yaml default/counter":                          "none",
		"custom-v1alpha2.yaml default/camera":                   "none",
		"modbus-v1alpha2.yaml default/tank":                     "none",
		"opcua-v1alpha2.yaml default/lamp":                      "switch+temperature-sensor: on=switcher, temperature=temperature(ro)",
		"thermometer-v1beta1.yaml default/temperature-instance": "switch+temperature-sensor: on=switch, temperature=temperature(ro)",
		"list.json x/d":                                         "none",
		"device.json plant/lamp1":                               "lamp: on=powerstatus",
		"thermometer-written.yaml default/temperature-instance": "switch+temperature-sensor: on=switch, temperature=temperature(ro)",
	}
	var files []string
	for _, pattern := range []string{
		"../internal/manifest/testdata/*.yaml", "../internal/manifest/testdata/*.json",
		"../internal/manifest/testdata/golden/*.yaml", "../test/e2e/testdata/*.yaml",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	seen := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		set, err := manifest.Read(file, data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range set.Devices {
			d := &set.Devices[i].Device
			var model *twin.DeviceModel
			if k := slices.IndexFunc(set.Models, func(m twin.DeviceModel) bool { return m.Name == d.Model }); k >= 0 {
				model = &set.Models[k]
			}
			r, err := d.Resolve(model)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			key := filepath.Base(file) + " " + d.Name.String()
			seen[key] = true
			a := find(t, r)
			if got := brief(a); got != want[key] {
				t.Errorf("%q: got %q (%s), want %q", key, got, a.Reason, want[key])
			}
		}
	}
	for key := range want {
		if !seen[key] {
			t.Errorf("%s was not read", key)
		}
	}
}

// Models of KubeEdge's own examples and mappers, as they declare them.
func TestKubeEdgeExamples(t *testing.T) {
	tests := []struct{ model, props, want string }{
		{"led-light", "power-status string; gpio-pin-number int ro", "lamp: on=power-status"},
		{"vled-01", "status int", "switch: on=status"},
		{
			"cc2650-sensortag", "temperature int ro ..100 unit=degree_celsius; temperature-enable string; io-config-initialize int; io-data-initialize int; io-config int; io-data int",
			"temperature-sensor: temperature=temperature(ro)",
		},
		{"modbus-sample-model", "temperature int ..100 unit=degree_celsius; temperature-enable int", "temperature-sensor: temperature=temperature(ro)"},
		{"modbus-01", "temperature int", "temperature-sensor: temperature=temperature(ro)"},
		{"temperature-model", "temperature float 0..100 unit=Celsius; temperature-switch int", "temperature-sensor: temperature=temperature(ro)"},
		{"temperature-model", "temperature-status string ro", "none"},
		{"switch-model", "consumption string ro; linkquality string ro; power string ro; state string; temperature string ro", "none"},
		{"light-model", "light-status string ro", "none"},
		{"counter-model", "status string; count string", "none"},
		{"led-model", "red-power-status string; green-power-status string; yellow-power-status string", "none"},
		{"traffic-light", "red string; yellow string; green string; red-pin-number int ro", "none"},
	}
	for _, tt := range tests {
		a := find(t, device(t, tt.model, "", tt.props))
		if got := brief(a); got != tt.want {
			t.Errorf("%s: got %q (%s), want %q", tt.model, got, a.Reason, tt.want)
		}
	}
}
