package mapper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/twin"
)

// bench is a driver with one device whose behaviour a test decides.
type bench struct {
	mu      sync.Mutex
	values  map[string]twin.Value
	log     []string // what was asked of the device: "open", "write on=true", "close"
	opens   []map[string]twin.Value
	openErr func() error
	write   func(values map[string]twin.Value) error // nil: the values are taken over
	readErr func() error
	watch   func(ctx context.Context, changed func(map[string]twin.Value)) error

	changed func(map[string]twin.Value)
}

func (b *bench) note(format string, args ...any) {
	b.log = append(b.log, fmt.Sprintf(format, args...))
}

func (b *bench) Open(_ context.Context, spec Spec) (Device, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note("open")
	b.opens = append(b.opens, spec.Last)
	if b.openErr != nil {
		if err := b.openErr(); err != nil {
			return nil, err
		}
	}
	return benchDevice{b}, nil
}

type benchDevice struct{ *bench }

func (d benchDevice) Write(ctx context.Context, values map[string]twin.Value) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note("write %s", text(values))
	if d.write != nil {
		return d.write(values)
	}
	d.set(values)
	return nil
}

func (b *bench) set(values map[string]twin.Value) {
	next := maps.Clone(b.values)
	maps.Copy(next, values)
	b.values = next
}

func (d benchDevice) Read(context.Context) (map[string]twin.Value, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.readErr != nil {
		if err := d.readErr(); err != nil {
			return nil, err
		}
	}
	return d.values, nil
}

func (d benchDevice) Watch(ctx context.Context, changed func(map[string]twin.Value)) error {
	if d.watch != nil {
		return d.watch(ctx, changed)
	}
	d.mu.Lock()
	d.changed = changed
	d.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (d benchDevice) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note("close")
	return nil
}

// hand moves the device and tells the mapper, as Watch promises.
func (b *bench) hand(values map[string]twin.Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(values)
	b.changed(values)
}

// drift moves the device without telling.
func (b *bench) drift(values map[string]twin.Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(values)
}

func text(values map[string]twin.Value) string {
	var parts []string
	for _, p := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, p+"="+values[p].Text())
	}
	return strings.Join(parts, " ")
}

// ear hears what a worker says, as lines: "state online", "report on=true wish w1", "report on error broken wish w1",
// "ask".
type ear struct {
	mu    sync.Mutex
	deaf  bool
	lines []string
}

func (e *ear) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.deaf {
		e.lines = append(e.lines, fmt.Sprintf(format, args...))
	}
}

func (e *ear) report(_ twin.Name, props map[string]twin.PropReport) bool {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(props)) {
		p := props[name]
		s := name + "=" + p.Value.Text()
		if p.Error != "" {
			s = name + " error " + p.Error
		}
		if p.Wish != "" {
			s += " wish " + p.Wish
		}
		if p.Act {
			s += " act"
		}
		parts = append(parts, s)
	}
	e.add("report %s", strings.Join(parts, ", "))
	return !e.deaf
}

func (e *ear) state(_ twin.Name, word string) { e.add("state %s", word) }
func (e *ear) ask(twin.Name)                  { e.add("ask") }

// rig is a worker in a synctest bubble.
type rig struct {
	t    *testing.T
	dev  *bench
	ear  *ear
	w    *worker
	stop func()
}

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

func lampProps() []twin.Property {
	return []twin.Property{{Name: "on", Type: twin.Bool}, {Name: "level", Type: twin.Int, Tolerance: 1}}
}

func on(v bool) map[string]twin.Value { return map[string]twin.Value{"on": twin.BoolValue(v)} }

// run starts a worker within a bubble and hands it to do.
func run(t *testing.T, change func(*bench, *Spec), do func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dev := &bench{values: map[string]twin.Value{"on": twin.BoolValue(false), "level": twin.IntValue(10)}}
		spec := Spec{Name: lamp, Props: lampProps()}
		if change != nil {
			change(dev, &spec)
		}
		e := &ear{}
		w := newWorker(spec, dev, e, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		go w.run(ctx)
		r := &rig{t: t, dev: dev, ear: e, w: w, stop: func() { cancel(); <-w.done }}
		synctest.Wait()
		do(r)
		r.stop()
	})
}

// heard compares what was said since the last look.
func (r *rig) heard(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.ear.mu.Lock()
	defer r.ear.mu.Unlock()
	if !slices.Equal(r.ear.lines, want) {
		r.t.Errorf("heard:\n  got  %s\n  want %s", strings.Join(r.ear.lines, "\n       "), strings.Join(want, "\n       "))
	}
	r.ear.lines = nil
}

// did compares what was asked of the device since the last look.
func (r *rig) did(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.dev.mu.Lock()
	defer r.dev.mu.Unlock()
	if !slices.Equal(r.dev.log, want) {
		r.t.Errorf("asked of the device:\n  got  %s\n  want %s", strings.Join(r.dev.log, "\n       "), strings.Join(want, "\n       "))
	}
	r.dev.log = nil
}

func (r *rig) started() {
	r.t.Helper()
	r.heard("state online", "report level=10, on=false")
	r.did("open")
}

// pass lets time pass.
func pass(d time.Duration) {
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
}

// sent is one property of a delta: name=value, wish, remaining.
type sent struct {
	prop, value, wish string
	remaining         time.Duration
}

func (r *rig) delta(props ...sent) {
	r.w.inbox.putDelta(deltaOf(props...), time.Now())
}

func TestWish(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on=true wish w1")
		r.did("write on=true")
		// A wish that changes nothing is carried out and echoed too.
		r.delta(sent{prop: "on", value: "true", wish: "w2"})
		r.heard("report on=true wish w2")
		r.did("write on=true")
		// Two wishes in a delta, one of two properties: each whole.
		r.delta(sent{prop: "level", value: "20", wish: "w3"}, sent{prop: "on", value: "false", wish: "w3"})
		r.heard("report level=20 wish w3, on=false wish w3")
		r.did("write level=20 on=false")
		r.delta(sent{prop: "level", value: "30", wish: "w4"}, sent{prop: "on", value: "true", wish: "w5"})
		r.heard("report level=30 wish w4", "report on=true wish w5")
		r.did("write level=30", "write on=true")
		// A node that names no wishes.
		r.delta(sent{prop: "on", value: "false"})
		r.heard("report on=false")
		r.did("write on=false")
		r.stop()
		r.heard("state offline")
		r.did("close")
	})
}

func TestReportsWhatItRead(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(v map[string]twin.Value) error {
			b.set(map[string]twin.Value{"level": twin.IntValue(v["level"].Int() + 1)}) // within the tolerance
			return nil
		}
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "level", value: "50", wish: "w1"})
		r.heard("report level=51 wish w1")
	})
}

func TestLatestOnly(t *testing.T) {
	gate := make(chan struct{})
	run(t, func(b *bench, _ *Spec) {
		gate = make(chan struct{})
		b.write = func(v map[string]twin.Value) error {
			b.mu.Unlock()
			<-gate
			b.mu.Lock()
			b.set(v)
			return nil
		}
	}, func(r *rig) {
		r.started()
		for i := range 100 {
			r.delta(sent{prop: "level", value: fmt.Sprint(i), wish: fmt.Sprint("w", i)})
			if i == 0 {
				synctest.Wait() // the first is being written, the others wait
			}
		}
		close(gate)
		r.heard("report level=0 wish w0", "report level=99 wish w99")
		r.did("write level=0", "write level=99")
	})
}

func TestRetries(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		fails := 2
		r.dev.write = func(v map[string]twin.Value) error {
			if fails--; fails >= 0 {
				return errors.New("busy")
			}
			r.dev.set(v)
			return nil
		}
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard()
		pass(999 * time.Millisecond)
		r.heard("report on=true wish w1")
		r.did("write on=true", "write on=true", "write on=true")

		// Three failures: trouble, and no more tries until the node offers again.
		fails = 1000
		r.delta(sent{prop: "on", value: "false", wish: "w2"})
		pass(time.Second)
		r.heard("report on error write: busy wish w2")
		pass(time.Minute)
		r.heard()
		r.did("write on=false", "write on=false", "write on=false")
		fails = 0
		r.delta(sent{prop: "on", value: "false", wish: "w2"})
		r.heard("report on=false wish w2")
	})
}

// Offers that come faster than the retries must not keep a broken wish from being told.
func TestRetriesGoOnOverOffers(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { return errors.New("broken") }
	}, func(r *rig) {
		r.started()
		for range 20 {
			r.delta(sent{prop: "on", value: "true", wish: "w1"})
			pass(20 * time.Millisecond)
		}
		pass(200 * time.Millisecond)
		r.heard("report on error write: broken wish w1")
		r.did("write on=true", "write on=true", "write on=true")
	})
}

func TestNewerDeltaEndsRetries(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(v map[string]twin.Value) error {
			if v["on"].Bool() {
				return errors.New("broken")
			}
			b.set(v)
			return nil
		}
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		pass(50 * time.Millisecond)
		r.delta(sent{prop: "on", value: "false", wish: "w2"})
		r.heard("report on=false wish w2")
		pass(time.Minute)
		r.heard()
		r.did("write on=true", "write on=false")
	})
}

// A wish that was taken back while another one of the same delta was written does not reach the device.
func TestNewerDeltaBetweenTwoWishes(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		first := true
		r.dev.write = func(v map[string]twin.Value) error {
			if first {
				first = false
				r.delta(sent{prop: "on", value: "false", wish: "w3"})
			}
			r.dev.set(v)
			return nil
		}
		r.delta(sent{prop: "level", value: "20", wish: "w1"}, sent{prop: "on", value: "true", wish: "w2"})
		r.heard("report level=20 wish w1", "report on=false wish w3")
		r.did("write level=20", "write on=false")
	})
}

func TestPermanent(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { return Permanent(errors.New("cannot dim")) }
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "level", value: "5", wish: "w1"}, sent{prop: "on", value: "true", wish: "w2"})
		r.heard("report level error write: cannot dim wish w1", "report on error write: cannot dim wish w2")
		r.did("write level=5", "write on=true")
	})
}

func TestBadValueSpoilsItsWishOnly(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.delta(sent{prop: "level", value: "bright", wish: "w1"}, sent{prop: "on", value: "true", wish: "w1"})
		r.heard(`report level error level: "bright": expected a whole number of 64 bits wish w1, on error level: "bright": expected a whole number of 64 bits wish w1`)
		r.delta(sent{prop: "level", value: "bright", wish: "w1"}, sent{prop: "on", value: "true", wish: "w2"}, sent{prop: "colour", value: "red", wish: "w3"})
		r.heard(`report level error level: "bright": expected a whole number of 64 bits wish w1`, "report on=true wish w2")
		r.did("write on=true")
	})
}

func TestStuck(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { return nil }
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		pass(time.Second)
		r.heard("report on error on: the device shows false after true was written wish w1")
		r.did("write on=true", "write on=true", "write on=true")
		// What the vain writes did beside is told with the trouble, not a cycle later.
		r.dev.mu.Lock()
		r.dev.write = func(map[string]twin.Value) error {
			r.dev.set(map[string]twin.Value{"level": twin.IntValue(77)})
			return Permanent(errors.New("broken"))
		}
		r.dev.mu.Unlock()
		r.delta(sent{prop: "on", value: "true", wish: "w2"})
		r.heard("report on error write: broken wish w2", "report level=77")
	})
}

func TestPanics(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { panic("no such register") }
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		pass(time.Second)
		r.heard("report on error write: driver panicked in Write: no such register wish w1")
		r.dev.mu.Lock()
		r.dev.write = nil
		r.dev.mu.Unlock()
		r.delta(sent{prop: "on", value: "true", wish: "w2"})
		r.heard("report on=true wish w2")
	})
	opens := 0
	run(t, func(b *bench, _ *Spec) {
		b.openErr = func() error {
			if opens++; opens == 1 {
				panic("no such chip")
			}
			return nil
		}
	}, func(r *rig) {
		r.heard("state error")
		pass(time.Second)
		r.heard("state online", "report level=10, on=false", "ask")
	})
	run(t, func(b *bench, _ *Spec) {
		b.watch = func(context.Context, func(map[string]twin.Value)) error { panic("no such event") }
	}, func(r *rig) {
		r.heard("state online", "report level=10, on=false", "state error")
	})
}

func TestOpenFails(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.openErr = func() error { return errors.New("line 17 is in use") }
	}, func(r *rig) {
		r.heard("state error")
		// It is there and does not work: wishes are answered.
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on error open: line 17 is in use wish w1")
		// Pauses grow to a minute.
		var tries []time.Duration
		start, n := time.Now(), 1
		r.dev.mu.Lock()
		r.dev.openErr = func() error {
			tries = append(tries, time.Since(start))
			if n++; n == 10 {
				return nil
			}
			return errors.New("line 17 is in use")
		}
		r.dev.mu.Unlock()
		pass(5 * time.Minute)
		var want []time.Duration
		for _, s := range []int{1, 3, 7, 15, 31, 63, 123, 183, 243} {
			want = append(want, time.Duration(s)*time.Second)
		}
		if !slices.Equal(tries, want) {
			t.Errorf("tries to open: got %v; want %v", tries, want)
		}
		r.heard("state error", "state error", "state error", "state error", "state error", "state error", "state error", "state error",
			"state online", "report level=10, on=false", "ask")
	})
	run(t, func(b *bench, _ *Spec) {
		b.openErr = func() error { return Permanent(errors.New("no such key")) }
	}, func(r *rig) {
		pass(time.Hour)
		r.heard("state error")
		r.did("open")
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on error open: no such key wish w1")
		r.stop()
		r.heard("state offline")
	})
}

func TestGone(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on=true wish w1")
		r.dev.mu.Lock()
		r.dev.readErr = func() error { return Gone(errors.New("no such device")) }
		r.dev.mu.Unlock()
		pass(defaultCollect)
		r.heard("state offline")
		r.did("write on=true", "close")
		// Offline is offline: an answer would bring it online at the node.
		r.delta(sent{prop: "on", value: "false", wish: "w2"})
		r.heard()
		r.dev.mu.Lock()
		r.dev.readErr = nil
		r.dev.mu.Unlock()
		pass(time.Second)
		r.heard("state online", "report level=10, on=true", "ask")
		r.did("open")
		// What was last asked for is what the driver is told at the next opening.
		if got := text(r.dev.opens[1]); got != "on=true" {
			t.Errorf("Last at the second opening: got %q; want on=true", got)
		}
	})
	// While writing.
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { return Gone(errors.New("no such device")) }
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("state offline")
		r.did("write on=true", "close")
		// It comes back after a second, each time. What was not carried out is the node's to offer again.
		for range 5 {
			pass(time.Second)
			r.did("open")
			r.heard("state online", "report level=10, on=false", "ask")
			r.delta(sent{prop: "on", value: "true", wish: "w1"})
			r.heard("state offline")
			r.did("write on=true", "close")
		}
	})
}

func TestPressRunsOut(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.dev.mu.Lock()
		r.dev.write = func(v map[string]twin.Value) error {
			r.dev.mu.Unlock()
			defer r.dev.mu.Lock()
			time.Sleep(time.Second)
			return nil
		}
		r.dev.mu.Unlock()
		r.delta(sent{prop: "level", value: "20", wish: "w1"})
		synctest.Wait()
		r.delta(sent{prop: "on", value: "true", wish: "w2", remaining: 900 * time.Millisecond})
		pass(3 * time.Second)
		r.did("write level=20")
		r.delta(sent{prop: "on", value: "true", wish: "w3", remaining: 900 * time.Millisecond})
		r.did("write on=true")
	})
}

func TestOfferedAgain(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on=true wish w1")
		r.did("write on=true")
		// The report got lost: said again, not done again.
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on=true wish w1")
		r.did()
		// Somebody moved it meanwhile: done again.
		r.dev.drift(on(false))
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on=true wish w1")
		r.did("write on=true")
	})
}

func TestHand(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.dev.hand(on(true))
		r.heard("report on=true act")
		// A hand that came back before anybody looked.
		r.dev.mu.Lock()
		r.dev.set(on(true))
		r.dev.changed(on(false))
		r.dev.mu.Unlock()
		r.heard()
		// A device that moves unseen is reported without the mark, by the cyclic read.
		r.dev.drift(on(false))
		r.heard()
		pass(defaultCollect)
		r.heard("report on=false")
		pass(time.Minute)
		r.heard()
	})
}

func TestHandDuringRetries(t *testing.T) {
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { return nil } // stuck, but for a hand
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "level", value: "50", wish: "w1"})
		pass(50 * time.Millisecond)
		r.dev.hand(map[string]twin.Value{"level": twin.IntValue(30)})
		r.heard("report level=30 act")
		pass(time.Minute)
		r.heard()
		r.did("write level=50")
	})
	// At the last try: that is no trouble of the wish.
	tries := 0
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error {
			if tries++; tries == 3 {
				hand := map[string]twin.Value{"level": twin.IntValue(30)}
				b.set(hand)
				b.changed(hand)
			}
			return errors.New("busy")
		}
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "level", value: "50", wish: "w1"})
		pass(time.Minute)
		r.heard("report level=30 act")
		r.did("write level=50", "write level=50", "write level=50")
	})
	// A hand that does what is wished takes nothing away: the wish goes on and is told as done.
	run(t, func(b *bench, _ *Spec) {
		b.write = func(map[string]twin.Value) error { return nil }
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		pass(50 * time.Millisecond)
		r.dev.hand(on(true))
		r.heard("report on=true act")
		pass(time.Second)
		r.heard("report on=true wish w1")
	})
	// While the write goes on: the read-back shows the hand, which is no failed write.
	run(t, func(b *bench, _ *Spec) {
		b.write = func(v map[string]twin.Value) error {
			b.set(v)
			hand := map[string]twin.Value{"on": twin.BoolValue(false)}
			b.set(hand)
			b.changed(hand)
			return nil
		}
	}, func(r *rig) {
		r.started()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		pass(time.Minute)
		r.heard("report on=false act")
		r.did("write on=true")
	})
}

func TestReportCycle(t *testing.T) {
	run(t, func(_ *bench, s *Spec) { s.Props[0].ReportCycle = 10 * time.Second }, func(r *rig) {
		r.started()
		pass(25 * time.Second)
		r.heard("report level=10, on=false", "report level=10, on=false")
	})
}

func TestTolerance(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.dev.drift(map[string]twin.Value{"level": twin.IntValue(11)})
		pass(2 * defaultCollect)
		r.heard()
		r.dev.drift(map[string]twin.Value{"level": twin.IntValue(12)})
		pass(defaultCollect)
		r.heard("report level=12")
	})
}

func TestUnhealthy(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.dev.mu.Lock()
		r.dev.readErr = func() error { return errors.New("bus error") }
		r.dev.mu.Unlock()
		pass(time.Minute)
		r.heard("state unhealthy")
		r.dev.mu.Lock()
		r.dev.readErr = nil
		r.dev.set(on(true))
		r.dev.mu.Unlock()
		pass(defaultCollect)
		r.heard("state online", "report on=true")
		r.did()
	})
}

func TestNewConnection(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.ear.mu.Lock()
		r.ear.deaf = true
		r.ear.mu.Unlock()
		r.dev.hand(on(true))
		synctest.Wait()
		r.ear.mu.Lock()
		r.ear.deaf = false
		r.ear.mu.Unlock()
		r.w.inbox.putResync()
		r.heard("state online", "report level=10, on=true")
		// What came over the old connection and waits is not carried out over the new one.
		r.w.inbox.mu.Lock() // without a wake-up: the worker must not be quicker than the test
		r.w.inbox.in.delta, r.w.inbox.in.arrived = deltaOf(sent{prop: "on", value: "false", wish: "w1"}), time.Now()
		r.w.inbox.mu.Unlock()
		r.w.inbox.putResync()
		r.heard("state online", "report level=10, on=true")
		r.did()
		// Nor what is being tried.
		r.dev.mu.Lock()
		r.dev.write = func(map[string]twin.Value) error { return errors.New("busy") }
		r.dev.mu.Unlock()
		r.delta(sent{prop: "on", value: "false", wish: "w2"})
		synctest.Wait()
		r.w.inbox.putResync()
		pass(time.Minute)
		r.heard("state online", "report level=10, on=true")
		r.did("write on=false")
	})
}

func TestPutAwayQuietly(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		r.w.dismiss()
		<-r.w.done
		r.heard()
		r.did("close")
	})
}

func TestUnreadableDelta(t *testing.T) {
	run(t, nil, func(r *rig) {
		r.started()
		for _, p := range []string{"", "{", "null", "[]", `{"delta":7}`, `{"delta":{"on":true}}`, `{"delta":{}}`} {
			r.w.inbox.putDelta([]byte(p), time.Now())
			r.heard()
		}
		r.did()
		r.delta(sent{prop: "on", value: "true", wish: "w1"})
		r.heard("report on=true wish w1")
	})
}
