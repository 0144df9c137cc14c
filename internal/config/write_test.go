package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const written = `# how much is logged: debug, info, warn or error (default INFO)
#level: INFO

# Who this is.
node:
  # what this machine is called; people see it, and the hub knows it by this name for as long as it
  # lives, so choose well (default edge1)
  name: "1"

# The broker.
mqtt:
  # where the broker listens (default ["127.0.0.1:1883", "[::1]:1883"])
  #listen: ["127.0.0.1:1883", "[::1]:1883"]
  # how long a silent client is kept (default 1h30m)
  #grace: 1h30m
  # the largest message (default 64KiB)
  max: 10MiB
  # a proxy (default 10.0.0.1:80)
  #proxy: "10.0.0.1:80"
  # whether messages are kept (default false)
  #retain: false
  # how much longer each wait is (default 1.5)
  #factor: 1.5
  # a small number (default 0)
  #small: 0
  # a port (default 0)
  #port: 0

# who may come in (default as below)
# Each item has:
# - name: who
# - port: from where
#users:
#  - name: anna
#    port: 1

# names for the metrics (default as below)
#labels:
#  a: "ON"
#  b: "2"

# bounds by name (default none)
#limits: {}
`

func TestWrite(t *testing.T) {
	v := defaults()
	v.Node.Name = "1"
	v.MQTT.Max = 10 << 20
	var b strings.Builder
	if err := Write(&b, defaults(), &v); err != nil {
		t.Fatal(err)
	}
	if b.String() != written {
		t.Errorf("got\n%s\nwant\n%s", b.String(), written)
	}
	got := defaults()
	if err := Read("f.yaml", []byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, v) {
		t.Errorf("read back as %+v, want %+v", got, v)
	}
}

var commentedKey = regexp.MustCompile(`(?m)^( *)#([^ ]|  )`)

// TestCommentedLinesAreRight takes the marks off every commented key: the file then says the defaults in full.
func TestCommentedLinesAreRight(t *testing.T) {
	d := defaults()
	var b strings.Builder
	if err := Write(&b, d, nil); err != nil {
		t.Fatal(err)
	}
	text := commentedKey.ReplaceAllString(b.String(), "$1$2")
	var got sample
	if err := Read("f.yaml", []byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got.MQTT.Skipped, got.MQTT.private = d.MQTT.Skipped, d.MQTT.private
	d.Limits = map[string]Size{}
	if !reflect.DeepEqual(got, d) {
		t.Errorf("got  %+v\nwant %+v\n%s", got, d, text)
	}
	// Untouched it says nothing at all.
	got = sample{}
	if err := Read("f.yaml", []byte(b.String()), &got); err != nil || !reflect.DeepEqual(got, sample{}) {
		t.Errorf("got %+v, %v, want nothing set", got, err)
	}
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "twinbridge.yaml")
	v := defaults()
	v.Node.Name = "kitchen"
	if err := Create(path, defaults(), v); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
	got := defaults()
	if err := Load(path, &got); err != nil || got.Node.Name != "kitchen" {
		t.Errorf("got %q, %v, want kitchen", got.Node.Name, err)
	}
	if err := Create(path, defaults(), nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: got %v, want fs.ErrExist", err)
	}
	if err := Load(path, &got); err != nil || got.Node.Name != "kitchen" {
		t.Errorf("the file was touched: %q, %v", got.Node.Name, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	if err := Create(filepath.Join(path, "x"), defaults(), nil); err == nil {
		t.Error("created in a folder that is none")
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Size
		out  string
	}{
		{"0", 0, "0"},
		{"1", 1, "1"},
		{"1024", 1024, "1KiB"},
		{"64KiB", 64 << 10, "64KiB"},
		{"10 MiB", 10 << 20, "10MiB"},
		{"3GiB", 3 << 30, "3GiB"},
		{"1kB", 1000, "1000"},
		{"5MB", 5e6, "5000000"},
		{"1GB", 1e9, "1000000000"},
		{"7B", 7, "7"},
	} {
		var s Size
		if err := s.UnmarshalText([]byte(c.in)); err != nil || s != c.want {
			t.Errorf("%q: got %d, %v, want %d", c.in, s, err, c.want)
		}
		if got := s.String(); got != c.out {
			t.Errorf("%q: written as %q, want %q", c.in, got, c.out)
		}
	}
	for _, in := range []string{"", "KiB", "1.5MiB", "-1", "1TiB", "x", "9223372036854775807KiB", "1 2"} {
		var s Size
		if err := s.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q: taken as %d", in, s)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Second: "5s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		10 * time.Minute: "10m", 10 * time.Second: "10s", time.Hour + 10*time.Second: "1h0m10s", 20 * time.Hour: "20h", time.Millisecond: "1ms",
	} {
		got := durationText(d)
		if got != want {
			t.Errorf("%d: got %q, want %q", d, got, want)
		}
		if back, err := time.ParseDuration(got); err != nil || back != d {
			t.Errorf("%q reads back as %v, %v", got, back, err)
		}
	}
}
