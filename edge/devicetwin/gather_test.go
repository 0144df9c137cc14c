package devicetwin

import (
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/twin"
)

// TestDecisionsAreGathered: the first decision is committed at once, those that follow closely go together.
func TestDecisionsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		time.Sleep(time.Minute)
		before, _ := r.disk.counts()
		commits := func() int {
			synctest.Wait()
			n, _ := r.disk.counts()
			return n - before
		}
		ask(t, r.h.Store, true)
		if n := commits(); n != 1 {
			t.Errorf("%d commits at once, want 1", n)
		}
		for i := range 10 {
			ask(t, r.h.Store, i%2 == 0)
		}
		if n := commits(); n != 1 {
			t.Errorf("%d commits before the time to gather is over, want 1", n)
		}
		time.Sleep(gatherTime)
		if n := commits(); n != 2 {
			t.Errorf("%d commits after it, want 2", n)
		}
		time.Sleep(time.Second) // what was observed waits for longer
		if n := commits(); n != 2 {
			t.Errorf("%d commits a second later, want 2", n)
		}
		if s := r.h.Store.Stats(); s.DurableRev != s.Rev {
			t.Errorf("rev %d, durable %d", s.Rev, s.DurableRev)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestNobodyWaitsForGathering: who waits for the disk does not wait for more decisions, nor does a hub, and the end of the
// node commits what was gathered.
func TestNobodyWaitsForGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newDisk()).run()
		defineLamp(t, r.h.Store)
		time.Sleep(time.Minute)
		start := time.Now()
		for i := range 10 {
			w := ask(t, r.h.Store, i%2 == 0)
			if err := r.h.Store.WaitDurable(t.Context(), w.DecidedRev()); err != nil {
				t.Fatal(err)
			}
		}
		ask(t, r.h.Store, true)
		r.h.Store.LinkUp(twin.HubHello{HubStore: "hub", Session: "session"})
		for i := range 10 {
			ask(t, r.h.Store, i%2 == 0)
			synctest.Wait()
			if s := r.h.Store.Stats(); s.DurableRev != s.Rev {
				t.Errorf("wish %d of a session: rev %d, durable %d", i, s.Rev, s.DurableRev)
			}
		}
		r.h.Store.LinkDown()
		ask(t, r.h.Store, true)
		synctest.Wait()
		ask(t, r.h.Store, false)
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v, want no time", d)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if s := r.h.Store.Stats(); s.DurableRev != s.Rev {
			t.Errorf("in the end rev %d, durable %d", s.Rev, s.DurableRev)
		}
	})
}
