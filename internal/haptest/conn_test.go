package haptest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo is the other end of a secure connection: it answers each request with its path, puts an event before the answer to
// "/event", and ends at a bad frame.
type echo struct {
	nc   net.Conn
	in   *framer
	out  *framer
	size int // of the frames that it sends
}

func (e *echo) run() error {
	var raw, plain []byte
	b := make([]byte, 4096)
	for {
		n, err := e.nc.Read(b)
		if err != nil {
			return err
		}
		raw = append(raw, b[:n]...)
		for {
			var used int
			if plain, used, err = e.in.open(plain, raw); err != nil {
				break
			}
			raw = raw[used:]
		}
		if !errors.Is(err, errShort) {
			return err
		}
		for {
			request, rest, whole := bytes.Cut(plain, headEnd)
			if !whole {
				break
			}
			plain = rest
			path := strings.Fields(string(request))[1]
			answer := Request("", "", typeJSON, []byte(path))
			answer = append([]byte("HTTP/1.1 200 OK\r\n"), answer[bytes.Index(answer, lineEnd)+2:]...)
			if path == "/event" {
				answer = append([]byte(event), answer...)
			}
			var sealed []byte
			for len(answer) > 0 {
				n := min(len(answer), e.size)
				sealed = e.out.seal(sealed, answer[:n])
				answer = answer[n:]
			}
			if _, err := e.nc.Write(sealed); err != nil {
				return err
			}
		}
	}
}

// pair gives a connection to an echo that sends frames of a size. How the echo ended can be read once.
func pair(t *testing.T, size int) (*Conn, <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Open(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	keys := Keys{Read: Key{1}, Write: Key{2}}
	c.Secure(keys)
	e := &echo{nc: nc, in: newFramer(keys.Write), out: newFramer(keys.Read), size: size}
	ended := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		ended <- e.run()
		_ = nc.Close()
	})
	t.Cleanup(func() {
		_ = c.Close()
		wg.Wait()
	})
	return c, ended
}

func get(path string) []byte { return Request(http.MethodGet, path, "", nil) }

func TestExchange(t *testing.T) {
	for _, size := range []int{1, 3, FrameSize} {
		c, _ := pair(t, size)
		for _, path := range []string{"/a", "/" + strings.Repeat("b", 3000), "/event", "/c"} {
			m, err := c.Exchange(t.Context(), get(path))
			if err != nil || m.Event || string(m.Body) != path || m.At.IsZero() {
				t.Errorf("frames of %d: %.20s: %+v, %v", size, path, m, err)
			}
		}
		if m, err := c.Event(t.Context()); err != nil || !m.Event || string(m.Body) != "{ 1}" {
			t.Errorf("event: %+v, %v", m, err)
		}
		if status, n, err := c.RoundTrip(t.Context(), get("/d")); status != 200 || n != 2 || err != nil {
			t.Errorf("%d, %d, %v", status, n, err)
		}
	}
}

// TestPieces cuts and joins requests as no phone does.
func TestPieces(t *testing.T) {
	ctx := t.Context()
	c, _ := pair(t, FrameSize)
	answered := func(path string) {
		t.Helper()
		if m, err := c.Next(ctx); err != nil || string(m.Body) != path {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
	}
	frames := c.Seal(get("/small"), 1)
	if want := len(get("/small")) * (1 + lengthLen + tagLen); len(frames) != want {
		t.Errorf("%d bytes, want %d", len(frames), want)
	}
	for _, half := range [][]byte{frames[:len(frames)/2], frames[len(frames)/2:]} {
		if _, err := c.Write(half); err != nil {
			t.Fatal(err)
		}
	}
	answered("/small")
	if err := c.Send(join(get("/1"), get("/2"), get("/3"))); err != nil { // pipelined in one frame
		t.Fatal(err)
	}
	answered("/1")
	answered("/2")
	answered("/3")
}

func TestWaits(t *testing.T) {
	c, _ := pair(t, FrameSize)
	c.Timeout = 20 * time.Millisecond
	var timeout net.Error
	if _, err := c.Next(t.Context()); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("an answer without a question: %v", err)
	}
	c.Timeout = 0
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"ended before": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
		"ends while it waits": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(10*time.Millisecond, cancel)
			return ctx, cancel
		},
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 10*time.Millisecond)
		},
	} {
		ctx, cancel := end(t.Context())
		if _, err := c.Next(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	if m, err := c.Exchange(t.Context(), get("/after")); err != nil || string(m.Body) != "/after" {
		t.Errorf("after the waits: %+v, %v", m, err)
	}
}

// TestBadFrames: the frames that are wrong get to the other end as they were made.
func TestBadFrames(t *testing.T) {
	for name, make := range map[string]func(*Conn) []byte{
		"tag":      func(c *Conn) []byte { b := c.Seal(get("/"), 0); b[len(b)-1] ^= 1; return b },
		"length":   func(c *Conn) []byte { return c.Seal(bytes.Repeat([]byte("x"), FrameSize+1), FrameSize+1) },
		"counter":  func(c *Conn) []byte { c.Seal(get("/"), 0); return c.Seal(get("/"), 0) },
		"in clear": func(*Conn) []byte { return get("/") },
	} {
		c, ended := pair(t, FrameSize)
		if _, err := c.Write(make(c)); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, errFrame) {
			t.Errorf("%s: the other end ended with %v", name, err)
		}
		if m, err := c.Next(t.Context()); err == nil {
			t.Errorf("%s: answered with %+v", name, m)
		}
	}
}

// TestGoodBeforeBad: what came before a bad frame in the same read is not lost.
func TestGoodBeforeBad(t *testing.T) {
	here, there := net.Pipe()
	c := NewConn(here)
	defer c.Close()
	keys := Keys{Read: Key{1}}
	c.Secure(keys)
	f := newFramer(keys.Read)
	b := f.seal(nil, []byte(event+noContent))
	b = append(f.seal(b, []byte(noContent)), 0, 9) // a length of 2,304
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = there.Write(b); _ = there.Close() })
	for i, status := range []int{200, 204, 204} {
		if m, err := c.Next(t.Context()); err != nil || m.Status != status {
			t.Errorf("%d: %+v, %v", i, m, err)
		}
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, errFrame) {
		t.Errorf("the bad one: %v", err)
	}
	wg.Wait()
}

// TestSecureBetween: a frame may lie behind the last message in the clear, in the same segment.
func TestSecureBetween(t *testing.T) {
	here, there := net.Pipe()
	c := NewConn(here)
	defer c.Close()
	keys := Keys{Read: Key{1}}
	b := newFramer(keys.Read).seal([]byte(noContent), []byte(event))
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = there.Write(b); _ = there.Close() })
	if m, err := c.Next(t.Context()); err != nil || m.Status != 204 {
		t.Fatalf("%+v, %v", m, err)
	}
	c.Secure(keys)
	if m, err := c.Next(t.Context()); err != nil || !m.Event {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	wg.Wait()
}

func TestListen(t *testing.T) {
	ctx := t.Context()
	c, _ := pair(t, FrameSize)
	c.Listen()
	const rounds = 50
	for range rounds {
		if m, err := c.Exchange(ctx, get("/event")); err != nil || string(m.Body) != "/event" {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	for i := range rounds {
		if i%2 == 0 {
			if m, err := c.Event(ctx); err != nil || !m.Event {
				t.Errorf("%+v, %v", m, err)
			}
		} else if m := <-c.Events(); !m.Event {
			t.Errorf("%+v", m)
		}
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if _, err := c.Event(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no event: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Event(ctx); err == nil {
		t.Error("an event after the end")
	}
	if _, err := c.Exchange(ctx, get("/")); err == nil {
		t.Error("an answer after the end")
	}
}

// TestEventsAreBounded: who makes requests and never takes an event is told so.
func TestEventsAreBounded(t *testing.T) {
	c := &Conn{events: make(chan Message, 2)}
	for i := range 3 {
		if err := c.keep(Message{Event: true}); (i < 2) != (err == nil) || i == 2 && !errors.Is(err, ErrEvents) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// script is a connection whose other end has said everything in advance, one piece for each read.
type script struct {
	net.Conn // none; what is not here is not called
	says     [][]byte
}

func (s *script) Read(b []byte) (int, error) {
	n := copy(b, s.says[0])
	s.says = s.says[1:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error)      { return len(b), nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// TestRoundTripAllocates as good as nothing, so that a loop of writes measures the accessory.
func TestRoundTripAllocates(t *testing.T) {
	const rounds = 1000
	keys := Keys{Read: Key{1}, Write: Key{2}}
	f, s := newFramer(keys.Read), new(script)
	for range rounds + 2 {
		s.says = append(s.says, f.seal(nil, []byte(noContent)))
	}
	c := NewConn(s)
	c.Secure(keys)
	request := get("/a")
	ctx := context.Background()
	if n := testing.AllocsPerRun(rounds, func() {
		if status, _, err := c.RoundTrip(ctx, request); status != 204 || err != nil {
			t.Fatal(status, err)
		}
	}); n > 4 { // the closures
		t.Errorf("%.0f allocations", n)
	}
}

func FuzzFrames(f *testing.F) {
	good := newFramer(Key{1}).seal(nil, []byte(noContent))
	f.Add(good)
	f.Add(newFramer(Key{1}).seal(nil, nil))
	f.Add([]byte{0, 4})
	f.Add([]byte{1, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		fr := newFramer(Key{1})
		plain, n, err := fr.open(nil, b)
		if (err == nil) != (n > 0) || n > len(b) || err != nil && (fr.count != 0 || len(plain) > 0) {
			t.Fatalf("%d of %d bytes, %q, %v", n, len(b), plain, err)
		}
		if err == nil && !bytes.Equal(newFramer(Key{1}).seal(nil, plain), b[:n]) {
			t.Fatal("sealed again it is another frame")
		}
	})
}
