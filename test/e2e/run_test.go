package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// TestPrintedLinesSwitchTheLamp does what `make run` does and then types in every line that the edge prints.
func TestPrintedLinesSwitchTheLamp(t *testing.T) {
	world.Need(t, "curl", "mosquitto_pub")
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(built.Path(t), filepath.Join(home, "bin", "twinbridge")); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(home, ".twinbridge")
	writeConfig(t, data, freePort)
	h := readyEdge(t, world.Start(t, "env", "-C", home, "./bin/twinbridge", "edge", "--data", "./.twinbridge", "--demo"), data)

	lines := regexp.MustCompile(`(?m)^\s+((?:\./bin/)?twinbridge |curl |mosquitto_pub ).*$`).FindAllString(h.Stdout.String(), -1)
	seen := map[string]bool{}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		value := regexp.MustCompile(`\b(ON|OFF)\b`).FindString(line)
		if value == "" {
			continue // a line that only looks
		}
		program := regexp.MustCompile(`[a-z_]+ `).FindString(line)
		seen[strings.TrimSpace(program)] = true
		t.Run(strings.TrimSpace(program)+" "+value, func(t *testing.T) {
			other := map[string]string{"ON": "OFF", "OFF": "ON"}[value]
			wished(t, h, "lamp", other)
			shows(t, h, "lamp", other, 5*time.Second)
			before := strings.Count(h.Stdout.String(), "lamp default/lamp is "+value)
			// A printed line is for people to paste into a shell.
			if r := world.Command(t, "", "env", "-C", home, "sh", "-c", line); r.Code != 0 {
				t.Fatalf("%s: %v", line, r)
			}
			shows(t, h, "lamp", value, 5*time.Second)
			world.Eventually(t, time.Second, func() (bool, string) {
				return strings.Count(h.Stdout.String(), "lamp default/lamp is "+value) == before+1, h.Stdout.String()
			})
		})
	}
	for _, program := range []string{"twinbridge", "curl", "mosquitto_pub"} {
		if !seen[program] {
			t.Errorf("no line with %s that switches the lamp was printed: %s", program, h.Stdout)
		}
	}
}

// TestAppliedIsSaid asks to be told when the lamp has done it: REST and command line both say applied.
func TestAppliedIsSaid(t *testing.T) {
	world.Need(t, "curl")
	data := t.TempDir()
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)

	r := world.Command(t, "", "curl", "-sS", "--fail-with-body", "--unix-socket", h.socket(), "-X", "PATCH",
		"-H", "Content-Type: application/json", "-d", `{"expected":{"powerstatus":"ON"}}`,
		"-w", "\n%{http_code}", "http://edge/v1/devices/default/porch/expected?wait=5s")
	body, status, _ := strings.Cut(strings.TrimSpace(r.Out), "\n")
	var w world.Wish
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		t.Fatalf("curl: %v: %v", err, r)
	}
	if status != "200" || w.Outcome != "applied" {
		t.Errorf("curl with ?wait=5s: status %s, %+v; want 200 and applied", status, w)
	}

	r = h.cli("device", "set", "porch", "powerstatus=OFF", "--wait", "5s")
	if r.Code != 0 || !strings.Contains(r.Out+r.Err, "applied") {
		t.Errorf("set --wait: %v; want exit 0 and applied", r)
	}
	r = h.cli("device", "set", "porch", "powerstatus=ON", "--wait", "5s", "-o", "json")
	if err := json.Unmarshal([]byte(r.Out), &w); err != nil || r.Code != 0 || w.Outcome != "applied" {
		t.Errorf("set --wait -o json: %v %+v %v; want applied", err, w, r)
	}
	r = h.cli("device", "get", "porch", "-o", "json")
	var d world.Device
	if err := json.Unmarshal([]byte(r.Out), &d); err != nil || d.Actual("powerstatus") != "ON" {
		t.Errorf("get -o json: %v %v; want ON", err, r)
	}
}

// TestExitStatus: scripts go by it.
func TestExitStatus(t *testing.T) {
	data := t.TempDir()
	writeConfig(t, data, withoutMapper)
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)
	tests := []struct {
		name string
		args []string
		want int
		says string
	}{
		{"accepted", []string{"device", "set", "porch", "powerstatus=ON"}, 0, "pending"},
		{"still pending", []string{"device", "set", "porch", "powerstatus=OFF", "--wait", "200ms"}, 3, "pending"},
		{"ended otherwise", []string{"device", "set", "porch", "powerstatus=ON", "--for", "200ms", "--wait", "5s"}, 4, "expired"},
		{"unknown property", []string{"device", "set", "porch", "power=ON"}, 1, "power"},
		{"out of range", []string{"device", "set", "porch", "powerstatus=MAYBE"}, 1, "MAYBE"},
		{"unknown device", []string{"device", "set", "attic", "powerstatus=ON"}, 1, "attic"},
		{"no value", []string{"device", "set", "porch", "powerstatus"}, 2, "powerstatus"},
		{"unknown flag", []string{"device", "get", "porch", "--colour"}, 2, "colour"},
		{"unknown command", []string{"divice"}, 2, "divice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := h.cli(tt.args...)
			if r.Code != tt.want || !strings.Contains(r.Out+r.Err, tt.says) {
				t.Errorf("%q: %v; want exit %d and %q", tt.args, r, tt.want, tt.says)
			}
		})
	}
	t.Run("no edge runs", func(t *testing.T) {
		if r := world.Command(t, "", built.Path(t), "device", "list", "--data", t.TempDir()); r.Code != 1 {
			t.Errorf("%v; want exit 1", r)
		}
	})
}
