package session

import (
	"errors"
	"net/http"
	"time"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

// errMixed says that a request came encrypted with keys that are no longer in force.
var errMixed = errors.New("session: a request behind the one that changed the keys, encrypted with the old ones")

// headRoom is enough for the head of a message, so that it lies on the stack.
const headRoom = 256

// answer serves the request, which has n bytes of the input. It tells whether its reply was the last.
func (c *Conn) answer(n int) (last bool, err error) {
	if !c.begin() {
		return false, errEnded
	}
	c.turn <- struct{}{}
	if c.peer == nil {
		c.peer = c.s.cfg.Accept(c)
	}
	c.s.requests.Add(1)
	reply := c.peer.Serve(&c.request)
	last = reply.Close || c.request.Close
	if reply.Switch != nil && !c.s.promote(c) {
		reply = Reply{Status: http.StatusServiceUnavailable, Sent: reply.Sent}
		last = true
	}
	err = c.reply(&reply)
	c.request = message.Request{}
	c.in.used(n)
	if err == nil && reply.Switch != nil {
		err = c.protect(reply.Switch)
	}
	<-c.turn
	if reply.Sent != nil {
		reply.Sent()
	}
	if c.rest() {
		last = true
	}
	c.in.shrink()
	if err == nil && !last && !c.secure.Load() {
		patience := c.s.cfg.FirstRequest
		if reply.Patience > 0 {
			patience = min(reply.Patience, c.s.cfg.MaxPatience)
		}
		err = c.nc.SetReadDeadline(time.Now().Add(patience))
	}
	return last, err
}

// begin tells that a request is being served; false: none is any more.
func (c *Conn) begin() bool {
	c.asked.Store(c.s.since())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.ending
	return c.busy
}

// rest tells that no request is being served, and gives whether none will be.
func (c *Conn) rest() (ending bool) {
	c.asked.Store(c.s.since())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	c.wake() // the connection may be secure now
	return c.ending
}

// reply writes a reply; the turn is held.
func (c *Conn) reply(r *Reply) error {
	body := r.Body
	if r.Status == http.StatusNoContent {
		body = nil
	}
	var room [headRoom]byte
	return c.write(message.AppendHead(room[:0], r.Status, r.Type, len(body)), body)
}

// say writes the status of a request that could not be read.
func (c *Conn) say(status int) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.reply(&Reply{Status: status})
}

// protect begins to use keys, in both directions; the turn is held.
func (c *Conn) protect(k *Keys) error {
	if c.in.secure && len(c.in.plain()) > 0 {
		return errMixed
	}
	sealer, err := frame.NewSealer(k.Out)
	if err != nil {
		return err
	}
	opener, err := frame.NewOpener(k.In)
	if err != nil {
		return err
	}
	c.sealer, c.opener = sealer, opener
	c.in.protect()
	c.timed = false
	c.secure.Store(true)
	return c.nc.SetReadDeadline(time.Time{})
}

// write writes one message whole; the turn is held. After an error the connection is of no use.
func (c *Conn) write(head, body []byte) error {
	n := len(head) + len(body)
	if c.sealer != nil {
		n = frame.Size(n)
	}
	buf := c.s.pool.get(n)
	defer c.s.pool.put(buf)
	out := buf.b[:0]
	if c.sealer == nil {
		out = append(append(out, head...), body...)
	} else {
		var err error
		if out, err = c.sealer.Append(out, head, body); err != nil {
			return err
		}
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.s.cfg.WriteTime)); err != nil {
		return err
	}
	_, err := c.nc.Write(out)
	if isTimeout(err) {
		c.s.stalled.Add(1)
	}
	return err
}
