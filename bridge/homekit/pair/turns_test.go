package pair

import (
	"fmt"
	"testing"
	"time"
)

func TestBusy(t *testing.T) {
	a := newAccessory(t)
	owner, other := newController(t, 1), newController(t, 2)
	first, second := a.Conn("10.0.0.1"), a.Conn("10.0.0.2")
	owner.read(first.Setup(0, owner.m1()), 2)
	refused(t, second.Setup(time.Second, other.m1()), 2, errBusy)
	refused(t, a.Conn("10.0.0.1").Setup(2*time.Second, other.m1()), 2, errBusy) // another connection of the same house
	// A connection, and a pair-verify that is not at its end, keep nobody away.
	first.Closed()
	first.Closed()
	a.Conn("10.0.0.3").Verify(other.hello().m1)
	other.pair(second, 3*time.Second)
}

// A procedure ends at each refusal, and then it is somebody else's turn.
func TestRefusalEndsTurn(t *testing.T) {
	a := newAccessory(t)
	owner := newController(t, 1)
	for range 3 {
		bad := a.Conn("10.0.0.2")
		guess(t, bad, owner)
		refused(t, bad.Setup(0, m3([]byte{5}, make([]byte, 64))), 4, errUnknown)
	}
	owner.pair(a.Conn("10.0.0.1"), 0)
}

// After 30 seconds another one may take over; who was slow but alone may go on.
func TestTakeOver(t *testing.T) {
	a := newAccessory(t)
	slow, owner := newController(t, 1), newController(t, 2)
	first, second := a.Conn("10.0.0.1"), a.Conn("10.0.0.2")
	_, third := slow.m3(first.Setup(0, slow.m1()))
	refused(t, second.Setup(SetupTime-1, owner.m1()), 2, errBusy)
	owner.read(second.Setup(SetupTime, owner.m1()), 2)
	refused(t, first.Setup(SetupTime, third), 4, errUnknown)
	refused(t, first.Setup(SetupTime, slow.m1()), 2, errBusy)
	owner.pair(second, SetupTime)

	b := newAccessory(t)
	first = b.Conn("10.0.0.1")
	s, third := slow.m3(first.Setup(0, slow.m1()))
	fifth := s.m5(first.Setup(2*SetupTime, third))
	s.done(first.Setup(4*SetupTime, fifth))
}

// However an attacker with one address goes about it, the owner, who tries again every two seconds, pairs within 35.
func TestHostage(t *testing.T) {
	const step = 100 * time.Millisecond
	for name, attack := range map[string]func(a *accessory, c *controller) func(now time.Duration){
		"begins once": func(a *accessory, c *controller) func(time.Duration) {
			conn := a.Conn("10.0.0.66")
			conn.Setup(0, c.m1())
			return func(time.Duration) {}
		},
		"begins all the time": func(a *accessory, c *controller) func(time.Duration) {
			conn := a.Conn("10.0.0.66")
			return func(now time.Duration) { conn.Setup(now, c.m1()) }
		},
		"with a new connection each time": func(a *accessory, c *controller) func(time.Duration) {
			var conns []*Conn
			return func(now time.Duration) {
				conn := a.Conn("10.0.0.66")
				conn.Setup(now, c.m1())
				if conns = append(conns, conn); len(conns) > 6 {
					conns[0].Closed()
					conns = conns[1:]
				}
			}
		},
		"opens and closes": func(a *accessory, c *controller) func(time.Duration) {
			return func(now time.Duration) {
				conn := a.Conn("10.0.0.66")
				conn.Setup(now, c.m1())
				if now%(7*step) == 0 {
					conn.Closed()
				}
			}
		},
		"guesses": func(a *accessory, c *controller) func(time.Duration) {
			return func(now time.Duration) {
				conn := a.Conn("10.0.0.66")
				m2, ok := parse(conn.Setup(now, c.m1()))
				if _, busy := m2[typeError]; ok && !busy && now%(50*step) == 0 {
					conn.Setup(now, m3([]byte{5}, make([]byte, 64)))
				}
			}
		},
		"one connection, address unknown": func(a *accessory, c *controller) func(time.Duration) {
			conn := a.Conn("")
			return func(now time.Duration) { conn.Setup(now, c.m1()) }
		},
		"verifies": func(a *accessory, c *controller) func(time.Duration) {
			conn := a.Conn("10.0.0.66")
			return func(now time.Duration) {
				conn.Verify(c.hello().m1)
				conn.Setup(now, c.m1())
			}
		},
	} {
		for _, reconnects := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/owner reconnects %v", name, reconnects), func(t *testing.T) {
				a := newAccessory(t)
				owner := newController(t, 1)
				strike := attack(a, newController(t, 2))
				addr := "10.0.0.1"
				conn := a.Conn(addr)
				for now := time.Duration(0); now <= 35*time.Second; now += step {
					strike(now)
					if now%(2*time.Second) != time.Second {
						continue
					}
					reply := conn.Setup(now, owner.m1())
					strike(now) // also in the middle
					if m, _ := parse(reply); m[typeError] == nil {
						s, third := owner.m3(reply)
						fourth := conn.Setup(now, third)
						strike(now)
						s.done(conn.Setup(now, s.m5(fourth)))
						if !a.Paired() {
							t.Error("not paired")
						}
						return
					}
					refused(t, reply, 2, errBusy)
					if reconnects {
						conn.Closed()
						conn = a.Conn(addr)
					}
				}
				t.Error("the owner did not pair within 35 s")
			})
		}
	}
}

// Each address of an attacker can keep the owner waiting once, however often it begins again in its turn.
func TestHostageOfManyAddresses(t *testing.T) {
	const step, addresses = 50 * time.Millisecond, 3
	a := newAccessory(t)
	attacker, owner := newController(t, 1), newController(t, 2)
	var conns []*Conn
	for n := range addresses {
		conns = append(conns, a.Conn(fmt.Sprintf("10.0.0.%d", 66+n)))
	}
	paired := false
	now := time.Duration(0)
	for ; now <= addresses*SetupTime+time.Second && !paired; now += step {
		for _, c := range conns {
			c.Setup(now, attacker.m1())
		}
		if now%(10*step) == 0 {
			m, ok := parse(a.Conn("10.0.0.1").Setup(now, owner.m1()))
			paired = ok && m[typeError] == nil
		}
	}
	if !paired {
		t.Errorf("the owner's turn has not come after %v", now)
	}
}

// Turns go round also when nobody ever succeeds, and what is remembered is bounded.
func TestTurnsGoRound(t *testing.T) {
	a := newAccessory(t)
	c := newController(t, 1)
	got := map[int]int{}
	const parties = 3
	var conns [parties]*Conn
	for i := range conns {
		conns[i] = a.Conn(fmt.Sprintf("10.0.0.%d", i))
	}
	for now := time.Duration(0); now < 20*SetupTime; now += time.Second {
		for i, conn := range conns {
			before := a.turns.running
			if m, _ := parse(conn.Setup(now, c.m1())); m[typeError] == nil && (before == nil || before.party != conn.party) {
				got[i]++
			}
		}
	}
	for i := range parties {
		if got[i] < 5 {
			t.Errorf("party %d had %d turns of 20", i, got[i])
		}
	}
	for i := range 1000 {
		now := 20*SetupTime + time.Duration(i)*time.Millisecond
		conn := a.Conn(fmt.Sprintf("fd00::%x", i))
		conn.Setup(now, c.m1())
		if i%3 == 0 {
			conn.Closed()
		}
		if len(a.turns.knocks) > maxKnocks || len(a.turns.served) > maxServed {
			t.Fatalf("%d knocks, %d served", len(a.turns.knocks), len(a.turns.served))
		}
	}
	// Nobody is kept away for long by somebody who does not come back.
	c.pair(a.Conn("10.0.0.1"), 25*SetupTime)
}

// Times that go backwards do no harm.
func TestClockBackwards(t *testing.T) {
	a := newAccessory(t)
	c := newController(t, 1)
	first := a.Conn("a")
	first.Setup(time.Hour, c.m1())
	refused(t, a.Conn("b").Setup(0, c.m1()), 2, errBusy)
	c.pair(first, time.Minute)
}
