package e2e

import (
	"fmt"
	"testing"
	"time"

	"twinbridge/test/world"
)

// TestHandOnTheSwitch presses the switch of the simulated lamp: the twin follows, and nobody undoes it.
func TestHandOnTheSwitch(t *testing.T) {
	world.Need(t, "mosquitto_pub")
	data := t.TempDir()
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 5*time.Second)

	for _, want := range []string{"OFF", "ON", "OFF"} {
		r := world.Command(t, "", "mosquitto_pub", "-h", h.host, "-p", h.port, "-t", "$twinbridge/sim/default/porch/press", "-n")
		if r.Code != 0 {
			t.Fatalf("mosquitto_pub: %v", r)
		}
		followed(t, h, "porch", want, time.Second) // the driver marks it as an act: no settle time
	}

	// After a restart it is still what the hand made it.
	h.Signal(interrupt)
	if code := h.Wait(2 * time.Second); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	h = startEdge(t, data, nil)
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		return err == nil && d.Expected("powerstatus") == "OFF" && d.Actual("powerstatus") == "OFF", fmt.Sprint(d, err)
	})
}
