package session

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/bridge/homekit/message"
)

// The sleeps below stand inside synctest bubbles: they move the bubble's clock and take no time.

// arrivals reads events and notes when they came, since begun.
func (c *client) arrivals(begun time.Time) (get func() []string, done *sync.WaitGroup) {
	var mu sync.Mutex
	var got []string
	done = &sync.WaitGroup{}
	done.Go(func() {
		for {
			m, err := c.message()
			if err != nil {
				return
			}
			mu.Lock()
			got = append(got, fmt.Sprint(m.body, "@", time.Since(begun).Milliseconds()))
			mu.Unlock()
		}
	})
	return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(got) }, done
}

// TestEventTiming: the first event goes at once, what comes meanwhile goes together a pause later.
func TestEventTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state atomic.Int64
		r := startPipes(t, Config{EventGather: time.Millisecond}, func(l *lamp) {
			told := int64(0)
			l.event = func() []byte {
				v := state.Load()
				if v == told {
					return nil
				}
				told = v
				return fmt.Append(nil, v)
			}
		})
		c := r.verified()
		conn := r.lamp(0).c
		got, done := c.arrivals(time.Now())
		for _, s := range []struct {
			after   time.Duration
			changes int // 0: told that something is due, but nothing has changed
			whole   bool
		}{
			{0, 149, false},
			{10 * time.Millisecond, 3, false},
			{90 * time.Millisecond, 1, false},
			{400 * time.Millisecond, 1, false}, // at 500
			{100 * time.Millisecond, 0, false},
			{900 * time.Millisecond, 0, false},
			{10 * time.Millisecond, 1, false}, // at 1510; that there was nothing to tell before does not make it late
			{490 * time.Millisecond, 1, true}, // at 2000
			{100 * time.Millisecond, 1, true},
			{400 * time.Millisecond, 1, false}, // at 2500; that one before was whole does not make it early
			{time.Second, 0, false},
		} {
			time.Sleep(s.after) // the bubble's clock: the events are due at known times of it
			for range s.changes {
				state.Add(1)
				conn.Notify(s.whole)
			}
			if s.changes == 0 {
				conn.Notify(false)
			}
		}
		synctest.Wait()
		if want := []string{"149@1", "153@251", "154@501", "155@1511", "156@2000", "157@2250", "158@2501"}; !slices.Equal(got(), want) {
			t.Errorf("%v, want %v", got(), want)
		}
		if s := r.Stats(); s.Events != 7 {
			t.Errorf("%+v", s)
		}
		r.stop()
		done.Wait()
	})
}

// TestEventWaits: no event is made or written between a request and its reply, nor before the connection is secure; then it
// tells what is true then.
func TestEventWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state atomic.Int64
		r := startPipes(t, Config{}, func(l *lamp) {
			l.event = func() []byte { return fmt.Append(nil, "event ", state.Load()) }
			l.serve = func(q *message.Request) *Reply {
				if string(q.Path) == "/slow" {
					was := state.Load()
					time.Sleep(5 * time.Second) // on the bubble's clock; events come meanwhile
					return &Reply{Status: 200, Body: fmt.Append(nil, "reply ", was)}
				}
				return nil
			}
		})
		c := r.dial()
		c.send(get("/nowhere"))
		c.want(404, "")
		conn := r.lamp(0).c
		conn.Notify(false)
		time.Sleep(time.Second) // on the bubble's clock: longer than an event may wait
		c.verify()
		if m, err := c.message(); err != nil || !m.event || m.body != "event 0" {
			t.Errorf("%+v, %v", m, err)
		}
		c.send(get("/slow") + get("/slow"))
		synctest.Wait()
		for range 40 {
			state.Add(1)
			conn.Notify(false)
			time.Sleep(100 * time.Millisecond)
		}
		var got []string
		for range 3 {
			m, err := c.message()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.body)
		}
		if want := []string{"reply 0", "event 40", "reply 40"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestEventsAndBigReplies: replies of 150 KB arrive whole while there is always an event to tell on the same connection.
func TestEventsAndBigReplies(t *testing.T) {
	const reads = 300
	body := strings.Repeat("b", 150_000)
	var count atomic.Int64
	r := start(t, Config{EventPause: time.Millisecond, EventGather: 10 * time.Microsecond}, func(l *lamp) {
		l.event = func() []byte { return fmt.Append(nil, `{"event":`, count.Add(1), `}`) }
		l.serve = func(*message.Request) *Reply { l.c.Notify(false); return nil }
	})
	c := r.verified()
	conn := r.lamp(0).c
	stop := make(chan struct{})
	var notifier sync.WaitGroup
	notifier.Go(func() {
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				conn.Notify(false)
			case <-stop:
				return
			}
		}
	})
	for range reads {
		c.send(get("/big?150000"))
		c.want(200, body)
	}
	close(stop)
	notifier.Wait()
	if len(c.events) < reads/3 {
		t.Errorf("%d events beside %d replies: they hardly met", len(c.events), reads)
	}
	for i, e := range c.events {
		if want := fmt.Sprint(`{"event":`, i+1, `}`); e != want {
			t.Fatalf("event %d: %s", i, e)
		}
	}
	t.Logf("%d of %d replies whole, %d events between them", reads, reads, len(c.events))
}

// TestEventsAndSmallReads: an event every 2 ms beside 5,000 small reads.
func TestEventsAndSmallReads(t *testing.T) {
	r := start(t, Config{EventPause: 2 * time.Millisecond}, func(l *lamp) {
		l.event = func() []byte { return []byte(`{}`) }
		l.serve = func(*message.Request) *Reply { l.c.Notify(false); return nil }
	})
	c := r.verified()
	for i := range 5000 {
		body := fmt.Sprint(i)
		c.send(put("/echo", body))
		c.want(200, body)
	}
	if len(c.events) == 0 {
		t.Error("no event came")
	}
}

// TestStalled: who does not read is closed after WriteTime, and whoever else is there does not notice.
func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{EventGather: time.Millisecond}, func(l *lamp) {
			l.event = func() []byte { return []byte("event") }
		})
		stalled, well := r.verified(), r.verified()
		begun := time.Now()
		got, done := well.arrivals(begun)
		for range 40 { // 20 s
			r.lamp(0).c.Notify(false)
			r.lamp(1).c.Notify(false)
			time.Sleep(500 * time.Millisecond)
		}
		if n := len(got()); n != 40 {
			t.Errorf("%d of 40 events arrived: %v", n, got())
		}
		for i, at := range got() {
			if want := fmt.Sprint("event@", i*500+1); at != want {
				t.Errorf("%s, want %s", at, want)
			}
		}
		if s := r.Stats(); s.Stalled != 1 || s.Secure != 1 {
			t.Errorf("%+v", s)
		}
		if n := r.lamp(0).closed.Load(); n != 1 {
			t.Errorf("the stalled one was closed %d times", n)
		}
		if got := stalled.closed(); len(got) > 0 {
			t.Errorf("%+v", got)
		}
		r.stop()
		done.Wait()
	})
}

// TestStalledReply: the same with a reply, which is told to have failed.
func TestStalledReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{}, nil)
		c := r.verified()
		c.send(get("/big?100000"))
		time.Sleep(9 * time.Second)
		if n := r.lamp(0).sent.Load(); n != 1 {
			t.Errorf("%d replies were told to be sent before the time", n)
		}
		time.Sleep(2 * time.Second)
		if l := r.lamp(0); l.sent.Load() != 2 || l.closed.Load() != 1 {
			t.Errorf("sent %d, closed %d", l.sent.Load(), l.closed.Load())
		}
		if s := r.Stats(); s.Stalled != 1 || s.Secure != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestManySubscribers: 32 subscribers, one of which stops reading with its socket full. The others get what is told as fast
// as before, in 250 ms where the machine has time for that.
func TestManySubscribers(t *testing.T) {
	const subscribers, rounds = 32, 40
	var stamp atomic.Int64 // when the last change was, since begun
	var stalls atomic.Bool
	begun := time.Now()
	big := strings.Repeat(" ", 500_000) // fills what lies between, at once
	first := true
	r := start(t, Config{EventPause: 20 * time.Millisecond}, func(l *lamp) {
		stops := first
		first = false
		l.event = func() []byte {
			if stops && stalls.Load() {
				return []byte(big)
			}
			return fmt.Append(nil, stamp.Load())
		}
	})
	var clients []*client
	for range subscribers {
		clients = append(clients, r.verified())
	}
	var mu sync.Mutex
	var took []time.Duration
	var readers sync.WaitGroup
	for _, c := range clients[1:] {
		readers.Go(func() {
			for {
				m, err := c.message()
				if err != nil {
					return
				}
				var at int64
				if _, err := fmt.Sscan(m.body, &at); err != nil {
					t.Error(err)
				}
				mu.Lock()
				took = append(took, time.Since(begun)-time.Duration(at))
				mu.Unlock()
			}
		})
	}
	p99 := func() time.Duration {
		mu.Lock()
		took = nil
		mu.Unlock()
		for i := range rounds {
			stamp.Store(int64(time.Since(begun)))
			for i := range subscribers {
				r.lamp(i).c.Notify(false)
			}
			eventually(t, "the next round of events", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(took) >= (i+1)*(subscribers-1)
			})
		}
		mu.Lock()
		defer mu.Unlock()
		return percentile(took, 0.99)
	}
	before := p99()
	stalls.Store(true)
	after := p99()
	select {
	case r.lamp(0).c.turn <- struct{}{}:
		t.Error("the first one is not stalled at all")
		<-r.lamp(0).c.turn
	default:
	}
	r.stop()
	readers.Wait()
	if after > max(250*time.Millisecond, 4*before) {
		t.Errorf("p99 of the others %v, before that %v", after, before)
	} else {
		t.Logf("%d events, p99 %v, before that %v", rounds*(subscribers-1), after, before)
	}
}
