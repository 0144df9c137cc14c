package enroll

import (
	"sync"
	"time"
)

const (
	// slack is how far a clock may jump and still be believed at once. One that stands behind the saved time by no more
	// will catch up.
	slack = 48 * time.Hour
	// leapProof is how long a clock that leapt further must stay there before its time is saved. A time saved by mistake
	// stays for ever: all certificates have expired then, and no new one helps.
	leapProof = 7 * 24 * time.Hour
)

// clock tells the time by which certificates are dated and checked: the latest of the system's clock and a floor, which
// is the latest of the saved time, the build time and the beginning of the CA. Where the system's clock stands more than
// slack behind the floor, nobody has set it, and time runs on from the floor.
type clock struct {
	now func() time.Time

	mu    sync.Mutex
	floor time.Time
	since time.Time // when the floor became what it is; for what has passed since only
	saved time.Time // what lies in the store; zero: nothing
	leap  time.Time // when the clock was first seen more than slack ahead of saved; zero: it is not
}

// newClock makes a clock with a saved time, zero if there is none, and other times that have surely passed.
func newClock(now func() time.Time, saved time.Time, passed ...time.Time) *clock {
	if now == nil {
		now = time.Now
	}
	c := &clock{now: now, floor: saved, since: time.Now(), saved: saved}
	for _, t := range passed {
		if t.After(c.floor) {
			c.floor = t
		}
	}
	return c
}

// Time gives the time.
func (c *clock) Time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time()
}

func (c *clock) time() time.Time {
	n := c.now()
	switch {
	case !n.Before(c.floor):
		return n.UTC()
	case c.floor.Sub(n) <= slack:
		return c.floor.UTC()
	default:
		return c.floor.Add(time.Since(c.since)).UTC()
	}
}

// unset reports whether the system's clock is not to be trusted, because it stands far behind the floor.
func (c *clock) unset() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor.Sub(c.now()) > slack
}

// mark gives the time that is to be saved now; ok is false if what is saved is to stay.
func (c *clock) mark() (t time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t = c.time()
	switch {
	case !t.After(c.saved):
		c.leap = time.Time{}
		return t, false
	case c.saved.IsZero() || t.Sub(c.saved) <= slack:
		c.leap = time.Time{}
		return t, true
	case c.leap.IsZero():
		c.leap = time.Now()
		return t, false
	}
	return t, time.Since(c.leap) >= leapProof
}

// marked says that a time has been saved.
func (c *clock) marked(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved, c.leap = t, time.Time{}
	if t.After(c.floor) {
		c.floor, c.since = t, time.Now()
	}
}

// timeRecord is the saved time.
type timeRecord struct {
	Version int       `json:"v"`
	Time    time.Time `json:"time"`
}

// change gives the change that saves the time under a key; ok is false if nothing is to be saved.
func (c *clock) change(key string) (ch Change, t time.Time, ok bool) {
	t, ok = c.mark()
	if !ok {
		return Change{}, t, false
	}
	ch, err := put(key, timeRecord{Version: version, Time: t})
	return ch, t, err == nil
}
