package devicetwin

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

// The sleeps below stand inside synctest bubbles: they move the bubble's clock and take no time.

func TestDecisionsAreCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		start := time.Now()
		w := ask(t, r.h.Store, true)
		if w.DecidedRev() == 0 {
			t.Fatalf("the wish took no rev: %+v", w)
		}
		if err := r.h.Store.WaitDurable(t.Context(), w.DecidedRev()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("durable after %v, want at once", d)
		}
		again := newRig(t, r.disk.copy())
		if got := expected(t, again.h.Store); got != twin.BoolValue(true) {
			t.Errorf("after a crash expected is %v, want true", got)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestOpeningIsCommittedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()) // does not run
		if commits, _ := r.disk.counts(); commits != 1 {
			t.Errorf("%d commits in Open, want 1", commits)
		}
		if s := r.h.Store.Stats(); s.DurableRev != s.Rev || s.Rev == 0 {
			t.Errorf("rev %d, durable %d", s.Rev, s.DurableRev)
		}
	})
}

func TestObservationsAreCommittedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		reportLevel(t, r.h.Store, 0) // the first report sets what is expected: a decision
		time.Sleep(time.Minute)
		before, _ := r.disk.counts()
		for i := range 10 {
			reportLevel(t, r.h.Store, 100+int64(i))
			time.Sleep(300 * time.Millisecond)
		}
		// 3 s have passed, the settle times not.
		if commits, _ := r.disk.counts(); commits != before {
			t.Errorf("%d commits for observations within 3 s, want 0", commits-before)
		}
		time.Sleep(3 * time.Second)
		if commits, _ := r.disk.counts(); commits == before {
			t.Errorf("no commit 6 s after the first observation")
		}
		if got := level(t, newRig(t, r.disk.copy()).h.Store); got != 109 {
			t.Errorf("level on disk %d, want 109", got)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestObservationsAreCommittedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		time.Sleep(time.Minute)
		reportLevel(t, r.h.Store, 42)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if got := level(t, newRig(t, r.disk.copy()).h.Store); got != 42 {
			t.Errorf("level on disk %d, want 42", got)
		}
	})
}

func TestIdleIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk())
		clock := &countingClock{Clock: newClock()}
		h, err := Open(r.disk, Config{Node: "node1", Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		r.h = h
		r.run()
		defineLamp(t, h.Store)
		time.Sleep(time.Minute)
		commits, attempts := r.disk.counts()
		steps := clock.count()
		time.Sleep(24 * time.Hour)
		if c, a := r.disk.counts(); c != commits || a != attempts {
			t.Errorf("%d attempts to commit in an idle day, want 0", a-attempts)
		}
		if got := clock.count() - steps; got > 10 {
			t.Errorf("%d steps in an idle day", got)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// countingClock counts how often the time is asked, which each step of the twin does once.
type countingClock struct {
	twin.Clock
	mu sync.Mutex
	n  int
}

func (c *countingClock) Wall() time.Time {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Clock.Wall()
}

func (c *countingClock) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestTimersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		if err := r.h.Store.SetState(lamp, "online", ""); err != nil {
			t.Fatal(err)
		}
		v, err := r.h.Store.Ask(lamp, twin.Wish{ID: "press", Origin: twin.FromHomeKit, ValidFor: 3 * time.Second, Values: map[string]twin.Value{"power": twin.BoolValue(true)}})
		if err != nil || v.Outcome != twin.Pending {
			t.Fatalf("Ask: %+v, %v", v, err)
		}
		start := time.Now()
		v, err = r.h.Store.WaitOutcome(t.Context(), lamp, "press")
		if took := time.Since(start); err != nil || v.Outcome != twin.Expired || took < 3*time.Second || took > 3*time.Second+tickPause {
			t.Errorf("after %v: %+v, %v, want expired after 3 s", took, v.Outcome, err)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestFailingDisk(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
	}{
		{"failing", errDisk},
		{"full", &store.DiskError{Op: "commit", Err: store.ErrFull}},
		{"damaged", &store.DamagedError{Reason: "a bit flipped"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { failingDisk(t, c.err) })
		})
	}
}

func failingDisk(t *testing.T, cause error) {
	r := newRig(t, newDisk()).run()
	defineLamp(t, r.h.Store)
	synctest.Wait()
	r.disk.fail(cause)
	_, before := r.disk.counts()

	w := ask(t, r.h.Store, true) // the house goes on
	if got := expected(t, r.h.Store); got != twin.BoolValue(true) {
		t.Errorf("expected %v, want true", got)
	}
	if err := r.h.Store.WaitDurable(t.Context(), w.DecidedRev()); !errors.Is(err, twin.ErrDisk) {
		t.Errorf("WaitDurable: %v, want ErrDisk", err)
	}
	if err := r.h.Store.DiskError(); !errors.Is(err, cause) {
		t.Errorf("DiskError: %v, want %v", err, cause)
	}
	for range 60 { // an hour, with something to write each minute
		time.Sleep(time.Minute)
		ask(t, r.h.Store, false)
		w = ask(t, r.h.Store, true)
		reportLevel(t, r.h.Store, 7)
	}
	_, after := r.disk.counts()
	if n := after - before; n < 600 || n > 1500 {
		t.Errorf("%d attempts in an hour, want one each 5 s", n)
	}
	r.disk.mu.Lock()
	at := r.disk.attempts[before:]
	for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000} {
		if got := at[i+1].Sub(at[i]); got != want*time.Millisecond {
			t.Errorf("pause %d: %v, want %v", i, got, want*time.Millisecond)
		}
	}
	r.disk.mu.Unlock()
	if got := r.log.count(slog.LevelError); got != 1 {
		t.Errorf("the log tells it %d times, want once:\n%s", got, r.log.text.String())
	}

	r.disk.fail(nil)
	time.Sleep(lastPause)
	synctest.Wait()
	if err := r.h.Store.DiskError(); err != nil {
		t.Errorf("DiskError on a good disk: %v", err)
	}
	if err := r.h.Store.WaitDurable(t.Context(), w.DecidedRev()); err != nil {
		t.Errorf("WaitDurable on a good disk: %v", err)
	}
	if got := r.log.count(slog.LevelWarn); got != 1 {
		t.Errorf("the log tells of the recovery %d times, want once", got)
	}
	again := newRig(t, r.disk.copy())
	if got := expected(t, again.h.Store); got != twin.BoolValue(true) || level(t, again.h.Store) != 7 {
		t.Errorf("on disk: expected %v, level %d", got, level(t, again.h.Store))
	}
	// The next trouble is told again.
	r.disk.fail(cause)
	ask(t, r.h.Store, false)
	synctest.Wait()
	if got := r.log.count(slog.LevelError); got != 2 {
		t.Errorf("the second trouble: %d lines, want 2", got)
	}
	if err := r.end(); !errors.Is(err, cause) {
		t.Errorf("Run: %v, want %v", err, cause)
	}
}

// TestFailingDiskAtStart: the house works although the opening cannot be committed, and it is committed later.
func TestFailingDiskAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := newRig(t, d).run()
		defineLamp(t, r.h.Store)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		d = d.copy()
		file := &failingCommits{disk: d}
		d.fail(nil)
		file.failing = true
		h, err := Open(file, Config{Node: "node1"})
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		r = &rig{t: t, disk: d, h: h, done: make(chan error, 1)}
		r.run()
		w := ask(t, h.Store, true)
		time.Sleep(time.Minute)
		if s := h.Store.Stats(); s.DurableRev >= w.DecidedRev() || h.Store.DiskError() == nil {
			t.Errorf("durable %d, wish %d, disk error %v", s.DurableRev, w.DecidedRev(), h.Store.DiskError())
		}
		file.set(false)
		if err := h.Store.WaitDurable(t.Context(), w.DecidedRev()); err != nil && !errors.Is(err, twin.ErrDisk) {
			t.Error(err)
		}
		time.Sleep(lastPause)
		if s := h.Store.Stats(); s.DurableRev < w.DecidedRev() {
			t.Errorf("durable %d, wish %d", s.DurableRev, w.DecidedRev())
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// failingCommits reads well and commits only when told.
type failingCommits struct {
	*disk
	mu      sync.Mutex
	failing bool
}

func (f *failingCommits) set(failing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = failing
}

func (f *failingCommits) Commit(changes ...store.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing {
		return errDisk
	}
	return f.disk.Commit(changes...)
}

// TestHangingDisk: a sync that does not return stops neither the house nor its clock, and what gathers meanwhile is one
// batch.
func TestHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		if err := r.h.Store.SetState(lamp, "online", ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		commits, attempts := r.disk.counts()
		hang := make(chan struct{})
		r.disk.mu.Lock()
		r.disk.hang = hang
		r.disk.mu.Unlock()

		ask(t, r.h.Store, true)
		synctest.Wait()
		if _, err := r.h.Store.Ask(lamp, twin.Wish{ID: "press", Origin: twin.FromHomeKit, ValidFor: 3 * time.Second, Values: map[string]twin.Value{"power": twin.BoolValue(false)}}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if v, err := r.h.Store.WaitOutcome(ctx, lamp, "press"); err != nil || v.Outcome != twin.Expired {
			t.Errorf("the clock stands still: %+v, %v", v.Outcome, err)
		}
		var last twin.WishView
		for range 10 {
			ask(t, r.h.Store, false)
			last = ask(t, r.h.Store, true)
			time.Sleep(time.Second)
		}
		if _, a := r.disk.counts(); a != attempts+1 {
			t.Errorf("%d attempts while one hangs, want 1", a-attempts)
		}
		if got := r.log.count(slog.LevelWarn); got != 1 {
			t.Errorf("the log tells of the slow disk %d times, want once", got)
		}
		close(hang)
		if err := r.h.Store.WaitDurable(t.Context(), last.DecidedRev()); err != nil {
			t.Error(err)
		}
		if c, _ := r.disk.counts(); c != commits+2 {
			t.Errorf("%d commits, want 2: the one that hung, and one for all that gathered", c-commits)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedRecords(t *testing.T) {
	d := newDisk()
	d.fail(&store.DamagedError{Path: "edge.db", Bucket: "twin", Key: "meta", Reason: "checksum"})
	if _, err := Open(d, Config{Node: "node1"}); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("Open: %v, want ErrDamaged", err)
	}
	d.fail(nil)
	d.data["twin:twin/default/lamp"] = []byte("{")
	if _, err := Open(d, Config{Node: "node1"}); err == nil {
		t.Error("records that cannot be read were taken")
	}
}

// TestWithFile uses the real file, from several rims at once, and finds everything again in a copy of it taken at the
// moment when it was said to be durable.
func TestWithFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	file, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(file, Config{Node: "node1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	defineLamp(t, h.Store)
	before := file.Stats().Commits
	var wg sync.WaitGroup
	const rims, wishes = 4, 50
	for range rims {
		wg.Go(func() {
			for i := range wishes {
				w, err := h.Store.Ask(lamp, twin.Wish{ID: h.Store.NewID(), Origin: twin.FromLocal, Values: map[string]twin.Value{"power": twin.BoolValue(i%2 == 0)}})
				if err != nil {
					t.Errorf("Ask: %v", err)
					return
				}
				if err := h.Store.WaitDurable(ctx, w.DecidedRev()); err != nil {
					t.Errorf("WaitDurable: %v", err)
				}
			}
		})
	}
	wg.Wait()
	w := ask(t, h.Store, true)
	if err := h.Store.WaitDurable(ctx, w.DecidedRev()); err != nil {
		t.Fatal(err)
	}
	if got := file.Stats().Commits - before; got == 0 || got > rims*wishes+2 {
		t.Errorf("%d commits for %d wishes", got, rims*wishes+1)
	}
	if err := file.Snapshot(path + ".copy"); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	for _, p := range []string{path, path + ".copy"} {
		file, err := store.Open(p, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := Open(file, Config{Node: "node1"})
		if err != nil {
			t.Fatal(err)
		}
		v, err := h.Store.Device(lamp)
		if err != nil || v.Prop("power").Expected != twin.BoolValue(true) || v.Prop("power").Wish != w.ID || v.Prop("power").Rev != w.DecidedRev() {
			t.Errorf("%s: %+v, %v; want wish %s with rev %d", p, v.Prop("power"), err, w.ID, w.DecidedRev())
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFailingDiskIsNoBusyLoop: what waits for the disk wakes the clock with each step, and each look at the timers is
// one. They come no faster than tickPause lets them.
func TestFailingDiskIsNoBusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk())
		clock := &countingClock{Clock: newClock()}
		h, err := Open(r.disk, Config{Node: "node1", Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		r.h = h
		r.run()
		defineLamp(t, h.Store)
		r.disk.fail(errDisk)
		ask(t, h.Store, true)
		time.Sleep(time.Minute)
		before := clock.count()
		time.Sleep(time.Hour)
		if n, most := clock.count()-before, int(time.Hour/tickPause)+2000; n > most {
			t.Errorf("%d steps in an hour on a failing disk, want at most %d", n, most)
		}
		if err := r.end(); !errors.Is(err, errDisk) {
			t.Errorf("Run: %v, want %v", err, errDisk)
		}
	})
}
