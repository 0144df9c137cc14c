package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"twinbridge/test/world"
)

// TestDiskFull fills the disk under a running edge. The house goes on: the lamp still follows. The edge says what is
// wrong, and once there is room it catches up by itself.
func TestDiskFull(t *testing.T) {
	unshare := privateMounts(t)
	data := filepath.Join(t.TempDir(), "small")
	first := data + ".start" // is copied onto the small disk before the start
	writeConfig(t, first, freePort)
	writeManifest(t, first, "lamp.yaml", lampManifest)
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	args := append(unshare[1:], "testdata/smalldisk.sh", data, built.Path(t), "edge", "--data", data)
	p := world.Start(t, unshare[0], args...)
	// unshare and the script become the edge, so its number is known; this is its own view of the disk.
	inside := fmt.Sprintf("/proc/%d/root%s", p.PID(), data)
	h := readyEdge(t, p, inside)
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 5*time.Second)

	fill := filepath.Join(inside, "fill")
	fillDisk(t, fill)
	// More wishes than the store has free pages for.
	for i := range 20 {
		value := []string{"OFF", "ON"}[i%2]
		wished(t, h, "porch", value)
		shows(t, h, "porch", value, 5*time.Second)
	}
	h.Expect(h.Stderr, `level=ERROR .*(disk|no space)`, 5*time.Second)

	// The house does not wait for its disk; what is not on it is told without a rev (rule 1).
	w := wished(t, h, "porch", "OFF")
	shows(t, h, "porch", "OFF", 5*time.Second)
	d, err := h.api.Device(t.Context(), "porch")
	if err != nil {
		t.Fatal(err)
	}
	if e := d.Properties["powerstatus"].Expected; w.Rev != 0 || e == nil || e.Rev != 0 {
		t.Errorf("a decision that is not on disk was told with a rev: %+v, %v", w, d)
	}
	if got := health(t, h); got != "degraded" {
		t.Errorf("with a full disk the health is %q", got)
	}

	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	world.Eventually(t, 10*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		if err != nil {
			return false, err.Error()
		}
		e := d.Properties["powerstatus"].Expected
		return e != nil && e.Value == "OFF" && e.Rev > 0 && health(t, h) == "ok", d.String()
	})
	if r := h.cli("device", "set", "porch", "powerstatus=ON", "--wait", "5s"); r.Code != 0 {
		t.Errorf("with room again: %v", r)
	}
}

// health is what /healthz says in one word.
func health(t *testing.T, h *home) string {
	t.Helper()
	var now struct {
		Status string `json:"status"`
	}
	if _, err := h.api.Do(t.Context(), http.MethodGet, "/healthz", "", &now); err != nil {
		t.Fatal(err)
	}
	return now.Status
}

// fillDisk writes a file until nothing more fits.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 12, 1} {
		block := make([]byte, size)
		for {
			_, err := f.Write(block)
			if errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// privateMounts gives the command that runs a program with mounts of its own: as root, or as somebody who is root in a
// user namespace.
func privateMounts(t *testing.T) []string {
	t.Helper()
	world.Need(t, "unshare", "mount")
	try := []string{"unshare", "--mount"}
	if os.Getuid() != 0 {
		try = append(try, "--map-root-user")
	}
	if text, err := exec.Command(try[0], append(try[1:], "true")...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs mounts of its own: %v: %s", err, text)
		}
		t.Skipf("this test needs mounts of its own, which this machine does not allow: %v: %s", err, text)
	}
	return try
}
