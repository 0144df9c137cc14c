package pair

import (
	"bytes"
	"testing"
)

func TestPairAndVerify(t *testing.T) {
	a := newAccessory(t)
	if a.Paired() || len(a.Pairings()) != 0 {
		t.Fatal("paired from the beginning")
	}
	phone := newController(t, 1)
	conn := a.Conn("10.0.0.1")
	phone.pair(conn, 0)
	if !a.Paired() || phone.name != a.id.ID || conn.Authorised() || conn.Controller() != "" {
		t.Fatalf("paired %v, as %s, authorised %v", a.Paired(), phone.name, conn.Authorised())
	}
	want := Pairing{ID: phone.id, Key: phone.public(), Admin: true, Unseen: true}
	if len(a.disk.pairings) != 1 || !same(a.disk.pairings[0], want) {
		t.Fatalf("on disk: %+v", a.disk.pairings)
	}
	select {
	case <-a.Changed():
	default:
		t.Error("nobody was told")
	}

	phone.verify(conn)
	if !conn.Authorised() || !conn.Admin() || conn.Controller() != phone.id {
		t.Error("not authorised")
	}
	want.Unseen = false
	if !same(a.disk.pairings[0], want) {
		t.Errorf("on disk: %+v", a.disk.pairings)
	}
	saves := a.disk.saves
	other := a.Conn("10.0.0.1")
	phone.verify(other)
	if a.disk.saves != saves {
		t.Error("each pair-verify goes to disk")
	}
	b := a.restart()
	phone.verify(b.Conn("10.0.0.1"))
	if !b.Paired() || b.disk.saves != 0 {
		t.Error("not the same after a restart")
	}
	conn.Closed()
	if conn.Authorised() || conn.Controller() != "" || !other.Authorised() {
		t.Error("closed")
	}
}

func same(a, b Pairing) bool {
	return a.ID == b.ID && bytes.Equal(a.Key, b.Key) && a.Admin == b.Admin && a.Unseen == b.Unseen
}
