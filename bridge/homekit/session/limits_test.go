package session

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/bridge/homekit/message"
)

// open reports whether a connection is still served, without disturbing it.
func (c *client) open() bool {
	synctest.Wait()
	_ = c.nc.SetReadDeadline(time.Now())
	_, err := c.nc.Read(make([]byte, 1))
	_ = c.nc.SetReadDeadline(time.Time{})
	return isTimeout(err)
}

// TestFirstRequestTime: an unverified connection must ask something within 10 s, each time; what trickles in does not help.
func TestFirstRequestTime(t *testing.T) {
	type step struct {
		at     time.Duration
		text   string
		status int // 0: no answer
	}
	for name, talk := range map[string]struct {
		steps []step
		want  time.Duration
	}{
		"silent":                  {nil, 10 * time.Second},
		"half":                    {[]step{{0, "PUT /echo HTTP/1.1\r\n", 0}}, 10 * time.Second},
		"trickles":                {[]step{{0, "P", 0}, {9 * time.Second, "U", 0}}, 10 * time.Second},
		"asked at 9 s":            {[]step{{9 * time.Second, get("/nowhere"), 404}}, 19 * time.Second},
		"asked for patience":      {[]step{{0, get("/patience?25"), 200}}, 25 * time.Second},
		"asked for more patience": {[]step{{0, get("/patience?300"), 200}}, 30 * time.Second},
		"patience is for once":    {[]step{{0, get("/patience?25"), 200}, {24 * time.Second, get("/nowhere"), 404}}, 34 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := startPipes(t, Config{}, func(l *lamp) {
				l.serve = func(q *message.Request) *Reply {
					if string(q.Path) != "/patience" {
						return nil
					}
					var s int
					if _, err := fmt.Sscan(string(q.Query), &s); err != nil {
						t.Error(err)
					}
					return &Reply{Status: 200, Patience: time.Duration(s) * time.Second}
				}
			})
			begun := time.Now()
			c := r.dial()
			for _, step := range talk.steps {
				time.Sleep(step.at - time.Since(begun))
				c.send(step.text)
				if step.status != 0 {
					c.want(step.status, "")
				}
			}
			time.Sleep(talk.want - time.Millisecond - time.Since(begun))
			if !c.open() {
				t.Errorf("%s: closed before %v", name, talk.want)
			}
			time.Sleep(2 * time.Millisecond)
			if c.open() {
				t.Errorf("%s: open after %v", name, talk.want)
			}
			if s := r.Stats(); s.Expired != 1 || s.Unverified != 0 {
				t.Errorf("%s: %+v", name, s)
			}
		})
	}
}

// TestSlowServe: the time that an answer takes is not the controller's.
func TestSlowServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{}, func(l *lamp) {
			l.serve = func(*message.Request) *Reply { time.Sleep(15 * time.Second); return nil }
		})
		c := r.dial()
		c.send(put("/echo", "late"))
		c.want(200, "late")
		time.Sleep(9 * time.Second)
		if !c.open() {
			t.Error("closed")
		}
	})
}

// TestSecureIsPatient: a secure connection may be silent for days, but a request that has begun must come.
func TestSecureIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{}, nil)
		c := r.verified()
		time.Sleep(72 * time.Hour)
		b := c.sealed(put("/echo", "slow"))
		c.write(b[:20])
		time.Sleep(29 * time.Second)
		c.write(b[20:])
		c.want(200, "slow")
		time.Sleep(72 * time.Hour)

		// Each request has its own time, also when it began in the same segment as the end of the one before.
		first, second := c.sealed(put("/echo", "first")), c.sealed(put("/echo", "second"))
		c.write(first[:20])
		time.Sleep(25 * time.Second)
		c.write(append(first[20:], second[:20]...))
		c.want(200, "first")
		time.Sleep(25 * time.Second)
		c.write(second[20:])
		c.want(200, "second")

		c.write(c.sealed(put("/echo", "never")[:30]))
		time.Sleep(30*time.Second - time.Millisecond)
		if !c.open() {
			t.Error("closed too soon")
		}
		time.Sleep(2 * time.Millisecond)
		if c.open() {
			t.Error("open for too long")
		}
	})
}

// TestCapacity: a 33rd controller gets the place of the one that has been idle longest, if that was a minute.
func TestCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{}, nil)
		var all []*client
		for range 32 {
			all = append(all, r.verified())
			time.Sleep(100 * time.Millisecond)
		}
		late := r.dial()
		late.send(get("/verify"))
		late.want(503, "")
		if got := late.closed(); len(got) > 0 {
			t.Errorf("%+v", got)
		}
		if s := r.Stats(); s.Secure != 32 || s.Refused != 1 || s.Evicted != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(59 * time.Second)
		for i, c := range all {
			if i == 7 || i == 9 {
				continue
			}
			c.send(get("/nowhere"))
			c.want(404, "")
		}
		r.verified()
		if all[7].open() || !all[9].open() || !all[0].open() {
			t.Error("another one than the one idle longest was closed")
		}
		if s := r.Stats(); s.Secure != 32 || s.Refused != 1 || s.Evicted != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhoGoes(t *testing.T) {
	// One letter for an address; a capital is known; a star has asked.
	for _, tt := range []struct {
		guests string
		want   int
	}{
		{"a b c d e f g h i", 0},          // all alike: the oldest
		{"a* b* c d* e f g* h i", 2},      // one in silence
		{"A b C d E f G h i", 1},          // one who was never known
		{"A B C D E F G H I", 0},          //
		{"a b* b* c d e f g h", 1},        // of the address that has most
		{"p x* x* x* x* x* x* x* x", 1},   // a phone, and one who opens many
		{"x* x* x* x* x* x* x* x* p", 0},  //
		{"P P x y z u v w s", 2},          // a phone that comes again among many strangers
		{"x P y* z* u* v* w* s* P", 0},    //
		{"P P P x y z u v w", 0},          // but not as often as it likes
		{"x x* x x* x x* x x* x", 0},      // the oldest in silence of them
		{"x* x x* x x* x x* x x", 1},      //
		{"P* x* y* z* u* v* w* s* a", 1},  //
		{"P* P* P* P* P* P* P* P* p*", 0}, // nobody is safe from himself
		{"a b", 0},
	} {
		var guests []guest
		for _, g := range splitGuests(tt.guests) {
			letter := g[0] | 0x20
			guests = append(guests, guest{from: netip.AddrFrom4([4]byte{192, 0, 2, letter}), known: g[0] < 'a', asked: len(g) > 1})
		}
		if got := whoGoes(guests); got != tt.want {
			t.Errorf("%s: %d goes, want %d", tt.guests, got, tt.want)
		}
	}
}

func splitGuests(s string) (out []string) {
	for len(s) > 0 {
		n := 1
		if len(s) > 1 && s[1] == '*' {
			n = 2
		}
		out = append(out, s[:n])
		s = s[min(n+1, len(s)):]
	}
	return out
}

func TestKnown(t *testing.T) {
	var k known
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 1000 {
		k.add(addr(0)) // one that always comes again
		k.add(addr(i))
	}
	if len(k) != maxKnown || !k.has(addr(0)) || !k.has(addr(999)) || k.has(addr(999-maxKnown)) {
		t.Errorf("%d addresses: %v", len(k), k)
	}
	if s := slices.Sorted(slices.Values([]string{k[0].String(), k[1].String()})); s[0] != "10.0.0.0" || s[1] != "10.0.3.231" {
		t.Errorf("%v", s)
	}
}

// TestPhoneAmongStrangers: whatever strangers hold open, from one address or many, in silence or talking, a phone verifies
// itself, and keeps its connection.
func TestPhoneAmongStrangers(t *testing.T) {
	for name, tt := range map[string]struct {
		from func(i int) string
		talk bool
	}{
		"one address, silent":    {func(int) string { return "203.0.113.1" }, false},
		"one address, talking":   {func(int) string { return "203.0.113.1" }, true},
		"many addresses, silent": {func(i int) string { return fmt.Sprint("203.0.113.", i%250) }, false},
		"the phone's own":        {func(int) string { return "192.0.2.1" }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := startPipes(t, Config{}, nil)
			n := 0
			strangers := func(k int) {
				for range k {
					c := r.dialFrom(tt.from(n))
					n++
					if tt.talk {
						c.send(get("/nowhere"))
						c.want(404, "")
					}
				}
			}
			strangers(100)
			phone := r.dial()
			strangers(7)
			phone.send(get("/nowhere")) // as a pair-verify has two requests
			phone.want(404, "")
			strangers(7)
			phone.verify()
			strangers(100)
			phone.send(put("/echo", "still here"))
			phone.want(200, "still here")
			synctest.Wait()
			if s := r.Stats(); s.Unverified != 8 || s.Secure != 1 || s.Evicted != uint64(n-8) || s.Accepted != uint64(n+1) {
				t.Errorf("%s: %+v", name, s)
			}
		})
	}
}

// TestKnownPhone: where a phone has been verified before, no number of strangers pushes it out, though each of them has an
// address of its own and talks.
func TestKnownPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{}, nil)
		_ = r.verified().nc.Close()
		phone := r.dial()
		for i := range 200 {
			c := r.dialFrom(fmt.Sprint("203.0.113.", i))
			c.send(get("/nowhere"))
			c.want(404, "")
		}
		phone.verify()
	})
}
