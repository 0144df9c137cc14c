package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"twinbridge/internal/haptest"
)

const (
	hostileRounds = 800
	hostilePause  = 2 * time.Millisecond // between two wishes, and between two half requests
	verifyPause   = 5 * time.Millisecond
)

// hostile measures wishes through the node's own socket, each until it is applied, while the bridge is left alone and while
// strangers are at it: half requests, the first half of pair-verify, and a phone that asks and does not read.
func (s *session) hostile(ctx context.Context) (alone, meanwhile times, err error) {
	a := newAPI(s.host.data + "/edge.sock")
	defer a.close()
	if alone, err = localRounds(ctx, a); err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	var strangers sync.WaitGroup
	defer func() {
		stop()
		strangers.Wait()
	}()
	for _, do := range []func(context.Context){s.halfRequests, s.halfVerifies, s.deafPhones} {
		strangers.Go(func() { do(ctx) })
	}
	meanwhile, err = localRounds(ctx, a)
	return alone, meanwhile, err
}

func localRounds(ctx context.Context, a *api) (took times, err error) {
	for i := range hostileRounds {
		began := time.Now()
		if err := a.set(ctx, lamp(0), onOff(i)); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if err := wait(ctx, hostilePause); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// halfRequests opens connection after connection and begins to ask something on each.
func (s *session) halfRequests(ctx context.Context) {
	var d net.Dialer
	for wait(ctx, hostilePause) == nil {
		c, err := d.DialContext(ctx, "tcp", s.host.addr)
		if err != nil {
			continue
		}
		if _, err := c.Write([]byte("POST /pair-setup HTTP/1.1\r\nContent-Length: 4000\r\n\r\n\x00")); err != nil {
			_ = c.Close()
			continue
		}
		// The bridge makes room when it needs it; here each stays open for a while.
		context.AfterFunc(ctx, func() { _ = c.Close() })
	}
}

// halfVerifies begins pair-verify, for which the bridge has to compute, and goes no further.
func (s *session) halfVerifies(ctx context.Context) {
	for wait(ctx, verifyPause) == nil {
		v, err := s.who.Verify(s.acc)
		if err != nil {
			return
		}
		c, err := haptest.Open(ctx, s.host.addr)
		if err != nil {
			continue
		}
		_, _ = c.PostTLV(ctx, "/pair-verify", v.M1()...) // what becomes of it is the bridge's business
		_ = c.Close()
	}
}

// deafPhones asks for the database again and again and reads nothing of it, until it is thrown out; then it comes back.
func (s *session) deafPhones(ctx context.Context) {
	ask := haptest.Request(http.MethodGet, "/accessories", "", nil)
	for wait(ctx, verifyPause) == nil {
		c, err := s.dial(ctx)
		if err != nil {
			continue
		}
		err = c.Subscribe(ctx, s.on...)
		for err == nil && ctx.Err() == nil {
			err = c.Send(ask)
		}
		_ = c.Close()
	}
}
