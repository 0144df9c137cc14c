package twin_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWaitOutcome(t *testing.T) {
	tests := []struct {
		name    string
		wish    twin.Wish
		then    func(s *twin.Store)
		outcome string
		err     error
		after   time.Duration
	}{
		{"applied", power("w1", "ON"), func(s *twin.Store) { <-time.After(time.Second); _, _ = s.Report(lampName, shows("ON", "w1")) }, "applied", nil, time.Second},
		{"superseded", power("w1", "ON"), func(s *twin.Store) { <-time.After(time.Second); _, _ = s.Ask(lampName, power("w2", "OFF")) }, "superseded by w2: power", nil, time.Second},
		{"deleted", power("w1", "ON"), func(s *twin.Store) { <-time.After(time.Second); _ = s.Delete(lampName) }, "superseded by deleted: power", nil, time.Second},
		{"in trouble at the apply deadline", power("w1", "ON"), func(*twin.Store) {}, "pending, trouble: the device has not shown it within 10s", nil, 10 * time.Second},
		{"the asker goes first", power("w1", "ON"), func(s *twin.Store) { _ = s.SetState(lampName, "offline", "c1") }, "pending", context.DeadlineExceeded, time.Minute},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, j := newStore(t, "lamp")
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var all sync.WaitGroup
				holder, stop := context.WithCancel(t.Context())
				all.Go(func() { j.run(holder, s) })
				mustReport(t, s, shows("OFF", ""))
				mustAsk(t, s, tc.wish)
				begun := time.Now()
				all.Go(func() { tc.then(s) })
				v, err := s.WaitOutcome(ctx, lampName, tc.wish.ID)
				if got := tell(v); got != tc.outcome || !errors.Is(err, tc.err) {
					t.Errorf("got %q %v, want %q %v", got, err, tc.outcome, tc.err)
				}
				if got := time.Since(begun); got != tc.after {
					t.Errorf("told after %v, want %v", got, tc.after)
				}
				stop()
				all.Wait()
			})
		})
	}
	s, _ := newStore(t, "lamp")
	if _, err := s.WaitOutcome(t.Context(), lampName, "nothing"); !errors.Is(err, twin.ErrWishUnknown) {
		t.Errorf("an id that nobody knows: got %v", err)
	}
}

func TestWaitDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := newStore(t, "lamp")
		v := mustAsk(t, s, power("w1", "ON"))
		if v.Rev != 0 || v.DecidedRev() == 0 {
			t.Errorf("before the commit: rev %d, decided %d", v.Rev, v.DecidedRev())
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.WaitDurable(short, v.DecidedRev()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody commits: got %v", err)
		}

		j.fail(errors.New("no space left"))
		holder, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { j.run(holder, s) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := s.WaitDurable(ctx, v.DecidedRev()); !errors.Is(err, twin.ErrDisk) {
			t.Errorf("the disk fails: got %v, want %v", err, twin.ErrDisk)
		}
		if s.DiskError() == nil {
			t.Error("no disk error is shown")
		}
		if got := mustAsk(t, s, power("w2", "OFF")).Outcome; got != twin.Pending {
			t.Errorf("a wish of the house while the disk fails: got %s", got)
		}

		j.fail(nil)
		j.Wake()
		synctest.Wait()
		if err := s.WaitDurable(ctx, v.DecidedRev()); err != nil {
			t.Errorf("the disk is well again: got %v", err)
		}
		if err := s.DiskError(); err != nil {
			t.Errorf("disk error after a commit: %v", err)
		}
		if w, err := s.FindWish("w1"); err != nil || w.Rev == 0 {
			t.Errorf("its rev is not told: %+v %v", w, err)
		}
		stop()
		all.Wait()
	})
}

func TestJournalIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := newStore(t, "lamp")
		commit := func() {
			if b, ok := s.TakeBatch(true); ok {
				s.Committed(b, nil)
			}
			s.Tick()
			j.woken()
		}
		mustReport(t, s, shows("OFF", ""))
		commit()
		for _, step := range []struct {
			what string
			do   func()
			want bool
		}{
			{"a report of what was so", func() { mustReport(t, s, shows("OFF", "")) }, false},
			{"an unmarked hand: its settle time is a timer", func() { mustReport(t, s, shows("ON", "")) }, true},
			{"a wish", func() { mustAsk(t, s, power("w1", "OFF")) }, true},
			{"a refused wish", func() { _, _ = s.Ask(lampName, power("w2", "MAYBE")) }, false},
			{"somebody subscribes", func() { s.Offer(lampName) }, false},
			{"a connection is closed", func() { s.ConnClosed("c1") }, false},
		} {
			commit()
			step.do()
			if got := j.woken(); got != step.want {
				t.Errorf("%s: woken: got %v, want %v", step.what, got, step.want)
			}
		}
		commit()
		if _, ok := s.TakeBatch(false); ok {
			t.Error("a batch without a decision")
		}
		if next, ok := s.Tick(); !ok || next != 10*time.Second {
			t.Errorf("next timer: got %v %v, want the apply deadline in 10s", next, ok)
		}
	})
}

// What a reader is given is its own.
func TestViewsAreCopies(t *testing.T) {
	s, _ := newStore(t, "lamp")
	mustAsk(t, s, power("w1", "ON"))
	v, err := s.Device(lampName)
	if err != nil {
		t.Fatal(err)
	}
	v.Props[0].Expected = twin.StringValue("OFF")
	w, err := s.Wish(lampName, "w1")
	if err != nil {
		t.Fatal(err)
	}
	w.Values["power"] = twin.StringValue("OFF")
	s.Devices()[0] = twin.Name{}
	v, _ = s.Device(lampName)
	w, _ = s.Wish(lampName, "w1")
	if got := v.Props[0].Expected; got != twin.StringValue("ON") {
		t.Errorf("a reader changed expected to %v", got)
	}
	if got := w.Values["power"]; got != twin.StringValue("ON") {
		t.Errorf("a reader changed a wish to %v", got)
	}
	if got := s.Devices()[0]; got != lampName {
		t.Errorf("a reader changed a name to %v", got)
	}
	if _, err := s.Device(twin.Name{Namespace: "default", Name: "nowhere"}); !errors.Is(err, twin.ErrNotFound) {
		t.Errorf("no such device: got %v", err)
	}
}

// All rims at once; the race detector watches.
func TestStoreConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := newStore(t, "lamp", "other")
		holder, stop := context.WithCancel(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var loop, rims sync.WaitGroup
		loop.Go(func() { j.run(holder, s) })
		const rounds = 200
		for rim := range 4 {
			rims.Go(func() {
				for i := range rounds {
					v, err := s.Ask(lampName, power(fmt.Sprintf("w%d-%d", rim, i), []string{"ON", "OFF"}[i%2]))
					if err != nil {
						t.Errorf("ask: %v", err)
						return
					}
					if err := s.WaitDurable(ctx, v.DecidedRev()); err != nil {
						t.Errorf("durable: %v", err)
						return
					}
				}
			})
		}
		rims.Go(func() {
			for range rounds {
				v, err := s.Device(lampName)
				if err != nil {
					t.Errorf("device: %v", err)
					return
				}
				p := v.Prop("power")
				_, _ = s.Report(lampName, shows(p.Expected.Text(), p.Wish))
			}
		})
		rims.Go(func() {
			for i := range rounds {
				dev := twin.Device{Name: twin.Name{Namespace: "default", Name: "other"}, Properties: lampProps(), Description: fmt.Sprint(i)}
				if err := s.Apply(nil, []twin.Device{dev}); err != nil {
					t.Errorf("apply: %v", err)
				}
				_ = s.Delete(dev.Name)
			}
		})
		rims.Go(func() {
			w := s.Watch()
			defer w.Close()
			for range rounds {
				select {
				case <-w.C():
				case <-ctx.Done():
					t.Error("a change was not told")
					return
				}
				for _, name := range w.Take() {
					_, _ = s.Device(name)
				}
				_ = s.SetState(lampName, "online", "c1") // so that there is a next change
				_ = s.SetState(lampName, "unhealthy", "c1")
			}
		})
		rims.Wait()
		v, err := s.Device(lampName)
		if err != nil {
			t.Fatal(err)
		}
		if p := v.Prop("power"); p.Wish != "" {
			mustReport(t, s, shows(p.Expected.Text(), p.Wish))
		}
		synctest.Wait()
		stop()
		loop.Wait()
		if st := s.Stats(); st.Pending != 0 || st.Rev != st.DurableRev {
			t.Errorf("at rest: %d pending, rev %d of which %d durable", st.Pending, st.Rev, st.DurableRev)
		}
	})
}
