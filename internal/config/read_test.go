package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type common struct {
	Level slog.Level `yaml:"level" doc:"how much is logged: debug, info, warn or error"`
}

type user struct {
	Name string `yaml:"name" doc:"who"`
	Port uint16 `yaml:"port" doc:"from where"`
}

type sample struct {
	common
	Node struct {
		Name string `yaml:"name" doc:"what this machine is called; people see it, and the hub knows it by this name for as long as it lives, so choose well"`
	} `yaml:"node" doc:"Who this is."`
	MQTT struct {
		Listen  []string       `yaml:"listen" doc:"where the broker listens"`
		Grace   time.Duration  `yaml:"grace" doc:"how long a silent client is kept"`
		Max     Size           `yaml:"max" doc:"the largest message"`
		Proxy   netip.AddrPort `yaml:"proxy" doc:"a proxy"`
		Retain  bool           `yaml:"retain" doc:"whether messages are kept"`
		Factor  float64        `yaml:"factor" doc:"how much longer each wait is"`
		Small   int8           `yaml:"small" doc:"a small number"`
		Port    uint16         `yaml:"port" doc:"a port"`
		private int
		Skipped string `yaml:"-"`
	} `yaml:"mqtt" doc:"The broker."`
	Users  []user            `yaml:"users" doc:"who may come in"`
	Labels map[string]string `yaml:"labels" doc:"names for the metrics"`
	Limits map[string]Size   `yaml:"limits" doc:"bounds by name"`
}

func defaults() sample {
	var s sample
	s.Node.Name = "edge1"
	s.MQTT.Listen = []string{"127.0.0.1:1883", "[::1]:1883"}
	s.MQTT.Grace = 90 * time.Minute
	s.MQTT.Max = 64 << 10
	s.MQTT.Factor = 1.5
	s.MQTT.Proxy = netip.MustParseAddrPort("10.0.0.1:80")
	s.MQTT.Skipped = "kept"
	s.MQTT.private = 7
	s.Users = []user{{"anna", 1}}
	s.Labels = map[string]string{"b": "2", "a": "ON"}
	return s
}

func TestRead(t *testing.T) {
	got := defaults()
	err := Read("f.yaml", []byte(`
level: debug
node:
  name: edge7
mqtt:
  listen: [":1883"]
  grace: 5s
  max: 1MiB
  retain: true
  factor: 2
  small: -128
  port: 65535
  proxy:
users:
- name: bert
  port: 22
- {name: carl}
labels: {x: y}
limits:
  a: 10
  b: 2kB
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Level = slog.LevelDebug
	want.Node.Name = "edge7"
	want.MQTT.Listen = []string{":1883"}
	want.MQTT.Grace, want.MQTT.Max, want.MQTT.Retain, want.MQTT.Factor = 5*time.Second, 1<<20, true, 2
	want.MQTT.Small, want.MQTT.Port = -128, 65535
	want.Users = []user{{"bert", 22}, {"carl", 0}}
	want.Labels = map[string]string{"x": "y"}
	want.Limits = map[string]Size{"a": 10, "b": 2000}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"unknown key", "node:\n  nam: x\n", `f.yaml:2: node.nam: "nam": expected a known key: the nearest known is name`},
		{"unknown section", "mqqt: {}\n", `f.yaml:1: mqqt: "mqqt": expected a known key: the nearest known is mqtt`},
		{"nothing near", "wavelength: 5\n", `f.yaml:1: wavelength: "wavelength": expected a known key: known are level, node, mqtt, users, labels, limits`},
		{"key that is left out", "mqtt: {Skipped: x}\n", `mqtt.Skipped`},
		{"unknown key in a list", "users:\n- nome: x\n", `f.yaml:2: users[0].nome: "nome": expected a known key: the nearest known is name`},
		{"key twice", "node: {}\nnode: {}\n", `f.yaml:2: key "node" stands twice, the first time in line 1`},
		{"broken", "a: [\n", `f.yaml:1: YAML`},
		{"two documents", "node: {}\n---\nnode: {}\n", `f.yaml:3: one document: this is a second one`},
		{"list as document", "- a\n", `f.yaml:1: document: "a list": expected keys with values`},
		{"text for a section", "mqtt: x\n", `f.yaml:1: mqtt: "x": expected keys with values`},
		{"number for a text", "node: {name: 17}\n", `f.yaml:1: node.name: "17": expected a text, in quotes`},
		{"text for a truth", "mqtt: {retain: yes}\n", `f.yaml:1: mqtt.retain: "yes": expected true or false`},
		{"duration without unit", "mqtt: {grace: 5}\n", `f.yaml:1: mqtt.grace: "5": expected a duration, as 5s, 2m or 1h30m`},
		{"duration in words", "mqtt: {grace: soon}\n", `f.yaml:1: mqtt.grace: "soon": expected a duration`},
		{"size below 0", "mqtt: {max: -1}\n", `f.yaml:1: mqtt.max: "-1": expected a size in bytes, as 4096, 64KiB or 10MiB`},
		{"size without end", "mqtt: {max: 9999999999GiB}\n", `mqtt.max: "9999999999GiB": expected a size`},
		{"list as size", "mqtt: {max: [1]}\n", `mqtt.max: "a list": expected one value`},
		{"address", "mqtt: {proxy: nowhere}\n", `f.yaml:1: mqtt.proxy: "nowhere": expected`},
		{"text for a list", "mqtt: {listen: a}\n", `f.yaml:1: mqtt.listen: "a": expected a list, as [a, b]`},
		{"nothing in a list", "mqtt:\n  listen:\n  - a\n  -\n", `mqtt.listen[1]: "nothing": expected a value`},
		{"list for a map", "labels: [a]\n", `f.yaml:1: labels: "a list": expected names with values`},
		{"number in a map of texts", "labels: {a: 1}\n", `f.yaml:1: labels.a: "1": expected a text`},
		{"out of range", "mqtt: {small: 128}\n", `mqtt.small: "128": expected a whole number of 8 bits`},
		{"port out of range", "mqtt: {port: 65536}\n", `mqtt.port: "65536": expected a whole number from 0 to 65535`},
		{"port below 0", "mqtt: {port: -1}\n", `mqtt.port: "-1": expected a whole number from 0 to 65535`},
		{"text for a number", "mqtt: {factor: '2'}\n", `mqtt.factor: "2": expected a number`},
		{"fraction", "mqtt: {small: 1.5}\n", `mqtt.small: "1.5": expected a whole number`},
		{"level", "level: loud\n", `f.yaml:1: level: "loud": expected`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := defaults()
			err := Read("f.yaml", []byte("\n" + c.in)[1:], &got)
			if err == nil {
				t.Fatalf("taken, want an error; got %+v", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			var e *Error
			if !errors.As(err, &e) || e.File != "f.yaml" || e.Line < 1 {
				t.Errorf("got %#v, want an *Error with file and line", err)
			}
			if !reflect.DeepEqual(got, defaults()) {
				t.Errorf("bad input changed something: %+v", got)
			}
		})
	}
}

func TestAllMistakesAndNoneTaken(t *testing.T) {
	got := defaults()
	err := Read("f.yaml", []byte("level: debug\nlabels: {a: b}\nnode: {nam: x}\nmqtt: {grace: 5, prt: 1}\n"), &got)
	for _, want := range []string{"f.yaml:3: node.nam", "f.yaml:4: mqtt.grace", "f.yaml:4: mqtt.prt"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to contain %q", err, want)
		}
	}
	if !reflect.DeepEqual(got, defaults()) {
		t.Errorf("something was taken: %+v", got)
	}
	err = Read("f.yaml", []byte("mqtt: {listen: ["+strings.Repeat("1,", 500)+"1]}"), &got)
	if n := strings.Count(err.Error(), "\n") + 1; n != maxErrors {
		t.Errorf("%d mistakes told, want %d", n, maxErrors)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	var s sample
	if err := Load(filepath.Join(dir, "none.yaml"), &s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	path := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("#", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, &s); err == nil || !strings.Contains(err.Error(), "expected at most") {
		t.Errorf("got %v, want too large", err)
	}
}

// TestMistakesInTheProgram are errors, no panics.
func TestMistakesInTheProgram(t *testing.T) {
	type untagged struct{ A int }
	type undocumented struct {
		A int `yaml:"a"`
	}
	type twice struct {
		A int `yaml:"a" doc:"a"`
		B int `yaml:"a" doc:"b"`
	}
	type channel struct {
		A chan int `yaml:"a" doc:"a"`
	}
	for _, v := range []any{&untagged{}, &undocumented{}, &twice{}, &channel{}} {
		if err := Read("f", []byte("a: 1\n"), v); err == nil {
			t.Errorf("Read into %T: no error", v)
		}
		if err := Write(&strings.Builder{}, v, nil); err == nil {
			t.Errorf("Write of %T: no error", v)
		}
	}
	for _, v := range []any{nil, sample{}, (*sample)(nil), new(int)} {
		if err := Read("f", nil, v); err == nil {
			t.Errorf("Read into %T: no error", v)
		}
	}
	if err := Write(&strings.Builder{}, nil, nil); err == nil {
		t.Error("Write of nothing: no error")
	}
	if err := Write(&strings.Builder{}, sample{}, &twice{}); err == nil {
		t.Error("Write of values of another type: no error")
	}
}

// FuzzRead looks for input that panics; what is taken can be written and reads back to the same.
func FuzzRead(f *testing.F) {
	f.Add("level: debug\nnode: {name: x}\nmqtt: {listen: [a], grace: 5s, max: 1KiB, factor: 1e3}\nusers: [{name: a}]\nlabels: {a: b}\n")
	f.Add(written)
	f.Fuzz(func(t *testing.T, in string) {
		v := defaults()
		if err := Read("f", []byte(in), &v); err != nil {
			if !reflect.DeepEqual(v, defaults()) {
				t.Fatalf("bad input changed something: %+v", v)
			}
			return
		}
		var b strings.Builder
		if err := Write(&b, defaults(), v); err != nil {
			t.Fatal(err)
		}
		again := defaults()
		if err := Read("f", []byte(b.String()), &again); err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		var c strings.Builder
		if err := Write(&c, defaults(), again); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.String() {
			t.Fatalf("written, read and written again:\n%s\n%s", b.String(), c.String())
		}
	})
}
