package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Dead connections go away by themselves: after deadAfter without an answer, to probes or to what was written.
const (
	keepIdle   = time.Minute
	keepEvery  = 15 * time.Second
	keepProbes = 4
	deadAfter  = 2 * time.Minute
)

// Listen opens addr, as ":51827": of both families where no address is named. Port 0 takes any. A port of a server that
// has just ended is free at once.
func (s *Server) Listen(addr string) error {
	lc := net.ListenConfig{
		Control:         control,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepIdle, Interval: keepEvery, Count: keepProbes},
	}
	lc.SetMultipathTCP(false) // controllers are on the same network
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("homekit: %w", err)
	}
	if err := s.Use(l); err != nil {
		return errors.Join(err, l.Close())
	}
	return nil
}

// Use serves connections of a listener that was opened elsewhere. The server closes it.
func (s *Server) Use(l net.Listener) error {
	if s.l != nil {
		return errors.New("homekit: the server listens already")
	}
	s.l = l
	return nil
}

// Addr is the address that is listened on, with its real port; nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.l == nil {
		return nil
	}
	return s.l.Addr()
}
