package edge

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"twinbridge/edge/devicetwin"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// newTestDefinitions gives definitions over a store that runs until the test ends, and the log of what they say.
func newTestDefinitions(t *testing.T) (*definitions, *bytes.Buffer) {
	t.Helper()
	file, err := store.Open(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	holder, err := devicetwin.Open(file, devicetwin.Config{Node: "cellar", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := holder.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	var log bytes.Buffer
	return newDefinitions(holder.Store, manifest.NewObserved(observedNotes{file}), slog.New(slog.NewTextHandler(&log, nil))), &log
}

// thermostat is a file as KubeEdge's own tools leave it: a desired for every twin.
const thermostat = `apiVersion: devices.kubeedge.io/v1alpha2
kind: DeviceModel
metadata: {name: thermostat}
spec:
  properties:
  - {name: target, type: {int: {accessMode: ReadWrite, minimum: 5, maximum: 30}}}
  - {name: celsius, type: {double: {accessMode: ReadOnly}}}
---
apiVersion: devices.kubeedge.io/v1alpha2
kind: Device
metadata: {name: hall}
spec: {deviceModelRef: {name: thermostat}}
status:
  twins:
  - {propertyName: target, desired: {value: "TARGET", metadata: {type: int}}}
  - {propertyName: celsius, desired: {value: "CELSIUS", metadata: {type: double}}}
`

func thermostatSet(t *testing.T, target, celsius string) (manifest.Set, string) {
	t.Helper()
	text := strings.NewReplacer("TARGET", target, "CELSIUS", celsius).Replace(thermostat)
	set, err := manifest.Read("hall.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set, text
}

// TestDesiredReadOnly: a desired on a read-only property is left out with a note, whatever it is; the others are wished.
func TestDesiredReadOnly(t *testing.T) {
	const note = "desired of celsius has no effect, as the property is read-only"
	hall := twin.Name{Namespace: "default", Name: "hall"}
	for _, tt := range []struct {
		name, target, celsius string
		want                  string // expected target; "": no wish
		notes                 int
		fails                 string
	}{
		{"both", "21", "19.5", "21", 1, ""},
		{"one that is no value of it", "21", "warm", "21", 1, ""},
		{"it alone", "", "19.5", "", 1, ""},
		{"none", "21", "", "21", 0, ""},
		{"and a mistake beside it", "99", "19.5", "", 0, "from 5 to 30"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := newTestDefinitions(t)
			_, text := thermostatSet(t, tt.target, tt.celsius)
			done, err := d.Apply(t.Context(), []byte(text))
			if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("got %v, want %q", err, tt.fails)
			}
			if tt.fails == "" {
				if got := strings.Count(strings.Join(done.Notes, "\n"), note); got != tt.notes {
					t.Errorf("notes %q, want %d of %q", done.Notes, tt.notes, note)
				}
			}
			v, err := d.store.Device(hall)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Prop("target").Expected.Text(); got != tt.want {
				t.Errorf("expected target %q, want %q", got, tt.want)
			}
			if p := v.Prop("celsius"); !p.Expected.Absent() || p.Wish != "" {
				t.Errorf("something is expected of a read-only property: %+v", p)
			}
			if again, err := d.Apply(t.Context(), []byte(text)); err == nil && len(again.Wishes) > 0 {
				t.Errorf("the same file again made %+v", again.Wishes)
			}
		})
	}
}

// TestFolderSaysItOnce: however often the folder is read, a note is logged when it is new.
func TestFolderSaysItOnce(t *testing.T) {
	d, log := newTestDefinitions(t)
	said := func(want int) {
		t.Helper()
		if got := strings.Count(log.String(), "celsius has no effect"); got != want {
			t.Errorf("said %d times, want %d:\n%s", got, want, log)
		}
	}
	for _, tt := range []struct {
		target, celsius string
		want            int
	}{{"21", "19.5", 1}, {"21", "19.5", 1}, {"22", "19", 1}, {"22", "", 1}, {"22", "19", 2}} {
		set, _ := thermostatSet(t, tt.target, tt.celsius)
		d.folder(t.Context(), set, nil)
		said(tt.want)
	}
	if !strings.Contains(log.String(), "level=INFO") || strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "hall.yaml:") {
		t.Errorf("want a note with its file, and no warning:\n%s", log)
	}
	set, _ := thermostatSet(t, "99", "19")
	d.folder(t.Context(), set, nil)
	if !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("a mistake is not warned of:\n%s", log)
	}
}

// TestManifestOfDevice: what is given defines the same, and to apply it changes nothing.
func TestManifestOfDevice(t *testing.T) {
	d, _ := newTestDefinitions(t)
	_, text := thermostatSet(t, "21", "19.5")
	alone := `{"id":"default/lamp","attributes":{"serial":{"value":"4711"}},"twin":{"power":{"metadata":{"type":"boolean"}}}}`
	for _, m := range []string{text, alone} {
		if _, err := d.Apply(t.Context(), []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range d.store.Devices() {
		before, err := d.store.Device(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.Manifest(name)
		if err != nil {
			t.Fatal(err)
		}
		done, err := d.Apply(t.Context(), out)
		if err != nil || len(done.Notes)+len(done.Wishes) > 0 {
			t.Fatalf("%s: %+v, %v\n%s", name, done, err, out)
		}
		after, err := d.store.Device(name)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before.Device.Props, after.Device.Props) || !reflect.DeepEqual(before.Device.Policy, after.Device.Policy) || before.Device.UID != after.Device.UID {
			t.Errorf("%s is now %+v, was %+v\n%s", name, after.Device, before.Device, out)
		}
		if again, err := d.Manifest(name); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: another manifest afterwards, %v:\n%s", name, err, again)
		}
	}
	if v, err := d.store.Device(twin.Name{Namespace: "default", Name: "hall"}); err != nil || v.Device.Generation != 1 {
		t.Errorf("a device that names its model was redefined: %+v, %v", v.Device, err)
	}
}

// TestNoManifest: what a manifest cannot say, or would change, is told instead.
func TestNoManifest(t *testing.T) {
	d, _ := newTestDefinitions(t)
	lamp, tank := twin.Name{Namespace: "default", Name: "lamp"}, twin.Name{Namespace: "default", Name: "tank"}
	power := []twin.Property{{Name: "power", Type: twin.Bool}}
	err := d.store.Apply([]twin.DeviceModel{
		{Name: lamp, Properties: []twin.Property{{Name: "level", Type: twin.Int}}},
		{Name: tank, Properties: []twin.Property{{Name: "level", Type: twin.Int, Step: 5}}},
	}, []twin.Device{{Name: lamp, Properties: power}, {Name: tank, Model: tank}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name twin.Name
		is   error
		says string
	}{
		{lamp, deviceapi.ErrConflict, "there is another of that name"},
		{tank, deviceapi.ErrConflict, "step"},
		{twin.Name{Namespace: "default", Name: "attic"}, twin.ErrNotFound, "default/attic"},
	} {
		if out, err := d.Manifest(tt.name); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %q, %v; want %v and %q", tt.name, out, err, tt.is, tt.says)
		}
	}
}

func TestProfileOfDevices(t *testing.T) {
	d, _ := newTestDefinitions(t)
	_, text := thermostatSet(t, "21", "")
	if _, err := d.Apply(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
	hall, lamp := twin.Name{Namespace: "default", Name: "hall"}, twin.Name{Namespace: "default", Name: "lamp"}
	if err := d.store.Apply(nil, []twin.Device{{Name: lamp, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.Report(hall, twin.Report{Props: map[string]twin.PropReport{"celsius": {Value: twin.FloatValue(19.5)}}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		names []twin.Name
		want  []string // ids, in order
	}{
		{nil, []string{"default/hall", "default/lamp"}},
		{[]twin.Name{lamp}, []string{"default/lamp"}},
		{[]twin.Name{lamp, hall, lamp}, []string{"default/hall", "default/lamp"}},
	} {
		out, err := d.Profile(tt.names)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), `"id": "`); ok {
				got = append(got, strings.TrimSuffix(id, `",`))
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.names, got, tt.want)
		}
		if slices.Contains(tt.want, "default/hall") && (!strings.Contains(string(out), `"value": "21"`) || !strings.Contains(string(out), `"value": "19.5"`)) {
			t.Errorf("expected and actual are not in it:\n%s", out)
		}
	}
	if _, err := d.Profile([]twin.Name{{Namespace: "default", Name: "attic"}}); !errors.Is(err, twin.ErrNotFound) {
		t.Errorf("a device that is not there: %v, want %v", err, twin.ErrNotFound)
	}
}
