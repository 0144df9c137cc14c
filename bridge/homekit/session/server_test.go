package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/bridge/homekit/message"
)

// TestShutdown: at the end silent connections close at once, and a reply that is being made has a moment.
func TestShutdown(t *testing.T) {
	for _, tt := range []struct {
		serve time.Duration // that a request takes
		reply string        // what arrives
		ends  time.Duration // when Run ends
	}{
		{100 * time.Millisecond, "made", 100 * time.Millisecond},
		{249 * time.Millisecond, "made", 249 * time.Millisecond},
		{3 * time.Second, "", 3 * time.Second}, // the connection is closed at 250 ms; the peer is waited for
	} {
		synctest.Test(t, func(t *testing.T) {
			r := startPipes(t, Config{}, func(l *lamp) {
				l.event = func() []byte { return []byte("event") }
				l.serve = func(q *message.Request) *Reply {
					if string(q.Path) == "/slow" {
						time.Sleep(tt.serve)
						return &Reply{Status: 200, Body: []byte("made")}
					}
					return nil
				}
			})
			silent, unverified, slow, half := r.verified(), r.dial(), r.verified(), r.verified()
			half.write(half.sealed(get("/slow"))[:10])
			slow.send(get("/slow") + get("/slow"))
			synctest.Wait()
			begun := time.Now()
			for i := range 3 {
				r.lamp(i).c.Notify(false)
			}
			_ = r.Close()
			for name, c := range map[string]*client{"silent": silent, "unverified": unverified, "half": half} {
				if got := c.closed(); len(got) > 0 || time.Since(begun) > 0 {
					t.Errorf("%s: %+v after %v", name, got, time.Since(begun))
				}
			}
			got := slow.closed()
			if tt.reply != "" && (len(got) != 1 || got[0].body != tt.reply) || tt.reply == "" && len(got) > 0 {
				t.Errorf("%v: %+v", tt.serve, got)
			}
			if took := time.Since(begun); took > 250*time.Millisecond {
				t.Errorf("%v: closed after %v", tt.serve, took)
			}
			r.stop()
			if took := time.Since(begun); took != tt.ends {
				t.Errorf("%v: Run ended after %v, want %v", tt.serve, took, tt.ends)
			}
		})
	}
}

// TestShutdownStalled: who does not read his reply does not keep the server.
func TestShutdownStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPipes(t, Config{}, nil)
		c := r.verified()
		c.send(get("/big?10000"))
		synctest.Wait()
		begun := time.Now()
		r.stop()
		if took := time.Since(begun); took != 250*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// TestContext: the end of the context ends Run.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := New(Config{Accept: func(*Conn) Peer { return fast{} }})
	if err := s.Run(ctx); err == nil {
		t.Error("a server that listens nowhere runs")
	}
	if s.Addr() != nil {
		t.Errorf("it listens on %v", s.Addr())
	}
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen("127.0.0.1:0"); err == nil {
		t.Error("it listens twice")
	}
	if err := New(Config{}).Listen(s.Addr().String()); err == nil {
		t.Error("two listen on one port")
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	if nc, err := net.Dial("tcp", s.Addr().String()); err == nil {
		_ = nc.Close()
		t.Error("it still listens")
	}
}

// TestGivenUp: a listener that Run never served is given up by Close.
func TestGivenUp(t *testing.T) {
	s := New(Config{})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("it still listens")
	}
	if err := s.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRestart: the port is free at once, with connections that live, and the controllers come back.
func TestRestart(t *testing.T) {
	r := start(t, Config{}, nil)
	addr := r.Addr().String()
	for range 5 {
		var clients []*client
		for i := range 8 {
			c := r.verified()
			if i%2 == 0 {
				c.send(get("/big?100000")) // nobody reads it
			}
			clients = append(clients, c)
		}
		begun := time.Now()
		r.stop()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
		r = &rig{t: t}
		r.begin(Config{}, func() error { return r.Listen(addr) })
		c := r.verified()
		c.send(put("/echo", "back"))
		c.want(200, "back")
		for _, c := range clients {
			_ = c.nc.Close()
		}
	}
}

// TestTwoServers: two bridges in one process share nothing.
func TestTwoServers(t *testing.T) {
	a, b := start(t, Config{}, nil), start(t, Config{}, nil)
	ca, cb := a.verified(), b.verified()
	a.stop()
	if got := ca.closed(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	cb.send(put("/echo", "b"))
	cb.want(200, "b")
}

// flaky is a listener that fails before it accepts.
type flaky struct {
	*pipes
	fails atomic.Int64
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.fails.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.pipes.Accept()
}

// TestAcceptFails: a server that cannot accept for a while waits and comes back; its end does not wait.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, pipes: newPipes()}
		l := &flaky{pipes: r.pipes}
		l.fails.Store(10)
		begun := time.Now()
		r.begin(Config{}, func() error { return r.Use(l) })
		c := r.verified()
		if took := time.Since(begun); took < time.Second || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		l.fails.Store(1 << 40)
		r.dial()
		time.Sleep(time.Minute)
		c.send(put("/echo", "well"))
		c.want(200, "well")
		if tries := 1<<40 - l.fails.Load(); tries > 100 {
			t.Errorf("%d tries in a minute", tries)
		}
		begun = time.Now()
		r.stop()
		if took := time.Since(begun); took > 0 {
			t.Errorf("its end took %v", took)
		}
	})
}

// TestConfig: what is set is used, what is not has its default.
func TestConfig(t *testing.T) {
	c := Config{MaxSecure: 3, Idle: time.Second}.withDefaults()
	if c.MaxSecure != 3 || c.Idle != time.Second || c.MaxUnverified != 8 || c.Secure != message.DefaultLimits || c.Log == nil {
		t.Errorf("%+v", c)
	}
	if got := fmt.Sprint(c.FirstRequest, c.MaxPatience, c.WholeRequest, c.WriteTime, c.EventPause, c.EventGather, c.Grace); got != "10s 30s 30s 10s 250ms 200µs 250ms" {
		t.Error(got)
	}
}
