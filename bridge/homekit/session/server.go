package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"twinbridge/bridge/homekit/frame"
)

// spare is how many connections that were closed may still be ending, before no other is accepted.
const spare = 16

// Server accepts connections and serves them.
type Server struct {
	cfg   Config
	begun time.Time
	pool  pool
	counters

	l       net.Listener
	slots   chan struct{} // one for each goroutine that serves a connection
	running sync.WaitGroup
	closing chan struct{}

	mu         sync.Mutex // guards all below
	closed     bool
	unverified []*Conn // in the order in which they came
	secured    []*Conn
	known      known
}

// New makes a server that listens nowhere yet.
func New(c Config) *Server {
	c = c.withDefaults()
	return &Server{
		cfg: c, begun: time.Now(),
		slots:   make(chan struct{}, c.MaxSecure+c.MaxUnverified+spare),
		closing: make(chan struct{}),
	}
}

// since is the time since the server began, never 0.
func (s *Server) since() int64 { return int64(time.Since(s.begun)) + 1 }

// Run serves until ctx ends or Close is called. Replies that are on their way then have Grace to arrive; Run returns when
// every connection is closed and every Peer has been told.
func (s *Server) Run(ctx context.Context) error {
	if s.l == nil {
		return errors.New("homekit: the server listens nowhere")
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // Run ends, that is all there is to tell
	defer stop()
	s.accept()
	grace := time.AfterFunc(s.cfg.Grace, s.killAll)
	defer grace.Stop()
	s.running.Wait()
	return nil
}

// Close ends Run, or gives up a listener that Run will not serve. It does not wait.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	all := slices.Concat(s.unverified, s.secured)
	s.mu.Unlock()
	close(s.closing)
	var err error
	if s.l != nil {
		err = s.l.Close()
	}
	for _, c := range all {
		c.End()
	}
	return err
}

func (s *Server) killAll() {
	s.mu.Lock()
	all := slices.Concat(s.unverified, s.secured)
	s.mu.Unlock()
	for _, c := range all {
		c.kill()
	}
}

// accept takes connections until the server is closed.
func (s *Server) accept() {
	var pause time.Duration // after errors
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.closing:
			return
		}
		nc, err := s.l.Accept()
		if err == nil {
			pause = 0
			s.admit(nc)
			continue
		}
		<-s.slots
		select {
		case <-s.closing:
			return
		default:
		}
		// No descriptors or no memory: both may come back.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.cfg.Log.Warn("homekit: no connection can be accepted", "err", err, "again_in", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.closing:
			t.Stop()
			return
		}
	}
}

// admit begins to serve a connection; it has a slot.
func (s *Server) admit(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.slots
		_ = nc.Close() // nobody has seen it
		return
	}
	s.accepted.Add(1)
	s.unverified = append(s.unverified, c)
	var out *Conn
	if len(s.unverified) > s.cfg.MaxUnverified {
		out = s.pushOut()
	}
	s.running.Go(func() {
		defer func() { <-s.slots }()
		c.run()
		s.leave(c)
	})
	s.mu.Unlock()
	if out != nil {
		out.kill()
	}
}

// pushOut takes an unverified connection from the list, to be killed; mu is held.
func (s *Server) pushOut() *Conn {
	guests := make([]guest, len(s.unverified))
	for i, c := range s.unverified {
		guests[i] = guest{from: c.from, known: s.known.has(c.from), asked: c.asked.Load() != 0}
	}
	i := whoGoes(guests)
	out := s.unverified[i]
	s.unverified = slices.Delete(s.unverified, i, i+1)
	s.evicted.Add(1)
	return out
}

// promote makes room for c among the secure connections; false: there is none, or c was pushed out meanwhile.
func (s *Server) promote(c *Conn) bool {
	if c.Secure() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.unverified, c)
	if i < 0 || s.closed {
		return false
	}
	if len(s.secured) >= s.cfg.MaxSecure {
		j := s.longestIdle()
		if j < 0 {
			s.refused.Add(1)
			s.cfg.Log.Warn("homekit: no room for another secure connection", "remote", c.nc.RemoteAddr(), "limit", s.cfg.MaxSecure)
			return false
		}
		s.evicted.Add(1)
		s.secured[j].End()
		s.secured = slices.Delete(s.secured, j, j+1)
	}
	s.unverified = slices.Delete(s.unverified, i, i+1)
	s.secured = append(s.secured, c)
	if c.from.IsValid() {
		s.known.add(c.from)
	}
	return true
}

// longestIdle gives the secure connection without a request for longest, -1 if that is not Idle yet; mu is held.
func (s *Server) longestIdle() int {
	at, oldest := -1, s.since()-int64(s.cfg.Idle)
	for i, c := range s.secured {
		if asked := c.asked.Load(); asked <= oldest {
			at, oldest = i, asked
		}
	}
	return at
}

// leave forgets a connection that is over.
func (s *Server) leave(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range []*[]*Conn{&s.unverified, &s.secured} {
		if i := slices.Index(*list, c); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
	}
}

// ended counts and tells why a connection is over.
func (s *Server) ended(c *Conn, err error) {
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errEnded):
	case isTimeout(err) && !c.Secure():
		s.expired.Add(1)
	default:
		if errors.Is(err, frame.ErrTag) || errors.Is(err, frame.ErrLength) {
			s.broken.Add(1)
		}
		s.cfg.Log.LogAttrs(context.Background(), slog.LevelDebug, "homekit: connection ended",
			slog.Any("remote", c.nc.RemoteAddr()), slog.Bool("secure", c.Secure()), slog.Any("err", err))
	}
}
