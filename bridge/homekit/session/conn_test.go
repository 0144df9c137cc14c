package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

func TestClearAndSecure(t *testing.T) {
	r := start(t, Config{}, nil)
	c := r.dial()
	c.send(put("/echo", "in clear"))
	c.want(200, "in clear")
	c.send(get("/nowhere"))
	c.want(404, "")
	if r.lamp(0).c.Secure() {
		t.Error("secure before verify")
	}
	c.verify()
	c.send(put("/echo", "in secret"))
	c.want(200, "in secret")
	if l := r.lamp(0); !l.c.Secure() || l.c.RemoteAddr().String() != c.nc.LocalAddr().String() {
		t.Errorf("secure %v, from %v", l.c.Secure(), l.c.RemoteAddr())
	}
	if s := r.Stats(); s.Secure != 1 || s.Unverified != 0 || s.Accepted != 1 || s.Requests != 4 {
		t.Errorf("%+v", s)
	}
	r.stop()
	if sent := r.lamp(0).sent.Load(); sent != 4 {
		t.Errorf("%d replies were told to be sent, want 4", sent)
	}
}

// TestFirstRequest: the first encrypted request is answered whenever it comes, also in one segment with the request that
// makes the connection secure, long before its reply.
func TestFirstRequest(t *testing.T) {
	const rounds = 1000
	r := start(t, Config{}, nil)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range rounds / 4 {
				c := r.dial()
				text := fmt.Sprint("round ", g, i)
				verify := []byte(get("/verify"))
				c.protect()
				first := c.sealed(put("/echo", text) + put("/echo", text+" again"))
				opener := c.opener
				c.opener = nil
				switch i % 3 {
				case 0: // all at once
					c.write(append(verify, first...))
				case 1: // cut inside the first frame
					c.write(append(verify, first[:7]...))
					c.write(first[7:])
				case 2:
					c.write(verify)
					c.write(first)
				}
				if !c.clearReply("M4") {
					return
				}
				c.opener = opener
				if m := c.response(); m.body != text {
					t.Errorf("round %d: %+v", i, m)
				}
				if m := c.response(); m.body != text+" again" {
					t.Errorf("round %d: %+v", i, m)
				}
				_ = c.nc.Close()
			}
		})
	}
	all.Wait()
	if s := r.Stats(); s.Broken != 0 || s.Malformed != 0 || s.Requests != 3*rounds {
		t.Errorf("%+v", s)
	}
}

// clearReply reads one reply that is in clear, while what follows is not; from a goroutine.
func (c *client) clearReply(body string) bool {
	for {
		m, n, err := split(c.plain)
		if n > 0 {
			c.raw, c.plain = c.plain[n:], nil
			if m.body != body {
				c.t.Errorf("%+v", m)
			}
			return m.body == body
		}
		if err == nil {
			err = c.more()
		}
		if err != nil {
			c.t.Error(err)
			return false
		}
	}
}

// TestLengths: a request is answered at once whatever its length is, without a byte behind it.
func TestLengths(t *testing.T) {
	r := start(t, Config{}, nil)
	c := r.verified()
	for _, n := range []int{1022, 1023, 1024, 1025, 2046, 2047, 2048, 2049, 3 * 1024, 4400, 10_000, 64 << 10} {
		body := strings.Repeat("x", n)
		if spare := len(put("/echo", body)) - n; n < 64<<10 {
			body = body[:n-spare] // the whole request has n bytes
		}
		text := put("/echo", body)
		if len(text) != n && n < 64<<10 {
			text = strings.Replace(text, "Host: lamp", "Host: lamp"+strings.Repeat("p", n-len(text)), 1)
		}
		if len(text) != n && n < 64<<10 {
			t.Fatalf("%d bytes, want %d", len(text), n)
		}
		c.send(text)
		c.want(200, body)
	}
	for _, n := range []int{0, 1, 900, 930, 940, 950, 1024, 150_000, 300_000} {
		c.send(get(fmt.Sprint("/big?", n)))
		c.want(200, strings.Repeat("b", n))
	}
}

// TestLongAfterShort: a long request straight behind a short one does not wait for anything.
func TestLongAfterShort(t *testing.T) {
	r := start(t, Config{}, nil)
	c := r.verified()
	body := strings.Repeat("y", 4400)
	for range 300 {
		c.write(c.sealed(get("/big?1")))
		c.write(c.sealed(put("/echo", body)))
		c.want(200, "b")
		c.want(200, body)
	}
}

// TestSegments: requests come in whatever frames and segments, several in one or each byte alone.
func TestSegments(t *testing.T) {
	r := start(t, Config{}, nil)
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		c := r.verified()
		var wire []byte
		var want []string
		var text string
		for i := range 20 {
			want = append(want, strings.Repeat(fmt.Sprint(i%10), rnd.IntN(1500)))
			text += put("/echo", want[i])
		}
		for len(text) > 0 { // frames of any length
			n := min(len(text), 1+rnd.IntN(1400))
			if seed%4 == 0 {
				n = min(len(text), 1+rnd.IntN(3))
			}
			wire = append(wire, c.sealed(text[:n])...)
			text = text[n:]
		}
		var sender sync.WaitGroup
		sender.Go(func() {
			for len(wire) > 0 {
				n := min(len(wire), 1+rnd.IntN(700))
				if seed%4 == 1 {
					n = 1
				}
				if _, err := c.nc.Write(wire[:n]); err != nil {
					t.Error(err)
					return
				}
				wire = wire[n:]
			}
		})
		for _, w := range want {
			c.want(200, w)
		}
		sender.Wait()
	}
}

// TestPipelining: a thousand requests at once are answered in order, in bounded memory.
func TestPipelining(t *testing.T) {
	for _, secure := range []bool{false, true} {
		r := start(t, Config{}, nil)
		c := r.dial()
		if secure {
			c.verify()
		}
		var sender sync.WaitGroup
		sender.Go(func() {
			var text strings.Builder
			for i := range 1000 {
				text.WriteString(put("/echo", fmt.Sprint("request ", i)))
			}
			c.send(text.String())
		})
		for i := range 1000 {
			c.want(200, fmt.Sprint("request ", i))
		}
		sender.Wait()
		if n := len(r.lamp(0).c.in.b); n != idleBuffer {
			t.Errorf("secure %v: a buffer of %d bytes", secure, n)
		}
		r.stop()
	}
}

// TestBroken: a frame that was changed, repeated, moved or made with another key ends the connection, and the request in
// it is not served.
func TestBroken(t *testing.T) {
	for name, spoil := range map[string]func(c *client) []byte{
		"changed": func(c *client) []byte {
			b := c.sealed(put("/echo", "x"))
			b[len(b)/2] ^= 1
			return b
		},
		"changed tag": func(c *client) []byte {
			b := c.sealed(put("/echo", "x"))
			b[len(b)-1] ^= 0x80
			return b
		},
		"changed length": func(c *client) []byte {
			b := c.sealed(put("/echo", "x"))
			b[0]--
			return b
		},
		"too long":  func(c *client) []byte { return append([]byte{1, 4}, c.sealed(put("/echo", "x"))...) },
		"moved":     func(c *client) []byte { c.sealed("left out"); return c.sealed(put("/echo", "x")) },
		"other key": func(c *client) []byte { c.sealer, _ = frame.NewSealer(keys.Out); return c.sealed(put("/echo", "x")) },
		"in clear":  func(*client) []byte { return []byte(put("/echo", strings.Repeat("x", 0x5500))) },
		"second half of it changed": func(c *client) []byte {
			b := append(c.sealed(put("/echo", "x")[:30]), c.sealed(put("/echo", "x")[30:])...)
			b[len(b)-1] ^= 1
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{}, nil)
			c := r.verified()
			served := r.lamp(0).served.Load()
			b := spoil(c)
			_, _ = c.nc.Write(b) // may be closed before all is written
			if got := c.closed(); len(got) > 0 {
				t.Errorf("answered: %+v", got)
			}
			r.stop()
			if n := r.lamp(0).served.Load(); n != served {
				t.Errorf("%d requests were served", n-served)
			}
			if s := r.Stats(); s.Broken != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("repeated", func(t *testing.T) {
		r := start(t, Config{}, nil)
		c := r.verified()
		b := c.sealed(put("/echo", "once"))
		c.write(b)
		c.write(b)
		if got := c.closed(); len(got) != 1 || got[0].body != "once" {
			t.Errorf("%+v", got)
		}
		r.stop()
		if n := r.lamp(0).served.Load(); n != 2 {
			t.Errorf("%d requests were served, want verify and one", n)
		}
	})
}

// TestClearBehindSwitch: what stands in clear behind the request that makes the connection secure is never served.
func TestClearBehindSwitch(t *testing.T) {
	r := start(t, Config{}, nil)
	c := r.dial()
	c.send(get("/verify") + put("/echo", strings.Repeat("smuggled", 100)))
	if got := c.closed(); len(got) != 1 || got[0].body != "M4" {
		t.Errorf("%+v", got)
	}
	r.stop()
	if n := r.lamp(0).served.Load(); n != 1 {
		t.Errorf("%d requests were served", n)
	}
}

// TestSecureBeforeSwitch: what is encrypted is no request in clear.
func TestSecureBeforeSwitch(t *testing.T) {
	r := start(t, Config{}, nil)
	c := r.dial()
	c.protect()
	c.write(append(c.sealed(get("/verify")), "\r\n\r\n"...))
	c.opener = nil
	if got := c.closed(); len(got) != 1 || got[0].status != 400 {
		t.Errorf("%+v", got)
	}
	if peers, _ := r.count(); peers != 0 {
		t.Errorf("%d peers for no request", peers)
	}
}

// TestSwitchAgain: a secure connection may get new keys; its reply still comes with the old ones.
func TestSwitchAgain(t *testing.T) {
	r := start(t, Config{}, nil)
	c := r.verified()
	c.send(get("/verify"))
	c.want(200, "M4")
	c.protect()
	c.send(put("/echo", "again"))
	c.want(200, "again")

	// A request in the same frame came with the old keys: it is not served.
	c.send(get("/verify") + put("/echo", "smuggled"))
	if m, err := c.message(); err != nil || m.body != "M4" {
		t.Errorf("%+v, %v", m, err)
	}
	c.protect()
	if got := c.closed(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// TestMalformed: a request that cannot be read is answered with its status, in clear or encrypted as the connection is, and
// the connection is closed; what follows it is not served. The answer arrives although not all was read.
func TestMalformed(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, tt := range []struct {
			raw    string
			status int
		}{
			{"GET / HTTP/1.0\r\n\r\n", 505},
			{"GET /\nHost: a\n\n", 400},
			{"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
			{"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + strings.Repeat("z", 99_999), 413},
			{"GET /" + strings.Repeat("a", 30_000) + " HTTP/1.1\r\n\r\n", 414},
			{"GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 6000), 431},
		} {
			r := start(t, Config{}, nil)
			c := r.dial()
			if secure {
				c.verify()
			}
			c.send(put("/echo", "before"))
			c.want(200, "before")
			var sender sync.WaitGroup
			sender.Go(func() { _, _ = c.nc.Write(c.sealed(tt.raw + put("/echo", "smuggled"))) })
			if got := c.closed(); len(got) != 1 || got[0].status != tt.status {
				t.Errorf("secure %v, %.40q: %+v, want status %d", secure, tt.raw, got, tt.status)
			}
			if !errors.Is(c.end, io.EOF) { // a reset would take the reply with it where the kernel is not Linux
				t.Errorf("secure %v, %.40q: closed with %v", secure, tt.raw, c.end)
			}
			_ = c.nc.Close()
			sender.Wait()
			if s := r.Stats(); s.Malformed != 1 {
				t.Errorf("secure %v, %.40q: %+v", secure, tt.raw, s)
			}
			r.stop()
		}
	}
}

// TestClose: a last reply arrives, and what came behind its request is not served.
func TestClose(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, last := range []string{get("/close"), strings.Replace(put("/echo", "bye"), "Host", "Connection: close\r\nHost", 1)} {
			r := start(t, Config{}, nil)
			c := r.dial()
			if secure {
				c.verify()
			}
			before := r.Stats().Requests
			c.send(last + put("/echo", "too late") + strings.Repeat(put("/echo", "and later"), 100))
			if got := c.closed(); len(got) != 1 || got[0].body != "bye" {
				t.Errorf("secure %v: %+v", secure, got)
			}
			if !errors.Is(c.end, io.EOF) {
				t.Errorf("secure %v: closed with %v", secure, c.end)
			}
			_ = c.nc.Close()
			r.stop()
			if n := r.Stats().Requests - before; n != 1 {
				t.Errorf("secure %v: %d requests were served", secure, n)
			}
		}
	}
}

// TestEnd: a connection that is told to end is closed at once, or after the reply that is being made; also by its own
// peer, and by Sent.
func TestEnd(t *testing.T) {
	var ending sync.Map
	r := start(t, Config{}, func(l *lamp) {
		l.serve = func(q *message.Request) *Reply {
			switch string(q.Path) {
			case "/own":
				l.c.End()
				return &Reply{Status: 200, Body: []byte("own")}
			case "/sent":
				return &Reply{Status: 200, Body: []byte("sent"), Sent: l.c.End}
			case "/other":
				other, _ := ending.Load("conn")
				other.(*Conn).End()
				return &Reply{Status: 204}
			}
			return nil
		}
	})
	for _, path := range []string{"own", "sent"} {
		c := r.verified()
		c.send(get("/"+path) + get("/big?10"))
		if got := c.closed(); len(got) != 1 || got[0].body != path {
			t.Errorf("%s: %+v", path, got)
		}
	}
	idle, c := r.verified(), r.verified()
	ending.Store("conn", r.lamp(2).c)
	c.send(get("/other"))
	c.want(204, "")
	if got := idle.closed(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	c.send(put("/echo", "still here"))
	c.want(200, "still here")
}

// TestEndedServesNothing: a request that had come before the connection was ended, and lay in its buffer, is not served.
func TestEndedServesNothing(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	c := newConn(New(Config{Accept: func(*Conn) Peer { t.Error("it is served"); return fast{} }}), far)
	c.request = message.Request{Method: message.Get, Path: []byte("/")}
	c.End()
	if _, err := c.answer(0); !errors.Is(err, errEnded) {
		t.Errorf("%v, want %v", err, errEnded)
	}
}

// TestInput holds the buffer of a connection against a plain stream, with random reads and requests.
func TestInput(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var p pool
		in := newInput(&p)
		sealer, err := frame.NewSealer(keys.In)
		if err != nil {
			t.Fatal(err)
		}
		opener, err := frame.NewOpener(keys.In)
		if err != nil {
			t.Fatal(err)
		}
		var stream, wire []byte
		secureAt := 0
		for len(stream) < 60_000 {
			part := make([]byte, 1+rnd.IntN(3000))
			for i := range part {
				part[i] = byte(rnd.Uint32())
			}
			stream = append(stream, part...)
			if secureAt == 0 {
				secureAt = len(part)
				wire = append(wire, part...)
				continue
			}
			if wire, err = sealer.Append(wire, part); err != nil {
				t.Fatal(err)
			}
		}
		source := &pieces{b: wire, rnd: rnd}
		var got []byte
		used := func(n int) {
			got = append(got, in.plain()[:n]...)
			in.used(n)
			in.shrink()
		}
		for len(got) < len(stream) {
			switch {
			case !in.secure && len(in.plain()) >= secureAt-len(got):
				used(secureAt - len(got))
				in.protect()
			case !in.secure || rnd.IntN(3) == 0 || in.open(opener) != nil:
				if len(source.b) > 0 {
					if err := in.fill(source); err != nil {
						t.Fatal(err)
					}
				}
			}
			if in.secure && (rnd.IntN(2) == 0 || len(source.b) == 0) {
				used(rnd.IntN(len(in.plain()) + 1))
			}
			if len(in.b) > 256<<10 {
				t.Fatalf("seed %d: a buffer of %d bytes", seed, len(in.b))
			}
		}
		if !bytes.Equal(got, stream) || !in.empty() || opener == nil {
			t.Fatalf("seed %d: something else came out", seed)
		}
		if in.shrink(); in.grown != nil {
			t.Errorf("seed %d: a buffer of %d bytes was kept", seed, len(in.b))
		}
	}
}

// pieces is read in pieces of any length.
type pieces struct {
	b   []byte
	rnd *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.b[:min(len(p.b), 1+p.rnd.IntN(2000))])
	p.b = p.b[n:]
	return n, nil
}

// TestDualStack: a server that names no address is reached over both families.
func TestDualStack(t *testing.T) {
	r := &rig{t: t}
	r.begin(Config{}, func() error { return r.Listen(":0") })
	_, port, err := net.SplitHostPort(r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	reached := 0
	for i, host := range []string{"127.0.0.1", "::1"} {
		nc, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil && host == "::1" {
			t.Log(err) // a machine without IPv6
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, nc: nc}
		c.send(put("/echo", host))
		c.want(200, host)
		if from := r.lamp(i).c.from.String(); from != host {
			t.Errorf("from %s, want %s", from, host)
		}
		reached++
		_ = nc.Close()
	}
	if reached == 0 {
		t.Error("reached over no family")
	}
}
