package homekit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/internal/haptest"
	"twinbridge/twin"
)

const (
	typeOn         = "25"
	typeBrightness = "8"
	typeIdentify   = "14"
)

// put writes one value and gives the status of it.
func put(t *testing.T, c *haptest.Conn, id haptest.ID, value string) int {
	t.Helper()
	got, err := c.Put(t.Context(), haptest.Set(id, value))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 {
		return 0
	}
	return *got[0].Status
}

// get reads values; a status in the place of one that could not be read.
func get(t *testing.T, c *haptest.Conn, ids ...haptest.ID) string {
	t.Helper()
	got, err := c.Get(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, g := range got {
		if g.Status != nil && *g.Status != 0 {
			out = append(out, fmt.Sprint(*g.Status))
		} else {
			out = append(out, string(g.Value))
		}
	}
	return strings.Join(out, " ")
}

// event waits for the next one and gives its body.
func event(t *testing.T, c *haptest.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := c.Event(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Body)
}

// TestChain: a phone switches, the twin is asked, the device does it, another phone sees it; and the other way round.
func TestChain(t *testing.T) {
	h := newHome(t, "kitchen")
	p := h.pair()
	writer, other := p.dial(), p.dial()
	on, bright := p.ids(writer, typeOn)["kitchen"], p.ids(writer, typeBrightness)["kitchen"]
	for _, c := range []*haptest.Conn{writer, other} {
		if err := c.Subscribe(t.Context(), on, bright); err != nil {
			t.Fatal(err)
		}
	}
	body := func(id haptest.ID, value string) string {
		return fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"value":%s}]}`, id.AID, id.IID, value)
	}
	if st := put(t, writer, on, "true"); st != 0 {
		t.Fatalf("status %d", st)
	}
	v := h.device("kitchen").Prop("powerstatus")
	if v.Expected.Text() != "ON" || v.Origin != twin.FromHomeKit || v.Wish == "" || v.Remaining <= 29*time.Second || v.Remaining > 30*time.Second {
		t.Errorf("the twin is %+v", v)
	}
	if w, err := h.twins.FindWish(v.Wish); err != nil || w.Asker != p.who.ID {
		t.Errorf("asked by %q, %v", w.Asker, err)
	}
	if got := event(t, other); got != body(on, "true") {
		t.Errorf("event %s", got)
	}
	h.report("kitchen", map[string]twin.Value{"powerstatus": twin.StringValue("ON")})
	if got := h.device("kitchen").Prop("powerstatus"); got.Wish != "" {
		t.Errorf("still pending: %+v", got)
	}
	// A hand on the switch: everybody hears of it, who wrote last too.
	if _, err := h.twins.Report(name("kitchen"), twin.Report{Echo: true, Props: map[string]twin.PropReport{"powerstatus": {Value: twin.StringValue("OFF"), Act: true}}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*haptest.Conn{writer, other} {
		if got := event(t, c); got != body(on, "false") {
			t.Errorf("event %s", got)
		}
	}
	// Another rim wishes.
	if _, err := h.twins.Ask(name("kitchen"), twin.Wish{ID: "w", Origin: twin.FromLocal, Values: map[string]twin.Value{"brightness": twin.IntValue(70)}}); err != nil {
		t.Fatal(err)
	}
	if got := event(t, writer); got != body(bright, "70") {
		t.Errorf("event %s", got)
	}
}

// TestWish: what a request says of a device is one wish, and each request is one, the value equal or not.
func TestWish(t *testing.T) {
	h := newHome(t, "kitchen")
	p := h.pair()
	c := p.dial()
	on, bright := p.ids(c, typeOn)["kitchen"], p.ids(c, typeBrightness)["kitchen"]
	if got, err := c.Put(t.Context(), haptest.Set(on, "true"), haptest.Set(bright, "55")); err != nil || len(got) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	v := h.device("kitchen")
	if a, b := v.Prop("powerstatus"), v.Prop("brightness"); a.Wish == "" || a.Wish != b.Wish || b.Expected.Int() != 55 {
		t.Errorf("%+v and %+v are not of one wish", a, b)
	}
	seen := map[string]bool{v.Prop("powerstatus").Wish: true}
	for range 3 {
		if st := put(t, c, on, "true"); st != 0 {
			t.Fatalf("status %d", st)
		}
		w := h.device("kitchen").Prop("powerstatus").Wish
		if seen[w] {
			t.Error("a write of the same value has not reached the twin")
		}
		seen[w] = true
	}
	for value, want := range map[string]int{"101": -70410, `"x"`: -70410, "-1": -70410, "1.5": -70410} {
		if st := put(t, c, bright, value); st != want {
			t.Errorf("%s: status %d, want %d", value, st, want)
		}
	}
	if got := h.device("kitchen").Prop("brightness").Expected.Int(); got != 55 {
		t.Errorf("refused values have changed it to %d", got)
	}
}

// TestOffline: a device that is away says No Response, at once and for itself alone; nothing waits for it; it recovers.
func TestOffline(t *testing.T) {
	h := newHome(t, "kitchen", "hall")
	p := h.pair()
	c := p.dial()
	on := p.ids(c, typeOn)
	kitchen, hall := on["kitchen"], on["hall"]
	h.state("kitchen", "offline")
	eventually(t, func() (bool, string) {
		got := get(t, c, kitchen, hall)
		return got == "-70402 false", got
	})
	got, err := c.Put(t.Context(), haptest.Set(kitchen, "true"), haptest.Set(hall, "true"))
	if err != nil || len(got) != 2 || *got[0].Status != -70402 || *got[1].Status != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if v := h.device("kitchen").Prop("powerstatus"); v.Wish != "" || v.Expected.Text() != "OFF" {
		t.Errorf("something waits for it: %+v", v)
	}
	if db, err := c.Accessories(t.Context()); err != nil || len(db.Find(typeOn)) != 2 {
		t.Errorf("the database has lost it: %v", err)
	}
	if err := c.Subscribe(t.Context(), kitchen); err != nil {
		t.Fatal(err)
	}
	h.state("kitchen", "online")
	h.report("kitchen", map[string]twin.Value{"powerstatus": twin.StringValue("OFF")})
	if got := event(t, c); !strings.Contains(got, `"value":false`) {
		t.Errorf("event %s", got)
	}
	if got := get(t, c, kitchen); got != "false" {
		t.Errorf("it shows %s", got)
	}
	if st := put(t, c, kitchen, "true"); st != 0 {
		t.Errorf("status %d", st)
	}
}

// TestGoesBack: a press that fails goes back, and who pressed is told.
func TestGoesBack(t *testing.T) {
	h := newHome(t, "kitchen")
	p := h.pair()
	c := p.dial()
	on := p.ids(c, typeOn)["kitchen"]
	if err := c.Subscribe(t.Context(), on); err != nil {
		t.Fatal(err)
	}
	if st := put(t, c, on, "true"); st != 0 {
		t.Fatalf("status %d", st)
	}
	wish := h.device("kitchen").Prop("powerstatus").Wish
	if _, err := h.twins.Report(name("kitchen"), twin.Report{Echo: true, Props: map[string]twin.PropReport{"powerstatus": {Wish: wish, Error: "the relay sticks"}}}); err != nil {
		t.Fatal(err)
	}
	if got := event(t, c); !strings.Contains(got, `"value":false`) {
		t.Errorf("event %s", got)
	}
}

// TestComeAndGo: devices come, change and go while a phone is connected.
func TestComeAndGo(t *testing.T) {
	h := newHome(t, "kitchen")
	p := h.pair()
	c := p.dial()
	names := func() []string { return slices.Sorted(maps.Keys(p.ids(c, typeOn))) }
	number := func() uint16 { return h.bridge.State().Sides[0].Config }
	first := number()
	kitchen := p.ids(c, typeOn)["kitchen"]
	h.lamp("attic")
	eventually(t, func() (bool, string) { return slices.Equal(names(), []string{"attic", "kitchen"}), fmt.Sprint(names()) })
	if number() != first+1 {
		t.Errorf("configuration %d, want %d", number(), first+1)
	}
	h.lamp("secret", "expose", "none")
	h.lamp("matter-only", "expose", "matter")
	h.lamp("hall", "name", "Hall lamp")
	eventually(t, func() (bool, string) {
		return slices.Equal(names(), []string{"Hall lamp", "attic", "kitchen"}), fmt.Sprint(names())
	})
	if err := h.twins.Delete(name("attic")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() (bool, string) {
		return slices.Equal(names(), []string{"Hall lamp", "kitchen"}), fmt.Sprint(names())
	})
	before := number()
	h.report("kitchen", map[string]twin.Value{"powerstatus": twin.StringValue("ON")})
	h.restart()
	c = p.dial()
	if got := p.ids(c, typeOn)["kitchen"]; got != kitchen || number() != before {
		t.Errorf("after a restart %v under configuration %d, before %v under %d", got, number(), kitchen, before)
	}
	h.lamp("attic")
	eventually(t, func() (bool, string) { return len(names()) == 3, fmt.Sprint(names()) })
	if ids := p.ids(c, typeOn); ids["attic"].AID != 3 || ids["Hall lamp"].AID != 4 {
		t.Errorf("ids %v", ids)
	}
}

// TestRestart: pairings, identifiers and the identity outlive the process.
func TestRestart(t *testing.T) {
	h := newHome(t, "kitchen")
	p := h.pair()
	p.dial() // until it has come back, a pairing does not count after a restart: its last answer may have been lost
	id := h.bridge.State().Sides[0].ID
	for range 2 {
		h.restart()
		st := h.bridge.State().Sides[0]
		if !st.Paired || st.ID != id || st.Code != "" || len(st.Controllers) != 1 || !st.Controllers[0].Admin {
			t.Fatalf("after a restart: %+v", st)
		}
		c := p.dial()
		if st := put(t, c, p.ids(c, typeOn)["kitchen"], "true"); st != 0 {
			t.Errorf("status %d", st)
		}
	}
}

// TestReset: a reset makes another bridge; who was connected is out, and pairing is open.
func TestReset(t *testing.T) {
	h := newHome(t, "kitchen")
	p := h.pair()
	c := p.dial()
	before := h.bridge.State().Sides[0].ID
	if ok, err := h.bridge.Reset(2); ok || err != nil {
		t.Errorf("a bridge that is not there: %v, %v", ok, err)
	}
	if ok, err := h.bridge.Reset(1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := c.Next(t.Context()); err == nil {
		t.Error("the connection goes on")
	}
	if st := h.bridge.State().Sides[0]; st.ID == before || st.Paired || st.Code == "" {
		t.Errorf("after the reset: %+v", st)
	}
	if _, err := p.who.Dial(t.Context(), h.addr(), p.acc); err == nil {
		t.Error("the old pairing still opens it")
	}
	again := h.pair()
	if got := again.ids(again.dial(), typeOn); len(got) != 1 {
		t.Errorf("lamps %v", got)
	}
}

// TestIdentify: two short presses that end at what is expected, and are nobody's act; a bridge that nobody has paired with
// answers /identify and moves nothing.
func TestIdentify(t *testing.T) {
	h := newHome(t, "kitchen")
	open, err := haptest.Open(t.Context(), h.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if m, err := open.Do(t.Context(), "POST", "/identify", nil); err != nil || m.Status != 204 {
		t.Errorf("%+v, %v", m, err)
	}
	p := h.pair()
	if m, err := open.Do(t.Context(), "POST", "/identify", nil); err != nil || m.Status != 400 || string(m.Body) != `{"status":-70401}` {
		t.Errorf("%+v, %v", m, err)
	}
	c := p.dial()
	watch := h.twins.Watch()
	defer watch.Close()
	if st := put(t, c, p.ids(c, typeIdentify)["kitchen"], "true"); st != 0 {
		t.Fatalf("status %d", st)
	}
	var seen []string
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for len(seen) < 2 {
		select {
		case <-watch.C():
			watch.Take()
		case <-ctx.Done():
			t.Fatalf("it blinks no more after %v", seen)
		}
		v := h.device("kitchen").Prop("powerstatus")
		if v.Origin.House() {
			t.Errorf("it is an act of %s", v.Origin)
		}
		if v.Wish != "" && (len(seen) == 0 || seen[len(seen)-1] != v.Expected.Text()) {
			seen = append(seen, v.Expected.Text())
			h.report("kitchen", map[string]twin.Value{"powerstatus": v.Expected})
		}
	}
	if got := strings.Join(seen, " "); got != "ON OFF" {
		t.Errorf("it went %s", got)
	}
}

// TestFull: a bridge holds 149 devices; the next one is named, and has its place on a second bridge.
func TestFull(t *testing.T) {
	var lamps []string
	for i := range MaxDevices + 1 {
		lamps = append(lamps, fmt.Sprintf("lamp-%03d", i))
	}
	h := newHome(t, lamps...)
	st := h.bridge.State()
	eventually(t, func() (bool, string) {
		st = h.bridge.State()
		return len(st.Left) == 1 && st.Left[0] == name("lamp-149") && st.Sides[0].Devices == MaxDevices, fmt.Sprint(st.Left, st.Sides)
	})
	p := h.pair()
	if got := p.ids(p.dial(), typeOn); len(got) != MaxDevices {
		t.Errorf("%d lamps", len(got))
	}
	h.config.Bridges = 2
	h.restart()
	eventually(t, func() (bool, string) {
		st = h.bridge.State()
		return len(st.Left) == 0 && st.Sides[0].Devices == MaxDevices && st.Sides[1].Devices == 1, fmt.Sprint(st.Left, st.Sides)
	})
	if st.Sides[0].ID == st.Sides[1].ID || !st.Sides[0].Paired || st.Sides[1].Paired {
		t.Errorf("%+v", st.Sides)
	}
}

// TestDamaged: a bridge whose pairings cannot be read does not open.
func TestDamaged(t *testing.T) {
	h := newHome(t, "kitchen")
	h.pair()
	h.stop()
	if err := newNotebook(h.file, 1).save(keyPairings, "nonsense"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(h.config, h.twins, h.file); !errors.Is(err, errUnreadable) {
		t.Errorf("opened: %v", err)
	}
}

// TestUnauthorised: nothing is told to whoever has not been verified.
func TestUnauthorised(t *testing.T) {
	h := newHome(t, "kitchen")
	for _, r := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/accessories", 470},
		{"GET", "/characteristics?id=2.9", 470},
		{"PUT", "/characteristics", 470},
		{"PUT", "/prepare", 470},
		{"POST", "/pairings", 470},
		{"POST", "/resource", 470},
		{"GET", "/", 404},
		{"GET", "/../accessories", 404},
		{"GET", "/pair-setup", 405},
		{"DELETE", "/pair-verify", 405},
	} {
		c, err := haptest.Open(t.Context(), h.addr())
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Do(t.Context(), r.method, r.path, []byte(`{}`))
		if err != nil || m.Status != r.status {
			t.Errorf("%s %s: %d, %v, want %d", r.method, r.path, m.Status, err, r.status)
		}
		c.Close()
	}
}

// eventually waits until what is asked for holds.
func eventually(t *testing.T, f func() (bool, string)) {
	t.Helper()
	tick, end := time.NewTicker(2*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for {
		ok, last := f()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("in the end: %s", last)
		}
	}
}
