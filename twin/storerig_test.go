package twin_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"twinbridge/twin"
)

// bubbleClock tells the time of a synctest bubble.
type bubbleClock struct{ start time.Time }

func (c bubbleClock) Now() time.Duration { return time.Since(c.start) + 1 }
func (c bubbleClock) Wall() time.Time    { return time.Now() }

// testJournal is a journal whose disk takes everything at once, or nothing.
type testJournal struct {
	wake chan struct{}

	mu  sync.Mutex
	bad error
}

func (j *testJournal) Wake() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (j *testJournal) woken() bool {
	select {
	case <-j.wake:
		return true
	default:
		return false
	}
}

func (j *testJournal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bad = err
}

func (j *testJournal) disk() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bad
}

// run is what a holder does: timers when they are due, batches when they are.
func (j *testJournal) run(ctx context.Context, s *twin.Store) {
	for {
		timer := time.NewTimer(time.Hour)
		if next, ok := s.Tick(); ok {
			timer.Reset(next)
		}
		if b, ok := s.TakeBatch(false); ok {
			s.Committed(b, j.disk())
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-j.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// newStore makes a store with the devices of those names, lamps all of them.
func newStore(t testing.TB, names ...string) (*twin.Store, *testJournal) {
	t.Helper()
	ids := 0
	n, err := twin.OpenNode(twin.NodeConfig{Name: "attic", FileID: "f", NewID: func() string { ids++; return fmt.Sprint("id", ids) }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	j := &testJournal{wake: make(chan struct{}, 1)}
	s := twin.NewStore(n, bubbleClock{time.Now()}, j)
	var devices []twin.Device
	for _, name := range names {
		devices = append(devices, twin.Device{Name: twin.Name{Namespace: "default", Name: name}, Properties: lampProps()})
	}
	if err := s.Apply(nil, devices); err != nil {
		t.Fatal(err)
	}
	return s, j
}

func power(id, v string) twin.Wish {
	return twin.Wish{ID: id, Origin: twin.FromLocal, Values: map[string]twin.Value{"power": twin.StringValue(v)}}
}

func shows(v string, wish string) twin.Report {
	return twin.Report{Conn: "c1", Echo: true, Props: map[string]twin.PropReport{"power": {Value: twin.StringValue(v), Wish: wish}}}
}

func mustAsk(t testing.TB, s *twin.Store, w twin.Wish) twin.WishView {
	t.Helper()
	v, err := s.Ask(lampName, w)
	if err != nil {
		t.Fatalf("ask: %v", err)
	}
	return v
}

func mustReport(t testing.TB, s *twin.Store, r twin.Report) {
	t.Helper()
	if _, err := s.Report(lampName, r); err != nil {
		t.Fatalf("report: %v", err)
	}
}
