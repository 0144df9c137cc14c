package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbridge/test/world"
)

// refuses starts an edge that must not start, and gives what it says to people.
func refuses(t *testing.T, data string) string {
	t.Helper()
	p := world.Start(t, built.Path(t), "edge", "--data", data)
	code := p.Wait(10 * time.Second)
	if code != 1 && code != 2 {
		t.Errorf("exit status %d, want 1 or 2; stderr: %s", code, p.Stderr)
	}
	if strings.Contains(p.Stderr.String(), "goroutine ") {
		t.Errorf("it did not refuse but crash: %s", p.Stderr)
	}
	return p.Stderr.String()
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the message does not say %q: %s", w, text)
		}
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := t.TempDir()
	writeConfig(t, data, fmt.Sprintf("mqtt:\n  listen: %s\n", l.Addr()))
	says(t, refuses(t, data), "mqtt.listen", l.Addr().String())
}

func TestSecondEdgeOnTheSameData(t *testing.T) {
	data := t.TempDir()
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)
	says(t, refuses(t, data), data)

	// The first one has not noticed anything.
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 5*time.Second)
}

// TestSocketLeftBehind: what a killed edge leaves is no obstacle.
func TestSocketLeftBehind(t *testing.T) {
	data := t.TempDir()
	h := startEdge(t, data, nil)
	h.Kill()
	if _, err := os.Stat(h.socket()); err != nil {
		t.Fatalf("a killed edge leaves its socket: %v", err)
	}
	startEdge(t, data, nil)
}

func TestUnknownKeyInConfiguration(t *testing.T) {
	data := t.TempDir()
	writeConfig(t, data, "mqtt:\n  lisen: 127.0.0.1:0\n")
	says(t, refuses(t, data), "twinbridge.yaml:2", "lisen", "listen")
}

// TestDamagedStore damages the file at rest: the edge says so, names the file, and does not begin anew as if nothing had
// ever been promised.
func TestDamagedStore(t *testing.T) {
	whole := func(t *testing.T) (data, file string) {
		data = t.TempDir()
		writeManifest(t, data, "lamp.yaml", lampManifest)
		h := startEdge(t, data, nil)
		wished(t, h, "porch", "ON")
		shows(t, h, "porch", "ON", 5*time.Second)
		h.Signal(syscall.SIGTERM)
		if code := h.Wait(2 * time.Second); code != 0 {
			t.Fatalf("exit status %d", code)
		}
		return data, filepath.Join(data, "edge.db")
	}
	tests := []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"cut in the header", func(b []byte) []byte { return b[:100] }},
		{"cut after the header", func(b []byte) []byte { return b[:2*os.Getpagesize()+100] }},
		{"zeroes", func(b []byte) []byte { clear(b); return b }},
		{"zeroed pages after the header", func(b []byte) []byte { clear(b[2*os.Getpagesize():]); return b }},
		{"other content", func(b []byte) []byte { return []byte(strings.Repeat("not a store\n", 1000)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, file := whole(t)
			damaged := tt.damage([]byte(readFile(t, file)))
			world.WriteFile(t, file, string(damaged))
			says(t, refuses(t, data), file)
			if got := readFile(t, file); got != string(damaged) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

// TestStopsCleanly: Ctrl-C and systemd's signal end it within a second, and nothing is left behind.
func TestStopsCleanly(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			data := t.TempDir()
			writeManifest(t, data, "lamp.yaml", lampManifest)
			h := startEdge(t, data, nil)
			wished(t, h, "porch", "ON")
			h.Signal(s)
			if code := h.Wait(time.Second); code != 0 {
				t.Errorf("exit status %d", code)
			}
			if _, err := os.Stat(h.socket()); !os.IsNotExist(err) {
				t.Errorf("the socket is still there (%v)", err)
			}
			// What was wished in the last moment is there again.
			h = startEdge(t, data, nil)
			shows(t, h, "porch", "ON", 5*time.Second)
		})
	}
}
