package pair

import "sync/atomic"

// Conn is one connection. Its messages must be handed in one after the other; the other methods can be called at any time.
type Conn struct {
	pairer *Pairer
	party  party
	proc   *procedure // of pair-setup; under the Pairer's mu
	verify *exchange  // of pair-verify; nil before M1
	member atomic.Pointer[member]
}

// member is a controller that has shown who it is.
type member struct {
	id     string
	serial uint64
}

// Conn begins a connection. The address says whose turn it is when several want to pair, see the package comment: without
// the port, or empty.
func (p *Pairer) Conn(addr string) *Conn {
	return &Conn{pairer: p, party: party{p.conns.Add(1), addr}}
}

// Closed ends a connection's part in everything. The connection is no longer authorised.
func (c *Conn) Closed() {
	c.pairer.mu.Lock()
	defer c.pairer.mu.Unlock()
	c.endSetup()
	c.member.Store(nil)
}

// Controller gives the identifier of the controller that is verified on this connection; empty if none is.
func (c *Conn) Controller() string {
	if m := c.member.Load(); m != nil {
		return m.id
	}
	return ""
}

// Authorised reports whether a controller is verified on this connection and its pairing still stands. It is to be asked
// before each request, and before each event that is sent.
func (c *Conn) Authorised() bool {
	_, ok := c.entry()
	return ok
}

// Admin reports whether the connection is authorised and its controller may look after the pairings.
func (c *Conn) Admin() bool {
	e, ok := c.entry()
	return ok && e.Admin
}

// entry gives the pairing of the verified controller as it is now.
func (c *Conn) entry() (entry, bool) {
	m := c.member.Load()
	if m == nil {
		return entry{}, false
	}
	t := c.pairer.state.Load().table
	if i := t.serial(m.serial); i >= 0 {
		return t[i], true
	}
	return entry{}, false
}
