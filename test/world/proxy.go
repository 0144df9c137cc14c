package world

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Weather is what a proxy does to what passes it.
type Weather int

// The kinds of weather.
const (
	Clear   Weather = iota
	Hole            // nothing passes, in neither direction, and nothing is said about it
	Slow            // 2 KiB in each 50 ms
	Refused         // connections are not taken, those that there are break off
)

// Proxy is a wire between node and hub that can be cut.
type Proxy struct {
	addr   string
	target string
	l      net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex
	weather Weather
	changed chan struct{} // closed when the weather changes
	left    int           // bytes that still pass until a cut; -1: no cut is due
	conns   map[net.Conn]bool
	closed  bool
}

// NewProxy listens; SetTarget says for whom. The end of the test closes it.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{addr: l.Addr().String(), l: l, changed: make(chan struct{}), left: -1, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Through makes the proxy one for that address, and gives its own.
func (p *Proxy) Through(target string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	return p.addr
}

// Set changes the weather.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
	if w == Refused {
		p.cutAll()
	}
}

// Cut breaks all connections off after so many more bytes: in the middle of a message.
func (p *Proxy) Cut(after int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = after
}

// Break breaks all connections off now.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAll()
}

func (p *Proxy) cutAll() {
	p.left = -1
	for c := range p.conns {
		_ = c.Close() // it is to break
	}
}

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.carry(c) })
	}
}

// keep notes a connection, false if there is no place for it.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.weather == Refused {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close() // both ends may have done so
}

func (p *Proxy) carry(in net.Conn) {
	if !p.keep(in) {
		_ = in.Close()
		return
	}
	defer p.forget(in)
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	d := net.Dialer{Timeout: 5 * time.Second}
	out, err := d.DialContext(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	if !p.keep(out) {
		_ = out.Close()
		return
	}
	defer p.forget(out)
	var both sync.WaitGroup
	both.Go(func() { p.pass(in, out) })
	both.Go(func() { p.pass(out, in) })
	both.Wait()
}

// pass carries bytes one way.
func (p *Proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 32<<10)
	for {
		most := len(b)
		if w, _ := p.now(); w == Slow {
			most = 2 << 10
		}
		n, err := from.Read(b[:most])
		if n > 0 {
			n = p.take(n)
			w, changed := p.now()
			for w == Hole {
				<-changed
				w, changed = p.now()
			}
			if w == Slow {
				select {
				case <-time.After(50 * time.Millisecond):
				case <-changed:
				}
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) || n == 0 {
				return
			}
		}
	}
}

func (p *Proxy) now() (Weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.changed
}

// take says how many of n bytes still pass, and cuts if there are no more.
func (p *Proxy) take(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left < 0 {
		return n
	}
	if n < p.left {
		p.left -= n
		return n
	}
	n = p.left
	time.AfterFunc(20*time.Millisecond, p.Break) // when these bytes are out
	p.left = 0
	return n
}

func (p *Proxy) close() {
	_ = p.l.Close() // it is over
	p.mu.Lock()
	p.closed = true
	p.weather = Clear
	close(p.changed)
	p.changed = make(chan struct{})
	p.cutAll()
	p.mu.Unlock()
	p.wg.Wait()
}
