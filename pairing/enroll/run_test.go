package enroll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// flaky is a network that loses things, and is gone now and then for days.
type flaky struct {
	mu   sync.Mutex
	rand *rand.Rand
	down time.Time // the network is gone until then
}

// fault spoils 4 of 10 connections: one is refused, one hangs, two break after some bytes, as often on the way back.
func (f *flaky) fault(c net.Conn) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.down) {
		return nil, errors.New("network is unreachable")
	}
	switch f.rand.IntN(10) {
	case 0:
		return nil, errors.New("connection refused")
	case 1:
		return &breaking{Conn: c, in: 0, out: 1 << 20, hang: true}, nil
	case 2:
		return &breaking{Conn: c, in: 1 << 20, out: f.rand.IntN(4000)}, nil
	case 3:
		return &breaking{Conn: c, in: f.rand.IntN(4000), out: 1 << 20}, nil
	}
	return c, nil
}

// breaking is a connection that breaks after a number of bytes.
type breaking struct {
	net.Conn
	mu      sync.Mutex
	in, out int
	hang    bool // what comes in gets lost, rather than the connection
}

var errBroken = errors.New("connection reset by peer")

func (b *breaking) Read(p []byte) (int, error) {
	b.mu.Lock()
	left := b.in
	b.mu.Unlock()
	if left <= 0 && !b.hang {
		b.Close()
		return 0, errBroken
	}
	n, err := b.Conn.Read(p)
	if b.hang {
		for err == nil {
			_, err = b.Conn.Read(p)
		}
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, b.in)
	b.in -= n
	return n, err
}

func (b *breaking) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out < len(p) {
		b.Conn.Write(p[:b.out])
		b.Close()
		return 0, errBroken
	}
	b.out -= len(p)
	return b.Conn.Write(p)
}

// simulated gives the number of nodes in the five years. LONG=1 has the time for all.
func simulated() int {
	if os.Getenv("LONG") != "" {
		return 100
	}
	return 5
}

// TestFiveYears: nodes come and go with a bad network, the hub restarts, and nobody is ever without a certificate.
func TestFiveYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const years = 5
		nodes := simulated()
		seed := rand.Uint64()
		t.Logf("seed %d, %d nodes", seed, nodes)
		network := &flaky{rand: rand.New(rand.NewPCG(seed, 1))}
		h := newHub(t)
		h.cfg.Now = nil // the bubble's
		h.reopenEmpty(t)
		h.serve(t, "hub.example:8443")

		type node struct {
			m        *Member
			store    *memStore
			stop     context.CancelFunc
			done     chan error
			renewals int
		}
		cfg := func(n *node) MemberConfig {
			return MemberConfig{Dial: h.net.dial, Renewed: func() { n.renewals++ }}
		}
		start := func(n *node) {
			ctx, stop := context.WithCancel(t.Context())
			n.stop, n.done = stop, make(chan error, 1)
			go func() { n.done <- n.m.Run(ctx) }()
		}
		end := func(n *node) {
			n.stop()
			if err := <-n.done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
		all := make([]*node, nodes)
		for i := range all {
			n := &node{store: newStore()}
			all[i] = n
			m, err := Join(t.Context(), n.store, h.token(t, fmt.Sprintf("node-%d", i)).Text(), cfg(n))
			if err != nil {
				t.Fatal(err)
			}
			n.m = m
			start(n)
		}
		h.net.mu.Lock()
		h.net.fault = network.fault
		h.net.mu.Unlock()
		dice := rand.New(rand.NewPCG(seed, 2))
		least := DefaultLifetime
		for d := range years * 365 {
			time.Sleep(day)
			for _, n := range all {
				left := time.Until(n.m.Expires())
				least = min(least, left)
				if left <= 0 {
					t.Fatalf("day %d: %s has no certificate", d, n.m.Name())
				}
			}
			switch dice.IntN(40) {
			case 0: // up to 5 days without a network, then one at least with it
				network.mu.Lock()
				if time.Since(network.down) > day {
					network.down = time.Now().Add(time.Duration(dice.Int64N(int64(5 * day))))
				}
				network.mu.Unlock()
			case 1: // the hub restarts
				h.reopen(t)
			case 2: // a node restarts
				n := all[dice.IntN(len(all))]
				end(n)
				m, err := OpenMember(n.store, cfg(n))
				if err != nil {
					t.Fatal(err)
				}
				n.m = m
				start(n)
			}
		}
		h.net.mu.Lock()
		h.net.fault = nil
		h.net.mu.Unlock()
		total := 0
		for _, n := range all {
			end(n)
			if got, err := h.who(t, n.m.TLS()); got != n.m.Name() || err != nil {
				t.Errorf("after %d years: %q, %v", years, got, err)
			}
			if want := years * 365 / 20; n.renewals < want || n.renewals > want+want/8 {
				t.Errorf("%s: %d renewals, want about %d", n.m.Name(), n.renewals, want)
			}
			total += n.renewals
		}
		t.Logf("%d renewals, never less than %v left", total, least.Round(time.Hour))
		if least < 4*day {
			t.Errorf("only %v were left once", least)
		}
	})
}

// TestOffForLong: a node that was off past the end of its certificate gets a new one within moments of its start; one
// that was off for longer goes on asking, and is helped by a new token.
func TestOffForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		h.cfg.Now = nil
		h.reopenEmpty(t)
		h.serve(t, "hub.example:8443")
		cfg := MemberConfig{Dial: h.net.dial}
		store := newStore()
		if _, err := Join(t.Context(), store, h.token(t, "attic").Text(), cfg); err != nil {
			t.Fatal(err)
		}
		run := func(span time.Duration) *Member {
			m, err := OpenMember(store, cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), span)
			defer stop()
			if err := m.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
			return m
		}
		time.Sleep(50 * day)
		if m := run(time.Minute); time.Until(m.Expires()) < 29*day {
			t.Errorf("after 50 days off it has a certificate until %v", m.Expires())
		}
		time.Sleep(70 * day)
		if m := run(3 * day); time.Until(m.Expires()) > 0 {
			t.Errorf("after 70 days off it got a certificate until %v", m.Expires())
		}
		again := cfg
		again.Again = true
		m, err := Join(t.Context(), store, h.token(t, "attic").Text(), again)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.who(t, m.TLS()); got != "attic" || err != nil {
			t.Errorf("who: %q, %v", got, err)
		}
	})
}

// TestNodeSavesTime: once a day.
func TestNodeSavesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		h.cfg.Now = nil
		h.reopenEmpty(t)
		h.serve(t, "hub.example:8443")
		store := newStore()
		m, err := Join(t.Context(), store, h.token(t, "attic").Text(), MemberConfig{Dial: h.net.dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 15*day)
		defer stop()
		before := store.count()
		if err := m.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := store.count() - before; n < 13 || n > 15 {
			t.Errorf("%d commits in 15 days", n)
		}
		if r, _, err := get[timeRecord](store, keyMemberTime); err != nil || time.Since(r.Time) > day+look {
			t.Errorf("saved %v, %v", r.Time, err)
		}
	})
}

// TestNodeUnsetClockRenews: the first thing that a node does whose clock is not set.
func TestNodeUnsetClockRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		h.cfg.Now = nil
		h.reopenEmpty(t)
		h.serve(t, "hub.example:8443")
		store := newStore()
		renewed := 0
		boot := time.Now()
		cfg := MemberConfig{
			Now:     func() time.Time { return time.Unix(0, 0).Add(time.Since(boot)) },
			Dial:    h.net.dial,
			Renewed: func() { renewed++ },
		}
		if _, err := Join(t.Context(), store, h.token(t, "attic").Text(), cfg); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // each time it is off for 25 days, which it cannot know, and on for 10
			time.Sleep(25 * day)
			boot = time.Now()
			m, err := OpenMember(store, cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 10*day)
			if err := m.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
			stop()
			if renewed != i+1 || time.Until(m.Expires()) < 19*day {
				t.Fatalf("start %d: %d renewals, a certificate for %v", i, renewed, time.Until(m.Expires()))
			}
		}
	})
}

func TestPause(t *testing.T) {
	for _, tt := range []struct {
		failures int
		most     time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {6, 32 * time.Second}, {12, 2048 * time.Second}, {13, time.Hour}, {1 << 40, time.Hour}} {
		for range 100 {
			if got := pause(tt.failures); got < tt.most/2 || got > tt.most {
				t.Fatalf("after %d failures: %v, want %v to %v", tt.failures, got, tt.most/2, tt.most)
			}
		}
	}
}
