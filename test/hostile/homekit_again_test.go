package hostile

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"twinbridge/internal/haptest"
	"twinbridge/test/world"
)

// TestHomeKitFirstRequest: a controller knows the keys when it has read M2. Its first request, which it sends behind M3 before
// it has read M4, is answered each time, however the bytes come.
func TestHomeKitFirstRequest(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	get := haptest.Request(http.MethodGet, haptest.PathOf(p.lamps), "", nil)
	const many = 1000
	begun := time.Now()
	failures := 0
	for n := range many {
		if err := h.firstRequest(t, p, get, n); err != nil {
			failures++
			t.Errorf("connection %d: %v", n, err)
		}
		if failures > 5 {
			break
		}
	}
	t.Logf("%d first requests, %d failures, in %v", many, failures, time.Since(begun).Round(time.Millisecond))
}

// firstRequest sends one; n says in which way.
func (h *home) firstRequest(t *testing.T, p *phone, get []byte, n int) error {
	nc, err := h.dial(t, ownersAddr)
	if err != nil {
		return err
	}
	c := haptest.NewConn(nc)
	c.Timeout = 10 * time.Second
	defer c.Close()
	v, err := p.Verify(p.bridge)
	if err != nil {
		return err
	}
	m2, err := c.PostTLV(t.Context(), pathVerify, v.M1()...)
	if err != nil {
		return err
	}
	m3, err := v.M3(m2)
	if err != nil {
		return err
	}
	keys, err := v.Keys()
	if err != nil {
		return err
	}
	request := haptest.Request(http.MethodPost, pathVerify, typeTLV, haptest.EncodeTLV(m3...))
	c.SecureWrites(keys.Write)
	first := c.Seal(get, 0)
	pieces := [][]byte{append(request, first...)} // one segment
	switch at := len(request); n % 4 {
	case 1: // two
		pieces = [][]byte{pieces[0][:at], first}
	case 2: // cut anywhere
		cut := n % len(pieces[0])
		pieces = [][]byte{pieces[0][:cut], pieces[0][cut:]}
	case 3: // two, and some time between
		pieces = [][]byte{pieces[0][:at+1], nil, pieces[0][at+1:]}
	}
	for _, piece := range pieces {
		if piece == nil {
			pause(t.Context(), time.Duration(1+n%3)*time.Millisecond)
			continue
		}
		if _, err := c.Write(piece); err != nil {
			return err
		}
	}
	m4, err := c.Next(t.Context())
	if err != nil {
		return fmt.Errorf("M4: %w", err)
	}
	items, _, err := haptest.DecodeTLV(m4.Body)
	if err == nil {
		err = v.Finish(items)
	}
	if err != nil {
		return err
	}
	c.SecureReads(keys.Read)
	m, err := c.Next(t.Context())
	if err == nil && m.Status != http.StatusOK {
		err = fmt.Errorf("status %d", m.Status)
	}
	return err
}

// TestHomeKitRestarts: the process ends, in order and killed, while phones listen and lamps change. It is back on the same port
// and the phones come back with the pairing that they have.
func TestHomeKitRestarts(t *testing.T) {
	listen := world.FreeAddr(t)
	h := newHome(t, 1, "listen: "+listen)
	p := h.pair(t)
	id := h.bridge(t).ID
	rounds := 6
	if hasTime() {
		rounds = 40
	}
	var slowest time.Duration
	for round := range rounds {
		var phones []*haptest.Conn
		for range 8 {
			c := h.secure(t, p, ownersAddr)
			if err := c.Subscribe(t.Context(), p.lamps...); err != nil {
				t.Fatal(err)
			}
			phones = append(phones, c)
		}
		// A phone and somebody on the spot go on switching until there is nobody who answers.
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if _, err := phones[0].Put(ctx, haptest.Set(p.lamps[0], fmt.Sprint(n%2 == 0))); err != nil {
					return
				}
			}
		})
		heard := make(chan error, 1)
		wg.Go(func() {
			var err error
			for n := 0; err == nil; n++ {
				if _, err = phones[1].Event(ctx); n == 0 {
					heard <- err
				}
			}
		})
		if err := <-heard; err != nil {
			t.Errorf("round %d: no event: %v", round, err)
		}
		begun := time.Now()
		h.again(t, round%2 == 0)
		cancel()
		wg.Wait()
		if h.addr != listen {
			t.Fatalf("it is back at %s, was at %s", h.addr, listen)
		}
		if b := h.bridge(t); b.ID != id || !b.Paired || len(b.Controllers) != 1 {
			t.Fatalf("it is back as %+v, was %s", b, id)
		}
		h.follows(t, p, "after a restart")
		slowest = max(slowest, time.Since(begun))
		for i, c := range phones {
			if i > 1 {
				gone(t, c, 5*time.Second)
			}
			c.Close()
		}
	}
	t.Logf("%d restarts, half of them kills; the lamp follows a phone again after %v at most", rounds, slowest.Round(time.Millisecond))
}
