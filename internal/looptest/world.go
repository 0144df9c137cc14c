package looptest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"twinbridge/internal/linetest"
	"twinbridge/twin"
)

// Result is what a history ended with.
type Result struct {
	Seed  uint64
	Fault string   // "": all promises held; else the check's name and what was seen
	Trace []string // what happened, a line each
	Seen  map[string]int
}

// String prints the history.
func (r Result) String() string {
	return fmt.Sprintf("%s\nseed %d\n%s\n", r.Fault, r.Seed, strings.Join(r.Trace, "\n"))
}

// world is one history. It runs in a bubble; what is decided, one goroutine decides.
type world struct {
	seed     uint64
	rng      *rand.Rand
	start    time.Time
	net      *network
	hub      *hubProc
	nodes    []*nodeProc
	lamps    []*lamp
	later    []step
	sessions int // that the hub takes at a time
	asks     sync.WaitGroup
	out      *slog.Logger // the hub's; nil: silence

	mu    sync.Mutex
	trace []string
	fault string
	seen  map[string]int
	asked []*asked
	revs  map[string]uint64 // of the hub's views, by store and property
}

// step is something that was put off.
type step struct {
	at time.Time
	do func()
}

func (w *world) log(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%9.3fs ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) fail(check, format string, args ...any) {
	text := check + ": " + fmt.Sprintf(format, args...)
	w.log("VIOLATION %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == "" {
		w.fault = text
	}
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault != ""
}

func (w *world) saw(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

func (w *world) chance(p int) bool { return w.rng.IntN(100) < p }

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

// after puts something off; pass does it when its time has come.
func (w *world) after(d time.Duration, do func()) {
	w.later = append(w.later, step{time.Now().Add(d), do})
}

// pass lets time pass, does what was put off, and looks at everything ten times a second.
func (w *world) pass(d time.Duration) {
	for end := time.Now().Add(d); !w.failed(); {
		for i := 0; i < len(w.later); i++ {
			if s := w.later[i]; !s.at.After(time.Now()) {
				w.later = append(w.later[:i], w.later[i+1:]...)
				i = -1
				s.do()
			}
		}
		w.look()
		left := time.Until(end)
		if left <= 0 {
			return
		}
		wait(min(left, 100*time.Millisecond))
	}
}

// Run plays one history. It must be called in a bubble of testing/synctest.
func Run(seed uint64) (r Result) {
	w, err := newWorld(seed)
	if err != nil {
		return Result{Seed: seed, Fault: "setup: " + err.Error()}
	}
	w.setup()
	w.live()
	w.heal()
	if !w.failed() {
		w.final()
	}
	w.end()
	return Result{Seed: seed, Fault: w.fault, Trace: w.trace, Seen: w.seen}
}

// end stops everything.
func (w *world) end() {
	w.asks.Wait()
	for _, p := range w.nodes {
		p.crash()
	}
	w.hub.crash()
}

func newWorld(seed uint64) (*world, error) {
	net, err := newNetwork(seed)
	if err != nil {
		return nil, err
	}
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x100b)), start: time.Now(), net: net, seen: map[string]int{}, revs: map[string]uint64{},
	}
	w.hub = &hubProc{w: w, file: newFile(w.between(0, 5*time.Millisecond))}
	return w, nil
}

func (w *world) must(err error, what string) {
	if err != nil {
		w.fail("Durable", "%s: %v", what, err)
	}
}

func (w *world) model() []twin.DeviceModel {
	lo, hi := 0.0, 9.0
	return []twin.DeviceModel{{Name: twin.Name{Namespace: "default", Name: "lamps"}, Properties: []twin.Property{
		{Name: "power", Type: twin.String, Enum: []string{"ON", "OFF"}}, {Name: "level", Type: twin.Int, Min: &lo, Max: &hi},
	}}}
}

func (w *world) value(prop string) twin.Value {
	if prop == "power" {
		return twin.StringValue([]string{"ON", "OFF"}[w.rng.IntN(2)])
	}
	return twin.IntValue(w.rng.Int64N(10))
}

// setup starts a hub and two nodes, each with a lamp of its own and one of the cloud's.
func (w *world) setup() {
	w.must(w.hub.start(), "the hub starts")
	model := w.model()
	var clouds []twin.Device
	for _, name := range []string{"attic", "barn"} {
		p := w.addNode(name)
		for _, kind := range []string{"own", "cloudy"} {
			l := w.addLamp(p, kind)
			if kind == "cloudy" {
				clouds = append(clouds, twin.Device{Name: l.name, Model: model[0].Name, Node: name})
			}
		}
		w.must(p.start(), name+" starts")
		w.must(p.holder.Store.Apply(model, []twin.Device{{Name: twin.Name{Namespace: name, Name: "own"}, Model: model[0].Name}}), "a definition")
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	w.must(w.hub.reg.Apply(ctx, model, clouds), "a definition of the cloud's")
	w.pass(w.between(time.Second, 8*time.Second))
}

func (w *world) addNode(name string) *nodeProc {
	p := &nodeProc{w: w, name: name, file: newFile(w.between(0, 5*time.Millisecond))}
	w.nodes = append(w.nodes, p)
	return p
}

// addLamp hangs a lamp of some habit on a node.
func (w *world) addLamp(p *nodeProc, kind string) *lamp {
	l := &lamp{
		w: w, name: twin.Name{Namespace: p.name, Name: kind}, node: p, echo: w.chance(60), slow: 120 * time.Millisecond,
		rng: rand.New(rand.NewPCG(w.rng.Uint64(), 1)), real: map[string]twin.Value{}, past: map[string][]moment{}, hands: make(chan struct{}, 1),
	}
	if l.echo && w.chance(40) {
		l.slow = 2 * time.Second
	}
	for _, prop := range props {
		l.set(prop, w.value(prop))
	}
	w.lamps = append(w.lamps, l)
	return l
}

// live lets a number of random things happen.
func (w *world) live() {
	for range 20 + w.rng.IntN(25) {
		if w.failed() {
			return
		}
		w.pick()
		switch w.rng.IntN(10) {
		case 0, 1, 2, 3:
			w.pass(w.between(0, 60*time.Millisecond))
		case 4, 5, 6:
			w.pass(w.between(0, 2*time.Second))
		case 7, 8:
			w.pass(w.between(0, 12*time.Second))
		default:
			w.pass(w.between(0, 30*time.Second))
		}
	}
}

func (w *world) anyLamp() *lamp     { return w.lamps[w.rng.IntN(len(w.lamps))] }
func (w *world) anyNode() *nodeProc { return w.nodes[w.rng.IntN(len(w.nodes))] }

// pick does one random thing.
func (w *world) pick() {
	switch k := w.rng.IntN(100); {
	case k < 30:
		w.cloudAsks(w.anyLamp())
	case k < 50:
		w.houseAsks(w.anyLamp())
	case k < 58:
		l, prop := w.anyLamp(), props[w.rng.IntN(2)]
		v := w.value(prop)
		w.log("hand: %s %s=%s", l.name, prop, v)
		l.hand(prop, v)
	case k < 66:
		p := w.anyNode()
		w.log("%s: the line is cut", p.name)
		w.saw("cut")
		if w.chance(50) { // at both ends, or only the node notices
			w.net.each(p.name, func(l *linetest.Line) { l.Cut() })
		} else {
			w.net.each(p.name, func(l *linetest.Line) { l.Lose() })
		}
	case k < 73:
		p := w.anyNode()
		w.log("%s: the line swallows everything", p.name)
		w.saw("black hole")
		var held []*linetest.Line
		w.net.each(p.name, func(l *linetest.Line) { l.Stall(true); held = append(held, l) })
		if w.chance(50) { // not for good
			w.after(w.between(0, 40*time.Second), func() {
				for _, l := range held {
					l.Stall(false)
				}
			})
		}
	case k < 77:
		p := w.anyNode()
		w.log("%s: nothing is reached", p.name)
		w.saw("away")
		w.net.set(func() { w.net.off[p.name] = true })
		w.net.each(p.name, func(l *linetest.Line) { l.Cut() })
		w.after(w.between(time.Second, 60*time.Second), func() { w.net.set(func() { w.net.off[p.name] = false }) })
	case k < 80:
		p := w.anyNode()
		w.log("%s: the line is slow", p.name)
		w.net.each(p.name, func(l *linetest.Line) { l.Rate(2 << 10) })
	case k < 87:
		p := w.anyNode()
		w.log("%s crashes", p.name)
		w.saw("node crash")
		p.crash()
		w.after(w.between(0, 15*time.Second), func() { w.startNode(p) })
	case k < 94:
		w.log("the hub crashes")
		w.saw("hub crash")
		w.hub.crash()
		w.after(w.between(0, 15*time.Second), w.startHub)
	default:
		w.disks()
	}
}

// disks lets a disk fail for a while; its process may crash meanwhile.
func (w *world) disks() {
	w.saw("bad disk")
	if w.chance(50) {
		w.log("the hub's disk fails")
		w.hub.file.fail(true)
		if w.chance(50) {
			w.after(w.between(0, 3*time.Second), func() { w.log("the hub crashes on its bad disk"); w.hub.crash(); w.hub.file.fail(false); w.startHub() })
			return
		}
		w.after(w.between(0, 10*time.Second), func() { w.hub.file.fail(false) })
		return
	}
	p := w.anyNode()
	w.log("the disk of %s fails", p.name)
	p.file.fail(true)
	w.after(w.between(0, 10*time.Second), func() { p.file.fail(false) })
}

func (w *world) startNode(p *nodeProc) {
	if p.holder == nil {
		w.must(p.start(), p.name+" starts again")
	}
}

func (w *world) startHub() {
	if w.hub.reg == nil {
		w.must(w.hub.start(), "the hub starts again")
	}
}

// heal ends all trouble, save that lines which swallow everything go on doing so: new ones are good.
func (w *world) heal() {
	if w.failed() {
		return
	}
	w.pass(w.between(0, 3*time.Second))
	w.log("--- healed ---")
	w.later = nil
	w.net.set(func() { w.net.calm = true; clear(w.net.off) })
	w.net.each("", func(l *linetest.Line) { l.Rate(0) })
	w.hub.file.fail(false)
	w.startHub()
	for _, p := range w.nodes {
		p.file.fail(false)
		w.startNode(p)
	}
	w.pass(150 * time.Second)
}
