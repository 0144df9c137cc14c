package session

import (
	"time"

	"twinbridge/bridge/homekit/message"
)

// Notify tells that an event is due. It never blocks and may be called from anywhere, a Peer's methods too. The message is
// made and written when it may be: on a secure connection, between two replies, and not sooner than EventPause after the
// one before. However often Notify was called until then, it is one message. Unless it is whole it waits for EventGather
// too, as more may follow.
func (c *Conn) Notify(whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = true
	c.ready = c.ready || whole
	c.wake()
}

// wake has what is due told; mu is held.
func (c *Conn) wake() {
	if !c.due || c.telling || c.ending || !c.secure.Load() {
		return
	}
	c.telling = true
	c.tellers.Go(c.tell)
}

// tell writes events until none is due.
func (c *Conn) tell() {
	for more := true; more; {
		more = c.gather() && c.tellOne()
		c.mu.Lock()
		more = more && c.due && !c.ending
		c.telling = more
		c.mu.Unlock()
	}
}

// gather waits until the next event may be told; false: none will be.
func (c *Conn) gather() bool {
	wait := c.s.cfg.EventGather
	c.mu.Lock()
	if c.ready {
		wait = 0
	}
	c.mu.Unlock()
	if !c.told.IsZero() {
		wait = max(wait, c.s.cfg.EventPause-time.Since(c.told))
	}
	if wait <= 0 {
		return true
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.done:
		return false
	}
}

// tellOne writes one event; false: none will be any more.
func (c *Conn) tellOne() bool {
	select {
	case c.turn <- struct{}{}:
	case <-c.done:
		return false
	}
	defer func() { <-c.turn }()
	c.mu.Lock()
	c.due, c.ready = false, false
	ending := c.ending
	c.mu.Unlock()
	if ending {
		return false
	}
	body := c.peer.Event()
	if body == nil {
		return true
	}
	var room [headRoom]byte
	err := c.write(message.AppendEventHead(room[:0], len(body)), body)
	c.told = time.Now()
	if err != nil {
		c.s.cfg.Log.Debug("homekit: event could not be written", "remote", c.nc.RemoteAddr(), "err", err)
		c.kill()
		return false
	}
	c.s.events.Add(1)
	return true
}
