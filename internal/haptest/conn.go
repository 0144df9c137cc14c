package haptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// timeout is how long one step may take, unless Conn.Timeout or a context says less.
	timeout = 30 * time.Second
	// maxEvents is how many events wait for somebody who takes them.
	maxEvents = 16 << 10
	readSize  = 64 << 10
)

// ErrEvents says that more events came than wait for somebody who takes them.
var ErrEvents = errors.New("nobody takes the events")

// Conn is a connection to an accessory. Requests are made from one goroutine at a time; Write and the reading methods may
// be used from two.
type Conn struct {
	// Timeout bounds each wait for bytes and each write; 30 s if it is 0.
	Timeout time.Duration

	nc net.Conn

	wmu  sync.Mutex
	out  *framer // nil in the clear
	wbuf []byte

	rmu   sync.Mutex
	in    *framer // nil in the clear
	raw   []byte  // read and not yet opened
	plain []byte  // opened and not yet taken; raw is used in the clear
	taken int     // bytes of plain that were handed out
	at    time.Time

	events  chan Message
	answers chan Message  // to who made the request, while a goroutine listens
	done    chan struct{} // nil: nobody listens; closed: the goroutine has ended
	err     error         // why; valid after done
}

// Open connects to an accessory without any handshake.
func Open(ctx context.Context, addr string) (*Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return NewConn(nc), nil
}

// NewConn makes a Conn of a connection that somebody else has opened.
func NewConn(nc net.Conn) *Conn {
	return &Conn{nc: nc, events: make(chan Message, maxEvents)}
}

// Net gives the connection below, to set its buffers or to close one half of it.
func (c *Conn) Net() net.Conn { return c.nc }

// Close ends the connection and waits for the goroutine of Listen.
func (c *Conn) Close() error {
	err := c.nc.Close()
	if c.done != nil {
		<-c.done
	}
	return err
}

// Secure encrypts both directions from here on. Bytes that were read but not yet taken count as encrypted.
func (c *Conn) Secure(k Keys) {
	c.SecureWrites(k.Write)
	c.SecureReads(k.Read)
}

// SecureWrites encrypts what is sent from here on.
func (c *Conn) SecureWrites(k Key) {
	c.wmu.Lock()
	c.out = newFramer(k)
	c.wmu.Unlock()
}

// SecureReads decrypts what is read from here on.
func (c *Conn) SecureReads(k Key) {
	c.rmu.Lock()
	c.unread()
	c.in = newFramer(k)
	c.rmu.Unlock()
}

func (c *Conn) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return timeout
}

// Write sends bytes as they are.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.timeout())); err != nil {
		return 0, err
	}
	return c.nc.Write(b)
}

// Seal makes frames of at most so many bytes of plain text and moves the counter on, so they have to be sent, in order,
// or the accessory will understand nothing that comes behind them. A size of 0 is 1,024; a larger one than that makes
// frames that an accessory has to refuse. In the clear it gives the bytes back.
func (c *Conn) Seal(plain []byte, size int) []byte {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.seal(nil, plain, size)
}

func (c *Conn) seal(out, plain []byte, size int) []byte {
	if c.out == nil {
		return append(out, plain...)
	}
	if size <= 0 {
		size = FrameSize
	}
	for len(plain) > 0 {
		n := min(size, len(plain))
		out = c.out.seal(out, plain[:n])
		plain = plain[n:]
	}
	return out
}

// Send sends a request and does not wait for its answer.
func (c *Conn) Send(request []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.wbuf = c.seal(c.wbuf[:0], request, 0)
	_, err := c.Write(c.wbuf)
	return err
}

// Next reads the next message, whatever it is.
func (c *Conn) Next(ctx context.Context) (Message, error) {
	var out Message
	err := c.reading(ctx, func() error {
		m, err := c.next()
		if err == nil {
			out = m.whole()
		}
		return err
	})
	return out, err
}

// reading does something that reads, and gives up when the context does.
func (c *Conn) reading(ctx context.Context, do func() error) error {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() != nil {
		set := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // an error is one of a closed connection
			close(set)
		})
		defer func() {
			if !stop() { // else it could end the next read
				<-set
			}
		}()
	}
	deadline := time.Now().Add(c.timeout())
	ends, limited := ctx.Deadline()
	if limited && ends.Before(deadline) {
		deadline = ends
	}
	_ = c.nc.SetReadDeadline(deadline) // it fails on a closed connection, where what was read before is still good
	if err := ctx.Err(); err != nil {  // it may have ended before the deadline was set
		return err
	}
	err := do()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited && !time.Now().Before(ends): // the connection's timer came before the context's
		return context.DeadlineExceeded
	}
	return err
}

// next gives the next message, which is good until the next call. The caller has rmu.
func (c *Conn) next() (Message, error) {
	for {
		b := c.unread()
		if len(b) > 0 {
			m, n, err := parseMessage(b)
			if err == nil {
				m.At = c.at
				c.taken = n
				return m, nil
			}
			if !errors.Is(err, errShort) {
				return Message{}, err
			}
		}
		more, err := c.open()
		if err != nil {
			return Message{}, err
		}
		if more {
			continue
		}
		c.raw = slices.Grow(c.raw, readSize)
		n, err := c.nc.Read(c.raw[len(c.raw):cap(c.raw)])
		c.raw = c.raw[:len(c.raw)+n]
		c.at = time.Now()
		if err != nil && n == 0 {
			return Message{}, fmt.Errorf("read: %w", err)
		}
	}
}

// unread drops what was taken and gives what can be parsed.
func (c *Conn) unread() []byte {
	b := &c.raw
	if c.in != nil {
		b = &c.plain
	}
	if c.taken > 0 {
		*b = append((*b)[:0], (*b)[c.taken:]...)
		c.taken = 0
	}
	return *b
}

// open decrypts the frames that are there and reports whether there were any. A frame that is bad is an error only when
// those before it have been used.
func (c *Conn) open() (more bool, err error) {
	if c.in == nil {
		return false, nil
	}
	used := 0
	for used < len(c.raw) {
		plain, n, err := c.in.open(c.plain, c.raw[used:])
		if errors.Is(err, errShort) {
			break
		}
		if err != nil {
			if !more {
				return false, err
			}
			break // it is looked at again
		}
		c.plain, used, more = plain, used+n, true
	}
	c.raw = append(c.raw[:0], c.raw[used:]...)
	return more, nil
}
