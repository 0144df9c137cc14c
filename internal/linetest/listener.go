package linetest

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// Listener accepts what Dial opens.
type Listener struct {
	queue chan net.Conn
	once  sync.Once
	over  chan struct{}
}

// Listen makes a listener.
func Listen() *Listener {
	return &Listener{queue: make(chan net.Conn), over: make(chan struct{})}
}

// Hand gives the listener one end of a line; an error if it is closed or ctx ends.
func (l *Listener) Hand(ctx context.Context, c net.Conn) error {
	select {
	case <-l.over:
		return syscall.ECONNREFUSED
	default:
	}
	select {
	case l.queue <- c:
		return nil
	case <-l.over:
		return syscall.ECONNREFUSED
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return address("line") }
