package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keys are what /verify switches to.
var keys = Keys{Out: frame.Key{1, 2, 3}, In: frame.Key{4, 5, 6}}

// lamp is a Peer that answers some paths:
//
//	/verify   200, and the connection is secure
//	/echo     200 with the body of the request
//	/big?n    200 with n bytes
//	/close    200, and the connection ends
//	others    404
type lamp struct {
	c     *Conn
	serve func(r *message.Request) *Reply // if it gives one, that is it
	event func() []byte

	served atomic.Int64
	sent   atomic.Int64
	inside atomic.Bool
	closed atomic.Int64
}

func (l *lamp) enter() {
	if l.inside.Swap(true) {
		panic("two methods of a peer are called at once")
	}
	if l.closed.Load() > 0 {
		panic("a peer is called after Closed")
	}
}

func (l *lamp) Serve(r *message.Request) Reply {
	l.enter()
	defer l.inside.Store(false)
	l.served.Add(1)
	reply := Reply{Status: 404}
	if l.serve != nil {
		if own := l.serve(r); own != nil {
			return *own
		}
	}
	switch string(r.Path) {
	case "/verify":
		reply = Reply{Status: 200, Type: message.TypeTLV8, Body: []byte("M4"), Switch: &keys}
	case "/echo":
		reply = Reply{Status: 200, Type: message.TypeJSON, Body: bytes.Clone(r.Body)}
	case "/big":
		n, err := strconv.Atoi(string(r.Query))
		if err != nil {
			return Reply{Status: 400}
		}
		reply = Reply{Status: 200, Type: message.TypeJSON, Body: bytes.Repeat([]byte{'b'}, n)}
	case "/close":
		reply = Reply{Status: 200, Body: []byte("bye"), Close: true}
	}
	reply.Sent = func() { l.sent.Add(1) }
	return reply
}

func (l *lamp) Event() []byte {
	l.enter()
	defer l.inside.Store(false)
	if l.event == nil {
		return nil
	}
	return l.event()
}

func (l *lamp) Closed() {
	l.enter()
	l.inside.Store(false)
	l.closed.Add(1)
}

// rig is a server that runs, and the peers of its connections.
type rig struct {
	*Server
	t     testing.TB
	setup func(*lamp) // may change a peer before its first request
	pipes *pipes      // nil: loopback
	ended chan error

	mu    sync.Mutex
	lamps []*lamp
}

func (r *rig) accept(c *Conn) Peer {
	l := &lamp{c: c}
	if r.setup != nil {
		r.setup(l)
	}
	r.mu.Lock()
	r.lamps = append(r.lamps, l)
	r.mu.Unlock()
	return l
}

// lamp gives the i-th peer.
func (r *rig) lamp(i int) *lamp {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lamps[i]
}

// count is how many peers there were, and how many of them were closed.
func (r *rig) count() (peers, closed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lamps {
		switch l.closed.Load() {
		case 0:
		case 1:
			closed++
		default:
			r.t.Error("a peer was closed twice")
		}
	}
	return len(r.lamps), closed
}

// start runs a server on loopback; stop ends it.
func start(t testing.TB, cfg Config, setup func(*lamp)) *rig {
	t.Helper()
	r := &rig{t: t, setup: setup}
	r.begin(cfg, func() error { return r.Listen("127.0.0.1:0") })
	return r
}

// startPipes runs a server over pipes, for bubbles.
func startPipes(t testing.TB, cfg Config, setup func(*lamp)) *rig {
	t.Helper()
	r := &rig{t: t, setup: setup, pipes: newPipes()}
	r.begin(cfg, func() error { return r.Use(r.pipes) })
	return r
}

func (r *rig) begin(cfg Config, listen func() error) {
	r.t.Helper()
	cfg.Accept = r.accept
	r.Server = New(cfg)
	if err := listen(); err != nil {
		r.t.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.Run(context.Background()) }()
	r.t.Cleanup(r.stop)
}

// stop ends the server; every peer was closed then.
func (r *rig) stop() {
	if r.ended == nil {
		return
	}
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	r.ended = nil
	if peers, closed := r.count(); peers != closed {
		r.t.Errorf("%d of %d peers were closed", closed, peers)
	}
	if s := r.Stats(); s.Unverified != 0 || s.Secure != 0 {
		r.t.Errorf("connections are left: %+v", s)
	}
}

// client is a controller.
type client struct {
	t      testing.TB
	nc     net.Conn
	sealer *frame.Sealer
	opener *frame.Opener
	raw    []byte // not opened yet
	plain  []byte // not read yet
	events []string
	end    error // with which it was closed
}

func (r *rig) dial() *client { return r.dialFrom("192.0.2.1") }

// dialFrom makes a connection from an address, which loopback does not look at.
func (r *rig) dialFrom(from string) *client {
	r.t.Helper()
	c := &client{t: r.t}
	if r.pipes != nil {
		c.nc = r.pipes.dial(from)
	} else {
		nc, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			r.t.Fatal(err)
		}
		if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil { // a test that hangs says where
			r.t.Fatal(err)
		}
		c.nc = nc
		r.t.Cleanup(func() { _ = nc.Close() })
	}
	return c
}

// verified makes a secure connection.
func (r *rig) verified() *client {
	r.t.Helper()
	c := r.dial()
	c.verify()
	return c
}

func (c *client) verify() {
	c.t.Helper()
	c.send(get("/verify"))
	if m := c.response(); m.status != 200 || m.body != "M4" {
		c.t.Fatalf("verify: %+v", m)
	}
	c.protect()
}

// protect begins to encrypt; what was read already and not looked at is encrypted.
func (c *client) protect() {
	if c.opener == nil {
		c.raw, c.plain = c.plain, nil
	}
	var err, err2 error
	c.sealer, err = frame.NewSealer(keys.In)
	c.opener, err2 = frame.NewOpener(keys.Out)
	if err := errors.Join(err, err2); err != nil {
		c.t.Fatal(err)
	}
}

func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: lamp\r\n\r\n" }

func put(target, body string) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: lamp\r\nContent-Type: application/hap+json\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body)
}

// sealed gives what goes over the wire for a text.
func (c *client) sealed(text string) []byte {
	if c.sealer == nil {
		return []byte(text)
	}
	b, err := c.sealer.Append(nil, []byte(text))
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) send(text string) {
	c.t.Helper()
	c.write(c.sealed(text))
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// msg is a message from the server.
type msg struct {
	event  bool
	status int
	body   string
}

// message reads the next message. An error says that the connection is over, or that what came was no message.
func (c *client) message() (msg, error) {
	for {
		m, n, err := split(c.plain)
		if err != nil {
			return msg{}, err
		}
		if n > 0 {
			c.plain = c.plain[n:]
			return m, nil
		}
		if err := c.more(); err != nil {
			return msg{}, err
		}
	}
}

func (c *client) more() error {
	if c.opener == nil {
		b := make([]byte, 4096)
		n, err := c.nc.Read(b)
		c.plain = append(c.plain, b[:n]...)
		if n > 0 {
			return nil
		}
		return err
	}
	text, n, err := c.opener.Open(c.raw)
	if errors.Is(err, frame.ErrShort) {
		b := make([]byte, 64<<10)
		n, err := c.nc.Read(b)
		c.raw = append(c.raw, b[:n]...)
		if n > 0 {
			return nil
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	c.plain = append(c.plain, text...)
	c.raw = c.raw[n:]
	return nil
}

// split takes a message from the beginning of b; n is 0 if it is not whole. It is strict: what stands there must be a
// message.
func split(b []byte) (m msg, n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 1024 {
			return msg{}, 0, fmt.Errorf("no head in %q", b[:100])
		}
		return msg{}, 0, nil
	}
	lines := strings.Split(string(b[:end]), "\r\n")
	first := strings.SplitN(lines[0], " ", 3)
	if len(first) != 3 || first[0] != "HTTP/1.1" && first[0] != "EVENT/1.0" {
		return msg{}, 0, fmt.Errorf("first line %q", lines[0])
	}
	m.event = first[0] == "EVENT/1.0"
	if m.status, err = strconv.Atoi(first[1]); err != nil {
		return msg{}, 0, err
	}
	length := 0
	for _, l := range lines[1:] {
		if v, ok := strings.CutPrefix(l, "Content-Length: "); ok {
			if length, err = strconv.Atoi(v); err != nil {
				return msg{}, 0, err
			}
		}
	}
	end += 4
	if len(b) < end+length {
		return msg{}, 0, nil
	}
	m.body = string(b[end : end+length])
	return m, end + length, nil
}

// response reads the next response; events before it are kept.
func (c *client) response() msg {
	c.t.Helper()
	for {
		m, err := c.message()
		if err != nil {
			c.t.Fatalf("no response: %v", err)
		}
		if !m.event {
			return m
		}
		c.events = append(c.events, m.body)
	}
}

func (c *client) want(status int, body string) {
	c.t.Helper()
	if m := c.response(); m.status != status || m.body != body {
		if len(m.body) > 100 {
			m.body = m.body[:100] + "..."
		}
		c.t.Fatalf("%+v, want %d with %d bytes", m, status, len(body))
	}
}

// closed reads until the connection is closed, and gives what came before; end is how.
func (c *client) closed() (messages []msg) {
	c.t.Helper()
	for {
		m, err := c.message()
		if err != nil {
			if isTimeout(err) || strings.HasPrefix(err.Error(), "client:") {
				c.t.Errorf("the connection was not closed: %v", err)
			}
			c.end = err
			return messages
		}
		messages = append(messages, m)
	}
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(from string) net.Conn {
	near, far := net.Pipe()
	p.conns <- &fromConn{Conn: far, from: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1))}
	return near
}

// fromConn is a pipe with an address, whose Close says what that of a socket says.
type fromConn struct {
	net.Conn
	from net.Addr
}

func (c *fromConn) RemoteAddr() net.Addr { return c.from }

// eventually waits for what other goroutines do; not for bubbles.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatal("it did not come: " + what)
		}
	}
}

// percentile gives the p-th part of durations, which it sorts.
func percentile(d []time.Duration, p float64) time.Duration {
	slices.Sort(d)
	return d[min(int(float64(len(d))*p), len(d)-1)]
}
