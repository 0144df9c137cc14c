package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"twinbridge/test/world"
)

// TestHubDiskFull fills the disk under a running hub. Who asks is told at once that his wish is not taken; node and house
// go on, the hub shows what they do, and once there is room it goes on by itself.
func TestHubDiskFull(t *testing.T) {
	script, err := filepath.Abs("testdata/smalldisk.sh")
	if err != nil {
		t.Fatal(err)
	}
	disk := append([]string{"env", "SMALLDISK=6m"}, append(privateMounts(t), script)...)
	h := &house{T: t, lines: &lampLines{}}
	h.World = world.New(t, world.Options{Binary: built.Path(t), Shape: world.Three, Manifest: houseManifest, HubDisk: disk, OnLine: h.lines.line})
	h.hub, h.node = h.HubAPI(), h.NodeAPI()
	h.settled(lamps...)
	h.switched(h.hub, "porch", "ON")

	fill := h.Hub.Store("fill")
	fillDisk(t, fill)
	// The store has some free pages of its own; then a wish is refused.
	world.Eventually(t, 2*time.Minute, func() (bool, string) {
		value := map[string]string{"ON": "OFF", "OFF": "ON"}[actualOf(h, h.node, "porch")]
		status, w, err := h.hub.Patch(t.Context(), "porch", "", power(value))
		if err != nil || status != http.StatusServiceUnavailable && status >= 300 {
			t.Fatalf("a wish with a full disk: %d %+v %v", status, w, err)
		}
		return status == http.StatusServiceUnavailable, fmt.Sprint(status, w)
	})
	h.Hub.Expect(h.Hub.Stderr, `level=ERROR .*disk`, patient)
	var health struct{ Status, Trouble string }
	if status, err := h.hub.Do(t.Context(), http.MethodGet, "/healthz", "", &health); err != nil || status != http.StatusServiceUnavailable || health.Status != "degraded" {
		t.Errorf("health: %d %+v %v; want 503, degraded", status, health, err)
	}

	// While the hub knows that, it takes no wish at all. (That with which it learned it is done later.)
	h.ask(h.hub, "attic", "", power("ON"), http.StatusServiceUnavailable)

	// The house does not notice.
	for _, value := range []string{"ON", "OFF", "ON"} {
		h.switched(h.node, "hall", value)
	}
	if d, err := h.hub.Device(t.Context(), "hall"); err != nil || d.Expected("powerstatus") == nil {
		t.Errorf("the hub does not show its devices any more: %v, %v", &d, err)
	}

	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	h.both("hall", "ON")
	h.settled(lamps...)
	world.Never(t, time.Second, func() (bool, string) {
		return actualOf(h, h.node, "attic") == "ON", "a wish that was refused with 503 was done later"
	})
	for _, value := range []string{"OFF", "ON"} {
		h.switched(h.hub, "porch", value)
		h.both("porch", value)
	}
	world.Eventually(t, patient, func() (bool, string) {
		status, err := h.hub.Do(t.Context(), http.MethodGet, "/healthz", "", &health)
		return err == nil && status == http.StatusOK && health.Status == "ok", fmt.Sprint(status, health, err)
	})
}

// actualOf is what a lamp shows.
func actualOf(h *house, a *world.API, name string) string {
	h.Helper()
	d, err := a.Device(h.Context(), name)
	if err != nil {
		h.Fatal(err)
	}
	s, _ := d.Actual("powerstatus").(string)
	return s
}
