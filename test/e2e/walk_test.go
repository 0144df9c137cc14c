package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// TestWalk follows one change from the lamp to who asked at the hub, and one wish from there to the lamp, each through
// three processes and Debian's Mosquitto. What comes next on the way is away until the step before has shown that it has
// got it, so that each step is seen by itself:
//
//	mapper, Mosquitto, EventBus, DeviceTwin, edge.db, EdgeHub, CloudHub, DeviceController, registry, hub.db, asker
func TestWalk(t *testing.T) {
	world.Need(t, "mosquitto_pub", "mosquitto_sub")
	h := &house{T: t, lines: &lampLines{}, proxy: world.NewProxy(t)}
	h.World = world.New(t, world.Options{
		Binary: built.Path(t), Shape: world.Three, Manifest: houseManifest, OnLine: h.lines.line, Through: h.proxy.Through, Mosquitto: true,
	})
	h.hub, h.node = h.HubAPI(), h.NodeAPI()
	atHub := h.HubSocket()
	h.settled(lamps...)
	h.switched(h.hub, "porch", "OFF")

	t.Log("up: a hand at the lamp, while the link is away")
	events, stop := h.follow(h.hub)
	h.until(events, "ready", func(e event) bool { return e.name == "ready" })
	wire := h.Listen("$hw/events/device/default/porch/#")
	subscribed(h, wire)
	h.cut()
	h.Press("porch")
	h.Mapper.Expect(h.Mapper.Stdout, `lamp default/porch is ON\n$`, patient)
	wire.Expect(wire.Stdout, `porch/twin/update .*"powerstatus":\{"actual":\{"value":"ON"`, patient)
	h.sees(h.node, "porch", "ON")
	if d, err := atHub.Device(h.Context(), "porch"); err != nil || d.Actual("powerstatus") != "OFF" {
		t.Errorf("the hub knows what it cannot know: %v, %v", &d, err)
	}

	t.Log("up: what is in edge.db")
	h.Mapper.Kill()
	h.Node.Kill()
	h.Node.Start()
	d, err := h.node.Device(h.Context(), "porch")
	if err != nil || d.Expected("powerstatus") != "ON" || d.Actual("powerstatus") != "ON" || d.Origin("powerstatus") != "device" {
		t.Errorf("the node after it was killed, and without a mapper: %v, %v", &d, err)
	}

	t.Log("up: the registry, and who listens")
	h.heal()
	h.until(events, "that the porch is ON", func(e event) bool {
		return e.device.Name == "porch" && e.device.Actual("powerstatus") == "ON" && e.device.Origin("powerstatus") == "device"
	})
	stop()
	h.sees(atHub, "porch", "ON")

	t.Log("up: what is in hub.db")
	h.Node.Kill()
	h.Hub.Kill()
	h.Hub.Start()
	d, err = atHub.Device(h.Context(), "porch")
	// What was decided is on disk. What was observed need not be: it is the node's to tell again.
	if err != nil || d.Expected("powerstatus") != "ON" || d.Origin("powerstatus") != "device" || d.NodeAway == nil {
		t.Errorf("the hub after it was killed, and without the node: %v, %v", &d, err)
	}

	t.Log("down: a wish at the hub, while the node is away")
	before := h.lines.count()
	type answer struct {
		status int
		wish   world.Wish
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		status, w, err := h.hub.Patch(t.Context(), "porch", "?wait=60s", power("OFF"))
		answered <- answer{status, w, err}
	}()
	var id string
	world.Eventually(t, patient, func() (bool, string) {
		d, err := atHub.Device(t.Context(), "porch")
		if p := d.Properties["powerstatus"].Wish; err == nil && p != nil {
			id = p.ID
			return p.Trouble == "node unreachable" && d.Expected("powerstatus") == "OFF", d.String()
		}
		return false, fmt.Sprint(&d, err)
	})
	var audit struct {
		Entries []struct{ Action, Object, Wish, Detail string }
	}
	if _, err := h.hub.Do(t.Context(), http.MethodGet, "/v1/audit", "", &audit); err != nil || len(audit.Entries) == 0 ||
		audit.Entries[0].Wish != id || audit.Entries[0].Detail != "powerstatus=OFF" {
		t.Errorf("the audit does not say who asked for %s: %+v, %v", id, audit, err)
	}

	t.Log("down: the node has it, while the broker is away")
	h.Broker.Kill()
	h.Node.Start()
	h.Joined()
	pendingAt(h, h.node, id)
	h.Node.Kill() // it was told as accepted; so it is on disk
	h.Node.Start()
	pendingAt(h, h.node, id)

	t.Log("down: Mosquitto has it, while the mapper is away")
	h.Broker.Start()
	wire = h.Listen("$hw/events/device/default/porch/#")
	wire.Expect(wire.Stdout, `porch/twin/update/delta .*"OFF".*`+regexp.QuoteMeta(id), patient)
	pendingAt(h, h.node, id)
	if got := h.lines.since(before); len(got) != 0 {
		t.Errorf("without a mapper the lamp did %q", got)
	}

	t.Log("down: the lamp, and the answer")
	select {
	case got := <-answered:
		t.Fatalf("answered before the lamp moved: %+v", got)
	default:
	}
	h.Mapper.Start()
	h.Mapper.Expect(h.Mapper.Stdout, `lamp default/porch is OFF`, patient)
	select {
	case got := <-answered:
		if got.err != nil || got.status != http.StatusOK || got.wish.ID != id || got.wish.Outcome != "applied" {
			t.Errorf("the asker was told %+v; want 200, applied", got)
		}
	case <-time.After(patient):
		t.Fatal("the lamp has moved, and the asker waits")
	}

	t.Log("down and up at once")
	start := time.Now()
	w := h.switched(h.hub, "porch", "ON")
	t.Logf("a wish at the hub was applied in %v", time.Since(start).Round(time.Millisecond))
	h.Mapper.Expect(h.Mapper.Stdout, `lamp default/porch is ON`, patient)
	wire.Expect(wire.Stdout, `porch/twin/update .*`+regexp.QuoteMeta(w.ID), patient)
	h.both("porch", "ON")
}

// subscribed waits until a listener hears the broker.
func subscribed(h *house, wire *world.Process) {
	h.Helper()
	world.Eventually(h.T, patient, func() (bool, string) {
		h.Publish("$hw/events/device/default/porch/hello", "anybody")
		return strings.Contains(wire.Stdout.String(), "anybody"), "the listener hears nothing"
	})
}

func pendingAt(h *house, a *world.API, id string) {
	h.Helper()
	world.Eventually(h.T, patient, func() (bool, string) {
		status, w, err := a.Wish(h.Context(), id)
		return err == nil && status == http.StatusOK && w.Outcome == "pending", fmt.Sprint(status, w, err)
	})
}
