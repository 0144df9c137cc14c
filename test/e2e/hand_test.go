package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestHandOnTheSwitch presses the switch of the simulated lamp: the twin follows, and nobody undoes it.
func TestHandOnTheSwitch(t *testing.T) {
	need(t, "mosquitto_pub")
	data := t.TempDir()
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 5*time.Second)

	for _, want := range []string{"OFF", "ON", "OFF"} {
		r := command(t, "mosquitto_pub", "-h", h.host, "-p", h.port, "-t", "$twinbridge/sim/default/porch/press", "-n")
		if r.code != 0 {
			t.Fatalf("mosquitto_pub: %v", r)
		}
		followed(t, h, "porch", want, time.Second) // the driver marks it as an act: no settle time
	}

	// After a restart it is still what the hand made it.
	if code := h.signal(interrupt, 2*time.Second); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	h = startEdge(t, data, nil)
	eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api().device(t.Context(), "porch")
		return err == nil && d.expected("powerstatus") == "OFF" && d.actual("powerstatus") == "OFF", fmt.Sprint(d, err)
	})
}
