package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/edge/mapper"
	"twinbridge/twin"
)

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

func spec(config string, props ...twin.Property) mapper.Spec {
	if len(props) == 0 {
		props = []twin.Property{{Name: "powerstatus", Type: twin.String, Enum: []string{"ON", "OFF"}}}
	}
	s := mapper.Spec{Name: lamp, Props: props}
	if config != "" {
		s.Config = json.RawMessage(config)
	}
	return s
}

func open(t *testing.T, d *Driver, s mapper.Spec) mapper.Device {
	t.Helper()
	dev, err := d.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

func write(t *testing.T, dev mapper.Device, v string) error {
	t.Helper()
	return dev.Write(t.Context(), map[string]twin.Value{"powerstatus": twin.StringValue(v)})
}

func read(t *testing.T, dev mapper.Device) string {
	t.Helper()
	v, err := dev.Read(t.Context())
	if err != nil {
		return err.Error()
	}
	return v["powerstatus"].Text()
}

func TestLamp(t *testing.T) {
	var shown []string
	d := New(func(n twin.Name, p string, v twin.Value) { shown = append(shown, fmt.Sprintf("%s %s is %s", n, p, v)) })
	dev := open(t, d, spec(""))
	for _, v := range []string{"ON", "ON", "OFF", "ON"} {
		if err := write(t, dev, v); err != nil || read(t, dev) != v {
			t.Errorf("write %s: got %v, then %s", v, err, read(t, dev))
		}
	}
	want := []string{"default/lamp powerstatus is OFF", "default/lamp powerstatus is ON", "default/lamp powerstatus is OFF", "default/lamp powerstatus is ON"}
	if !slices.Equal(shown, want) {
		t.Errorf("shown %q; want %q", shown, want)
	}
	if _, err := d.Open(t.Context(), spec("")); err == nil {
		t.Error("opened twice: got no error")
	}
	// The relay keeps its position while nobody talks to it, also over another definition.
	dev.Close()
	if got := read(t, open(t, d, spec(`{"failEvery":0}`))); got != "ON" {
		t.Errorf("after another opening: got %s; want ON", got)
	}
}

func TestInitial(t *testing.T) {
	seven := 7.0
	for _, c := range []struct {
		p    twin.Property
		want string
	}{
		{twin.Property{Type: twin.Bool}, "false"},
		{twin.Property{Type: twin.Int}, "0"},
		{twin.Property{Type: twin.Int, Min: &seven}, "7"},
		{twin.Property{Type: twin.Float, Min: &seven}, "7"},
		{twin.Property{Type: twin.String}, ""},
		{twin.Property{Type: twin.String, Enum: []string{"on", "off"}}, "off"},
		{twin.Property{Type: twin.String, Enum: []string{"red", "green"}}, "red"},
	} {
		c.p.Name = "powerstatus"
		if got := read(t, open(t, New(nil), spec("", c.p))); got != c.want {
			t.Errorf("%v %v: got %q; want %q", c.p.Type, c.p.Enum, got, c.want)
		}
	}
}

func TestFaults(t *testing.T) {
	dev := open(t, New(nil), spec(`{"stuck":true}`))
	if err := write(t, dev, "ON"); err != nil || read(t, dev) != "OFF" {
		t.Errorf("stuck: got %v, %s; want no error and OFF", err, read(t, dev))
	}
	dev = open(t, New(nil), spec(`{"failEvery":3}`))
	var fails []int
	for i := range 9 {
		if write(t, dev, "ON") != nil {
			fails = append(fails, i)
		}
	}
	if !slices.Equal(fails, []int{2, 5, 8}) {
		t.Errorf("failEvery 3: writes %v failed; want 2, 5, 8", fails)
	}
	d := New(nil)
	dev = open(t, d, spec(""))
	if err := d.SetFault(lamp, Fault{Gone: true}); err != nil {
		t.Fatal(err)
	}
	if err := write(t, dev, "ON"); !errors.Is(err, mapper.ErrGone) {
		t.Errorf("write, gone: got %v", err)
	}
	if _, err := dev.Read(t.Context()); !errors.Is(err, mapper.ErrGone) {
		t.Errorf("read, gone: got %v", err)
	}
	dev.Close()
	if _, err := d.Open(t.Context(), spec("")); !errors.Is(err, mapper.ErrGone) {
		t.Errorf("open, gone: got %v", err)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := open(t, New(nil), spec(`{"delay":"20ms"}`))
		start := time.Now()
		if err := write(t, dev, "ON"); err != nil || time.Since(start) != 20*time.Millisecond {
			t.Errorf("write: got %v after %v; want 20ms", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := dev.Write(ctx, map[string]twin.Value{"powerstatus": twin.StringValue("OFF")})
		if !errors.Is(err, context.DeadlineExceeded) || read(t, dev) != "ON" {
			t.Errorf("write that ran out of time: got %v, %s", err, read(t, dev))
		}
	})
}

func TestParseFault(t *testing.T) {
	for in, want := range map[string]Fault{
		``:   {},
		`{}`: {},
		`{"delay":"20ms","stuck":true,"failEvery":3,"gone":true}`: {Delay: 20 * time.Millisecond, Stuck: true, FailEvery: 3, Gone: true},
	} {
		if got, err := ParseFault([]byte(in)); got != want || err != nil {
			t.Errorf("ParseFault(%s): got %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`[]`:               "configData",
		`{"delay":20}`:     "protocol: delay",
		`{"delay":"-1s"}`:  "protocol: delay",
		`{"delay":"2m"}`:   "up to 1m",
		`{"stuck":"yes"}`:  "true or false",
		`{"failEvery":-1}`: "0 or more",
		`{"chip":"x"}`:     "no such key",
	} {
		_, err := New(nil).Open(t.Context(), spec(in))
		var fe *twin.FieldError
		if !errors.Is(err, mapper.ErrPermanent) || !errors.As(err, &fe) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open with %s: got %v; want a permanent error with %q", in, err, want)
		}
	}
}

// A hand tells who watches before the new value can be read.
func TestHand(t *testing.T) {
	d := New(nil)
	dev := open(t, d, spec("", twin.Property{Name: "contact", Type: twin.Bool, Access: twin.ReadOnly},
		twin.Property{Name: "powerstatus", Type: twin.String, Enum: []string{"ON", "OFF"}}, twin.Property{Name: "level", Type: twin.Int}))
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan map[string]twin.Value, 10)
	done := make(chan error, 1)
	press := func(payload, want string) {
		t.Helper()
		if err := d.Press(lamp, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		v := <-told
		if got := v["powerstatus"].Text(); got != want || read(t, dev) != want {
			t.Errorf("press %q: told %v, read %s; want %s", payload, v, read(t, dev), want)
		}
	}
	// A press before the watch begins is not missed.
	if err := d.Press(lamp, nil); err != nil {
		t.Fatal(err)
	}
	go func() { done <- dev.Watch(ctx, func(v map[string]twin.Value) { told <- v }) }()
	if v := <-told; v["powerstatus"].Text() != "ON" {
		t.Errorf("press before the watch: told %v; want ON", v)
	}
	press("", "OFF")
	press(`{"powerstatus":"ON","level":5}`, "ON")
	for _, bad := range []string{`{"powerstatus":"AUTO"}`, `{"colour":1}`, `[`, `{"level":5,"powerstatus":7}`} {
		if err := d.Press(lamp, []byte(bad)); err == nil {
			t.Errorf("press %s: got no error", bad)
		}
	}
	if err := d.Press(twin.Name{Namespace: "default", Name: "none"}, nil); err == nil {
		t.Error("press at nothing: got no error")
	}
	if err := d.Set(lamp, map[string]twin.Value{"level": twin.StringValue("5")}); err == nil {
		t.Error("Set of a wrong type: got no error")
	}
	if err := d.Set(lamp, map[string]twin.Value{"contact": twin.BoolValue(true)}); err != nil {
		t.Error(err)
	}
	if v := <-told; !v["contact"].Bool() || read(t, dev) != "ON" {
		t.Errorf("Set: told %v; want the contact, and the lamp as it was", v)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch: %v", err)
	}
	if err := d.Press(lamp, nil); err != nil || len(told) > 0 {
		t.Errorf("press that nobody watches: got %v, told %d", err, len(told))
	}
}

func TestOther(t *testing.T) {
	zero, one := 0.0, 1.0
	for _, c := range []struct {
		p    twin.Property
		v    twin.Value
		want twin.Value
	}{
		{twin.Property{Type: twin.Bool}, twin.BoolValue(true), twin.BoolValue(false)},
		{twin.Property{Type: twin.Int, Min: &zero, Max: &one}, twin.IntValue(0), twin.IntValue(1)},
		{twin.Property{Type: twin.Int, Min: &zero, Max: &one}, twin.IntValue(1), twin.IntValue(0)},
		{twin.Property{Type: twin.String, Enum: []string{"A", "B"}}, twin.StringValue("B"), twin.StringValue("A")},
		{twin.Property{Type: twin.Float}, twin.FloatValue(1), twin.Value{}},
		{twin.Property{Type: twin.String, Enum: []string{"A", "B", "C"}}, twin.StringValue("B"), twin.Value{}},
	} {
		if got, ok := other(&c.p, c.v); got != c.want || ok != !c.want.Absent() {
			t.Errorf("other(%v %v, %v): got %v, %v; want %v", c.p.Type, c.p.Enum, c.v, got, ok, c.want)
		}
	}
}
