package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestManifestRoundTrip: what get -o yaml prints defines the device again after it was deleted, and switches nothing.
func TestManifestRoundTrip(t *testing.T) {
	h := startEdge(t, folder(t, noMapper))
	original := strings.Replace(strings.Replace(lampNamed("hall"), "- name: powerstatus\n    - name: level",
		"- name: powerstatus\n      desired: {value: ON}\n      visitors: {protocolName: sim, configData: {line: 7}}\n    - name: level\n      reportCycle: 1000000000", 1),
		"metadata: {name: hall}", "metadata:\n  name: hall\n  labels: {description: ceiling}\n  annotations: {twinbridge.dev/room: 'Flur, unten', twinbridge.dev/drift: hold}", 1)
	for name, text := range map[string]string{
		"hall": original,
		"bell": `{"id":"default/bell","attributes":{"serial":{"value":"4711"}},"twin":{"presses":{"metadata":{"type":"int"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			apply := func(text string) {
				t.Helper()
				if r := call(t, text, "apply", "-f", "-", "--data", h.data); r.code != 0 {
					t.Fatalf("apply: %v\n%s", r, text)
				}
			}
			get := func(form string) result {
				t.Helper()
				r := h.want(0, "", "device", "get", name, "-o", form)
				if r.err != "" {
					t.Errorf("get -o %s says %q beside it", form, r.err)
				}
				return r
			}
			apply(text)
			first := get("yaml").out
			apply(first) // unchanged, over the device itself
			before := get("json").out
			h.want(0, "deleted", "device", "delete", name)
			apply(first)
			if again := get("yaml").out; again != first {
				t.Errorf("got\n%s\nwant\n%s", again, first)
			}
			type device struct {
				UID, Model, Node string
				Attributes       map[string]string
				Properties       map[string]struct {
					Type     string
					Expected *struct{}
				}
			}
			var old, now device
			for text, d := range map[string]*device{before: &old, get("json").out: &now} {
				if err := json.Unmarshal([]byte(text), d); err != nil {
					t.Fatal(err)
				}
			}
			if now.UID == old.UID {
				t.Error("it was not deleted")
			}
			for prop, p := range now.Properties {
				if p.Expected != nil {
					t.Errorf("%s is expected to be something: the manifest switches", prop)
				}
				p.Expected = old.Properties[prop].Expected
				now.Properties[prop] = p
			}
			if now.UID = old.UID; !reflect.DeepEqual(now, old) {
				t.Errorf("got %+v, want %+v", now, old)
			}
		})
	}
}

func TestProfileCommand(t *testing.T) {
	h := startEdge(t, folder(t, noMapper))
	for _, name := range []string{"hall", "porch"} {
		if r := call(t, lampNamed(name), "apply", "-f", "-", "--data", h.data); r.code != 0 {
			t.Fatal(r)
		}
	}
	h.want(0, "pending", "device", "set", "hall", "powerstatus=ON")
	type twins struct {
		ID, Model string
		Twins     []struct {
			PropertyName string
			Desired      struct{ Value string }
		}
	}
	profile := func(args ...string) map[string]twins {
		t.Helper()
		r := h.want(0, "", append([]string{"device", "profile"}, args...)...)
		var p struct {
			DeviceInstances []twins
			DeviceModels    []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(r.out), &p); err != nil || r.err != "" || len(p.DeviceModels) != 1 || p.DeviceModels[0].Name != "lamp" {
			t.Fatalf("%v %v", err, r)
		}
		out := map[string]twins{}
		for _, d := range p.DeviceInstances {
			out[d.ID] = d
		}
		return out
	}
	if p := profile("porch"); len(p) != 1 || p["default/porch"].Model != "lamp" {
		t.Errorf("of one: %+v", p)
	}
	p := profile()
	if got := p["default/hall"].Twins; len(p) != 2 || len(got) != 2 || got[0].PropertyName != "powerstatus" || got[0].Desired.Value != "ON" {
		t.Errorf("of all: %+v", p)
	}
	if r := call(t, "", "device", "profile", "--help"); !strings.Contains(r.out, "defaultValue of a property is not kept") {
		t.Errorf("the help does not say what is missing: %v", r)
	}
}
