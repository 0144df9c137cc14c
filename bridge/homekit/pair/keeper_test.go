package pair

import (
	"bytes"
	"errors"
	"testing"
)

// Each call of the Keeper fails once. The answer is an error, the table is what it was, here and on disk, and it works
// once the disk does.
func TestKeeperFails(t *testing.T) {
	t.Run("pair-setup", func(t *testing.T) {
		a := newAccessory(t)
		phone := newController(t, 1)
		conn := a.Conn("")
		s, third := phone.m3(conn.Setup(0, phone.m1()))
		fifth := s.m5(conn.Setup(0, third))
		a.disk.broken = errBroken
		refused(t, conn.Setup(0, fifth), 6, errUnknown)
		if a.Paired() || len(a.Pairings()) != 0 || len(a.disk.pairings) != 0 || changed(a) {
			t.Fatal("paired without a disk")
		}
		h := phone.hello()
		m2, _ := conn.Verify(h.m1)
		reply, session := conn.Verify(h.m3(m2))
		refused(t, reply, 4, errAuthentication)
		if session != nil {
			t.Fatal("a session without a pairing")
		}
		a.disk.broken = nil
		phone.pair(conn, 0)
	})
	t.Run("wrong code", func(t *testing.T) {
		a := newAccessory(t)
		phone := newController(t, 1)
		a.disk.broken = errBroken
		refused(t, guess(t, a.Conn(""), phone), 4, errUnknown)
		// Nobody may try again before the failure is on disk.
		for range 3 {
			refused(t, a.Conn("").Setup(0, phone.m1()), 2, errUnknown)
		}
		if a.Failures() != 1 || a.disk.failures != 0 || a.turns.running != nil {
			t.Fatalf("%d failures", a.Failures())
		}
		a.disk.broken = nil
		refused(t, guess(t, a.Conn(""), phone), 4, errAuthentication)
		if a.disk.failures != 2 {
			t.Errorf("%d failures on disk", a.disk.failures)
		}
	})
	t.Run("right code after a wrong one", func(t *testing.T) {
		a := newAccessory(t)
		phone := newController(t, 1)
		guess(t, a.Conn(""), phone)
		conn := a.Conn("")
		_, third := phone.m3(conn.Setup(0, phone.m1()))
		a.disk.broken = errBroken
		refused(t, conn.Setup(0, third), 4, errUnknown)
		if a.Paired() {
			t.Fatal("paired")
		}
		a.disk.broken = nil
		phone.pair(conn, 0)
		if a.disk.failures != 0 {
			t.Errorf("%d failures on disk", a.disk.failures)
		}
	})
	t.Run("first pair-verify", func(t *testing.T) {
		a := newAccessory(t)
		phone := newController(t, 1)
		phone.pair(a.Conn(""), 0)
		a.disk.broken = errBroken
		conn := a.Conn("")
		phone.verify(conn) // it is nothing that a lamp should stay dark for
		if !conn.Authorised() || !a.disk.pairings[0].Unseen {
			t.Error("not authorised")
		}
		a.disk.broken = nil
		phone.verify(a.Conn(""))
		if a.disk.pairings[0].Unseen || !conn.Authorised() {
			t.Error("never noted")
		}
	})
	t.Run("table", func(t *testing.T) {
		a, admin, conn := owned(t)
		guest := newController(t, 2)
		conn.Pairings(addMsg(guest, 0))
		guests := a.Conn("")
		guest.verify(guests)
		before, _ := conn.Pairings(listMsg())
		a.disk.broken = errBroken
		for name, msg := range map[string][]byte{
			"add": addMsg(newController(t, 3), 1), "update": addMsg(guest, 1), "remove": removeMsg(guest.id),
			"remove the last admin": removeMsg(admin.id), "demote the last admin": addMsg(admin, 0),
		} {
			reply, gone := conn.Pairings(msg)
			refused(t, reply, 2, errUnknown)
			if after, _ := conn.Pairings(listMsg()); gone != nil || !bytes.Equal(before, after) || !guests.Authorised() || guests.Admin() || changed(a) {
				t.Errorf("%s: gone %v", name, gone)
			}
		}
		a.disk.broken = nil
		reply, gone := conn.Pairings(removeMsg(guest.id))
		succeeded(t, reply)
		if len(gone) != 1 || guests.Authorised() {
			t.Error("not removed afterwards")
		}
	})
	t.Run("factory reset", func(t *testing.T) {
		a, _, conn := owned(t)
		gone, err := a.Reset(identityOf(t, 2), func() error { return errBroken })
		if !errors.Is(err, errBroken) || gone != nil || !conn.Authorised() || a.ID() != a.id.ID || changed(a) {
			t.Errorf("gone %v, %v", gone, err)
		}
	})
}

func TestReset(t *testing.T) {
	a, admin, conn := owned(t)
	if _, err := a.Reset(Identity{ID: "x"}, func() error { t.Error("saved"); return nil }); err == nil {
		t.Error("an identity that is none was taken")
	}
	h := admin.hello() // in the middle of a pair-verify
	half := a.Conn("")
	m2, _ := half.Verify(h.m1)
	gone, err := a.Reset(identityOf(t, 2), func() error { return nil })
	if err != nil || len(gone) != 1 || gone[0] != admin.id || a.Paired() || conn.Authorised() || a.ID() != identityOf(t, 2).ID || !changed(a) {
		t.Fatalf("gone %v, %v, id %s", gone, err, a.ID())
	}
	reply, s := half.Verify(h.m3(m2))
	refused(t, reply, 4, errAuthentication)
	if s != nil {
		t.Error("a session")
	}

	// In the middle of a pair-setup: its proof was for another accessory.
	next := newController(t, 2)
	pairing := a.Conn("")
	setup, third := next.m3(pairing.Setup(0, next.m1()))
	fifth := setup.m5(pairing.Setup(0, third))
	if _, err := a.Reset(identityOf(t, 3), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	refused(t, pairing.Setup(0, fifth), 6, errUnknown)
	if a.Paired() {
		t.Fatal("paired")
	}
	next.pair(pairing, 0)
	if next.name != identityOf(t, 3).ID {
		t.Errorf("paired with %s", next.name)
	}
}

// The process dies after the pairing is on disk, and the phone did not get the last answer: both can begin again.
func TestLostAnswer(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	phone.pair(a.Conn(""), 0)
	refused(t, a.Conn("").Setup(0, phone.m1()), 2, errUnavailable) // as long as the process lives it may have got it
	b := a.restart()
	if b.Paired() || len(b.Pairings()) != 1 {
		t.Fatal("paired with somebody who may not know")
	}
	other := newController(t, 2)
	other.pair(b.Conn(""), 0)
	other.verify(b.Conn(""))
	if got := b.disk.pairings; len(got) != 1 || got[0].ID != other.id || got[0].Unseen {
		t.Fatalf("on disk: %+v", got)
	}
	c := b.restart()
	if !c.Paired() {
		t.Error("not paired")
	}
	refused(t, c.Conn("").Setup(0, phone.m1()), 2, errUnavailable)
}

// It did get the last answer: it comes back, and the accessory is paired.
func TestLateAnswer(t *testing.T) {
	a := newAccessory(t)
	phone, other := newController(t, 1), newController(t, 2)
	phone.pair(a.Conn(""), 0)
	b := a.restart()
	// Somebody else was quicker to begin, but not to end.
	conn := b.Conn("")
	s, third := other.m3(conn.Setup(0, other.m1()))
	fifth := s.m5(conn.Setup(0, third))
	theirs := b.Conn("")
	phone.verify(theirs)
	if !b.Paired() || !theirs.Admin() || !changed(b) {
		t.Fatal("not paired")
	}
	refused(t, conn.Setup(0, fifth), 6, errUnavailable)
	if got := b.disk.pairings; len(got) != 1 || got[0].ID != phone.id || got[0].Unseen {
		t.Fatalf("on disk: %+v", got)
	}
	if !b.restart().Paired() {
		t.Error("not paired after a restart")
	}
}
