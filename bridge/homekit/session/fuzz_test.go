package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

// pieceConn is a connection that is read in pieces.
type pieceConn struct {
	net.Conn // nil: nothing else is called
	pieces
}

func (c *pieceConn) Read(b []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	return c.pieces.Read(b)
}
func (c *pieceConn) SetReadDeadline(time.Time) error { return nil }
func (c *pieceConn) RemoteAddr() net.Addr            { return &net.UnixAddr{} }

// requests gives what is read from a connection, and why it ended.
func requests(c *Conn) (out []string, err error) {
	for {
		n, err := c.next()
		if err != nil {
			return out, err
		}
		r := &c.request
		out = append(out, fmt.Sprintf("%v %q %q %q %q %v", r.Method, r.Path, r.Query, r.Type, r.Body, r.Close))
		c.in.used(n)
		c.in.shrink()
	}
}

// whole gives what the parser alone makes of the text.
func whole(b []byte, limits message.Limits) (out []string, err error) {
	for {
		r, n, err := message.Parse(b, limits)
		if errors.Is(err, message.ErrShort) {
			return out, io.EOF
		}
		if err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("%v %q %q %q %q %v", r.Method, r.Path, r.Query, r.Type, r.Body, r.Close))
		b = b[n:]
	}
}

// FuzzSegments: however a text is cut into frames and segments, the requests in it are the same, and so is why it ends.
func FuzzSegments(f *testing.F) {
	f.Add([]byte(get("/accessories")), uint64(0))
	f.Add([]byte(put("/echo", "x")+get("/")), uint64(1))
	f.Add([]byte(put("/echo", strings.Repeat("x", 3000))+put("/echo", "y")+"GET / HTTP/1.0\r\n\r\n"), uint64(2))
	f.Add([]byte("\r\n"+get("/")+"\r\n"+get("/")), uint64(3))
	f.Add([]byte("GET /\n\n"), uint64(4))
	s := New(Config{Secure: message.Limits{Line: 2000, Head: 3000, Fields: 8, Body: 5000}})
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		for _, secure := range []bool{false, true} {
			rnd := rand.New(rand.NewPCG(seed, 3))
			wire := bytes.Clone(text)
			limits := s.cfg.Clear
			if secure {
				wire, limits = nil, s.cfg.Secure
				sealer, err := frame.NewSealer(keys.In)
				if err != nil {
					t.Fatal(err)
				}
				for rest := text; len(rest) > 0; {
					n := min(len(rest), 1+rnd.IntN(1200))
					if wire, err = sealer.Append(wire, rest[:n]); err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
			}
			c := newConn(s, &pieceConn{pieces: pieces{b: wire, rnd: rnd}})
			if secure {
				opener, err := frame.NewOpener(keys.In)
				if err != nil {
					t.Fatal(err)
				}
				c.opener = opener
				c.in.protect()
			}
			got, gotErr := requests(c)
			want, wantErr := whole(text, limits)
			if fmt.Sprint(got) != fmt.Sprint(want) || gotErr.Error() != wantErr.Error() {
				t.Errorf("secure %v: %v, %v; want %v, %v", secure, got, gotErr, want, wantErr)
			}
		}
	})
}

// FuzzWire: whatever comes over a secure connection that the keys did not make is no request.
func FuzzWire(f *testing.F) {
	f.Add([]byte(get("/accessories")))
	f.Add([]byte{1, 0, 'x'})
	f.Add([]byte{0xff, 0xff})
	f.Add(make([]byte, 3000))
	f.Fuzz(func(t *testing.T, wire []byte) {
		c := newConn(New(Config{}), &pieceConn{pieces: pieces{b: bytes.Clone(wire), rnd: rand.New(rand.NewPCG(1, 4))}})
		opener, err := frame.NewOpener(keys.In)
		if err != nil {
			t.Fatal(err)
		}
		c.opener = opener
		c.in.protect()
		got, err := requests(c)
		if len(got) > 0 || !errors.Is(err, frame.ErrTag) && !errors.Is(err, frame.ErrLength) && !errors.Is(err, io.EOF) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
