package manifest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

// view is what a set says, in a form that is easy to compare.
func view(t *testing.T, s Set) string {
	t.Helper()
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readTestdata(t *testing.T, name string) Set {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGolden reads each form of manifest and compares all of what came out. The golden files were checked by hand;
// TWINBRIDGE_GOLDEN=write writes them anew.
func TestGolden(t *testing.T) {
	for _, name := range []string{
		"led-v1alpha2.yaml", "counter.yaml", "modbus-v1alpha2.yaml", "bluetooth-v1alpha2.yaml", "opcua-v1alpha2.yaml",
		"custom-v1alpha2.yaml", "thermometer-v1beta1.yaml", "relay-v1beta1.yaml", "device.json", "list.json",
	} {
		t.Run(name, func(t *testing.T) {
			s := readTestdata(t, name)
			golden(t, "golden/"+name+".set", view(t, s)+"\n")
			sound, errs := s.Sound(nil)
			if len(errs) > 0 || len(sound.Devices) != len(s.Devices) {
				t.Errorf("Sound: %v", errs)
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("TWINBRIDGE_GOLDEN") == "write" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s", name, got)
	}
}

// head and tail make a whole file of the few lines that a case is about. The cases' first line is line 5.
const (
	betaDeviceHead = "apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata:\n  name: lamp\n"
	betaModelHead  = "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata:\n  name: lamp\n"
	alphaHead      = "apiVersion: devices.kubeedge.io/v1alpha2\nkind: Device\nmetadata:\n  name: lamp\n"
	alphaModelHead = "apiVersion: devices.kubeedge.io/v1alpha2\nkind: DeviceModel\nmetadata:\n  name: lamp\n"
	ref            = "spec:\n  deviceModelRef: {name: m}\n"
)

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"unknown field", betaDeviceHead + ref + "  nodename: n\n", `f.yaml:7: spec.nodename: "nodename": expected a known field: the nearest known is nodeName`},
		{"unknown field of the other version", alphaHead + ref + "  nodeName: n\n", `f.yaml:7: spec.nodeName: "nodeName": expected a known field: known are data, deviceModelRef, nodeSelector,`},
		{"misspelt protocol", alphaHead + ref + "  protocol:\n    customizedProtocal: {protocolName: x}\n", `f.yaml:8: spec.protocol.customizedProtocal: "customizedProtocal": expected a known field: the nearest known is customizedProtocol`},
		{"nothing near", betaDeviceHead + "wavelength: 5\n", `f.yaml:5: wavelength: "wavelength": expected a known field: known are apiVersion, kind, metadata, spec, status`},
		{"key twice", betaDeviceHead + "spec: {}\nspec: {}\n", `f.yaml:6: key "spec" stands twice, the first time in line 5`},
		{"property twice", betaDeviceHead + ref + "  properties:\n  - name: p\n  - name: p\n", `f.yaml:9: spec.properties[1].name: "p": expected each property once`},
		{"model's property twice", betaModelHead + "spec:\n  properties:\n  - {name: p, type: INT}\n  - {name: p, type: INT}\n", `f.yaml:8: spec.properties[1].name: "p": expected each property once`},
		{"twin twice", alphaHead + ref + "status:\n  twins:\n  - {propertyName: p}\n  - {propertyName: p}\n", `f.yaml:10: status.twins[1].propertyName: "p": expected each property once`},
		{"no model", betaDeviceHead + "spec: {}\n", `f.yaml:1: spec.deviceModelRef.name: "": expected the name of the device's model`},
		{"no spec", betaDeviceHead, `f.yaml:1: spec.deviceModelRef.name: "": expected the name of the device's model`},
		{"no name", "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\n", `f.yaml:1: metadata.name: "": expected the model's name`},
		{"name with a slash", strings.Replace(betaDeviceHead, "lamp", "a/b", 1) + ref, `f.yaml:4: name: "a/b": expected 1 to 128 bytes`},
		{"number as name", strings.Replace(betaDeviceHead, "lamp", "17", 1) + ref, `f.yaml:4: metadata.name: "17": expected a text`},
		{"list for a map", betaDeviceHead + "spec: [a]\n", `f.yaml:5: spec: "a list": expected a map`},
		{"map for a list", betaDeviceHead + ref + "  properties: {name: p}\n", `f.yaml:7: spec.properties: "a map": expected a list`},
		{"text for a number", betaDeviceHead + ref + "  properties:\n  - name: p\n    reportCycle: 10s\n", `f.yaml:9: spec.properties[0].reportCycle: "10s": expected a whole number of nanoseconds`},
		{"cycle below 0", betaDeviceHead + ref + "  properties:\n  - name: p\n    collectCycle: -5\n", `f.yaml:9: spec.properties[0].collectCycle: "-5": expected a whole number`},
		{"text for a truth", betaDeviceHead + ref + "  properties:\n  - name: p\n    reportToCloud: yes\n", `f.yaml:9: spec.properties[0].reportToCloud: "yes": expected true or false`},
		{"map for a value", betaDeviceHead + ref + "  properties:\n  - name: p\n    desired: {value: {a: b}}\n", `f.yaml:9: spec.properties[0].desired.value: "a map": expected one value`},
		{"list as configuration", betaDeviceHead + ref + "  protocol: {configData: [1]}\n", `f.yaml:7: spec.protocol.configData: "a list": expected a map`},
		{"unknown type", betaModelHead + "spec:\n  properties:\n  - name: p\n    type: FLOT\n", `f.yaml:8: spec.properties[0].type: "FLOT": expected INT, FLOAT,`},
		{"no type", betaModelHead + "spec:\n  properties:\n  - name: p\n", `f.yaml:7: spec.properties[0].type: "": expected INT`},
		{"unknown access", betaModelHead + "spec:\n  properties:\n  - {name: p, type: INT, accessMode: rw}\n", `f.yaml:7: spec.properties[0].accessMode: "rw": expected ReadWrite or ReadOnly`},
		{"minimum no number", betaModelHead + "spec:\n  properties:\n  - {name: p, type: INT, minimum: low}\n", `f.yaml:7: spec.properties[0].minimum: "low": expected a number`},
		{"minimum above maximum", betaModelHead + "spec:\n  properties:\n  - {name: p, type: INT, minimum: '5', maximum: '1'}\n", `f.yaml:7: property p: min: "5": expected at most max, 1`},
		{"alpha: two types", alphaModelHead + "spec:\n  properties:\n  - name: p\n    type: {int: {}, string: {}}\n", `expected one type only`},
		{"alpha: no type", alphaModelHead + "spec:\n  properties:\n  - name: p\n", `f.yaml:7: spec.properties[0].type: "": expected one of int`},
		{"alpha: unit of a text", alphaModelHead + "spec:\n  properties:\n  - name: p\n    type: {string: {unit: l}}\n", `f.yaml:8: spec.properties[0].type.string.unit: "unit": expected a known field`},
		{"alpha: visitor of no property", alphaModelHead + "spec:\n  propertyVisitors:\n  - propertyName: p\n", `spec.propertyVisitors: "p": expected a property of the model`},
		{"alpha: two protocols", alphaHead + ref + "  protocol: {modbus: {slaveID: 1}, opcua: {url: u}}\n", `f.yaml:7: spec.protocol.opcua: "opcua": expected one protocol only; there is modbus already`},
		{"alpha: common in the protocol's map", alphaHead + ref + "  protocol: {modbus: {common: 1}, common: {a: b}}\n", `spec.protocol.common`},
		{"kind", "apiVersion: apps/v1\nkind: Deployment\n", `f.yaml:2: kind: "Deployment": expected Device, DeviceModel, DeviceStatus or a list of them`},
		{"kind, mistyped", "apiVersion: devices.kubeedge.io/v1beta1\nkind: Devise\n", `f.yaml:2: kind: "Devise": expected Device, DeviceModel, DeviceStatus or a list of them; the nearest known is Device`},
		{"version", "apiVersion: devices.kubeedge.io/v1\nkind: Device\n", `f.yaml:1: apiVersion: "devices.kubeedge.io/v1": expected devices.kubeedge.io/v1beta1 or`},
		{"bare version", "apiVersion: v1beta1\nkind: Device\n", `f.yaml:1: apiVersion: "v1beta1": expected`},
		{"no map", "- 1\n- 2\n", `f.yaml:1: devices[0]: "1": expected a map`},
		{"text", "hello\n", `f.yaml:1: document: "hello": expected a map`},
		{"annotation unknown", strings.Replace(betaDeviceHead, "  name: lamp\n", "  name: lamp\n  annotations:\n    twinbridge.dev/rom: Bad\n", 1) + ref, `f.yaml:6: annotation twinbridge.dev/rom: "Bad": expected no such annotation; the nearest known is twinbridge.dev/room`},
		{"annotation no text", strings.Replace(betaDeviceHead, "  name: lamp\n", "  name: lamp\n  annotations:\n    twinbridge.dev/tolerance.p: 2\n", 1) + ref, `f.yaml:6: metadata.annotations.twinbridge.dev/tolerance.p: "2": expected a text, in quotes`},
		{"device twice", betaDeviceHead + ref + "---\n" + betaDeviceHead + ref, `f.yaml:8: metadata.name: "default/lamp": expected each device once; the first stands in line 1`},
		{"model twice", betaModelHead + "---\n" + betaModelHead, `f.yaml:6: metadata.name: "default/lamp": expected each model once; the first stands in line 1`},
		{"list's item", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n", `f.yaml:5: items[0].kind: "Pod": expected`},
		{"JSON device without id", `{"twin": {}}`, `f.yaml:1: id: "": expected the device's id`},
		{"JSON device, bad id", `{"id": "a/b/c"}`, `f.yaml:1: name: "b/c": expected`},
		{"JSON device, type", "{\"id\": \"a\",\n\"twin\": {\"p\": {\"metadata\": {\"type\": \"Updated\"}}}}", `f.yaml:2: twin.p.metadata.type: "Updated": expected string, int, float or boolean`},
		{"JSON device, unknown field", `{"id": "a", "twins": {}}`, `f.yaml:1: twins: "twins": expected a known field: the nearest known is twin`},
		{"YAML", "a: [\n", `f.yaml:1: YAML`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Read("f.yaml", []byte(c.in))
			if err == nil {
				t.Fatalf("taken, want an error; got %s", view(t, s))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if len(s.Devices)+len(s.Models) > 0 {
				t.Error("something was taken of a file with a mistake")
			}
			var e *Error
			if !errors.As(err, &e) || e.File != "f.yaml" || e.Line < 1 {
				t.Errorf("got %#v, want an *Error with file and line", err)
			}
		})
	}
}

// TestAllMistakes tells several mistakes of one file at once, but not endlessly many.
func TestAllMistakes(t *testing.T) {
	_, err := Read("f.yaml", []byte(betaDeviceHead+ref+"  nodename: n\n  propertys: []\n---\nkind: Pod\n"))
	for _, want := range []string{"f.yaml:7: spec.nodename", "f.yaml:8: spec.propertys", `f.yaml:10: kind: "Pod"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to contain %q", err, want)
		}
	}
	var many strings.Builder
	for range 500 {
		many.WriteString("---\nkind: Pod\n")
	}
	_, err = Read("f.yaml", []byte(many.String()))
	if got := strings.Count(err.Error(), "\n") + 1; got != maxErrors {
		t.Errorf("%d mistakes told, want %d", got, maxErrors)
	}
}

func TestJSONOnly(t *testing.T) {
	_, err := Read("f.json", []byte("{\"id\": \"a\",\n x}"))
	if err == nil || !strings.Contains(err.Error(), "f.json:2: JSON") {
		t.Errorf("got %v, want JSON's error in line 2", err)
	}
	// The same in a .yaml is YAML in flow style.
	if s, err := Read("f.yaml", []byte("{id: a}")); err != nil || len(s.Devices) != 1 {
		t.Errorf("got %v, %v, want one device", s, err)
	}
	// Several devices in a list.
	if s, err := Read("f.json", []byte(`[{"id":"a"},{"id":"b"}]`)); err != nil || len(s.Devices) != 2 {
		t.Errorf("got %v, %v, want two devices", s, err)
	}
}

func TestTooManyInLists(t *testing.T) {
	in := `{"apiVersion":"v1","kind":"List","items":[` + strings.Repeat(`{"kind":"List"},`, 1000) + `{"kind":"List"}]}`
	if _, err := Read("f.json", []byte(in)); err == nil || !strings.Contains(err.Error(), "more than 1000 resources") {
		t.Errorf("got %v, want too many resources", err)
	}
}

// TestValuesWithoutQuotes takes what was meant by a desired value that YAML reads as a number.
func TestValuesWithoutQuotes(t *testing.T) {
	s, err := Read("f.yaml", []byte(betaDeviceHead+ref+"  properties:\n  - {name: a, desired: {value: 30}}\n  - {name: b, desired: {value: true}}\n  - {name: c, desired: {value: ON}}\n  - {name: d, desired: {}}\n  - {name: e}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s.Devices[0].Desired)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":"30","b":"true","c":"ON"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCycles(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
	}{
		{"-1", 0},
		{"0", 0},
		{"1000", time.Second},
		{"999999", 999999 * time.Millisecond},
		{"1000000", time.Millisecond},
		{"1000000000", time.Second},
		{"1e10", 10 * time.Second},
	} {
		s, err := Read("f.yaml", []byte(betaDeviceHead+ref+"  properties: [{name: p, collectCycle: "+c.in+"}]\n"))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := s.Devices[0].Device.Properties[0].CollectCycle; got != c.want {
			t.Errorf("%s: got %v, want %v", c.in, got, c.want)
		}
	}
}

func TestSound(t *testing.T) {
	s, err := Read("f.yaml", []byte(betaDeviceHead+ref+"---\n"+strings.Replace(betaDeviceHead, "lamp", "two", 1)+ref+"  properties: [{name: q}]\n---\n"+
		strings.Replace(betaDeviceHead, "lamp", "three", 1)+strings.Replace(ref, "name: m", "name: other", 1)))
	if err != nil {
		t.Fatal(err)
	}
	m := twin.DeviceModel{Name: twin.Name{Namespace: "default", Name: "m"}, Properties: []twin.Property{{Name: "p", Type: twin.Bool}}}
	sound, errs := s.Sound(func(n twin.Name) (twin.DeviceModel, error) {
		if n == m.Name {
			return m, nil
		}
		return twin.DeviceModel{}, errors.New("not found")
	})
	if len(sound.Devices) != 1 || sound.Devices[0].Device.Name.Name != "lamp" {
		t.Errorf("got %v, want lamp alone", sound.Devices)
	}
	if len(errs) != 2 || !strings.Contains(errs[0].Error(), `f.yaml:8: device default/two: property: "q"`) ||
		!strings.Contains(errs[1].Error(), `f.yaml:16: device default/three: spec.deviceModelRef.name: "default/other"`) {
		t.Errorf("got %v", errs)
	}
}

// TestEveryPrefix cuts the manifests at every byte: a prefix is read or refused, and nothing panics.
func TestEveryPrefix(t *testing.T) {
	for _, name := range []string{"device.json", "relay-v1beta1.yaml", "custom-v1alpha2.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			_, err := Read(name, data[:i])
			if filepath.Ext(name) == ".json" && strings.TrimSpace(string(data[i:])) != "" && err == nil {
				t.Errorf("%s: the first %d bytes were taken", name, i)
			}
		}
	}
}
