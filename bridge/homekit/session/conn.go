package session

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

const (
	// lingerTime and lingerBytes bound what is still read, and thrown away, after a last reply. Closing a socket with
	// bytes unread tells the other end so at once, and it may throw the reply away.
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// errEnded says that a connection is over by our doing.
var errEnded = errors.New("session: ended")

// Conn is one connection.
type Conn struct {
	s    *Server
	nc   net.Conn
	from netip.Addr // without a zone; invalid if the transport has none

	secure atomic.Bool
	asked  atomic.Int64 // when the last request came or was answered, since the server began; 0: never

	// The reader's own.
	in      input
	need    int // bytes of plain with which a request may be whole
	timed   bool
	opener  *frame.Opener
	request message.Request // lies here so that none is made for each

	// turn is held from before a request is served until its reply is written, and while an event is made and written.
	// It guards the two below. A channel, so that who waits for it is seen to wait.
	turn   chan struct{}
	sealer *frame.Sealer // nil: in clear
	peer   Peer

	told    time.Time // when the last event was written; of the one goroutine that tells
	tellers sync.WaitGroup
	done    chan struct{} // closed when it is over

	mu      sync.Mutex // guards all below
	busy    bool       // a request is being served
	ending  bool       // no request is served any more, and nothing told
	due     bool       // an event is
	ready   bool       // all that belongs to it is there
	telling bool       // somebody sees to it
}

func newConn(s *Server, nc net.Conn) *Conn {
	c := &Conn{s: s, nc: nc, in: newInput(&s.pool), turn: make(chan struct{}, 1), done: make(chan struct{})}
	if a, ok := nc.RemoteAddr().(interface{ AddrPort() netip.AddrPort }); ok {
		c.from = a.AddrPort().Addr().Unmap().WithZone("")
	}
	return c
}

// Secure tells whether the connection is encrypted, and so verified.
func (c *Conn) Secure() bool { return c.secure.Load() }

// RemoteAddr is the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// End closes the connection: after the reply that is being made or written, if there is one, else at once. It does not
// wait for that. It may be called from anywhere, a Peer's methods and Sent too.
func (c *Conn) End() {
	c.mu.Lock()
	c.ending = true
	busy := c.busy
	c.mu.Unlock()
	if !busy {
		_ = c.nc.Close() // the reader sees it
	}
}

// kill closes the connection whatever it is doing.
func (c *Conn) kill() {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	_ = c.nc.Close() // the reader sees it
}

// run serves the connection until it is over.
func (c *Conn) run() {
	err := c.nc.SetReadDeadline(time.Now().Add(c.s.cfg.FirstRequest))
	last := false // a last reply was written
	for err == nil && !last {
		last, err = c.one()
	}
	c.s.ended(c, err)
	c.finish(last && err == nil)
}

// one serves one request. It tells whether its reply was the last.
func (c *Conn) one() (last bool, err error) {
	n, err := c.next()
	if err != nil {
		return c.refuse(err)
	}
	return c.answer(n)
}

// refuse answers a request that cannot be read; after anything else there is nobody to answer.
func (c *Conn) refuse(err error) (last bool, _ error) {
	var e *message.Error
	if !errors.As(err, &e) {
		return false, err
	}
	c.s.malformed.Add(1)
	c.s.cfg.Log.Debug("homekit: request refused", "remote", c.nc.RemoteAddr(), "err", err)
	return true, c.say(e.Status)
}

// next reads the next request, which has n bytes of the input.
func (c *Conn) next() (n int, err error) {
	limits := &c.s.cfg.Clear
	if c.in.secure {
		limits = &c.s.cfg.Secure
	}
	for {
		if len(c.in.plain()) >= c.need {
			c.request, n, err = message.Parse(c.in.plain(), *limits)
			if !errors.Is(err, message.ErrShort) {
				c.need = 0
				return n, errors.Join(err, c.whole())
			}
			c.need = n
		}
		if c.in.secure {
			err := c.in.open(c.opener)
			if err == nil {
				continue
			}
			if !errors.Is(err, frame.ErrShort) {
				return 0, err
			}
			if err := c.time(); err != nil {
				return 0, err
			}
		}
		if err := c.in.fill(c.nc); err != nil {
			return 0, err
		}
	}
}

// whole ends the time of a request; the next one gets its own.
func (c *Conn) whole() error {
	if !c.timed {
		return nil
	}
	c.timed = false
	return c.nc.SetReadDeadline(time.Time{})
}

// time gives a request on a secure connection a bound once it has begun. An unverified one has its own.
func (c *Conn) time() error {
	if c.timed || c.in.empty() {
		return nil
	}
	c.timed = true
	return c.nc.SetReadDeadline(time.Now().Add(c.s.cfg.WholeRequest))
}

// finish ends everything that has to do with the connection, and lets a last reply arrive.
func (c *Conn) finish(linger bool) {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	close(c.done)
	half, ok := c.nc.(interface{ CloseWrite() error })
	linger = linger && ok
	if linger {
		_ = c.nc.SetDeadline(time.Now().Add(lingerTime)) // an event may be on its way
	} else {
		_ = c.nc.Close() // it is over, whatever it says
	}
	c.tellers.Wait()
	if c.peer != nil {
		c.peer.Closed()
	}
	if linger {
		if half.CloseWrite() == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(c.nc, lingerBytes)) // until the other end has closed too
		}
		_ = c.nc.Close() // it is over, whatever it says
	}
	c.in.giveBack()
}

// isTimeout reports whether a deadline is what ended it.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
