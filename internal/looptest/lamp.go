package looptest

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"twinbridge/twin"
)

var props = []string{"power", "level"}

// lamp is a device and the mapper that drives it.
type lamp struct {
	w    *world
	name twin.Name
	node *nodeProc
	echo bool
	slow time.Duration

	mu    sync.Mutex
	rng   *rand.Rand
	real  map[string]twin.Value
	past  map[string][]moment
	hands chan struct{} // a hand was on the switch
}

// moment is a change of the real state.
type moment struct {
	at time.Time
	v  twin.Value
}

// set changes the real state.
func (l *lamp) set(prop string, v twin.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.real[prop] = v
	l.past[prop] = append(l.past[prop], moment{time.Now(), v})
}

func (l *lamp) state() map[string]twin.Value {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.real)
}

// had reports whether the real device had the value at some time in the window.
func (l *lamp) had(prop string, v twin.Value, from, to time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, m := range l.past[prop] {
		end := to
		if i+1 < len(l.past[prop]) {
			end = l.past[prop][i+1].at
		}
		if m.v == v && !m.at.After(to) && !end.Before(from) {
			return true
		}
	}
	return false
}

// hand is a hand on the switch.
func (l *lamp) hand(prop string, v twin.Value) {
	l.set(prop, v)
	select {
	case l.hands <- struct{}{}:
	default:
	}
}

// drive is the mapper: it says what it sees, then carries out what is offered, and reports.
func (l *lamp) drive(ctx context.Context, s *twin.Store) {
	watch := s.Watch()
	defer watch.Close()
	conn := "conn" + s.NewID()
	told := map[string]twin.Value{}
	offered := uint64(0)
	begun := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.C():
			watch.Take()
		case <-l.hands:
			if begun {
				l.report(s, conn, told, nil)
			}
			continue
		}
		v, err := s.Device(l.name)
		if err != nil {
			begun = false // not defined yet, or not any more
			continue
		}
		if !begun {
			begun = true
			_ = s.SetState(l.name, "online", conn)
			clear(told)
			l.report(s, conn, told, nil)
			s.Offer(l.name)
			continue
		}
		if v.OfferSeq <= offered {
			continue
		}
		offered = v.OfferSeq
		l.carryOut(ctx, s, conn, told)
	}
}

// carryOut takes its time, then does what is offered by then.
func (l *lamp) carryOut(ctx context.Context, s *twin.Store, conn string, told map[string]twin.Value) {
	l.mu.Lock()
	took := time.Duration(l.rng.Int64N(int64(l.slow)))
	l.mu.Unlock()
	select {
	case <-ctx.Done():
		return
	case <-time.After(took):
	}
	v, err := s.Device(l.name)
	if err != nil {
		return
	}
	done := map[string]string{}
	for i := range v.Props {
		q := &v.Props[i]
		if !q.Offered {
			continue
		}
		l.set(q.Def.Name, q.Expected)
		done[q.Def.Name] = q.Wish
	}
	l.report(s, conn, told, done)
}

// report tells what changed, and what was carried out.
func (l *lamp) report(s *twin.Store, conn string, told map[string]twin.Value, done map[string]string) {
	out := map[string]twin.PropReport{}
	real := l.state()
	for _, prop := range slices.Sorted(maps.Keys(real)) {
		wish, did := done[prop]
		if !did && told[prop] == real[prop] {
			continue
		}
		told[prop] = real[prop]
		r := twin.PropReport{Value: real[prop]}
		if l.echo {
			r.Wish = wish
		}
		out[prop] = r
	}
	if len(out) > 0 {
		_, _ = s.Report(l.name, twin.Report{Props: out, Echo: l.echo, Conn: conn})
	}
}
