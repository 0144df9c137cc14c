package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"twinbridge/internal/haptest"
	"twinbridge/test/world"
)

// Bounds of reliability.md 7.1.
const (
	mostGrowth = 16 << 20
	verifyTime = time.Second
	floodTime  = 2 * time.Second // of ours, at least
)

// watchVerify lets a phone come again and again until stop is called, which tells how often and how long it took at most.
// One that fails, or takes longer than it may, is an error.
func (h *home) watchVerify(t *testing.T, p *phone, from string) (stop func() (n int, slowest time.Duration)) {
	ctx, cancel := context.WithCancel(t.Context())
	var n int
	var slowest time.Duration
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			begun := time.Now()
			c, err := h.trySecure(t, p, from)
			took := time.Since(begun)
			if err != nil || took > verifyTime {
				t.Errorf("a phone's pair-verify among strangers took %v: %v", took.Round(time.Millisecond), err)
			}
			if err == nil {
				if m, err := c.Do(ctx, http.MethodGet, haptest.PathOf(p.lamps[:1]), nil); ctx.Err() == nil && (err != nil || m.Status != http.StatusOK) {
					t.Errorf("its first request: %d, %v", m.Status, err)
				}
				c.Close()
			}
			slowest = max(slowest, took)
			n++
			pause(ctx, 20*time.Millisecond)
		}
	})
	return func() (int, time.Duration) {
		cancel()
		wg.Wait()
		return n, slowest
	}
}

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// TestHomeKitHalfSent: 1,000 requests that are never finished and bodies far over what is taken cost little memory and keep no
// phone out; what says nothing is dropped after 10 s.
func TestHomeKitHalfSent(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	h.follows(t, p, "before")
	last := make([]net.Conn, 4)
	var lastAt time.Time
	bounded(t, "the node", h.PID(), mostGrowth, func() {
		stop := h.watchVerify(t, p, ownersAddr)
		const many = 1000
		halves := []string{
			"POST /pair-setup HTTP/1.1\r\nHost: x\r\nContent-Le",
			"POST /pair-verify HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n" + strings.Repeat("\x06", 15_000),
			"GET /", "",
		}
		open := make([]net.Conn, many)
		begun := time.Now()
		sent := 0
		for ; sent < many || time.Since(begun) < floodTime; sent++ {
			nc, err := h.dial(t, fmt.Sprintf("127.0.0.%d", 3+sent%4))
			if err != nil {
				t.Fatalf("connection %d: %v", sent, err)
			}
			if old := open[sent%many]; old != nil {
				old.Close()
			}
			open[sent%many] = nc
			_, _ = io.WriteString(nc, halves[sent%len(halves)]) // it may be pushed out already
			last[sent%len(last)], lastAt = nc, time.Now()
		}
		t.Cleanup(func() {
			for _, nc := range open {
				nc.Close()
			}
		})
		n, slowest := stop()
		t.Logf("%d half-sent requests in %v; a phone verified %d times beside them, in %v at most", sent, time.Since(begun).Round(time.Millisecond), n, slowest.Round(100*time.Microsecond))
		if n == 0 {
			t.Error("no phone came")
		}
		h.works(t, "beside half-sent requests")
	})
	bounded(t, "the node", h.PID(), mostGrowth, func() {
		stop := h.watchVerify(t, p, ownersAddr)
		var sent atomic.Int64
		var wg sync.WaitGroup
		begun := time.Now()
		for n := range 8 {
			wg.Go(func() {
				for more := n; time.Since(begun) < floodTime/2; more++ {
					sent.Add(h.longBody(t, more))
				}
			})
		}
		wg.Wait()
		n, slowest := stop()
		t.Logf("%d KiB of bodies were sent; a phone verified %d times beside them, in %v at most", sent.Load()>>10, n, slowest.Round(100*time.Microsecond))
	})
	// The last strangers were the last ones there; those that are left go by themselves, after 10 s and not before.
	fresh := h.open(t, "127.0.0.9")
	begun := time.Now()
	if _, err := fresh.Write([]byte("GET /accessories HT")); err != nil {
		t.Fatal(err)
	}
	said := gone(t, fresh, 13*time.Second)
	if took := time.Since(begun); took < 9900*time.Millisecond || len(said) != 0 {
		t.Errorf("half a request was dropped after %v, with %v; want 10 s and nothing", took, said)
	} else {
		t.Logf("half a request was dropped after %v", took.Round(time.Millisecond))
	}
	for _, nc := range last {
		_ = nc.SetReadDeadline(lastAt.Add(13 * time.Second))
		if _, err := nc.Read(make([]byte, 1)); isTimeout(err) {
			t.Errorf("half a request is still waited for after %v", time.Since(lastAt).Round(time.Millisecond))
		}
	}
	h.follows(t, p, "after half-sent requests")
}

// longBody sends a request with a body that is far too long, and gives how much of it could be sent.
func (h *home) longBody(t *testing.T, n int) (sent int64) {
	heads := []string{
		"Content-Length: 1073741824\r\n\r\n",
		"Content-Length: 99999999999999999999\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
		"X: ", // a header without end
	}
	nc, err := h.dial(t, fmt.Sprintf("127.0.0.%d", 3+n%8))
	if err != nil {
		t.Errorf("dial: %v", err)
		return 0
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(nc, "POST /pair-setup HTTP/1.1\r\nHost: x\r\n"+heads[n%len(heads)]); err != nil {
		return 0
	}
	piece := []byte(strings.Repeat("A", 64<<10))
	const most = 8 << 20
	for sent < most {
		k, err := nc.Write(piece)
		sent += int64(k)
		if err != nil {
			return sent
		}
	}
	t.Errorf("%d MiB of a body were taken", most>>20)
	return sent
}

// TestHomeKitComeAndGo: 5,000 connections, opened and closed in every way, leave nothing behind.
func TestHomeKitComeAndGo(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	round := func(many int) {
		for n := range many {
			nc, err := h.dial(t, fmt.Sprintf("127.0.0.%d", 3+n%200))
			if err != nil {
				t.Fatalf("connection %d: %v", n, err)
			}
			tcp := nc.(*net.TCPConn) //nolint:forcetypeassert // it was dialled so
			switch n % 5 {
			case 0: // nothing was said
			case 1:
				_, _ = io.WriteString(nc, "POST /pair-verify HTTP/1.1\r\nContent-Length: 1000\r\n\r\n\x06\x01")
			case 2:
				_, _ = io.WriteString(nc, "GET /accessories HTTP/1.1\r\nHost: x\r\n\r\n")
				_ = tcp.SetLinger(0) // a reset
			case 3:
				_ = tcp.CloseWrite()
				_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
				if _, err := nc.Read(make([]byte, 1)); isTimeout(err) {
					t.Fatalf("connection %d: half closed, and kept", n)
				}
			case 4:
				if n%100 == 4 { // a phone
					c := haptest.NewConn(nc)
					v, err := p.Verify(p.bridge)
					if err == nil {
						err = c.PairVerify(t.Context(), v)
					}
					if err == nil {
						err = c.Subscribe(t.Context(), p.lamps...)
					}
					if err != nil {
						t.Errorf("a phone that comes and goes: %v", err)
					}
				}
			}
			nc.Close()
		}
	}
	const goroutines = "go_goroutines"
	round(200)
	settle := func(was int) int {
		var now int
		world.Eventually(t, 15*time.Second, func() (bool, string) {
			now = h.metric(t, goroutines)
			return was < 0 || now <= was, fmt.Sprintf("%d goroutines, %d before", now, was)
		})
		return now
	}
	before := 0
	world.Eventually(t, 15*time.Second, func() (bool, string) { // until nothing is ending any more
		was := before
		before = h.metric(t, goroutines)
		return was == before && h.bridge(t).Controllers[0].Connections == 0, "goroutines still end"
	})
	files, memory := descriptors(t, h.PID()), resident(t, h.PID())
	begun := time.Now()
	const many = 5000
	round(many)
	took := time.Since(begun)
	after := settle(before)
	var open int
	world.Eventually(t, 15*time.Second, func() (bool, string) {
		open = descriptors(t, h.PID())
		return open <= files, fmt.Sprintf("%d descriptors, %d before", open, files)
	})
	now := resident(t, h.PID())
	t.Logf("%d connections in %v; goroutines %d, then %d; descriptors %d, then %d; memory %d KiB, then %d KiB",
		many, took.Round(time.Millisecond), before, after, files, open, memory>>10, now>>10)
	if now > memory+mostGrowth/2 {
		t.Errorf("memory grew by %d MiB", (now-memory)>>20)
	}
	h.follows(t, p, "after connections that came and went")
}
