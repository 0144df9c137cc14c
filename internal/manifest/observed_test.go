package manifest

import (
	"strings"
	"testing"

	"twinbridge/twin"
)

// notes keep what was taken in memory.
type notes map[string][]byte

func (n notes) Get(key string) ([]byte, bool, error) { data, ok := n[key]; return data, ok, nil }

func (n notes) Put(key string, data []byte) error { n[key] = data; return nil }

// TestObserved: a change has one id until it is noted, and another one each time it comes anew.
func TestObserved(t *testing.T) {
	o := NewObserved(notes{})
	dev := twin.Device{Name: twin.Name{Namespace: "default", Name: "lamp"}, UID: "first", Properties: []twin.Property{
		{Name: "power", Type: twin.String, Enum: []string{"ON", "OFF"}}, {Name: "level", Type: twin.Int},
	}}
	resolve := func() *twin.Resolved {
		def, err := dev.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		return def
	}
	ids := map[string]bool{}
	ask := func(desired map[string]string, values int) {
		t.Helper()
		w, err := o.wish(resolve(), desired)
		if err != nil {
			t.Fatal(err)
		}
		if values == 0 {
			if w != nil {
				t.Errorf("%v made a wish again", desired)
			}
			return
		}
		if w == nil || len(w.Values) != values {
			t.Fatalf("%v: got %+v, want a wish of %d properties", desired, w, values)
		}
		again, err := o.wish(resolve(), desired)
		if err != nil || again.ID != w.ID {
			t.Errorf("not noted yet, and already another id: %v", err)
		}
		if ids[w.ID] {
			t.Errorf("%v has the id of an earlier change", desired)
		}
		ids[w.ID] = true
		if err := o.taken(resolve(), desired); err != nil {
			t.Fatal(err)
		}
	}
	on, off := map[string]string{"power": "ON"}, map[string]string{"power": "OFF"}
	ask(on, 1)
	ask(on, 0)
	ask(off, 1)
	ask(on, 1)
	ask(map[string]string{"power": "ON", "level": "5"}, 1)
	ask(on, 0) // level is not named: nothing is wished of it
	ask(map[string]string{"power": "OFF", "level": "6"}, 2)
	dev.UID = "second"
	ask(map[string]string{"power": "OFF", "level": "6"}, 2)
	for _, bad := range []map[string]string{{"power": "MAYBE"}, {"colour": "red"}, {"level": "x"}} {
		if _, err := o.wish(resolve(), bad); err == nil {
			t.Errorf("%v made a wish", bad)
		}
	}
}

// TestExportRefuses: a model that says something else than the one the device was made with is not written.
func TestExportRefuses(t *testing.T) {
	tank := twin.Name{Namespace: "default", Name: "tank"}
	made := twin.DeviceModel{Name: tank, Properties: []twin.Property{{Name: "level", Type: twin.Int}}}
	r, err := (&twin.Device{Name: tank, Model: tank}).Resolve(&made)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		model twin.DeviceModel
		ok    bool
	}{{made, true}, {twin.DeviceModel{Name: tank, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}, false}} {
		_, err := Export(r, func(twin.Name) (twin.DeviceModel, error) { return tt.model, nil })
		if (err == nil) != tt.ok {
			t.Errorf("%+v: got %v, want it written: %v", tt.model, err, tt.ok)
		}
	}
	if _, err := Export(r, func(twin.Name) (twin.DeviceModel, error) { return made, twin.ErrNotFound }); err == nil {
		t.Error("a device without its model was written")
	}
}

// TestLabels are read from each form that has metadata, and written so that they are read back.
func TestLabels(t *testing.T) {
	text := func(version, labels string) []byte {
		return []byte("apiVersion: devices.kubeedge.io/" + version + "\nkind: Device\nmetadata:\n  name: lamp\n  labels: " + labels +
			"\nspec: {deviceModelRef: {name: lamp}}\n")
	}
	const good = `{description: LED, room: hall, example.com/floor: "2", empty: ""}`
	for _, version := range []string{"v1beta1", "v1alpha2", "v1alpha1"} {
		set, err := Read("lamp.yaml", text(version, good))
		if err != nil {
			t.Fatal(err)
		}
		d := set.Devices[0].Device
		if got, want := asJSON(t, d.Labels), `{"empty":"","example.com/floor":"2","room":"hall"}`; got != want || d.Description != "LED" {
			t.Errorf("%s: labels %s, want %s; description %q", version, got, want, d.Description)
		}
		roundTrip(t, &d, nil)
	}
	for labels, says := range map[string]string{
		`{room: 2}`: "a text", `{"a b": x}`: "label", `{room: a b}`: "label room", `[room]`: "a map", `{room: {a: b}}`: "a text",
	} {
		if set, err := Read("lamp.yaml", text("v1beta1", labels)); err == nil || !strings.Contains(err.Error(), says) || len(set.Devices) > 0 {
			t.Errorf("%s: got %v, want %q", labels, err, says)
		}
	}
	d := twin.Device{Name: twin.Name{Namespace: "default", Name: "lamp"}, Labels: map[string]string{"description": "x"}}
	d.Model = d.Name
	if _, err := Write(&d, nil); err == nil {
		t.Error("a label that would be read as the description was written")
	}
}
