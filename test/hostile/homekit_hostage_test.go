package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"twinbridge/internal/haptest"
)

// hostageTime is how long somebody may keep the owner from pairing (reliability.md 7.1).
const hostageTime = 35 * time.Second

// occupy keeps pair-setup busy from an address until the context ends: it begins, keeps the connection, and begins again as
// soon as it is refused or closed, on the same connection or on another one.
func (h *home) occupy(ctx context.Context, from string, anew bool, held func()) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	for ctx.Err() == nil {
		nc, err := d.DialContext(ctx, "tcp", h.addr)
		if err != nil {
			pause(ctx, 10*time.Millisecond)
			continue
		}
		c := haptest.NewConn(nc)
		for ctx.Err() == nil {
			m2, err := c.PostTLV(ctx, pathSetup, new(haptest.Setup).M1()...)
			if err != nil {
				break
			}
			if haptest.Find(m2, haptest.TypeError) == nil {
				held()
			}
			pause(ctx, 5*time.Millisecond)
			if anew {
				break
			}
		}
		c.Close()
	}
}

// TestHomeKitHostage: whoever begins to pair again and again does not keep the owner from it. Who keeps a connection has the 30 s
// that a procedure has, once for each address; who closes it loses his turn.
func TestHomeKitHostage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		anew  bool
		from  []string
		most  time.Duration
		quick bool
	}{
		{"always another connection", true, []string{strangersAddr}, hostageTime, true},
		{"one connection", false, []string{strangersAddr}, hostageTime, false},
		{"two addresses", false, []string{strangersAddr, "127.0.0.4"}, 2 * hostageTime, false},
	} {
		if !tt.quick && !hasTime() {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, 1)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			first := make(chan struct{})
			var once sync.Once
			// More than one connection of an address, so that one of them is always there first.
			for n := range 4 {
				wg.Go(func() {
					h.occupy(ctx, tt.from[n%len(tt.from)], tt.anew, func() { once.Do(func() { close(first) }) })
				})
			}
			<-first
			h.ownerPairs(t, tt.most)
		})
	}
}

// ownerPairs lets the owner try until it comes to something, as a person does, and tells how long that took.
func (h *home) ownerPairs(t *testing.T, most time.Duration) {
	t.Helper()
	p := newPhone(t)
	code := h.bridge(t).Code
	begun := time.Now()
	for tries := 1; ; tries++ {
		err := h.tryPair(t, p, code)
		took := time.Since(begun)
		if err == nil && took <= most {
			t.Logf("the owner paired after %v, at try %d", took.Round(time.Millisecond), tries)
			break
		}
		if took > most || err != nil && !isRefused(err, haptest.CodeBusy) {
			t.Fatalf("the owner's try %d, after %v: %v", tries, took.Round(time.Millisecond), err)
		}
		pause(t.Context(), 500*time.Millisecond)
	}
	c := h.secure(t, p, ownersAddr)
	p.look(t, c)
	h.follows(t, p, "after a hostage")
}

// TestHomeKitNotBusy: what others have begun and not ended does not keep the owner from pairing, unless it is a pair-setup:
// pair-verifies, half requests, connections in silence, and a pair-setup whose connection has gone.
func TestHomeKitNotBusy(t *testing.T) {
	h := newHome(t, 1)
	for n := range 12 {
		c := h.open(t, fmt.Sprintf("127.0.0.%d", 3+n%3))
		switch n % 4 {
		case 0:
			v, err := newPhone(t).Verify(haptest.Accessory{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.PostTLV(t.Context(), pathVerify, v.M1()...); err != nil {
				t.Error(err)
			}
		case 1:
			_, _ = c.Write([]byte("POST /pair-setup HTTP/1.1\r\nContent-Length: 6\r\n\r\n\x06\x01\x01"))
		case 2: // silence
		case 3:
			setupStart(t, c, new(haptest.Setup))
			c.Close()
		}
	}
	h.ownerPairs(t, 2*time.Second)

	// A proof takes the owner's time, not the others': between M2 and M3 there are 30 s, in which a person types.
	if !hasTime() {
		return
	}
	h = newHome(t, 1)
	p := newPhone(t)
	c := h.open(t, ownersAddr)
	s := p.Setup(h.bridge(t).Code)
	m2 := setupStart(t, c, s)
	pause(t.Context(), 29*time.Second)
	m3, err := s.M3(m2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.PostTLV(t.Context(), pathSetup, m3...); err != nil {
		t.Errorf("M3 after 29 s: %v", err)
	}
	c = h.open(t, strangersAddr)
	begun := time.Now()
	setupStart(t, c, s)
	said := gone(t, c, 33*time.Second)
	if took := time.Since(begun); took < 29*time.Second || len(said) > 0 {
		t.Errorf("behind M2 the connection was closed after %v with %v, want 30 s", took, said)
	}
	if _, err := c.PostTLV(t.Context(), pathSetup, m3...); err == nil || errors.Is(err, context.Canceled) {
		t.Error("it answers all the same")
	}
}
