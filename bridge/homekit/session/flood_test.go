package session

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// held is the memory in use, heap and stacks, after what is garbage was taken away.
func held() int {
	for range 3 { // pools let go in the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// within tells that a phone verifies itself in time while something is going on.
func (r *rig) within(limit time.Duration) {
	r.t.Helper()
	begun := time.Now()
	c := r.verified()
	c.send(put("/echo", "phone"))
	c.want(200, "phone")
	if took := time.Since(begun); took > limit {
		r.t.Errorf("a phone took %v to verify itself", took)
	}
	_ = c.nc.Close()
}

// flood opens connections, 500 at a time: some silent, some with half a request, some that talk and go. At the end all are
// closed, and the server has seen it.
func (r *rig) flood(conns int) (most int) {
	var open []net.Conn
	for i := range conns {
		nc, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			r.t.Fatal(err)
		}
		// What is written may come after it was pushed out.
		switch i % 5 {
		case 0:
		case 1:
			_, _ = nc.Write([]byte("POST /pair-setup HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("x", i%3000)))
		case 2:
			_, _ = nc.Write([]byte(get("/nowhere")))
		case 3:
			_, _ = nc.Write(bytes.Repeat([]byte{0xff}, 4000))
		case 4:
			_ = nc.Close()
		}
		open = append(open, nc)
		if len(open) > 500 {
			_ = open[0].Close()
			open = open[1:]
		}
		most = max(most, len(r.slots))
		if i%500 == 0 {
			r.within(time.Second)
		}
	}
	if s := r.Stats(); s.Unverified > 8 {
		r.t.Errorf("%+v", s)
	}
	for _, nc := range open {
		_ = nc.Close()
	}
	eventually(r.t, "the end of all connections", func() bool {
		s := r.Stats()
		return s.Unverified == 0 && s.Secure == 0 && len(r.slots) <= 1
	})
	r.mu.Lock()
	r.lamps = nil
	r.mu.Unlock()
	return most
}

// TestFlood: 5,000 connections leave nothing behind, and a phone gets in at any time.
func TestFlood(t *testing.T) {
	r := start(t, Config{}, nil)
	r.flood(1000) // what the runtime keeps for the next ones is there
	goroutines := runtime.NumGoroutine()
	memory := held()
	most := r.flood(5000)
	if most > 32+8+spare {
		t.Errorf("%d connections at once", most)
	}
	if s := r.Stats(); s.Evicted < 3000 {
		t.Errorf("%+v", s)
	}
	eventually(t, "the end of their goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
	if grown := held() - memory; grown > 256<<10 {
		t.Errorf("memory grew by %d KiB", grown>>10)
	} else {
		t.Logf("memory grew by %d KiB; at most %d connections at once", grown>>10, most)
	}
}

// TestHalfSent: 1,000 requests that are never finished, with bodies far over what is taken, cost next to nothing, and a
// phone gets in within a second.
func TestHalfSent(t *testing.T) {
	r := start(t, Config{}, nil)
	r.within(time.Second)
	memory := held()
	var open []net.Conn
	for i := range 1000 {
		nc, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, nc)
		text := fmt.Sprintf("POST /pair-setup HTTP/1.1\r\nContent-Length: %d\r\n\r\n", []int{16 << 10, 64 << 20}[i%2]) + strings.Repeat("x", 15<<10)
		_, _ = nc.Write([]byte(text)) // it may be pushed out already
		if i%100 == 0 {
			r.within(time.Second)
		}
	}
	eventually(t, "the last of them", func() bool { return r.Stats().Accepted >= 1000 })
	if grown := held() - memory; grown > 16<<20 {
		t.Errorf("memory grew by %d KiB", grown>>10)
	} else {
		t.Logf("memory grew by %d KiB, with the sockets of the other side", grown>>10)
	}
	r.within(time.Second)
	for _, nc := range open {
		_ = nc.Close()
	}
}

// TestIdleMemory: a secure connection that is idle holds less than 10 KiB, also when it has served long requests and
// replies before.
func TestIdleMemory(t *testing.T) {
	const conns = 200
	r := start(t, Config{MaxSecure: conns}, nil)
	r.within(time.Minute)
	memory := held()
	var clients []*client
	for range conns {
		c := r.verified()
		c.send(get("/big?150000"))
		c.want(200, strings.Repeat("b", 150_000))
		body := strings.Repeat("x", 40_000)
		c.send(put("/echo", body))
		c.want(200, body)
		*c = client{t: t, nc: c.nc} // forget the buffers of the other side
		clients = append(clients, c)
	}
	each := (held() - memory) / conns
	if each > 10<<10*raceFactor {
		t.Errorf("%d bytes for a connection", each)
	} else {
		t.Logf("%d bytes for a connection, with the socket of the other side and what the test keeps of it", each)
	}
	for _, c := range clients {
		_ = c.nc.Close()
	}
}
