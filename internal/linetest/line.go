package linetest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Buffer is how many bytes a direction holds until its writer has to wait, like a socket's buffers.
const Buffer = 64 << 10

// Line is one connection.
type Line struct {
	mu      sync.Mutex
	changed chan struct{} // closed at each change, then made anew
	ends    [2]end
	delay   func() time.Duration
	rate    int // bytes a second; 0: no limit
	stalled bool
	broken  bool
}

// end is one end of a line, and what is on its way to it.
type end struct {
	line     *Line
	other    *end
	chunks   []chunk
	held     int       // bytes in chunks
	last     time.Time // when the last of them arrives
	closed   bool
	lost     bool
	rd, wd   time.Time
	received int64
}

type chunk struct {
	at time.Time
	b  []byte
}

// New makes a line and gives its ends. delay tells how long a piece takes on its way, nil: no time; pieces keep their
// order.
func New(delay func() time.Duration) (a, b net.Conn, l *Line) {
	l = &Line{changed: make(chan struct{}), delay: delay}
	l.ends[0] = end{line: l, other: &l.ends[1]}
	l.ends[1] = end{line: l, other: &l.ends[0]}
	return &l.ends[0], &l.ends[1], l
}

func (l *Line) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	l.signal()
}

func (l *Line) signal() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Stall makes a black hole of the line, or lets it go on.
func (l *Line) Stall(on bool) { l.change(func() { l.stalled = on }) }

// Cut breaks the line: both ends are told, what was on its way is lost.
func (l *Line) Cut() {
	l.change(func() {
		l.broken = true
		l.ends[0].chunks, l.ends[1].chunks = nil, nil
	})
}

// Lose breaks the line for the first end alone: the other one sees a black hole.
func (l *Line) Lose() { l.change(func() { l.ends[0].lost, l.stalled = true, true }) }

// Rate limits the line to that many bytes a second from now on; 0: no limit.
func (l *Line) Rate(bytes int) { l.change(func() { l.rate = bytes }) }

// Over reports whether both ends were closed or the line was cut.
func (l *Line) Over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken || l.ends[0].closed && l.ends[1].closed
}

// wait waits for a change, or until one of the moments that are not zero. The lock is held at both ends of it.
func (l *Line) wait(moments ...time.Time) {
	changed := l.changed
	l.mu.Unlock()
	defer l.mu.Lock()
	first := time.Time{}
	for _, m := range moments {
		if !m.IsZero() && (first.IsZero() || m.Before(first)) {
			first = m
		}
	}
	if first.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(first))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

// Read implements net.Conn.
func (e *end) Read(b []byte) (int, error) {
	l := e.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		next := time.Time{}
		switch {
		case e.closed:
			return 0, net.ErrClosed
		case passed(e.rd):
			return 0, os.ErrDeadlineExceeded
		case l.broken, e.lost:
			return 0, syscall.ECONNRESET
		case l.stalled:
		case len(e.chunks) > 0:
			c := &e.chunks[0]
			if next = c.at; next.After(time.Now()) {
				break
			}
			n := copy(b, c.b)
			if c.b = c.b[n:]; len(c.b) == 0 {
				e.chunks = e.chunks[1:]
			}
			e.held -= n
			e.received += int64(n)
			l.signal()
			return n, nil
		case e.other.closed:
			return 0, io.EOF
		}
		l.wait(next, e.rd)
	}
}

// Write implements net.Conn.
func (e *end) Write(b []byte) (n int, err error) {
	l := e.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(b) > 0 {
		switch to := e.other; {
		case e.closed:
			return n, net.ErrClosed
		case passed(e.wd):
			return n, os.ErrDeadlineExceeded
		case l.broken, e.lost, to.closed && !l.stalled:
			return n, syscall.EPIPE
		case to.held < Buffer:
			piece := b[:min(len(b), Buffer-to.held, 1400)]
			at := time.Now()
			if l.delay != nil {
				at = at.Add(l.delay())
			}
			if at.Before(to.last) {
				at = to.last
			}
			if l.rate > 0 {
				at = at.Add(time.Duration(len(piece)) * time.Second / time.Duration(l.rate))
			}
			to.last = at
			to.chunks = append(to.chunks, chunk{at, append([]byte(nil), piece...)})
			to.held += len(piece)
			n, b = n+len(piece), b[len(piece):]
			l.signal()
			continue
		}
		l.wait(e.wd)
	}
	return n, nil
}

// Close implements net.Conn. The other end reads what is on its way, then the end.
func (e *end) Close() error {
	e.line.change(func() { e.closed, e.chunks = true, nil })
	return nil
}

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error {
	e.line.change(func() { e.rd, e.wd = t, t })
	return nil
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error {
	e.line.change(func() { e.rd = t })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error {
	e.line.change(func() { e.wd = t })
	return nil
}

type address string

func (address) Network() string  { return "line" }
func (a address) String() string { return string(a) }

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return address("here") }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return address("there") }
