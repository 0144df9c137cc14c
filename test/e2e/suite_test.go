package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// step is one thing that people do with a hub and a node.
type step struct {
	name     string
	separate bool // only where hub and node are two programs
	do       func(*house)
}

// suite is what every shape of the system has to do alike. Each step leaves the house at rest for the next one.
var suite = []step{
	{"the hub switches a lamp", false, hubSwitches},
	{"the command line at the hub", false, cliAtHub},
	{"a hand on the switch", false, handSeenAtHub},
	{"the stream tells", false, streamTells},
	{"a guard that does not hold", false, guarded},
	{"many at once", false, many},
	{"a press at a device that is offline", false, pressOffline},
	{"a wish while the node is away", true, wishWhileAway},
	{"the house acts meanwhile", true, houseActs},
	{"devices of the cloud", false, cloudDevices},
	{"a revoked node", false, revoked},
	{"the node is killed", false, nodeKilled},
	{"the hub is stopped, and killed", false, hubKilled},
	{"two machines with one certificate", true, twoWithOneName},
	{"the hub's disk is lost", false, hubDiskLost},
	{"the node's disk is lost", false, nodeDiskLost},
	{"an old disk of the hub's", true, hubDiskOld},
	{"an old disk of the node's", true, nodeDiskOld},
}

func TestUp(t *testing.T)             { walkSuite(t, world.Up) }
func TestThreeProcesses(t *testing.T) { walkSuite(t, world.Three) }
func TestThreeNetworks(t *testing.T)  { walkSuite(t, world.Namespaces) }

func walkSuite(t *testing.T, shape world.Shape) {
	h := newHouse(t, shape)
	for _, s := range suite {
		if s.separate && !h.separate() {
			continue
		}
		start := time.Now()
		t.Logf("%s ...", s.name)
		s.do(h)
		h.settled(lamps...)
		t.Logf("%s: %.1f s", s.name, time.Since(start).Seconds())
	}
}

func hubSwitches(h *house) {
	for _, value := range []string{"ON", "OFF", "ON"} {
		before := h.lines.count()
		w := h.switched(h.hub, "porch", value)
		// The mapper's line comes through a pipe, the answer does not wait for it.
		world.Eventually(h.T, patient, func() (bool, string) {
			return len(h.lines.since(before)) > 0, "the lamp did nothing"
		})
		if got := strings.Join(h.lines.since(before), ", "); got != "default/porch is "+value {
			h.Errorf("the lamp did: %q; want one switch to %s", got, value)
		}
		h.both("porch", value)
		if status, at, err := h.node.Wish(h.Context(), w.ID); err != nil || status != http.StatusOK || at.Outcome != "applied" || at.Rev == 0 {
			h.Errorf("at the node the wish is %d %+v %v; at the hub %+v", status, at, err, w)
		}
	}
}

func cliAtHub(h *house) {
	remote := []string{"--server", "https://" + h.HubAddr, "--token-file", h.Hub.Store("token"), "--ca", h.Hub.Store("hub-ca.crt")}
	for _, tt := range []struct {
		says string
		args []string
	}{
		{"applied", []string{"device", "set", "porch", "powerstatus=OFF", "--wait", "30s"}},
		{"default/attic", []string{"device", "set", "--model", "lamp", "powerstatus=ON", "--wait", "30s"}},
		{"applied", []string{"device", "set", "porch", "powerstatus=OFF", "--wait", "30s"}},
		{"default/hall", []string{"device", "list"}},
		{world.NodeName, []string{"node", "list"}},
		{"powerstatus=OFF", []string{"audit"}},
	} {
		if r := h.CLI(h.Hub, append(tt.args, remote...)...); r.Code != 0 || !strings.Contains(r.Out, tt.says) {
			h.Fatalf("%q at the hub: %v; want exit 0 and %q", tt.args, r, tt.says)
		}
	}
	h.both("porch", "OFF")
	h.both("hall", "ON")
	h.switched(h.hub, "hall", "OFF")
	r := h.CLI(h.Hub, "device", "set", "porch", "powerstatus=SIDEWAYS", remote[0], remote[1], remote[2], remote[3], remote[4], remote[5])
	if r.Code != 1 || !strings.Contains(r.Err, "SIDEWAYS") {
		h.Errorf("a value that does not exist: %v; want exit 1 and the value", r)
	}
	if r := h.CLI(h.Hub, "node", "list", "--server", "https://"+h.HubAddr, "--ca", h.Hub.Store("hub-ca.crt"), "--token-file", h.Hub.Store("hub-ca.crt")); r.Code != 2 {
		h.Errorf("a file that holds no token: %v; want exit 2", r)
	}
}

func handSeenAtHub(h *house) {
	for _, value := range []string{"ON", "OFF"} {
		h.Press("porch")
		h.both("porch", value)
		for _, a := range []*world.API{h.node, h.hub} {
			if d, err := a.Device(h.Context(), "porch"); err != nil || d.Origin("powerstatus") != "device" {
				h.Errorf("after a hand on the switch: %v, %v; want origin device", &d, err)
			}
		}
	}
}

func streamTells(h *house) {
	events, stop := h.follow(h.hub)
	defer stop()
	h.until(events, "ready", func(e event) bool { return e.name == "ready" })
	h.switched(h.hub, "hall", "ON")
	h.until(events, "that the hall is ON", func(e event) bool {
		return e.name == "device" && e.device.Name == "hall" && e.device.Actual("powerstatus") == "ON" && e.device.Quiet()
	})
	h.switched(h.node, "hall", "OFF")
	h.until(events, "that the hall is OFF", func(e event) bool {
		return e.device.Name == "hall" && e.device.Actual("powerstatus") == "OFF" && e.device.Origin("powerstatus") == "local"
	})
}

func guarded(h *house) {
	req, err := h.hub.Request(h.Context(), http.MethodGet, "/v1/devices/default/porch", "")
	if err != nil {
		h.Fatal(err)
	}
	_, header, err := h.hub.Send(req, nil)
	tag := header.Get("ETag")
	if err != nil || tag == "" {
		h.Fatalf("no ETag: %v, %v", header, err)
	}
	patch := func() (int, world.Wish) {
		req, err := h.hub.Request(h.Context(), http.MethodPatch, "/v1/devices/default/porch/expected"+wait, power("ON"))
		if err != nil {
			h.Fatal(err)
		}
		req.Header.Set("If-Match", tag)
		var w world.Wish
		status, _, err := h.hub.Send(req, &w)
		if err != nil {
			h.Fatal(err)
		}
		return status, w
	}
	if status, w := patch(); status != http.StatusOK {
		h.Errorf("a guard that holds: %d %+v", status, w)
	}
	if status, w := patch(); status != http.StatusPreconditionFailed {
		h.Errorf("a guard that does not hold any more: %d %+v, want 412", status, w)
	}
	h.both("porch", "ON")
}

func many(h *house) {
	for _, value := range []string{"OFF", "ON"} {
		var out struct {
			Wishes []struct {
				Device string
				Wish   *world.Wish
				Detail string
			}
		}
		body := fmt.Sprintf(`{"select":{"model":"default/lamp"},"expected":{"powerstatus":%q}}`, value)
		status, err := h.hub.Do(h.Context(), http.MethodPost, "/v1/wishes"+wait, body, &out)
		if err != nil || status != http.StatusOK || len(out.Wishes) != len(lamps) {
			h.Fatalf("POST /v1/wishes: %d %v %+v", status, err, out)
		}
		for _, w := range out.Wishes {
			if w.Wish == nil || w.Wish.Outcome != "applied" {
				h.Errorf("of many, %s: %+v %s", w.Device, w.Wish, w.Detail)
			}
		}
		for _, name := range lamps {
			h.both(name, value)
		}
	}
}

func pressOffline(h *house) {
	h.Publish("$hw/events/device/default/orphan/state/update", `{"event_id":"","timestamp":0,"state":"offline"}`)
	for _, a := range []*world.API{h.node, h.hub} {
		world.Eventually(h.T, patient, func() (bool, string) {
			d, err := a.Device(h.Context(), "orphan")
			return err == nil && d.Presence == "offline", fmt.Sprint(&d, err)
		})
	}
	w := h.ask(h.hub, "orphan", wait, `{"expected":{"powerstatus":"ON"},"validFor":"10s"}`, http.StatusConflict)
	if w.Outcome != "refused" || !strings.Contains(w.Reason, "offline") {
		h.Errorf("a press at a device that is offline: %+v; want refused, and why", w)
	}
	if d, err := h.hub.Device(h.Context(), "orphan"); err != nil || d.Expected("powerstatus") != nil {
		h.Errorf("a refused press left something behind: %v, %v", &d, err)
	}
}

func wishWhileAway(h *house) {
	h.switched(h.hub, "porch", "OFF")
	h.Node.Kill()
	h.Served(world.NodeName, false)
	start := time.Now()
	w := h.ask(h.hub, "porch", "?wait=1s", power("ON"), http.StatusAccepted)
	if took := time.Since(start); took < time.Second {
		h.Errorf("the asker was sent away after %v: the node might have come back within the second", took)
	}
	if w.Outcome != "pending" || w.Trouble != "node unreachable" {
		h.Errorf("a wish for a node that is away: %+v; want pending, node unreachable", w)
	}
	d, err := h.hub.Device(h.Context(), "porch")
	if err != nil || d.Expected("powerstatus") != "ON" || d.Presence != "unknown" || d.NodeAway == nil {
		h.Errorf("the hub's view meanwhile: %v, %v", &d, err)
	}
	h.Node.Start()
	h.becomes(h.hub, w.ID, "applied")
	h.both("porch", "ON")
	if got := h.becomes(h.node, w.ID, "applied"); got.Rev == 0 {
		h.Errorf("at the node: %+v", got)
	}
}

func houseActs(h *house) {
	for _, name := range lamps {
		h.switched(h.hub, name, "OFF")
	}
	h.cut()
	loses := h.ask(h.hub, "porch", "", power("OFF"), http.StatusAccepted)
	hand := h.ask(h.hub, "attic", "", power("OFF"), http.StatusAccepted)
	insists := h.ask(h.hub, "hall", "", `{"expected":{"powerstatus":"OFF"},"insist":true}`, http.StatusAccepted)
	h.switched(h.node, "porch", "ON")
	h.switched(h.node, "hall", "ON")
	h.Press("attic")
	h.sees(h.node, "attic", "ON")
	h.heal()
	for _, lost := range []world.Wish{loses, hand} {
		w := h.becomes(h.hub, lost.ID, "superseded")
		if w.By == "" && w.Reason == "" {
			h.Errorf("the house won, and nobody says so: %+v", w)
		}
		if at := h.becomes(h.node, lost.ID, "superseded"); at.By != w.By || at.Reason != w.Reason {
			h.Errorf("told at the hub %+v, at the node %+v", w, at)
		}
	}
	h.becomes(h.hub, insists.ID, "applied")
	h.both("porch", "ON")
	h.both("attic", "ON")
	h.both("hall", "OFF")
}

// shedManifest is a device that the cloud defines, on a node.
func shedManifest(node string) string {
	return world.ModelManifest("shed-lamp", "sim", world.Power) + world.DeviceManifest("shed", "shed-lamp", "sim", "nodeName: "+node)
}

const annexName = "annex"

// apply gives a manifest to the hub.
func (h *house) apply(text string) {
	h.Helper()
	var out map[string]any
	status, err := h.hub.Do(h.Context(), http.MethodPost, "/v1/apply", text, &out)
	if err != nil || status != http.StatusOK {
		h.Fatalf("apply: %d %v %v", status, err, out)
	}
}

// gone waits until an API does not know a device any more.
func (h *house) gone(a *world.API, name string) {
	h.Helper()
	world.Eventually(h.T, patient, func() (bool, string) {
		status, err := a.Do(h.Context(), http.MethodGet, "/v1/devices/default/"+name, "", nil)
		return err == nil && status == http.StatusNotFound, fmt.Sprint(status, err)
	})
}

func cloudDevices(h *house) {
	h.apply(shedManifest(world.NodeName))
	h.settled("shed")
	h.switched(h.hub, "shed", "ON")
	h.both("shed", "ON")
	was, err := h.hub.Device(h.Context(), "shed")
	if err != nil {
		h.Fatal(err)
	}

	// The same file again switches nothing.
	before := h.lines.count()
	h.apply(shedManifest(world.NodeName))
	h.switched(h.hub, "porch", "ON") // later than what the hub may have told of the shed
	if got := h.lines.since(before); strings.Contains(fmt.Sprint(got), "shed") {
		h.Errorf("applying the same manifest again moved the lamp: %q", got)
	}

	annex := h.AddNode(annexName)
	there := world.NewSocketAPI(annex.Store("edge.sock"))
	defer there.Close()
	h.Served(annexName, true)
	if status, err := h.hub.Do(h.Context(), http.MethodPost, "/v1/devices/default/shed/move", `{"node":"annex"}`, nil); err != nil || status != http.StatusNoContent {
		h.Fatalf("move: %d %v", status, err)
	}
	h.gone(h.node, "shed")
	h.sees(there, "shed", "ON") // what was expected goes along
	h.sees(h.hub, "shed", "ON")
	if now, err := h.hub.Device(h.Context(), "shed"); err != nil || now.UID != was.UID || now.Node != annexName {
		h.Errorf("after the move: %v, %v; before: %v", &now, err, &was)
	}
	annex.Expect(annex.Stdout, `lamp default/shed is ON`, patient)
	h.switched(h.hub, "shed", "OFF")

	if status, err := h.hub.Do(h.Context(), http.MethodDelete, "/v1/devices/default/shed", "", nil); err != nil || status != http.StatusNoContent {
		h.Fatalf("delete: %d %v", status, err)
	}
	h.gone(h.hub, "shed")
	h.gone(there, "shed")

	// Of this name again: another device.
	h.apply(shedManifest(world.NodeName))
	h.settled("shed")
	if now, err := h.hub.Device(h.Context(), "shed"); err != nil || now.UID == was.UID {
		h.Errorf("defined anew: %v, %v; before: %v", &now, err, &was)
	}
	// A device of the node's is not the cloud's to delete.
	if status, err := h.hub.Do(h.Context(), http.MethodDelete, "/v1/devices/default/porch", "", nil); err != nil || status != http.StatusConflict {
		h.Errorf("delete a device of the node's: %d %v, want 409", status, err)
	}
	annex.End()
	h.Served(annexName, false)
}

func revoked(h *house) {
	annex := h.AddNode("shop")
	there := world.NewSocketAPI(annex.Store("edge.sock"))
	defer there.Close()
	h.Served("shop", true)
	if err := os.WriteFile(annex.Store("devices/shop.yaml"), []byte(world.Lamps("counter")), 0o600); err != nil {
		h.Fatal(err)
	}
	h.sees2(there, h.hub, "counter")

	start := time.Now()
	if status, err := h.hub.Do(h.Context(), http.MethodPost, "/v1/nodes/shop/revoke", "", nil); err != nil || status != http.StatusNoContent {
		h.Fatalf("revoke: %d %v", status, err)
	}
	h.Served("shop", false)
	if took := time.Since(start); took > 5*time.Second {
		h.Errorf("the session ended %v after the revocation, want 5 s", took)
	}
	annex.Expect(annex.Stderr, `revoked`, patient)
	h.ask(there, "counter", wait, power("ON"), http.StatusOK) // the shop goes on
	world.Never(h.T, 3*time.Second, func() (bool, string) {
		n, err := world.NodeOf(h.Context(), h.hub, "shop")
		return err != nil || n.Connected, fmt.Sprintf("a revoked node is served again: %+v, %v", n, err)
	})
	annex.End()
	if r := h.TryJoin(annex, h.Token("shop")); r.Code == 0 {
		h.Errorf("a node that has a hub joined without --again: %v", r)
	}
	h.Join(annex, "shop", "--again")
	annex.Start()
	h.Served("shop", true)
	h.sees(there, "counter", "ON")
	h.sees(h.hub, "counter", "ON")
	h.switched(h.hub, "counter", "OFF")
	annex.End()
}

// sees2 waits until two APIs show a lamp at rest.
func (h *house) sees2(a, b *world.API, name string) {
	h.Helper()
	for _, one := range []*world.API{a, b} {
		world.Eventually(h.T, patient, func() (bool, string) {
			d, err := one.Device(h.Context(), name)
			return err == nil && d.Presence == "online" && d.Quiet(), fmt.Sprint(&d, err)
		})
	}
}

// still makes sure that lamps only did what leads to what they show: after a restart of their mapper, which forgets,
// they are switched to it once; else not at all.
func (h *house) still(before int, forgot bool, shows map[string]string) {
	h.Helper()
	for name, value := range shows {
		h.both(name, value)
	}
	did := map[string][]string{}
	for _, line := range h.lines.since(before) {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "default/"), " is ")
		did[name] = append(did[name], value)
	}
	for name, value := range shows {
		got := strings.Join(did[name], " ")
		want := []string{""}
		if forgot { // a simulated lamp begins OFF
			want = []string{"OFF", "OFF ON"}
			if value == "OFF" {
				want = want[:1]
			} else {
				want = want[1:]
			}
		}
		if got != want[0] {
			h.Errorf("%s shows %s; meanwhile it did %q, want %q", name, value, got, want[0])
		}
	}
}

// pattern switches the lamps to what the steps below look for.
func (h *house) pattern() map[string]string {
	h.Helper()
	shows := map[string]string{"porch": "ON", "hall": "OFF", "attic": "ON"}
	for name, value := range shows {
		h.switched(h.hub, name, value)
	}
	return shows
}

func nodeKilled(h *house) {
	shows := h.pattern()
	for range 2 {
		before := h.lines.count()
		h.Node.Kill()
		h.Node.Start()
		h.Joined()
		h.still(before, !h.separate(), shows)
	}
	h.switched(h.hub, "porch", "OFF")
}

func hubKilled(h *house) {
	shows := h.pattern()
	for _, kill := range []bool{false, true} {
		before := h.lines.count()
		if kill {
			h.Hub.Kill()
		} else {
			h.Hub.End()
		}
		h.Hub.Start()
		h.Joined()
		h.still(before, !h.separate(), shows)
	}
	h.switched(h.hub, "porch", "OFF")
}

func twoWithOneName(h *house) {
	shows := h.pattern()
	before := h.lines.count()
	h.Node.Kill() // its folder has to be at rest
	twin := h.World.Twin(h.Node)
	h.Node.Start()
	h.Joined()
	twin.Start()
	// Whoever comes last is served; the other one hears why it is not, and both go on at home.
	h.Node.Expect(h.Node.Stderr, `4001`, patient)
	h.Hub.Expect(h.Hub.Stderr, `two machines have its certificate`, patient)
	h.switched(h.node, "hall", "ON")
	h.switched(h.node, "hall", "OFF")
	twin.End()
	// The first one is served again, at the latest after its longest pause.
	world.Eventually(h.T, 3*time.Minute, func() (bool, string) {
		status, w, err := h.hub.Patch(h.Context(), "hall", "?wait=1s", power("OFF"))
		return err == nil && status == http.StatusOK, fmt.Sprint(status, w, err)
	})
	for name, value := range shows {
		h.both(name, value)
	}
	for _, line := range h.lines.since(before) {
		if !strings.Contains(line, "hall") {
			h.Errorf("a lamp moved: %s", line)
		}
	}
	h.switched(h.hub, "porch", "OFF")
}

func hubDiskLost(h *house) {
	shows := h.pattern()
	was, err := h.hub.Device(h.Context(), "shed")
	if err != nil {
		h.Fatal(err)
	}
	before := h.lines.count()
	h.Hub.End()
	h.Hub.PutBack("hub.db", nil)
	h.Hub.Start()
	old := h.hub
	if status, err := old.Do(h.Context(), http.MethodGet, "/v1/nodes", "", nil); err != nil || status != http.StatusUnauthorized {
		h.Errorf("the token of the lost disk: %d %v, want 401", status, err)
	}
	h.hub = h.HubAPI()
	h.Joined()
	h.settled("shed") // the node gives the cloud its definitions back
	if now, err := h.hub.Device(h.Context(), "shed"); err != nil || now.UID != was.UID {
		h.Errorf("the cloud's device after the loss: %v, %v; before %v", &now, err, &was)
	}
	h.still(before, !h.separate(), shows)
	h.switched(h.hub, "porch", "OFF")
	h.switched(h.hub, "shed", "ON")
}

func nodeDiskLost(h *house) {
	shows := h.pattern()
	h.switched(h.hub, "shed", "ON")
	shows["shed"] = "ON"
	before := h.lines.count()
	h.Node.End()
	h.Node.PutBack("edge.db", nil)
	var waits world.Wish
	if h.separate() {
		h.Served(world.NodeName, false)
		waits = h.ask(h.hub, "hall", "", power("ON"), http.StatusAccepted)
		delete(shows, "hall")
		h.Join(h.Node, world.NodeName)
	}
	h.Node.Start()
	h.Joined()
	h.still(before, !h.separate(), shows)
	if h.separate() {
		h.becomes(h.hub, waits.ID, "applied")
		h.both("hall", "ON")
	}
	h.switched(h.hub, "porch", "OFF")
	h.switched(h.hub, "shed", "OFF")
}

func hubDiskOld(h *house) {
	shows := h.pattern()
	sent := h.ask(h.hub, "orphan", "", power("ON"), http.StatusAccepted)
	world.Eventually(h.T, patient, func() (bool, string) {
		status, w, err := h.node.Wish(h.Context(), sent.ID)
		return err == nil && status == http.StatusOK, fmt.Sprint(status, w, err)
	})
	h.Hub.End()
	old := h.Hub.Copy("hub.db")
	h.Hub.Start()
	h.Joined()
	later := h.ask(h.hub, "orphan", "", power("OFF"), http.StatusAccepted)
	h.becomes(h.node, sent.ID, "superseded")
	h.becomes(h.hub, sent.ID, "superseded")
	h.switched(h.hub, "porch", "OFF")
	h.switched(h.hub, "porch", "ON")
	before := h.lines.count()
	h.Hub.End()
	h.Hub.PutBack("hub.db", old)
	h.Hub.Start()
	h.Joined()
	h.becomes(h.hub, sent.ID, "superseded") // the hub asks what became of it
	h.still(before, false, shows)
	if _, at, err := h.node.Wish(h.Context(), later.ID); err != nil || at.Outcome != "pending" {
		h.Errorf("what the hub has forgotten is at the node %+v, %v; want pending", at, err)
	}
	h.switched(h.hub, "porch", "OFF")
	for name, value := range map[string]string{"hall": "OFF", "attic": "ON"} {
		h.both(name, value)
	}
}

func nodeDiskOld(h *house) {
	shows := h.pattern()
	h.Node.End()
	old := h.Node.Copy("edge.db")
	h.Node.Start()
	h.Joined()
	var told []world.Wish
	for _, value := range []string{"OFF", "ON"} {
		told = append(told, h.switched(h.hub, "porch", value))
	}
	told = append(told, h.switched(h.hub, "hall", "ON"))
	before := h.lines.count()
	h.Node.End()
	h.Node.PutBack("edge.db", old)
	h.Node.Start()
	h.Joined()
	// What was told stays so, and the hub's last known values are in force again.
	for _, w := range told {
		h.becomes(h.hub, w.ID, "applied")
	}
	h.both("hall", "ON")
	delete(shows, "hall")
	h.still(before, false, shows)
	h.switched(h.hub, "porch", "OFF")
}

// TestUpAtAnotherAddress: hub and node in one process find each other, wherever the hub was told to listen.
func TestUpAtAnotherAddress(t *testing.T) {
	h := newHouse(t, world.Up)
	h.switched(h.hub, "porch", "ON")
	h.Hub.End()
	was := h.HubAddr
	h.HubAddr = world.FreeAddr(t)
	file := h.Hub.Store("twinbridge.yaml")
	world.WriteFile(t, file, strings.ReplaceAll(readFile(t, file), was, h.HubAddr))
	h.Hub.Start()
	h.Joined()
	h.hub = h.HubAPI()
	h.switched(h.hub, "porch", "OFF")
}
