package database

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// Client is what the database keeps of one connection: what it wants to hear of, what it was not told yet, its timed
// write. Close ends it. Its methods may be called by several goroutines at once.
type Client struct {
	d        *Database
	notify   func(whole bool)
	about    string
	dirty    map[*slot]struct{}   // changed, and not told yet
	owed     map[*Client]struct{} // who is to be told when the request that is being carried out is done; nil: none is
	ears     map[*slot]struct{}
	prepared *prepared
}

// Client makes the client of a connection. notify is called, with the database locked, when an event is due: it must not
// block or call back. whole tells that nothing belongs to it that is still to come, as it is all that a request changed.
// about names the controller, for the owners of accessories.
func (d *Database) Client(about string, notify func(whole bool)) *Client {
	c := &Client{d: d, notify: notify, about: about, dirty: map[*slot]struct{}{}, ears: map[*slot]struct{}{}}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clients[c] = struct{}{}
	return c
}

// About names the controller.
func (c *Client) About() string { return c.about }

// Close forgets the connection.
func (c *Client) Close() {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	delete(c.d.clients, c)
	for s := range c.ears {
		s.drop(c)
	}
	clear(c.ears)
	clear(c.dirty)
}

// subscribe begins or ends that changes of s are told.
func (c *Client) subscribe(s *slot, on bool) {
	_, is := c.ears[s]
	switch {
	case on && !is:
		c.ears[s] = struct{}{}
		s.ears = append(s.ears, c)
	case !on && is:
		delete(c.ears, s)
		delete(c.dirty, s)
		s.drop(c)
	}
}

func (s *slot) drop(c *Client) {
	if i := slices.Index(s.ears, c); i >= 0 {
		s.ears = slices.Delete(s.ears, i, i+1)
	}
}

// moved finds the subscriptions again after the accessories were replaced. The database is locked. A value that is
// another one now is told.
func (c *Client) moved() {
	old, dirty := c.ears, c.dirty
	c.ears, c.dirty = map[*slot]struct{}{}, map[*slot]struct{}{}
	for was := range old {
		a := c.d.byAID[was.aid]
		if a == nil {
			continue
		}
		s := a.byIID[was.IID]
		if s == nil || s.Type != was.Type || s.Perms&Events == 0 {
			continue
		}
		c.subscribe(s, true)
		if _, untold := dirty[was]; untold || s.value != was.value {
			c.mark(s, nil)
		}
	}
}

// mark notes that s has changed, by a request of that client or by none. The database is locked.
func (c *Client) mark(s *slot, by *Client) {
	c.dirty[s] = struct{}{}
	if by != nil && by.owed != nil {
		by.owed[c] = struct{}{}
		return
	}
	c.notify(false)
}

// begin keeps what a request changes back until done, so that it is told in one message.
func (c *Client) begin() {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.owed = map[*Client]struct{}{}
}

func (c *Client) done() {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for o := range c.owed {
		o.notify(true)
	}
	c.owed = nil
}

// Subscriptions counts what the connection wants to hear of.
func (c *Client) Subscriptions() int {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	return len(c.ears)
}

// Event gives the body of a message with everything that changed since the last one (HAP R2, 6.8), nil if nothing did.
func (c *Client) Event() []byte {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if len(c.dirty) == 0 {
		return nil
	}
	slots := slices.SortedFunc(maps.Keys(c.dirty), func(a, b *slot) int { return cmp.Compare(a.order, b.order) })
	clear(c.dirty)
	b := []byte(`{"characteristics":[`)
	for i, s := range slots {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendID(b)
		b = append(b, `,"value":`...)
		b = s.value.append(b)
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

// appendID begins the JSON object of a characteristic in an answer.
func (s *slot) appendID(b []byte) []byte { return appendID(b, s.aid, s.IID) }

func appendID(b []byte, aid, iid uint64) []byte {
	b = append(b, `{"aid":`...)
	b = strconv.AppendUint(b, aid, 10)
	b = append(b, `,"iid":`...)
	return strconv.AppendUint(b, iid, 10)
}

func appendStatus(b []byte, s Status) []byte {
	b = append(b, `,"status":`...)
	return strconv.AppendInt(b, int64(s), 10)
}
