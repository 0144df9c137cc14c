package edgehub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

// Pauses before the next dial: doubled from the first to the last, each shortened by chance by up to a half, so that a
// thousand nodes do not come back in one moment. A node whose sessions are taken over by another waits longer.
const (
	firstPause  = time.Second
	lastPause   = 15 * time.Second
	fencedPause = 60 * time.Second
	// goodAfter is how long a session lasts until the pauses begin anew.
	goodAfter = 20 * time.Second
	// dialTime is what one attempt may take.
	dialTime = 15 * time.Second
)

// Config is what an EdgeHub is told.
type Config struct {
	// Hubs are the addresses of the hub, as https://host:port, tried in turn.
	Hubs func() []string
	// TLS gives the configuration of the next connection: the certificate may have been renewed.
	TLS func() *tls.Config
	// Dial opens a connection; nil: the network's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// EdgeHub is the node's side of the link.
type EdgeHub struct {
	cfg   Config
	store *twin.Store
	log   *slog.Logger

	mu    sync.Mutex
	stats Stats
}

// Stats tells how the link is.
type Stats struct {
	Connected bool
	Since     time.Time // when it came up, or went down
	Trouble   string    // why it is down
	Sessions  uint64    // that came up
}

// New makes an EdgeHub. Run keeps the link.
func New(cfg Config, store *twin.Store, log *slog.Logger) *EdgeHub {
	return &EdgeHub{cfg: cfg, store: store, log: log, stats: Stats{Trouble: "not connected yet"}}
}

// Stats tells how the link is.
func (e *EdgeHub) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Run keeps the link until ctx ends: it never fails for good.
func (e *EdgeHub) Run(ctx context.Context) error {
	pause := time.Duration(0)
	for turn := 0; ; turn++ {
		hubs := e.cfg.Hubs()
		err := errors.New("the hub has no address")
		lasted := time.Duration(0)
		if len(hubs) > 0 {
			lasted, err = e.session(ctx, hubs[turn%len(hubs)])
		}
		if ctx.Err() != nil {
			return nil
		}
		e.down(err)
		pause = next(pause, lasted, err)
		wait := time.NewTimer(pause - time.Duration(rand.Int64N(int64(pause/2))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}

// next gives the pause after a session that lasted so long.
func next(pause, lasted time.Duration, err error) time.Duration {
	var closed *wire.ClosedError
	switch {
	case errors.As(err, &closed) && (closed.Code == wire.CodeFenced || closed.Code == wire.CodeRevoked || closed.Code == wire.CodeVersion):
		return min(max(2*pause, firstPause), fencedPause)
	case lasted >= goodAfter:
		return firstPause
	}
	return min(max(2*pause, firstPause), lastPause)
}

// session dials and carries one session.
func (e *EdgeHub) session(ctx context.Context, hub string) (lasted time.Duration, err error) {
	c, err := e.dial(ctx, hub)
	if err != nil {
		return 0, err
	}
	s := NewSession(&told{e.store, e.log})
	pump := wire.NewPump(c, s, true)
	done := make(chan struct{})
	var wakes sync.WaitGroup
	wakes.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-e.store.LinkC():
				pump.Poke()
			}
		}
	})
	start := time.Now()
	e.up(hub)
	err = pump.Run(ctx)
	close(done)
	wakes.Wait()
	s.Close()
	return time.Since(start), err
}

func (e *EdgeHub) dial(ctx context.Context, hub string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	dialer := websocket.Dialer{
		NetDialContext: e.cfg.Dial, TLSClientConfig: e.cfg.TLS(), HandshakeTimeout: dialTime, Subprotocols: []string{wire.Subprotocol},
		ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10,
	}
	c, answer, err := dialer.DialContext(ctx, "wss"+strings.TrimPrefix(hub, "https")+wire.Path, nil) //nolint:bodyclose // gorilla: it need not be closed
	if err != nil {
		return nil, dialError(hub, answer, err)
	}
	return c, nil
}

// dialError says what the hub answered, if it did.
func dialError(hub string, answer *http.Response, err error) error {
	if answer == nil || !errors.Is(err, websocket.ErrBadHandshake) {
		return fmt.Errorf("connect to hub %s: %w", hub, err)
	}
	const most = 512
	text, _ := io.ReadAll(io.LimitReader(answer.Body, most)) // what can be read of it
	return fmt.Errorf("connect to hub %s: it answers %s: %s", hub, answer.Status, strings.TrimSpace(string(text)))
}

func (e *EdgeHub) up(hub string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats = Stats{Connected: true, Since: time.Now(), Sessions: e.stats.Sessions + 1}
	e.log.Info("connected to the hub", "hub", hub)
}

// down notes why the link is down. The log tells each reason once.
func (e *EdgeHub) down(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	why := err.Error()
	if e.stats.Connected || e.stats.Trouble != why {
		e.log.Warn("no link to the hub; the house goes on, and dials again", "why", why)
	}
	if e.stats.Connected {
		e.stats.Since = time.Now()
	}
	e.stats.Connected, e.stats.Trouble = false, why
}

// told is the store, with a word in the log about what either side does not take.
type told struct {
	*twin.Store
	log *slog.Logger
}

// RefusedByHub implements [Twins].
func (t *told) RefusedByHub(r twin.Refusal) {
	t.log.Warn("the hub does not take a device of this node", "device", r.Name.String(), "why", r.Reason)
	t.Store.RefusedByHub(r)
}

// DefineCloud implements [Twins].
func (t *told) DefineCloud(d twin.Definition) error {
	err := t.Store.DefineCloud(d)
	if err != nil {
		t.log.Warn("a device of the hub is not taken", "device", d.Device.Name.String(), "why", err)
	}
	return err
}
