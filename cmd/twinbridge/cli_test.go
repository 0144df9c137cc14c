package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFirstDay does what a person does on the first day.
func TestFirstDay(t *testing.T) {
	h := startEdge(t, folder(t, ""), "--demo")
	if out := h.out.String(); !strings.Contains(out, "./bin/twinbridge device set lamp powerstatus=ON") {
		t.Errorf("the banner does not say how to switch the lamp:\n%s", out)
	}
	eventually(t, "the lamp is online", func() bool { return strings.Contains(h.cli("device", "list").out, "online") })
	h.want(0, "default/lamp: powerstatus=ON applied", "device", "set", "lamp", "powerstatus=ON", "--wait", "5s")
	h.expect(`(?m)^lamp default/lamp is ON$`)
	h.want(0, "ON", "device", "get", "lamp")
	h.want(0, "pending", "device", "set", "default/lamp", "powerstatus=OFF")
	h.expect(`(?m)^lamp default/lamp is ON\n(.*\n)*lamp default/lamp is OFF$`)

	var list struct {
		Devices []struct {
			Namespace, Name string
			Properties      map[string]struct {
				Expected struct{ Value, Origin string }
			}
		}
	}
	r := h.want(0, "", "device", "list", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list.Devices) != 1 {
		t.Fatalf("list -o json: %v %s", err, r.out)
	}
	if e := list.Devices[0].Properties["powerstatus"].Expected; e.Value != "OFF" || e.Origin != "local" {
		t.Errorf("list -o json: %+v", e)
	}
	for _, name := range []string{"twinbridge.yaml", "edge.db", "devices/lamp.yaml", "edge.sock"} {
		info, err := os.Stat(filepath.Join(h.data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", name, info, err)
		}
	}
	begun := time.Now()
	if code := h.stop(); code != 0 || time.Since(begun) > time.Second {
		t.Errorf("the end took %v, exit %d", time.Since(begun), code)
	}

	// On the second day the lamp goes back to what is expected, and a manifest that was taken away does not come back.
	if err := os.Remove(filepath.Join(h.data, "devices", "lamp.yaml")); err != nil {
		t.Fatal(err)
	}
	h = startEdge(t, h.data, "--demo")
	h.want(0, "powerstatus=ON applied", "device", "set", "lamp", "powerstatus=ON", "--wait", "5s")
	if _, err := os.Stat(filepath.Join(h.data, "devices", "lamp.yaml")); err == nil {
		t.Error("the demo lamp was written again")
	}
	h.want(0, "deleted", "device", "delete", "lamp")
	h.want(1, "no such device", "device", "get", "lamp")
}

func TestExitCodes(t *testing.T) {
	data := folder(t, noMapper)
	write(t, filepath.Join(data, "devices", "porch.yaml"), lampNamed("porch"))
	h := startEdge(t, data)
	long := strings.Repeat("x", 200)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"accepted", []string{"device", "set", "porch", "powerstatus=ON"}, 0, "pending"},
		{"two properties", []string{"device", "set", "porch", "powerstatus=ON", "level=40"}, 0, "level=40 powerstatus=ON pending"},
		{"still pending", []string{"device", "set", "porch", "powerstatus=OFF", "--wait", "50ms"}, 3, "pending"},
		{"ended otherwise", []string{"device", "set", "porch", "powerstatus=ON", "--for", "50ms", "--wait", "5s"}, 4, "expired"},
		{"unknown property", []string{"device", "set", "porch", "power=ON"}, 1, "one of powerstatus, level"},
		{"unknown value", []string{"device", "set", "porch", "powerstatus=MAYBE"}, 1, "one of ON, OFF"},
		{"no number", []string{"device", "set", "porch", "level=much"}, 1, "level"},
		{"out of range", []string{"device", "set", "porch", "level=101"}, 1, "from 0 to 100"},
		{"unknown device", []string{"device", "set", "attic", "powerstatus=ON"}, 1, "device list"},
		{"unknown device, get", []string{"device", "get", "attic"}, 1, "default/attic"},
		{"unknown device, get as a manifest", []string{"device", "get", "attic", "-o", "yaml"}, 1, "default/attic"},
		{"unknown device, profile", []string{"device", "profile", "porch", "attic"}, 1, "default/attic"},
		{"names too long, profile", append([]string{"device", "profile"}, slices.Repeat([]string{strings.Repeat("x", 128)}, 40)...), 1, "40 names"},
		{"defined by a file", []string{"device", "delete", "porch"}, 1, "porch.yaml:"},
		{"no such file", []string{"apply", "-f", "no/such/file"}, 1, "no/such/file"},

		{"no value", []string{"device", "set", "porch", "powerstatus"}, 2, "PROPERTY=VALUE"},
		{"no property", []string{"device", "set", "porch", "=ON"}, 2, "PROPERTY=VALUE"},
		{"property twice", []string{"device", "set", "porch", "level=1", "level=2"}, 2, "twice"},
		{"no device", []string{"device", "get"}, 2, "arg"},
		{"bad device", []string{"device", "get", "a/b/c"}, 2, "a/b/c"},
		{"bad device, profile", []string{"device", "profile", "porch", "a/b/c"}, 2, "a/b/c"},
		{"long device", []string{"device", "get", long}, 2, "128 bytes"},
		{"wait too long", []string{"device", "set", "porch", "level=1", "--wait", "61s"}, 2, "up to 60s"},
		{"for nothing", []string{"device", "set", "porch", "level=1", "--for", "0s"}, 2, "up to 24h"},
		{"no duration", []string{"device", "set", "porch", "level=1", "--wait", "soon"}, 2, "soon"},
		{"unknown flag", []string{"device", "get", "porch", "--colour"}, 2, "colour"},
		{"unknown command", []string{"divice"}, 2, "device"},
		{"unknown subcommand", []string{"device", "sett"}, 2, "did you mean get or set?"},
		{"unknown output", []string{"device", "list", "-o", "xml"}, 2, "text or json"},
		{"unknown output, get", []string{"device", "get", "porch", "-o", "xml"}, 2, "text, json or yaml"},
		{"no list as a manifest", []string{"device", "list", "-o", "yaml"}, 2, "text or json"},
		{"nothing to apply", []string{"apply"}, 2, "-f is missing"},
		{"bad server", []string{"device", "list", "--server", "hub"}, 2, "a URL"},
		{"too many words", []string{"device", "list", "porch"}, 2, "porch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &house{process: &process{t: t}, data: data}
			r := h.want(tt.code, tt.says, tt.args...)
			if r.code != 0 && r.code != 3 && r.code != 4 && (r.out != "" || !strings.HasPrefix(r.err, "twinbridge: ")) {
				t.Errorf("a mistake is told on stderr only, by name: %v", r)
			}
		})
	}
	_ = h
}

func TestNoEdgeRuns(t *testing.T) {
	r := call(t, "", "device", "list", "--data", t.TempDir())
	if r.code != 1 || !strings.Contains(r.err, "twinbridge edge --data") {
		t.Errorf("%v; want exit 1 and what to do", r)
	}
	// Somebody else's server that is not there.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if r := call(t, "", "device", "list", "--server", "http://"+addr); r.code != 1 || !strings.Contains(r.err, addr) {
		t.Errorf("%v; want exit 1 and the address", r)
	}
}

func TestApply(t *testing.T) {
	h := startEdge(t, folder(t, noMapper))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), lampNamed("one"))
	write(t, filepath.Join(dir, "b.yml"), strings.SplitAfter(lampNamed("two"), "---\n")[1])
	write(t, filepath.Join(dir, "c.txt"), "not a manifest")
	h.want(0, "device default/one applied\ndevice default/two applied\n", "apply", "-f", dir)
	h.want(0, "default/two", "device", "list")

	if r := call(t, lampNamed("three"), "apply", "-f", "-", "--data", h.data, "-o", "json"); r.code != 0 || !strings.Contains(r.out, `"default/three"`) {
		t.Errorf("from standard input: %v", r)
	}
	bad := filepath.Join(dir, "bad.yaml")
	write(t, bad, strings.Replace(lampNamed("four"), "deviceModelRef", "deviceModelReff", 1))
	r := h.want(1, "deviceModelReff", "apply", "-f", dir)
	if !strings.Contains(r.err, bad+":") {
		t.Errorf("the place of the mistake is not told: %s", r.err)
	}
	h.want(1, "no such device", "device", "get", "four")

	// A model that does not exist is the server's to refuse.
	write(t, bad, strings.Replace(strings.SplitAfter(lampNamed("four"), "---\n")[1], "{name: lamp}", "{name: none}", 1))
	h.want(1, "default/none", "apply", "-f", bad)
	h.want(0, "deleted", "device", "delete", "one")
}

// TestDesired: desired is a wish only where it changed since it was last taken.
func TestDesired(t *testing.T) {
	data := folder(t, "")
	h := startEdge(t, data)
	file := filepath.Join(t.TempDir(), "lamp.yaml")
	desired := func(value string) {
		write(t, file, strings.Replace(lampNamed("hall"), "- name: powerstatus\n    - name: level", "- name: powerstatus\n      desired: {value: "+value+"}\n    - name: level", 1))
	}
	shows := func(value string) {
		t.Helper()
		eventually(t, "the lamp shows "+value, func() bool {
			var d struct {
				Properties map[string]struct{ Actual struct{ Value any } }
			}
			r := h.cli("device", "get", "hall", "-o", "json")
			return json.Unmarshal([]byte(r.out), &d) == nil && d.Properties["powerstatus"].Actual.Value == value
		})
	}
	desired("ON")
	h.want(0, "powerstatus=ON pending", "apply", "-f", file)
	shows("ON")
	h.want(0, "applied", "device", "set", "hall", "powerstatus=OFF", "--wait", "5s")
	if r := h.want(0, "hall applied", "apply", "-f", file); strings.Contains(r.out, "desired") {
		t.Errorf("the same file again made a wish: %v", r)
	}
	shows("OFF")
	// Not after a restart either.
	h.stop()
	h = startEdge(t, data)
	shows("OFF")
	if r := h.want(0, "hall applied", "apply", "-f", file); strings.Contains(r.out, "desired") {
		t.Errorf("after a restart the same file made a wish: %v", r)
	}
	// A change and the way back are two wishes.
	for _, value := range []string{"OFF", "ON", "OFF", "ON"} {
		desired(value)
		h.want(0, "desired of default/hall: powerstatus="+value, "apply", "-f", file)
		shows(value)
	}
	desired("MAYBE")
	h.want(1, "one of ON, OFF", "apply", "-f", file)
	shows("ON")
}

// TestFolder: manifests are taken while the edge runs, a broken one disturbs nobody, and absence deletes nothing.
func TestFolder(t *testing.T) {
	data := folder(t, "")
	h := startEdge(t, data)
	one, two := filepath.Join(data, "devices", "one.yaml"), filepath.Join(data, "devices", "two.yaml")
	write(t, one, lampNamed("one"))
	eventually(t, "one is there", func() bool { return strings.Contains(h.cli("device", "list").out, "default/one") })
	write(t, two, "kind: Devise\n")
	eventually(t, "the mistake is told", func() bool { return strings.Contains(h.err.String(), "two.yaml") })
	h.want(0, "applied", "device", "set", "one", "powerstatus=ON", "--wait", "5s")
	write(t, two, strings.SplitAfter(lampNamed("two"), "---\n")[1])
	eventually(t, "two is there", func() bool { return strings.Contains(h.cli("device", "list").out, "default/two") })
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its absence is told", func() bool { return strings.Contains(h.err.String(), "no longer in the device folder") })
	h.want(0, "default/two", "device", "list")
	h.want(0, "deleted", "device", "delete", "two")
	h.want(1, "one.yaml:", "device", "delete", "one")
}

func TestWatchCommand(t *testing.T) {
	data := folder(t, "")
	write(t, filepath.Join(data, "devices", "porch.yaml"), lampNamed("porch"))
	write(t, filepath.Join(data, "devices", "hall.yaml"), strings.SplitAfter(lampNamed("hall"), "---\n")[1])
	h := startEdge(t, data)
	text := start(t, "device", "watch", "porch", "--data", data)
	lines := start(t, "device", "watch", "-o", "json", "--data", data)
	text.expect(`porch: online`)
	lines.expect(`"name":"hall"`)
	h.want(0, "applied", "device", "set", "porch", "powerstatus=ON", "--wait", "5s")
	h.want(0, "applied", "device", "set", "hall", "powerstatus=ON", "--wait", "5s")
	text.expect(`\d\d:\d\d:\d\d default/porch powerstatus: expected ON, actual ON\n`)
	eventually(t, "the lamp in JSON", func() bool {
		for line := range strings.Lines(lines.out.String()) {
			var d struct {
				Name       string
				Properties map[string]struct{ Actual struct{ Value any } }
			}
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				return false // half a line
			}
			if d.Name == "hall" && d.Properties["powerstatus"].Actual.Value == "ON" {
				return true
			}
		}
		return false
	})
	if strings.Contains(text.out.String(), "hall") {
		t.Errorf("a device that was not asked for: %s", &text.out)
	}
	if code := text.stop(); code != 0 {
		t.Errorf("Ctrl-C gives exit %d", code)
	}
	h.stop()
	eventually(t, "the end is told", func() bool { return strings.Contains(lines.err.String(), "the stream ended") })
}

func TestCompletion(t *testing.T) {
	data := folder(t, noMapper)
	write(t, filepath.Join(data, "devices", "porch.yaml"), lampNamed("porch"))
	h := startEdge(t, data)
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"device", "get", ""}, "porch\n"},
		{[]string{"device", "set", ""}, "porch\n"},
		{[]string{"device", "profile", ""}, "porch\n"},
		{[]string{"device", "profile", "porch", ""}, ":"},
		{[]string{"device", "get", "porch", "-o", ""}, "text\njson\nyaml\n"},
		{[]string{"device", "list", "-o", ""}, "text\njson\n:"},
		{[]string{"device", "set", "porch", ""}, "level=\npowerstatus=ON\npowerstatus=OFF\n"},
		{[]string{"device", "get", "porch", ""}, ":"},
		{[]string{"device", "set", "attic", ""}, ":"},
	}
	for _, tt := range tests {
		r := call(t, "", append([]string{"__complete", "--data", h.data}, tt.args...)...)
		if r.code != 0 || !strings.HasPrefix(r.out, tt.want) {
			t.Errorf("%q: %v\nwant %q", tt.args, r, tt.want)
		}
	}
	if r := call(t, "", "completion", "bash"); r.code != 0 || !strings.Contains(r.out, "__complete") {
		t.Errorf("completion bash: exit %d", r.code)
	}
}

func TestVersion(t *testing.T) {
	if r := call(t, "", "version"); r.code != 0 || !strings.HasPrefix(r.out, "twinbridge dev (go") {
		t.Errorf("%v", r)
	}
	if r := call(t, "", "version", "-o", "json"); r.code != 0 || !json.Valid([]byte(r.out)) {
		t.Errorf("%v", r)
	}
}
