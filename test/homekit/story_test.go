package homekit

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twinbridge/test/world"
)

// story is an accessory, two controllers of different kinds, and Avahi, each on a machine of its own.
type story struct {
	*testing.T // of the scene that runs
	acc        accessory
	avahi      *avahi
	// first pairs with the code; second is added by it.
	first, second *controller
	id            string // of the accessory
	config        string // c# of the accessory
	lamps         map[string]lamp
}

// newStory starts all.
func newStory(t *testing.T, make maker, lamps int, first, second string) *story {
	t.Helper()
	n := newNetwork(t, "house", "phone", "tablet", "observer")
	s := &story{T: t, acc: make(t, n, "house", lamps)}
	s.first = newController(t, n, "phone", first)
	s.second = newController(t, n, "tablet", second)
	s.avahi = newAvahi(t, n, "observer")
	s.acc.Start()
	s.first.begun(t)
	s.second.begun(t)
	s.avahi.begun()
	return s
}

// scene is a part of a story. What comes later relies on the vital ones.
type scene struct {
	name  string
	vital bool
	play  func(*story)
}

// tell plays the scenes one after the other.
func (s *story) tell(scenes []scene) {
	outer := s.T
	for _, sc := range scenes {
		ok := outer.Run(sc.name, func(t *testing.T) {
			s.T = t
			began := time.Now()
			sc.play(s)
			t.Logf("%.2f s", time.Since(began).Seconds())
		})
		s.T = outer
		if sc.vital && !ok {
			outer.Fatal("the rest of the story relies on this")
		}
	}
}

// must fails the scene if something that has to go well did not.
func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// refused makes sure that an error is one of table 5-5.
func (s *story) refused(err error, tlv int) {
	s.Helper()
	var r *refusal
	if !errors.As(err, &r) || r.TLV != tlv {
		s.Errorf("got %v, want kTLVError %d", err, tlv)
	}
}

// lamp gives the ids of a lamp.
func (s *story) lamp(i int) lamp {
	s.Helper()
	l, ok := s.lamps[lampName(i)]
	if !ok {
		s.Fatalf("there is no %q among %v", lampName(i), s.lamps)
	}
	return l
}

// see looks at a lamp from the accessory's side.
func (s *story) see(i int) view {
	s.Helper()
	v, err := s.acc.See(s.Context(), i)
	s.must(err)
	return v
}

// shows waits until a lamp is on or off.
func (s *story) shows(i int, on bool) {
	s.Helper()
	world.Eventually(s.T, patient, func() (bool, string) {
		v, err := s.acc.See(s.Context(), i)
		return err == nil && v.On == on, fmt.Sprintf("lamp %d: %+v %v, want %v", i, v, err, on)
	})
}

// put writes and expects that all is well.
func (s *story) put(c *controller, writes ...write) {
	s.Helper()
	rows, err := c.put(s.Context(), options{}, writes...)
	s.must(err)
	for _, r := range rows {
		if r.Status != 0 {
			s.Fatalf("%s writes %v: %v", c.kind, writes, rows)
		}
	}
}

// status finds what became of one characteristic.
func (s *story) status(rows []characteristic, err error, i id) int {
	s.Helper()
	var r *refusal
	if errors.As(err, &r) && r.HTTP == 400 {
		for _, part := range strings.FieldsFunc(r.Body, func(c rune) bool { return strings.ContainsRune(`{}[],"`, c) }) {
			var status int
			if _, err := fmt.Sscanf(part, ":%d", &status); err == nil && status < 0 {
				return status
			}
		}
	}
	s.must(err)
	for _, c := range rows {
		if c.AID == i[0] && c.IID == i[1] {
			return c.Status
		}
	}
	s.Errorf("no row for %v: %v", i, rows)
	return 0
}

// value reads a characteristic.
func (s *story) value(c *controller, i id) characteristic {
	s.Helper()
	rows, err := c.get(s.Context(), nil, i)
	s.must(err)
	if len(rows) != 1 || rows[0].AID != i[0] || rows[0].IID != i[1] || rows[0].Status != 0 {
		s.Fatalf("read %v: %v", i, rows)
	}
	return rows[0]
}

// database reads it, and makes sure that it is the one that was there before.
func (s *story) database(c *controller) {
	s.Helper()
	d, err := c.accessories(s.Context())
	s.must(err)
	got, err := d.lamps()
	s.must(err)
	if s.lamps == nil {
		s.lamps = got
	}
	if fmt.Sprint(got) != fmt.Sprint(s.lamps) {
		s.Errorf("ids changed: %v, before %v", got, s.lamps)
	}
}

// admins makes sure who is paired.
func (s *story) admins(c *controller, want map[string]bool) {
	s.Helper()
	list, err := c.list(s.Context())
	s.must(err)
	got := map[string]bool{}
	for _, e := range list {
		got[e.Controller] = e.Admin
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(list) != len(want) {
		s.Errorf("%s lists %+v, want %v", c.kind, list, want)
	}
}

// announced waits until a fresh browse of either kind and Avahi see a status flag, and that c# is what it was.
func (s *story) announced(sf string) {
	s.Helper()
	s.avahi.sees(s.T, s.id, sf)
	s.browsed(sf)
}

// browsed is announced without Avahi.
func (s *story) browsed(sf string) {
	s.Helper()
	both := []*controller{s.first, s.second}
	errs := make([]error, len(both))
	var looking sync.WaitGroup
	for i, c := range both {
		looking.Go(func() { _, errs[i] = c.discover(s.Context(), s.id, sf) })
	}
	looking.Wait()
	for i, c := range both {
		s.must(errs[i])
		got := c.service.TXT["c#"]
		if s.config == "" {
			s.config = got
		}
		if got != s.config {
			s.Errorf("%s sees c# %s, it was %s", c.kind, got, s.config)
		}
	}
}

// event waits for an event after a mark.
func (s *story) event(c *controller, mark int, i id, on bool) notice {
	s.Helper()
	n, err := c.hear(s.Context(), mark, fmt.Sprintf("an event of %v=%v at %s", i, on, c.kind), func(n notice) bool {
		for _, e := range n.event {
			if e.AID == i[0] && e.IID == i[1] {
				return on && isTrue(e.Value) || !on && isFalse(e.Value)
			}
		}
		return false
	})
	s.must(err)
	return n
}

// monotonic reads the clock that the controllers' notices are stamped with.
func monotonic(t testing.TB) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// events counts those of a characteristic after a mark.
func events(c *controller, mark int, i id) int {
	count := 0
	for _, n := range c.since(mark) {
		for _, e := range n.event {
			if e.AID == i[0] && e.IID == i[1] {
				count++
			}
		}
	}
	return count
}

// back waits until a controller has lost its connection after a mark, and has another one.
func (s *story) back(c *controller, mark int) {
	s.Helper()
	_, err := c.hear(s.Context(), mark, c.kind+" to lose its connection", func(n notice) bool { return n.gone })
	s.must(err)
	_, err = c.hear(s.Context(), mark, c.kind+" to come back", func(n notice) bool { return n.here })
	s.must(err)
}

// restart ends the accessory and starts it again; both controllers come back by themselves.
func (s *story) restart(end func(), who ...*controller) {
	s.Helper()
	marks := map[*controller]int{}
	for _, c := range who {
		marks[c] = c.mark()
	}
	end()
	s.acc.Start()
	for _, c := range who {
		s.back(c, marks[c])
	}
	s.announced("0")
	for _, c := range who {
		s.database(c)
	}
}
