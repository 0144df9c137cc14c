package chaos

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"twinbridge/test/world"
)

// TestDayApart: hub and node cannot reach each other, and both change each device as often as in a day. Once they can,
// the house has won where it acted, the rest is done, everybody is told, and that takes a moment.
func TestDayApart(t *testing.T) {
	const devices, changes = 150, 20
	const target = 2 * time.Second // on a machine that is not busy; reported, and held loosely
	names, manifest := dims(devices)
	proxy := world.NewProxy(t)
	h := NewHistory()
	s := &storm{T: t, h: h, names: names, proxy: proxy}
	s.w = world.New(t, world.Options{Binary: built.Path(t), Shape: world.Three, Manifest: manifest, Through: proxy.Through, OnLine: s.line})
	s.apis = map[string]*world.API{Hub: s.w.HubAPI(), Node: s.w.NodeAPI()}
	if took, ok := s.rest(); !ok {
		t.Fatalf("not at rest after %v", took)
	}
	proxy.Set(world.Refused)
	s.w.Served(world.NodeName, false)

	// The first half of the devices is changed on both sides, the second at the hub only.
	type last struct{ hub, node string }
	ends := make([]last, devices)
	var mu sync.Mutex
	each := func(side string, some []string, note func(i int, id string)) {
		var wg sync.WaitGroup
		work := make(chan int)
		for range 8 {
			wg.Go(func() {
				for i := range work {
					for range changes {
						value := s.value.Add(1)
						from := h.Now()
						status, w, err := s.apis[side].Patch(t.Context(), names[i], "", fmt.Sprintf(`{"expected":{"level":%d}}`, value))
						if err != nil || status != http.StatusOK && status != http.StatusAccepted {
							t.Errorf("%s at the %s: %d %+v %v", names[i], side, status, w, err)
							return
						}
						h.Add(Entry{What: Ask, Side: side, Device: names[i], From: from, Value: value, Wish: w.ID, Outcome: w.Outcome, Rev: w.Rev, Status: status})
						mu.Lock()
						note(i, w.ID)
						mu.Unlock()
					}
				}
			})
		}
		for i := range some {
			work <- i
		}
		close(work)
		wg.Wait()
	}
	start := time.Now()
	var both sync.WaitGroup
	both.Go(func() { each(Hub, names, func(i int, id string) { ends[i].hub = id }) })
	both.Go(func() { each(Node, names[:devices/2], func(i int, id string) { ends[i].node = id }) })
	both.Wait()
	t.Logf("%d changes at the hub and %d at the house in %.1f s", devices*changes, devices/2*changes, time.Since(start).Seconds())

	proxy.Set(world.Clear)
	healed := time.Now()
	s.w.Served(world.NodeName, true)
	up := time.Now()
	took, ok := s.rest()
	t.Logf("served %.2f s after the link was back; from then %.2f s until both sides showed the same (target %v)", up.Sub(healed).Seconds(), took.Seconds(), target)
	if !ok || took > 10*target {
		t.Errorf("both sides agree: %v, after %v", ok, took)
	}
	for i, name := range names {
		want := "applied"
		if i < devices/2 {
			want = "superseded"
		}
		status, w, err := s.apis[Hub].Wish(t.Context(), ends[i].hub)
		if err != nil || status != http.StatusOK || w.Outcome != want {
			t.Errorf("the last wish at the hub for %s: %d %+v %v; want %s", name, status, w, err, want)
		}
	}
	// One actuation for each device at the most, of what waited.
	did := map[string]int{}
	for _, e := range h.Entries() {
		if e.What == Lamp && e.At > healed.Sub(h.start) {
			if did[e.Device]++; did[e.Device] > 1 {
				t.Errorf("%s was moved %d times after the link was back, at last to %d", e.Device, did[e.Device], e.Value)
			}
		}
	}
	if len(did) != devices/2 {
		t.Errorf("%d devices moved after the link was back, want %d: those that only the hub had changed", len(did), devices/2)
	}
}
