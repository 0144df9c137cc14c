package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/test/world"
)

// built is the program under test.
var built = world.Built{Race: long()}

func TestMain(m *testing.M) { built.Main(m) }

// long reports whether somebody has time.
func long() bool { return os.Getenv("LONG") != "" }

const devices = 8

// dims are devices with a property that takes any whole number, so that each wish has a value of its own.
func dims(n int) (names []string, manifest string) {
	manifest = world.ModelManifest("dim", "sim", "{name: level, type: INT, accessMode: ReadWrite}")
	for i := range n {
		name := fmt.Sprintf("dim-%d", i)
		names = append(names, name)
		manifest += world.DeviceManifest(name, "dim", "sim")
	}
	return names, manifest
}

// storm is a world under way.
type storm struct {
	*testing.T
	w     *world.World
	proxy *world.Proxy
	h     *History
	names []string
	rng   *rand.Rand
	value atomic.Int64 // the last that somebody wished
	only  string       // faults whose name begins so; "": all
	quick bool         // half of the askers do not wait, and one fault follows the other sooner

	followers sync.WaitGroup
	apis      map[string]*world.API
	client    mqtt.Client
}

func newStorm(t *testing.T, program string, mosquitto bool) *storm {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed) // of the faults; what the programs do is their own
	s := &storm{T: t, h: NewHistory(), proxy: world.NewProxy(t), rng: rand.New(rand.NewPCG(seed, 0))}
	var manifest string
	s.names, manifest = dims(devices)
	s.w = world.New(t, world.Options{
		Binary: program, Shape: world.Three, Manifest: manifest, Through: s.proxy.Through, Mosquitto: mosquitto, OnLine: s.line,
	})
	s.apis = map[string]*world.API{Hub: s.w.HubAPI(), Node: s.w.NodeAPI()}
	for _, a := range s.apis {
		a.HTTP.Timeout = 8 * time.Second
	}
	s.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + s.w.MQTT).SetClientID("hands").
		SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond).SetMaxReconnectInterval(200 * time.Millisecond).SetOrderMatters(false))
	s.client.Connect()
	t.Cleanup(func() { s.client.Disconnect(100) })
	return s
}

// line hears what the mapper prints, as "device default/dim-0: level is 17".
func (s *storm) line(at time.Time, text string) {
	var name string
	var value int64
	if rest, ok := strings.CutPrefix(text, "device default/"); ok {
		if n, _ := fmt.Sscanf(strings.ReplaceAll(rest, ":", " "), "%s level is %d", &name, &value); n == 2 {
			s.h.add(Entry{What: Lamp, Device: name, Value: value}, at.Sub(s.h.start))
		}
	}
}

// ask sends a wish and notes the answer.
func (s *storm) ask(ctx context.Context, side, name string, press, waits bool) {
	value := s.value.Add(1)
	body := fmt.Sprintf(`{"expected":{"level":%d}}`, value)
	if press {
		body = fmt.Sprintf(`{"expected":{"level":%d},"validFor":"3s"}`, value)
	}
	from := s.h.Now()
	query := "?wait=4s"
	if !waits {
		query = ""
	}
	status, w, err := s.apis[side].Patch(ctx, name, query, body)
	e := Entry{What: Ask, Side: side, Device: name, From: from, Value: value, Status: status}
	if err != nil {
		e.Text = err.Error()
	} else {
		e.Wish, e.Outcome, e.Rev, e.Reason = w.ID, w.Outcome, w.Rev, w.Reason+w.Detail
	}
	s.h.Add(e)
	if w.ID == "" || Ended(w.Outcome) && durable(&e) {
		return
	}
	// Who was not told the outcome asks for it until it is there.
	s.followers.Go(func() {
		for ctx.Err() == nil {
			if s.look(ctx, side, name, value, w.ID) {
				return
			}
			pause(ctx, 200*time.Millisecond)
		}
	})
}

// look reads a wish; true: there is no more to be heard of it.
func (s *storm) look(ctx context.Context, side, name string, value int64, id string) bool {
	from := s.h.Now()
	status, w, err := s.apis[side].Wish(ctx, id)
	if err != nil || status != http.StatusOK && status != http.StatusNotFound {
		return false
	}
	e := Entry{What: Look, Side: side, Device: name, From: from, Value: value, Wish: id, Outcome: w.Outcome, Reason: w.Reason, Rev: w.Rev, Status: status}
	s.h.Add(e)
	return status == http.StatusNotFound || Ended(w.Outcome) && durable(&e)
}

// view reads all devices of a side.
func (s *storm) view(ctx context.Context, side string) (all []world.Device) {
	from := s.h.Now()
	all, err := s.apis[side].Devices(ctx)
	if err != nil {
		return nil
	}
	for i := range all {
		d := &all[i]
		p := d.Properties["level"]
		// A wish that the hub has not heard of yet shows in the place of what is expected, and has no rev of its own.
		if p.Expected == nil || side == Hub && p.Wish != nil {
			continue
		}
		value, _ := p.Expected.Value.(float64)
		s.h.Add(Entry{What: View, Side: side, Device: d.Name, From: from, Value: int64(value), Rev: p.Expected.Rev, Origin: p.Expected.Origin})
	}
	return all
}

// pause waits, or for the end.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// life makes everybody want something until ctx ends.
func (s *storm) life(ctx, after context.Context) *sync.WaitGroup {
	var wg sync.WaitGroup
	person := func(seed uint64, most time.Duration, do func(r *rand.Rand, name string)) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for ctx.Err() == nil {
				do(r, s.names[r.IntN(len(s.names))])
				pause(ctx, time.Duration(r.Int64N(int64(most))))
			}
		})
	}
	for i := range uint64(4) {
		person(i, 150*time.Millisecond, func(r *rand.Rand, name string) { s.ask(after, Hub, name, r.IntN(6) == 0, !s.quick || i%2 == 0) })
	}
	person(5, 150*time.Millisecond, func(_ *rand.Rand, name string) { s.ask(after, Hub, name, false, false) })
	for i := range uint64(3) {
		person(10+i, 200*time.Millisecond, func(r *rand.Rand, name string) { s.ask(after, Node, name, r.IntN(6) == 0, true) })
	}
	publish := func(what, topic, payload, name string) {
		value := s.value.Add(1)
		s.h.Add(Entry{What: what, Device: name, Value: value})
		if s.client.IsConnectionOpen() {
			s.client.Publish(fmt.Sprintf(topic, name), 0, false, fmt.Sprintf(payload, value))
		}
	}
	person(20, 400*time.Millisecond, func(_ *rand.Rand, name string) {
		publish(MQTT, "$hw/events/device/default/%s/twin/update", `{"event_id":"","timestamp":0,"twin":{"level":{"expected":{"value":"%d"},"metadata":{"type":"Updated"}}}}`, name)
	})
	person(21, 600*time.Millisecond, func(_ *rand.Rand, name string) {
		publish(Hand, "$twinbridge/sim/default/%s/press", `{"level":%d}`, name)
	})
	for _, side := range []string{Hub, Node} {
		person(30, 300*time.Millisecond, func(*rand.Rand, string) { s.view(ctx, side) })
	}
	return &wg
}

// fault is something that breaks, and how it is mended.
type fault struct {
	name  string
	least time.Duration // that it lasts
	most  time.Duration
	begin func()
	mend  func()
}

func (s *storm) faults() (far, home []fault) {
	killed := func(name string, p *world.Party, most time.Duration) fault {
		return fault{name + " killed", 50 * time.Millisecond, most, func() { p.Kill() }, p.Start}
	}
	weather := func(name string, w world.Weather, least, most time.Duration) fault {
		return fault{"link " + name, least, most, func() { s.proxy.Set(w) }, func() { s.proxy.Set(world.Clear) }}
	}
	far = []fault{
		killed("hub", s.w.Hub, 3*time.Second),
		weather("black-holed", world.Hole, time.Second, 3*time.Second),
		weather("slow", world.Slow, time.Second, 2*time.Second),
		weather("refused", world.Refused, 1500*time.Millisecond, 3*time.Second),
		{"link cut in mid-message", 300 * time.Millisecond, time.Second, func() { s.proxy.Cut(1 + s.rng.IntN(3000)) }, func() {}},
		killed("hub", s.w.Hub, 200*time.Millisecond),
	}
	home = []fault{
		killed("node", s.w.Node, time.Second),
		killed("mapper", s.w.Mapper, time.Second),
		killed("node", s.w.Node, 100*time.Millisecond),
	}
	if s.w.Broker != nil {
		home = append(home, killed("broker", s.w.Broker, time.Second))
	}
	if long() { // longer than a session may be silent
		far = append(far, weather("black-holed", world.Hole, 20*time.Second, 40*time.Second))
	}
	return far, home
}

// rage breaks things until the time is over, each kind at least once.
func (s *storm) rage(span time.Duration) map[string]int {
	counts := map[string]int{}
	end := s.h.Now() + span
	for first := true; first || s.h.Now() < end; first = false {
		far, home := s.faults()
		for _, some := range [][]fault{home, far} {
			s.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			for _, f := range some {
				if !first && s.h.Now() > end {
					break
				}
				if !strings.HasPrefix(f.name, s.only) {
					continue
				}
				calm := 300 * time.Millisecond
				if s.quick {
					calm = 50 * time.Millisecond
				}
				pause(s.Context(), calm+time.Duration(s.rng.Int64N(int64(3*calm))))
				from := s.h.Now()
				f.begin()
				if s.quick && s.only != LinkRefused {
					f.most = min(f.most, f.least+300*time.Millisecond)
				}
				pause(s.Context(), f.least+time.Duration(s.rng.Int64N(int64(f.most-f.least))))
				f.mend()
				s.h.Add(Entry{What: Fault, From: from, Text: f.name})
				counts[f.name]++
			}
		}
	}
	return counts
}

// restTime is how long all may take to come to rest: the longest pause of a node before it dials again, and of its
// brokers' clients, on a busy machine.
const restTime = 90 * time.Second

// rest waits until nothing is pending and both sides show the same; false: it does not come to that.
func (s *storm) rest() (time.Duration, bool) {
	start := time.Now()
	most := restTime
	if s.quick {
		most = 20 * time.Second
	}
	for time.Since(start) < most {
		ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
		hub, err1 := s.apis[Hub].Devices(ctx)
		node, err2 := s.apis[Node].Devices(ctx)
		cancel()
		if err1 == nil && err2 == nil && same(hub, node) {
			return time.Since(start), true
		}
		pause(s.Context(), 50*time.Millisecond)
	}
	return most, false
}

// same reports whether two views are of the same world at rest.
func same(hub, node []world.Device) bool {
	if len(hub) != len(node) || len(hub) == 0 {
		return false
	}
	at := map[string]*world.Device{}
	for i := range node {
		at[node[i].Name] = &node[i]
	}
	for i := range hub {
		a := &hub[i]
		b := at[a.Name]
		if b == nil || !a.Quiet() || !b.Quiet() || a.Presence != "online" || b.Presence != "online" || a.NodeAway != nil {
			return false
		}
		for p := range a.Properties {
			v := b.Actual(p)
			if v == nil || a.Expected(p) != v || b.Expected(p) != v || a.Actual(p) != v || a.Properties[p].Expected.Rev != b.Properties[p].Expected.Rev {
				return false
			}
		}
	}
	return true
}

// weather plays a storm and gives what it comes to.
func (s *storm) play(span time.Duration) (*Verdict, map[string]int) {
	ctx, calm := context.WithCancel(s.Context())
	after, over := context.WithCancel(s.Context())
	defer over()
	people := s.life(ctx, after)
	counts := s.rage(span)
	calm()
	people.Wait()
	took, ok := s.rest()
	s.Logf("at rest %.1f s after all was healed: %v", took.Seconds(), ok)
	heard := make(chan struct{})
	go func() { s.followers.Wait(); close(heard) }()
	select { // everybody hears what became of his wish, or there is nothing to be heard
	case <-heard:
	case <-time.After(10 * time.Second):
	}
	over()
	<-heard
	s.last()
	return Check(s.h.Entries()), counts
}

// last looks once more at what each side keeps: the last wishes of each device (rule 2: 16), and all devices.
func (s *storm) last() {
	seen := map[string]bool{}
	count := map[string]int{}
	entries := s.h.Entries()
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		if e.What != Ask && e.What != MQTT && e.What != Hand {
			continue
		}
		if count[e.Device]++; count[e.Device] > kept || e.Wish == "" || seen[e.Wish] {
			continue
		}
		seen[e.Wish] = true
		s.look(s.Context(), e.Side, e.Device, e.Value, e.Wish)
		if e.Side == Hub {
			s.look(s.Context(), Node, e.Device, e.Value, e.Wish)
		}
	}
	s.view(s.Context(), Node)
	s.view(s.Context(), Hub)
}

// report says what was found, and keeps the history if something was.
func (s *storm) report(v *Verdict) {
	s.Helper()
	s.Log(v)
	if len(v.Violations) == 0 {
		return
	}
	entries := s.h.Entries()
	if path, err := Keep(entries); err == nil {
		s.Logf("the history is in %s", path)
	}
	const most = 5
	for i, x := range v.Violations {
		if i == most {
			s.Errorf("and %d more", len(v.Violations)-most)
			break
		}
		s.Error(x)
		for _, e := range Around(entries, x) {
			s.Logf("  %v", e)
		}
	}
}

// TestChaos is the storm: 30 s, or 5 minutes with LONG=1.
func TestChaos(t *testing.T) {
	world.Need(t, "mosquitto_pub")
	for _, mosquitto := range []bool{true, false} {
		name := "the node's own broker"
		span := 15 * time.Second
		if mosquitto {
			name, span = "Mosquitto", 15*time.Second
		}
		if long() {
			span = 150 * time.Second
		}
		t.Run(name, func(t *testing.T) {
			s := newStorm(t, built.Path(t), mosquitto)
			v, counts := s.play(span)
			t.Logf("%v", counts)
			s.report(v)
			if v.Told < 100 || v.Forgotten > v.Told/10 || v.Acts < 100 || v.Applied < 50 || v.Outages < 5 || v.Waited < 1 {
				t.Errorf("too little happened to show anything: %v", v)
			}
		})
	}
}
