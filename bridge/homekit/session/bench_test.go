package session

import (
	"bytes"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

// fast is a Peer that answers as a bridge answers a write, without a bridge.
type fast struct{}

func (fast) Serve(r *message.Request) Reply {
	if string(r.Path) == "/verify" {
		return Reply{Status: 200, Body: []byte("M4"), Switch: &keys}
	}
	return Reply{Status: 204}
}
func (fast) Event() []byte { return nil }
func (fast) Closed()       {}

// caller is a client that allocates nothing: the figures are to be the server's.
type caller struct {
	*client
	request []byte
	in, out []byte
}

func newCaller(c *client) *caller {
	const body = `{"characteristics":[{"aid":2,"iid":9,"value":true}]}`
	return &caller{client: c, request: []byte(put("/characteristics", body)), in: make([]byte, 4096), out: make([]byte, 0, 4096)}
}

func (c *caller) call() error {
	out, err := c.sealer.Append(c.out, c.request)
	if err != nil {
		return err
	}
	if _, err := c.nc.Write(out); err != nil {
		return err
	}
	have := 0
	for {
		n, err := c.nc.Read(c.in[have:])
		if err != nil {
			return err
		}
		have += n
		if have > 2 && have >= int(c.in[0])+frame.Overhead {
			break
		}
	}
	text, _, err := c.opener.Open(c.in[:have])
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(text, []byte("HTTP/1.1 204")) {
		c.t.Errorf("%q", text)
	}
	return nil
}

// benchServer is a server of fast peers.
func benchServer(b *testing.B) *rig {
	r := &rig{t: b}
	r.Server = New(Config{Accept: func(*Conn) Peer { return fast{} }})
	if err := r.Listen("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.Run(b.Context()) }()
	b.Cleanup(r.stop)
	return r
}

// BenchmarkWrite is a PUT and its reply on one connection over loopback; client and server share the process.
func BenchmarkWrite(b *testing.B) {
	c := newCaller(benchServer(b).verified())
	took := make([]time.Duration, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		if err := c.call(); err != nil {
			b.Fatal(err)
		}
		if len(took) < cap(took) {
			took = append(took, time.Since(begun))
		}
	}
	b.ReportMetric(float64(percentile(took, 0.5).Microseconds()), "p50-us")
	b.ReportMetric(float64(percentile(took, 0.99).Microseconds()), "p99-us")
}

// BenchmarkWrite8 is the same on 8 connections at once.
func BenchmarkWrite8(b *testing.B) {
	r := benchServer(b)
	var callers []*caller
	for range 8 {
		callers = append(callers, newCaller(r.verified()))
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	var all sync.WaitGroup
	for i, c := range callers {
		all.Go(func() {
			for range (b.N + i) / len(callers) {
				if err := c.call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// cpu is what the process has used so far, client and server; a machine with other work to do does not change it much.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBig is the database of 149 lamps on one connection.
func BenchmarkBig(b *testing.B) {
	r := start(b, Config{}, func(l *lamp) {
		body := []byte(strings.Repeat("b", 150_000))
		l.serve = func(q *message.Request) *Reply {
			if string(q.Path) == "/accessories" {
				return &Reply{Status: 200, Type: message.TypeJSON, Body: body}
			}
			return nil
		}
	})
	c := r.verified()
	b.ReportAllocs()
	for b.Loop() {
		c.send(get("/accessories"))
		if m := c.response(); len(m.body) != 150_000 {
			b.Fatal(len(m.body))
		}
	}
}
