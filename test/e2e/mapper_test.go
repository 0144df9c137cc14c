package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"twinbridge/test/world"
)

// lampManifest defines one lamp; its mapper is the simulated one, wherever it runs.
var lampManifest = world.ModelManifest("lamp", "sim", world.Power) + world.DeviceManifest("porch", "lamp", "sim", "properties: [{name: powerstatus}]")

// withoutMapper is the configuration of an edge whose mappers run elsewhere.
const withoutMapper = freePort + "mapper:\n  enabled: false\n"

// startMapper starts a mapper in a process of its own, for the broker at that address.
func startMapper(t *testing.T, node, address string) *world.Process {
	t.Helper()
	data := t.TempDir()
	writeConfig(t, data, fmt.Sprintf("node:\n  name: %s\nmqtt:\n  broker: tcp://%s\n", node, address))
	return world.Start(t, built.Path(t), "mapper", "--data", data)
}

// wished sends a standing wish for a lamp through the socket.
func wished(t *testing.T, h *home, name, value string) world.Wish {
	t.Helper()
	status, w, err := h.api.Patch(t.Context(), name, "", fmt.Sprintf(`{"expected":{"powerstatus":%q}}`, value))
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK && status != http.StatusAccepted {
		t.Fatalf("wish for %s: status %d, %+v", value, status, w)
	}
	return w
}

// shows waits until a lamp shows a value and nothing is pending on it.
func shows(t *testing.T, h *home, name, value string, limit time.Duration) {
	t.Helper()
	world.Eventually(t, limit, func() (bool, string) {
		d, err := h.api.Device(t.Context(), name)
		if err != nil {
			return false, err.Error()
		}
		return d.Actual("powerstatus") == value && d.Properties["powerstatus"].Wish == nil, d.String()
	})
}

// TestMapperStoppedAndStarted changes what is expected while the mapper is away: the lamp follows within a second after
// it is back.
func TestMapperStoppedAndStarted(t *testing.T) {
	data := t.TempDir()
	writeConfig(t, data, "node:\n  name: cellar\n"+withoutMapper)
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)
	address := net.JoinHostPort(h.host, h.port)

	m := startMapper(t, "cellar", address)
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 5*time.Second)

	// It says offline before it goes.
	m.Signal(interrupt)
	if code := m.Wait(2 * time.Second); code != 0 {
		t.Errorf("the mapper ended with status %d", code)
	}
	world.Eventually(t, time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		return err == nil && d.Presence == "offline", fmt.Sprint(d, err)
	})
	if w := wished(t, h, "porch", "OFF"); w.Outcome != "pending" {
		t.Errorf("a standing wish for a lamp that is away is %s, want pending", w.Outcome)
	}
	started := time.Now()
	startMapper(t, "cellar", address)
	shows(t, h, "porch", "OFF", time.Second)
	t.Logf("the lamp followed %v after the start of its mapper", time.Since(started).Round(time.Millisecond))
}

// TestMapperKilled is the same with a mapper that says nothing before it goes: its broken connection speaks for it.
func TestMapperKilled(t *testing.T) {
	data := t.TempDir()
	writeConfig(t, data, "node:\n  name: cellar\n"+withoutMapper)
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)
	address := net.JoinHostPort(h.host, h.port)

	m := startMapper(t, "cellar", address)
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 5*time.Second)
	m.Kill()
	world.Eventually(t, time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		return err == nil && d.Presence == "offline", fmt.Sprint(d, err)
	})
	wished(t, h, "porch", "OFF")
	startMapper(t, "cellar", address)
	shows(t, h, "porch", "OFF", time.Second)
}

// TestLampMovesOnlyThroughTheBroker runs the mapper against a port where no broker listens. The edge holds the wish and
// the lamp does not move: there is no other way from the twin to the relay.
func TestLampMovesOnlyThroughTheBroker(t *testing.T) {
	data := t.TempDir()
	writeConfig(t, data, "node:\n  name: cellar\n"+withoutMapper)
	writeManifest(t, data, "lamp.yaml", lampManifest)
	h := startEdge(t, data, nil)

	// A port that was free a moment ago, and that nobody else gets while this is bound but does not listen.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	m := startMapper(t, "cellar", closed)
	w := wished(t, h, "porch", "ON")
	world.Never(t, 2*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		if err != nil {
			return true, err.Error()
		}
		return d.Actual("powerstatus") == "ON", d.String()
	})
	if _, now, err := h.api.Wish(t.Context(), w.ID); err != nil || now.Outcome != "pending" {
		t.Errorf("the wish is %+v, %v; want pending", now, err)
	}
	// The same mapper with the right address moves it, so the test would have seen it.
	m.Kill()
	startMapper(t, "cellar", net.JoinHostPort(h.host, h.port))
	shows(t, h, "porch", "ON", 5*time.Second)
}

// TestForeignMapper lets a lamp be driven by a shell script around Mosquitto's clients.
func TestForeignMapper(t *testing.T) {
	world.Need(t, "mosquitto_pub", "mosquitto_sub")
	data := t.TempDir()
	manifest, err := filepath.Abs("testdata/lamp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	h := startEdge(t, data, nil)
	if r := h.cli("apply", "-f", manifest); r.Code != 0 {
		t.Fatalf("apply: %v", r)
	}

	relay := filepath.Join(t.TempDir(), "relay")
	world.WriteFile(t, relay, "OFF\n")
	world.Start(t, "testdata/mapper.sh", h.host, h.port, "porch", relay)
	shows(t, h, "porch", "OFF", 5*time.Second)

	for _, want := range []string{"ON", "OFF", "ON"} {
		// This mapper does not say which wish a report belongs to. What it reports within the settle time (1 s) after its
		// start, or after another wish, may be about something older, and is not taken as an answer (rule 5).
		before := readFile(t, relay)
		world.Never(t, 1200*time.Millisecond, func() (bool, string) { return readFile(t, relay) != before, "the relay moved by itself" })
		r := h.cli("device", "set", "porch", "powerstatus="+want, "--wait", "5s")
		if r.Code != 0 {
			t.Fatalf("set %s: %v", want, r)
		}
		if got := readFile(t, relay); got != want+"\n" {
			t.Errorf("after %s was told as applied the relay is %q", want, got)
		}
	}

	// Wishes that follow each other faster are told as applied too: they are offered once more after the settle time.
	for _, want := range []string{"OFF", "ON"} {
		if r := h.cli("device", "set", "porch", "powerstatus="+want, "--wait", "5s"); r.Code != 0 {
			t.Fatalf("set %s: %v", want, r)
		}
	}

	// A hand on the switch, as this mapper reports it: unmarked, from a connection of its own.
	world.WriteFile(t, relay, "OFF\n")
	topic := "$hw/events/device/porch/twin/update"
	payload := `{"event_id":"hand","timestamp":0,"twin":{"powerstatus":{"actual":{"value":"OFF"},"metadata":{"type":"Updated"}}}}`
	if r := world.Command(t, "", "mosquitto_pub", "-h", h.host, "-p", h.port, "-t", topic, "-m", payload); r.Code != 0 {
		t.Fatalf("mosquitto_pub: %v", r)
	}
	followed(t, h, "porch", "OFF", 4*time.Second)
	if got := readFile(t, relay); got != "OFF\n" {
		t.Errorf("the hand on the switch was undone: the relay is %q", got)
	}
}

// followed waits until expected follows what a hand did.
func followed(t *testing.T, h *home, name, value string, limit time.Duration) {
	t.Helper()
	world.Eventually(t, limit, func() (bool, string) {
		d, err := h.api.Device(t.Context(), name)
		if err != nil {
			return false, err.Error()
		}
		e := d.Properties["powerstatus"].Expected
		return e != nil && e.Value == value && e.Origin == "device" && d.Actual("powerstatus") == value, d.String()
	})
	// And it stays so: nothing comes after the settle time that undoes it.
	world.Never(t, 1500*time.Millisecond, func() (bool, string) {
		d, err := h.api.Device(t.Context(), name)
		if err != nil {
			return true, err.Error()
		}
		return d.Actual("powerstatus") != value || d.Expected("powerstatus") != value, d.String()
	})
}
