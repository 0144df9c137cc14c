package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"twinbridge/internal/linetest"
)

// script is an end that says what it is given and keeps what it hears.
type script struct {
	mu    sync.Mutex
	say   [][]byte
	heard [][]byte
	err   error                  // what Take gives
	next  func() ([]byte, bool)  // instead of say
	took  func(message []byte)   // called for each
	fails func() ([]byte, error) // what Next gives, if it fails
}

func (s *script) Take(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, b)
	if s.took != nil {
		s.took(b)
	}
	return s.err
}

func (s *script) Next() ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		b, err := s.fails()
		return b, false, err
	}
	if s.next != nil {
		b, ok := s.next()
		return b, ok, nil
	}
	if len(s.say) == 0 {
		return nil, false, nil
	}
	b := s.say[0]
	s.say = s.say[1:]
	return b, true, nil
}

func (s *script) tell(b ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.say = append(s.say, b...)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

// pair is a node's pump and a hub's with a line between them.
type pair struct {
	t          *testing.T
	line       *linetest.Line
	house, hub *script
	node, srv  *Pump
	raw        *websocket.Conn // the node's connection, where a test drives it itself
	ends       chan ended
	stop       context.CancelFunc
	wg         sync.WaitGroup
}

type ended struct {
	who string
	err error
	at  time.Time
}

// connect opens a WebSocket over a line in memory, with the real handshake.
func connect(t *testing.T, delay func() time.Duration) (node, hub *websocket.Conn, line *linetest.Line) {
	t.Helper()
	a, b, line := linetest.New(delay)
	l := linetest.Listen()
	got := make(chan *websocket.Conn, 1)
	up := websocket.Upgrader{ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{}}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
		}
		got <- c
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	if err := l.Hand(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	dialer := websocket.Dialer{
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return a, nil },
		ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10,
	}
	node, _, err := dialer.DialContext(t.Context(), "ws://hub"+Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	hub = <-got
	_ = srv.Close() // what was handed over stays
	<-served
	return node, hub, line
}

func newPair(t *testing.T, delay func() time.Duration) *pair {
	t.Helper()
	node, hub, line := connect(t, delay)
	p := &pair{t: t, line: line, house: &script{}, hub: &script{}, ends: make(chan ended, 2), raw: node}
	p.node, p.srv = NewPump(node, p.house, true), NewPump(hub, p.hub, false)
	return p
}

// run runs the pumps named: "node", "hub".
func (p *pair) run(who ...string) {
	ctx, stop := context.WithCancel(p.t.Context())
	p.stop = stop
	for _, w := range who {
		pump := p.node
		if w == "hub" {
			pump = p.srv
		}
		p.wg.Go(func() {
			err := pump.Run(ctx)
			p.ends <- ended{w, err, time.Now()}
		})
	}
}

// end stops what still runs.
func (p *pair) end() {
	p.stop()
	p.wg.Wait()
	p.line.Cut()
}

func code(err error) int {
	var c *ClosedError
	if errors.As(err, &c) {
		return c.Code
	}
	return 0
}

func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

// TestPumpCarries: messages of both sides come whole and in order, small ones and the largest, also on a line of
// 64 kbit/s on which the largest takes longer than a connection may be silent.
func TestPumpCarries(t *testing.T) {
	for _, rate := range []int{0, 8 << 10} {
		bubble(t, func(t *testing.T) {
			p := newPair(t, func() time.Duration { return 50 * time.Millisecond })
			p.line.Rate(rate)
			var want [][]byte
			for _, n := range []int{0, 1, 100, 4096, writeChunk, writeChunk + 1, MaxMessage, 5} {
				want = append(want, []byte(strings.Repeat("x", n)))
			}
			p.house.tell(want...)
			p.hub.tell(want...)
			p.run("node", "hub")
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			for _, s := range []*script{p.house, p.hub} {
				if !slices.EqualFunc(s.heard, want, func(a, b []byte) bool { return string(a) == string(b) }) {
					t.Errorf("rate %d: %d messages came, want %d", rate, len(s.heard), len(want))
				}
			}
			if len(p.ends) != 0 {
				t.Errorf("rate %d: ended: %v", rate, <-p.ends)
			}
			p.end()
		})
	}
}

// TestPumpSilence: a session with nothing to say stays, for hours.
func TestPumpSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPair(t, nil)
		p.run("node", "hub")
		time.Sleep(6 * time.Hour)
		if len(p.ends) != 0 {
			t.Errorf("ended: %v", <-p.ends)
		}
		p.hub.tell([]byte("still"))
		p.srv.Poke()
		synctest.Wait()
		if p.house.count() != 1 {
			t.Error("nothing came after the silence")
		}
		p.end()
	})
}

// TestPumpBlackHole: a line that swallows everything is noticed at both ends within 30 s, whether they have something
// to say or not.
func TestPumpBlackHole(t *testing.T) {
	for _, busy := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			p := newPair(t, nil)
			if busy {
				say := func() ([]byte, bool) { return make([]byte, 8<<10), true }
				p.house.next, p.hub.next = say, say
				p.line.Rate(100 << 10) // or time would stand still
			}
			p.run("node", "hub")
			time.Sleep(7 * time.Second)
			p.line.Stall(true)
			start := time.Now()
			for range 2 {
				if e := <-p.ends; e.at.Sub(start) > 30*time.Second || e.err == nil {
					t.Errorf("busy %v: %s noticed after %s: %v", busy, e.who, e.at.Sub(start), e.err)
				}
			}
			p.end()
		})
	}
}

// TestPumpSlowReader: an end that takes nothing blocks nobody but its own session, which ends; Poke and Close return.
func TestPumpSlowReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPair(t, nil)
		made := 0
		p.hub.next = func() ([]byte, bool) { made++; return make([]byte, 8<<10), true }
		p.run("hub") // the node never reads
		start := time.Now()
		time.Sleep(5 * time.Second)
		if before := time.Now(); true {
			p.srv.Poke()
			if time.Since(before) != 0 {
				t.Error("Poke waits")
			}
		}
		e := <-p.ends
		if took := e.at.Sub(start); took > 30*time.Second || e.err == nil || !strings.Contains(e.err.Error(), "send") {
			t.Errorf("ended after %s: %v", took, e.err)
		}
		if most := (linetest.Buffer+64<<10)/(8<<10) + 2; made > most {
			t.Errorf("%d messages were made for an end that takes none; want at most %d", made, most)
		}
		p.end()
	})
}

// TestPumpCloseCodes: who ends a session tells why, and the other end learns it.
func TestPumpCloseCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		do     func(p *pair)
		code   int
		reason string
	}{
		{"fenced", func(p *pair) { p.srv.Close(CodeFenced, "the node has begun another session") }, CodeFenced, "another session"},
		{"revoked", func(p *pair) { p.srv.Close(CodeRevoked, "revoked") }, CodeRevoked, "revoked"},
		{"message refused", func(p *pair) {
			p.hub.err = fmt.Errorf("%w of a bad kind", ErrMessage)
			p.house.tell([]byte("x"))
			p.node.Poke()
		}, CodeMessage, "bad kind"},
		{"no version", func(p *pair) { p.hub.err = ErrVersion; p.house.tell([]byte("x")); p.node.Poke() }, CodeVersion, "version"},
		{"nothing to send fits", func(p *pair) {
			p.hub.fails = func() ([]byte, error) { return nil, errors.New("cannot be parted") }
			p.srv.Poke()
		}, CodeMessage, "cannot be parted"},
		{"long reason, cut at a rune", func(p *pair) { p.srv.Close(CodeRevoked, "x"+strings.Repeat("ä", 200)) }, CodeRevoked, "ää"},
		{"going away", func(p *pair) { p.stop() }, websocket.CloseGoingAway, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPair(t, func() time.Duration { return 20 * time.Millisecond })
				p.run("node", "hub")
				synctest.Wait()
				start := time.Now()
				tc.do(p)
				for range 2 {
					e := <-p.ends
					if took := e.at.Sub(start); took > 2*time.Second {
						t.Errorf("%s needs %s to end", e.who, took)
					}
					if e.who == "node" && (code(e.err) != tc.code || !strings.Contains(e.err.Error(), tc.reason)) {
						t.Errorf("the node learns %v (code %d), want code %d and %q", e.err, code(e.err), tc.code, tc.reason)
					}
				}
				p.end()
			})
		})
	}
}

// TestPumpCloseOverDeadLine: a close does not wait for a line that is dead.
func TestPumpCloseOverDeadLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPair(t, nil)
		p.hub.next = func() ([]byte, bool) { return make([]byte, 8<<10), true }
		p.run("hub")
		p.line.Stall(true)
		time.Sleep(time.Second)
		start := time.Now()
		p.srv.Close(CodeFenced, "fenced")
		if e := <-p.ends; e.at.Sub(start) > 3*time.Second || code(e.err) != CodeFenced {
			t.Errorf("ended after %s: %v", e.at.Sub(start), e.err)
		}
		p.end()
	})
}

// TestPumpFrames: frames that are not a text message of the right size end the session with a code; pings, empty and
// fragmented messages do not, however many come.
func TestPumpFrames(t *testing.T) {
	write := func(kind int, b string) func(*websocket.Conn) {
		return func(c *websocket.Conn) { _ = c.WriteMessage(kind, []byte(b)) }
	}
	for _, tc := range []struct {
		name  string
		do    func(c *websocket.Conn)
		code  int // 0: the session goes on
		heard int
	}{
		{"text", write(websocket.TextMessage, "x"), 0, 1},
		{"empty", write(websocket.TextMessage, ""), 0, 1},
		{"binary", write(websocket.BinaryMessage, "x"), CodeMessage, 0},
		{"as large as may be", write(websocket.TextMessage, strings.Repeat("x", MaxMessage)), 0, 1},
		{"too large", write(websocket.TextMessage, strings.Repeat("x", MaxMessage+1)), websocket.CloseMessageTooBig, 0},
		{"in fragments", func(c *websocket.Conn) {
			w, _ := c.NextWriter(websocket.TextMessage)
			for range 5000 {
				_, _ = w.Write([]byte("0123456789"))
			}
			_ = w.Close()
		}, 0, 1},
		{"too large in fragments", func(c *websocket.Conn) {
			w, _ := c.NextWriter(websocket.TextMessage)
			for range MaxMessage/1000 + 1 {
				_, _ = w.Write(make([]byte, 1000))
			}
			_ = w.Close()
		}, websocket.CloseMessageTooBig, 0},
		{"flood of pings", func(c *websocket.Conn) {
			for range 20000 {
				_ = c.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second))
			}
			_ = c.WriteMessage(websocket.TextMessage, []byte("x"))
		}, 0, 1},
		{"flood of messages", func(c *websocket.Conn) {
			for range 2000 {
				_ = c.WriteMessage(websocket.TextMessage, []byte("x"))
			}
		}, 0, 2000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPair(t, nil)
				p.run("hub")
				var closed error
				var reads sync.WaitGroup
				reads.Go(func() {
					for closed == nil {
						_, _, closed = p.raw.ReadMessage()
					}
				})
				tc.do(p.raw)
				synctest.Wait()
				if got := p.hub.count(); got != tc.heard {
					t.Errorf("%d messages were taken, want %d", got, tc.heard)
				}
				if over := len(p.ends) > 0 || closed != nil; over != (tc.code != 0) {
					t.Errorf("the session ended: %v", over)
				}
				p.end()
				reads.Wait()
				if tc.code != 0 && !websocket.IsCloseError(closed, tc.code) {
					t.Errorf("closed with %v, want code %d", closed, tc.code)
				}
			})
		})
	}
}

// TestPumpStoppedProcess: a process that was stopped for a while does not take what lay there meanwhile for news: not a
// message, and not a message behind a pong.
func TestPumpStoppedProcess(t *testing.T) {
	for _, ping := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			p := newPair(t, nil)
			hold := make(chan struct{})
			first := true
			p.hub.took = func([]byte) {
				if first {
					first = false
					<-hold // the process stands still; only its own clock would tell
				}
			}
			p.run("hub")
			synctest.Wait()
			_ = p.raw.WriteMessage(websocket.TextMessage, []byte("in time"))
			synctest.Wait()
			if ping {
				_ = p.raw.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
			}
			_ = p.raw.WriteMessage(websocket.TextMessage, []byte("old"))
			time.Sleep(10 * time.Minute)
			close(hold)
			e := <-p.ends
			if p.hub.count() != 1 || e.err == nil || !strings.Contains(e.err.Error(), "nothing was read for 10m") {
				t.Errorf("ping %v: %d messages were taken, then %v", ping, p.hub.count(), e.err)
			}
			p.end()
		})
	}
}

// TestPumpPokes: whoever pokes, and however many, everything that there was to say at the last poke is said; closing at
// the same time ends it once.
func TestPumpPokes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for round := range 20 {
			p := newPair(t, nil)
			p.run("node", "hub")
			var pokers sync.WaitGroup
			for i := range 50 {
				pokers.Go(func() {
					p.house.tell([]byte(fmt.Sprint(i)))
					p.node.Poke()
				})
			}
			pokers.Wait()
			synctest.Wait()
			if p.hub.count() != 50 {
				t.Fatalf("round %d: %d of 50 messages came", round, p.hub.count())
			}
			for range 20 {
				pokers.Go(func() { p.node.Poke(); p.node.Close(websocket.CloseGoingAway, "over"); p.node.Poke() })
				pokers.Go(func() { p.srv.Close(CodeFenced, "fenced"); p.srv.Poke() })
			}
			pokers.Wait()
			for range 2 {
				if e := <-p.ends; code(e.err) == 0 {
					t.Errorf("%s ended with %v", e.who, e.err)
				}
			}
			p.end()
		}
	})
}

// TestPumpOverTCP: the same over real sockets: a session carries, and its end is told.
func TestPumpOverTCP(t *testing.T) {
	got := make(chan error, 1)
	up := websocket.Upgrader{}
	hub := &script{say: [][]byte{[]byte(strings.Repeat("h", MaxMessage))}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		p := NewPump(c, hub, false)
		hub.took = func(b []byte) {
			if len(b) == 3 {
				go p.Close(CodeFenced, "enough")
			}
		}
		got <- p.Run(t.Context())
	}))
	defer srv.Close()
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	house := &script{say: [][]byte{[]byte(strings.Repeat("n", MaxMessage)), []byte("end")}}
	if err := NewPump(c, house, true).Run(t.Context()); code(err) != CodeFenced {
		t.Errorf("the node's end: %v", err)
	}
	if err := <-got; code(err) != CodeFenced {
		t.Errorf("the hub's end: %v", err)
	}
	if house.count() != 1 || hub.count() != 2 {
		t.Errorf("%d and %d messages came", house.count(), hub.count())
	}
}
