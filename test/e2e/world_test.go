package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbridge/test/world"
)

// patient is how long something may take that is done in a moment on a machine that is not busy.
const patient = 30 * time.Second

// wait is how long an asker waits for an outcome.
const wait = "?wait=30s"

// lamps are the devices of houseManifest that have a mapper.
var lamps = []string{"porch", "hall", "attic"}

// houseManifest are the devices of the node: three lamps and one device whose mapper never comes.
var houseManifest = world.Lamps(lamps...) + world.ModelManifest("orphan", "other", world.Power) + world.DeviceManifest("orphan", "orphan", "other")

// house is a world whose steps are looked at.
type house struct {
	*testing.T
	*world.World
	hub, node *world.API
	proxy     *world.Proxy // between node and hub; nil: there is none
	lines     *lampLines
}

// lampLines are the actuations of simulated lamps, as the mapper prints them.
type lampLines struct {
	mu   sync.Mutex
	list []string // as "default/porch is ON"
}

func (l *lampLines) line(_ time.Time, text string) {
	if rest, ok := strings.CutPrefix(text, "lamp "); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = append(l.list, rest)
	}
}

// since gives those after the first n.
func (l *lampLines) since(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.list[n:]...)
}

func (l *lampLines) count() int { return len(l.since(0)) }

// newHouse makes a world of a shape.
func newHouse(t *testing.T, shape world.Shape) *house {
	t.Helper()
	world.Need(t, "mosquitto_pub")
	h := &house{T: t, lines: &lampLines{}}
	o := world.Options{Binary: built.Path(t), Shape: shape, Manifest: houseManifest, OnLine: h.lines.line}
	if shape == world.Three {
		h.proxy = world.NewProxy(t)
		o.Through = h.proxy.Through
	}
	h.World = world.New(t, o)
	h.hub, h.node = h.HubAPI(), h.NodeAPI()
	h.settled(lamps...)
	return h
}

// separate reports whether hub and node are two programs.
func (h *house) separate() bool { return h.Shape != world.Up }

// cut takes the link away and waits until the hub has noticed; heal gives it back.
func (h *house) cut() {
	h.Helper()
	if h.proxy != nil {
		h.proxy.Set(world.Refused)
	} else {
		h.Cable(false)
	}
	h.Served(world.NodeName, false)
}

func (h *house) heal() {
	h.Helper()
	if h.proxy != nil {
		h.proxy.Set(world.Clear)
	} else {
		h.Cable(true)
	}
	h.Served(world.NodeName, true)
}

// on asks an API to switch a lamp and expects a status.
func (h *house) ask(a *world.API, name, query, body string, want int) world.Wish {
	h.Helper()
	status, w, err := a.Patch(h.Context(), name, query, body)
	if err != nil {
		h.Fatal(err)
	}
	if status != want {
		h.Fatalf("PATCH %s %s %s: status %d, want %d: %+v", name, query, body, status, want, w)
	}
	return w
}

func power(value string) string { return fmt.Sprintf(`{"expected":{"powerstatus":%q}}`, value) }

// on asks an API to switch a lamp, and waits until it is done.
func (h *house) switched(a *world.API, name, value string) world.Wish {
	h.Helper()
	w := h.ask(a, name, wait, power(value), http.StatusOK)
	if w.Outcome != "applied" {
		h.Fatalf("200 and %+v", w)
	}
	return w
}

// sees waits until an API shows a lamp at rest with that value.
func (h *house) sees(a *world.API, name, value string) {
	h.Helper()
	world.Eventually(h.T, patient, func() (bool, string) {
		d, err := a.Device(h.Context(), name)
		if err != nil {
			return false, err.Error()
		}
		return d.Actual("powerstatus") == value && d.Expected("powerstatus") == value && d.Quiet(), d.String()
	})
}

// both waits until hub and node show the same.
func (h *house) both(name, value string) {
	h.Helper()
	h.sees(h.node, name, value)
	h.sees(h.hub, name, value)
}

// settled waits until hub and node show the lamps at rest.
func (h *house) settled(names ...string) {
	h.Helper()
	for _, name := range names {
		for _, a := range []*world.API{h.node, h.hub} {
			world.Eventually(h.T, patient, func() (bool, string) {
				d, err := a.Device(h.Context(), name)
				if err != nil {
					return false, err.Error()
				}
				return d.Presence == "online" && d.Quiet() && d.Expected("powerstatus") == d.Actual("powerstatus") && d.Actual("powerstatus") != nil, d.String()
			})
		}
	}
}

// becomes waits until a wish has ended, at an API, and gives it.
func (h *house) becomes(a *world.API, id, outcome string) world.Wish {
	h.Helper()
	var got world.Wish
	world.Eventually(h.T, 2*patient, func() (bool, string) {
		status, w, err := a.Wish(h.Context(), id)
		got = w
		return err == nil && status == http.StatusOK && w.Outcome == outcome, fmt.Sprint(status, w, err)
	})
	return got
}

// event is a server-sent event.
type event struct {
	name   string
	device world.Device
}

// follow reads the hub's stream until the end of the test, or until stop is called.
func (h *house) follow(a *world.API) (events <-chan event, stop func()) {
	h.Helper()
	ctx, cancel := context.WithCancel(h.Context())
	req, err := a.Request(ctx, http.MethodGet, "/v1/watch", "")
	if err != nil {
		h.Fatal(err)
	}
	client := *a.HTTP
	client.Timeout = 0
	res, err := client.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		h.Fatalf("watch: status %d", res.StatusCode)
	}
	out := make(chan event, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer res.Body.Close()
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "event":
				e = event{name: value}
			case "data":
				_ = json.Unmarshal([]byte(value), &e.device) // other events have none
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, func() { cancel(); <-done }
}

// until reads events until one fits.
func (h *house) until(events <-chan event, what string, fits func(event) bool) {
	h.Helper()
	late := time.After(patient)
	for {
		select {
		case e := <-events:
			if fits(e) {
				return
			}
		case <-late:
			h.Fatalf("the stream did not tell %s", what)
		}
	}
}
