package looptest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/internal/linetest"
	"twinbridge/twin"
)

// village is a hub and nodes with quick lamps of the cloud's that name wishes.
func village(t *testing.T, nodes, lamps int, out *slog.Logger, sessions int) *world {
	t.Helper()
	w, err := newWorld(1)
	if err != nil {
		t.Fatal(err)
	}
	w.net.calm, w.out, w.sessions = true, out, sessions
	w.must(w.hub.start(), "the hub starts")
	model := w.model()
	var devices []twin.Device
	for i := range nodes {
		p := w.addNode(fmt.Sprintf("node%04d", i))
		for j := range lamps {
			l := w.addLamp(p, fmt.Sprint("lamp", j))
			l.echo, l.slow = true, 10*time.Millisecond
			devices = append(devices, twin.Device{Name: l.name, Model: model[0].Name, Node: p.name})
		}
	}
	w.must(w.hub.reg.Apply(t.Context(), model, devices), "definitions")
	for _, p := range w.nodes {
		w.must(p.start(), p.name)
	}
	if w.failed() {
		t.Fatal(w.fault)
	}
	return w
}

// until lets time pass until ok, at most that long; it gives how long it took.
func (w *world) until(t *testing.T, most time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > most {
			t.Fatalf("after %s still not: %s", most, what)
		}
		wait(10 * time.Millisecond)
	}
	return time.Since(start)
}

func (w *world) connected() int { return w.hub.hub.Stats().Sessions }

// ask hands in a wish for a lamp and gives how long it takes until it is applied.
func (w *world) ask(t *testing.T, l *lamp, id, power string) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	_, err := w.hub.reg.Ask(ctx, l.name, twin.Wish{ID: id, Origin: twin.FromCloud, Values: map[string]twin.Value{"power": twin.StringValue(power)}})
	v := twin.WishView{}
	for err == nil && !v.Outcome.Ended() {
		if v, err = w.hub.reg.WaitOutcome(ctx, l.name, id); err == nil && !v.Outcome.Ended() {
			wait(10 * time.Millisecond)
		}
	}
	if err != nil || v.Outcome != twin.Applied {
		t.Errorf("%s for %s: %s, %v", id, l.name, v.Outcome, err)
	}
	return time.Since(start)
}

// TestReconnectStorm: a thousand nodes whose hub comes back are all served again within a minute, none fails for good;
// and a hub with room for half of them never serves more, says so, and serves the others when there is room.
func TestReconnectStorm(t *testing.T) {
	const nodes = 1000
	synctest.Test(t, func(t *testing.T) {
		w := village(t, nodes, 1, nil, 0)
		defer w.end()
		w.until(t, time.Minute, "all connected", func() bool { return w.connected() == nodes })
		w.hub.crash()
		wait(3 * time.Second)
		w.must(w.hub.start(), "the hub starts again")
		took := w.until(t, time.Minute, "all connected again", func() bool { return w.connected() == nodes })
		ready := w.until(t, time.Minute, "all hellos exchanged", func() bool {
			return !slices.ContainsFunc(w.hub.reg.Nodes(), func(n twin.NodeView) bool { return !n.Connected })
		})
		s := w.hub.hub.Stats()
		t.Logf("%d nodes were back after %s and ready %s later; %d sessions began", nodes, took, ready, s.Begun)
		if s.Fenced != 0 || s.Broken != 0 || s.Begun != nodes {
			t.Errorf("%+v; want each node once", s)
		}
		for _, l := range []*lamp{w.lamps[0], w.lamps[nodes-1]} {
			w.ask(t, l, "after-"+l.name.Namespace, "ON")
		}
	})
}

func TestNoRoom(t *testing.T) {
	const nodes, room = 60, 20
	synctest.Test(t, func(t *testing.T) {
		w := village(t, nodes, 0, nil, room)
		defer w.end()
		for range 600 {
			wait(100 * time.Millisecond)
			if n := w.connected(); n > room {
				t.Fatalf("%d sessions, there is room for %d", n, room)
			}
		}
		if n := w.connected(); n != room {
			t.Errorf("%d sessions, want %d", n, room)
		}
		refused := 0
		for _, p := range w.nodes {
			if s := p.link.Stats(); !s.Connected && strings.Contains(s.Trouble, "no more sessions") {
				refused++
			}
		}
		if refused != nodes-room {
			t.Errorf("%d nodes know that there is no room, want %d", refused, nodes-room)
		}
		for _, p := range w.nodes {
			if p.link.Stats().Connected {
				p.crash()
			}
		}
		w.until(t, time.Minute, "others take their places", func() bool { return w.connected() == room })
	})
}

// journal keeps what is logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) count(s string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), s)
}

// TestTwoOfOneName: two machines with one identity, the second with a copy of the first one's disk: only one is served at
// a time, the hub warns, both come back ever more seldom, and each wish has its one outcome.
func TestTwoOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		w := village(t, 1, 1, slog.New(slog.NewTextHandler(log, nil)), 0)
		defer w.end()
		l := w.lamps[0]
		w.until(t, time.Minute, "connected", func() bool { return w.connected() == 1 })
		w.ask(t, l, "first", "ON")
		clone := w.addNode(w.nodes[0].name)
		clone.file = w.nodes[0].file.crash()
		w.nodes[0].file.dead = false
		twinLamp := w.addLamp(clone, "lamp0")
		twinLamp.echo, twinLamp.slow = true, 10*time.Millisecond
		w.must(clone.start(), "the clone starts")
		begun := func() uint64 { return w.hub.hub.Stats().Begun }
		const wishes = 10
		for i := range wishes {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			_, err := w.hub.reg.Ask(ctx, l.name, twin.Wish{ID: fmt.Sprint("w", i), Origin: twin.FromCloud, Values: map[string]twin.Value{"level": twin.IntValue(int64(i % 10))}})
			stop()
			if err != nil {
				t.Fatal(err)
			}
			for range 300 {
				wait(100 * time.Millisecond)
				if n := w.connected(); n > 1 {
					t.Fatalf("%d sessions of one name", n)
				}
			}
		}
		at := begun()
		wait(10 * time.Minute)
		if n := begun() - at; n > 45 {
			t.Errorf("%d sessions began in ten minutes: they do not back off", n)
		}
		if n := log.count("two machines have its certificate"); n < 2 {
			t.Errorf("the hub warned %d times", n)
		}
		clone.crash()
		w.until(t, 3*time.Minute, "the first one is back", func() bool { return w.nodes[0].link.Stats().Connected })
		wait(2 * time.Minute)
		for i := range wishes {
			if v, err := w.hub.reg.Wish(fmt.Sprint("w", i)); err != nil || !v.Outcome.Ended() {
				t.Errorf("wish w%d: %s, %v", i, v.Outcome, err)
			}
		}
		w.ask(t, l, "last", "OFF")
		wait(time.Second) // the hub shows no rev before its disk has it
		w.lamps = w.lamps[:1]
		w.finalLamp(l)
		if w.failed() {
			t.Error(w.fault)
		}
	})
}

// TestStreamOfWishes: a device for which wishes never end does not keep those of another from its node.
func TestStreamOfWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := village(t, 1, 3, nil, 0)
		defer w.end()
		w.until(t, time.Minute, "connected", func() bool { return w.connected() == 1 })
		quiet := w.ask(t, w.lamps[2], "quiet", "ON")
		ctx, stop := context.WithCancel(t.Context())
		asked := 0
		w.asks.Go(func() {
			for ctx.Err() == nil {
				for range 20 {
					asked++
					_, _ = w.hub.reg.Ask(ctx, w.lamps[0].name, twin.Wish{ID: fmt.Sprint("s", asked), Origin: twin.FromCloud, Values: map[string]twin.Value{"level": twin.IntValue(int64(asked % 10))}})
				}
				wait(time.Millisecond)
			}
		})
		wait(2 * time.Second)
		busy := w.ask(t, w.lamps[2], "busy", "OFF")
		stop()
		w.asks.Wait()
		t.Logf("a wish takes %s alone, %s beside a stream of which %d were asked", quiet, busy, asked)
		if asked < 100 || busy > 2*time.Second {
			t.Errorf("a wish takes %s beside %d others", busy, asked)
		}
	})
}

// TestOneSlowNode: a node of a hundred whose line swallows everything does not make the others wait.
func TestOneSlowNode(t *testing.T) {
	const nodes = 100
	synctest.Test(t, func(t *testing.T) {
		w := village(t, nodes, 1, nil, 0)
		defer w.end()
		w.until(t, time.Minute, "connected", func() bool { return w.connected() == nodes })
		worst := func(round string, power string) time.Duration {
			took := make([]time.Duration, nodes)
			var wg sync.WaitGroup
			for i := 1; i < nodes; i++ {
				wg.Go(func() { took[i] = w.ask(t, w.lamps[i], fmt.Sprint(round, i), power) })
			}
			wg.Wait()
			return slices.Max(took)
		}
		before := worst("before", "ON")
		before = max(before, worst("again", "OFF"))
		w.net.each(w.nodes[0].name, func(l *linetest.Line) { l.Stall(true) })
		for i := range 50 { // there is much to say to it
			_, err := w.hub.reg.Ask(t.Context(), w.lamps[0].name, twin.Wish{ID: fmt.Sprint("slow", i), Origin: twin.FromCloud, Values: map[string]twin.Value{"level": twin.IntValue(int64(i % 10))}})
			if err != nil {
				t.Fatal(err)
			}
		}
		after := worst("after", "ON")
		t.Logf("the slowest of %d took %s, and %s beside one that takes nothing", nodes-1, before, after)
		if after > before+before/10+20*time.Millisecond {
			t.Errorf("the slowest took %s before, %s after", before, after)
		}
	})
}
