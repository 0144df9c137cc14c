package hostile

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"twinbridge/internal/haptest"
)

const (
	// eventPause is between two events of a connection (bridge/homekit/session), eventTime what an event may take
	// beside it (reliability.md 7.1).
	eventPause = 250 * time.Millisecond
	eventTime  = 250 * time.Millisecond
	// writeTime is how long a message may take until it is read.
	writeTime = 10 * time.Second
)

// listener is a phone's connection that hears how bright the first lamp is.
type listener struct {
	c      *haptest.Conn
	events []heard
	errs   error
}

// heard is that a value was told.
type heard struct {
	at    time.Time
	value int
}

func (l *listener) listen(ctx context.Context, id haptest.ID) {
	for {
		m, err := l.c.Event(ctx)
		if err != nil {
			if ctx.Err() == nil {
				l.errs = err
			}
			return
		}
		told, err := m.Characteristics()
		if err != nil {
			l.errs = err
			return
		}
		for i := range told {
			if (haptest.ID{AID: told[i].AID, IID: told[i].IID}) != id {
				continue
			}
			n, err := strconv.Atoi(string(told[i].Value))
			if err != nil {
				l.errs = err
				return
			}
			l.events = append(l.events, heard{m.At, n})
		}
	}
}

// lateness gives, for each change, how long after it this phone was told of it or of a later one. Values are numbers of
// changes modulo 100, of which there are never so many between two events.
func (l *listener) lateness(changes []time.Time) (late []time.Duration, missing int) {
	told := 0 // changes that are
	for _, e := range l.events {
		k := told + ((e.value-told)%100+100)%100
		for ; told < k && told < len(changes); told++ {
			late = append(late, e.at.Sub(changes[told]))
		}
	}
	return late, len(changes) - told
}

// TestHomeKitStalled: of 32 phones that listen one stops to read. The others hear of each change in time, the one that does
// not read is closed, and what it did not read is not kept for it.
func TestHomeKitStalled(t *testing.T) {
	const phones = 32 // as many as there is room for
	h := newHome(t, 40)
	p := h.pair(t)
	first := h.secure(t, p, ownersAddr)
	db, err := first.Accessories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bright := db.Find("8")[0]
	first.Close()
	var all []*listener
	for range phones - 1 {
		c := h.secure(t, p, ownersAddr)
		if err := c.Subscribe(t.Context(), append(slices.Clone(p.lamps), bright)...); err != nil {
			t.Fatal(err)
		}
		all = append(all, &listener{c: c})
	}
	stalled := h.secure(t, p, strangersAddr)
	if err := stalled.Subscribe(t.Context(), append(slices.Clone(p.lamps), bright)...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() { l.listen(ctx, bright) })
	}
	var changes []time.Time
	bounded(t, "the node", h.PID(), mostGrowth, func() {
		// It asks for much and reads nothing, until its pockets and the kernel's are full.
		wg.Go(func() {
			stalled.Timeout = 3 * time.Second
			ask := haptest.Request(http.MethodGet, "/accessories", "", nil)
			for range 20_000 {
				if stalled.Send(ask) != nil {
					return // nobody takes its questions either
				}
			}
		})
		begun := time.Now()
		for n := 1; time.Since(begun) < writeTime+3*time.Second; n++ {
			changes = append(changes, time.Now())
			body := fmt.Sprintf(`{"expected":{"brightness":%d}}`, n%100)
			if status, w, err := h.api.Patch(t.Context(), "lamp-1", "?wait=5s", body); err != nil || status != http.StatusOK {
				t.Fatalf("change %d: %d %+v %v", n, status, w, err)
			}
			pause(t.Context(), 10*time.Millisecond)
		}
		pause(t.Context(), 2*(eventPause+eventTime))
	})
	cancel()
	wg.Wait()
	var late []time.Duration
	for i, l := range all {
		own, missing := l.lateness(changes)
		if l.errs != nil || missing > 0 {
			t.Errorf("phone %d: %d of %d changes were never told, in %d events: %v", i, missing, len(changes), len(l.events), l.errs)
		}
		late = append(late, own...)
	}
	slices.Sort(late)
	p99, most := late[len(late)*99/100], late[len(late)-1]
	t.Logf("%d changes told to %d phones, p50 %v, p99 %v, the last %v after them", len(changes), len(all),
		late[len(late)/2].Round(time.Millisecond), p99.Round(time.Millisecond), most.Round(time.Millisecond))
	// Who waited for the one that does not read would wait until that is closed. How quick events are meanwhile is measured
	// by make bench.
	if most > writeTime/2 {
		t.Errorf("an event came %v after its change, want at most %v", most, writeTime/2)
	}
	if open := h.bridge(t).Controllers[0].Connections; open != len(all) {
		t.Errorf("%d connections are open, want %d: the one that does not read has to be closed", open, len(all))
	}
	for _, l := range all {
		if m, err := l.c.Do(t.Context(), http.MethodGet, haptest.PathOf(p.lamps), nil); err != nil || m.Status != http.StatusOK {
			t.Errorf("a phone that did read: %d %v", m.Status, err)
		}
		l.c.Close()
	}
	h.follows(t, p, "after a phone that did not read")
}
