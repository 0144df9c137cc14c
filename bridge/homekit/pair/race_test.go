package pair

import (
	"crypto/rand"
	"sync"
	"testing"
)

// Many connections at a time: the race detector looks on, and the end is as if they had come one after the other.
func TestTogether(t *testing.T) {
	d := &disk{}
	p, err := New(Config{Identity: identityOf(t, 1), Keeper: d, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	admin := newController(t, 1)
	conn := p.Conn("")
	admin.pair(conn, 0)
	admin.verify(conn)
	var guests []*controller
	for i := range 8 {
		guests = append(guests, newController(t, uint64(10+i)))
	}
	var wg sync.WaitGroup
	for _, g := range guests {
		wg.Go(func() {
			for range 5 {
				theirs := p.Conn("")
				theirs.Setup(0, g.m1())
				h := g.hello()
				m2, _ := theirs.Verify(h.m1)
				theirs.Verify(h.m3(m2)) // it may be in the table or not
				_, _, _ = theirs.Authorised(), theirs.Admin(), theirs.Controller()
				_, _, _ = p.Paired(), p.Pairings(), p.Failures()
				theirs.Closed()
			}
		})
	}
	for range 5 {
		for _, g := range guests {
			conn.Pairings(addMsg(g, 0))
		}
		for _, g := range guests[1:] {
			conn.Pairings(removeMsg(g.id))
		}
	}
	wg.Wait()
	if got := p.Pairings(); len(got) != 2 || got[1].ID != guests[0].id || len(d.pairings) != 2 || !conn.Admin() {
		t.Errorf("%+v", got)
	}
}
