package cloudhub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

// DefaultSessions is how many nodes may be connected at a time if nothing else is said.
const DefaultSessions = twin.MaxHubNodes

// sweepEvery is how often certificates of connected nodes are looked at.
const sweepEvery = 30 * time.Second

// Identity is who a node has proved to be.
type Identity struct {
	Node    string
	Expires time.Time // of its certificate
}

// Config is what a hub is told.
type Config struct {
	// Identify tells who sends a request, by the certificate of its connection.
	Identify func(*http.Request) (Identity, error)
	// Expires tells until when the certificates of a node are good that it was given last; a session outlives the
	// certificate with which it began.
	Expires func(node string) time.Time
	// Sessions is how many nodes may be connected at a time; 0: [DefaultSessions].
	Sessions int
	// Now tells the time that certificates are held against; nil: the system's.
	Now func() time.Time
}

// Hub takes the sessions of the nodes. It is an http.Handler: a request that proves a node's identity becomes its
// session.
type Hub struct {
	cfg      Config
	twins    Twins
	log      *slog.Logger
	upgrader websocket.Upgrader
	running  sync.WaitGroup

	mu       sync.Mutex // guards all below
	ctx      context.Context
	sessions map[string]*connection
	coming   int // requests whose session has not begun yet
	stats    Stats
}

// Stats counts what a hub did.
type Stats struct {
	Sessions int    // connected now
	Begun    uint64 // sessions that began
	Fenced   uint64 // that were ended by a newer one
	Denied   uint64 // requests without a good certificate
	Broken   uint64 // sessions that ended because of what the node said
}

// connection is one session and its pump.
type connection struct {
	node    string
	from    string    // its address
	expires time.Time // guarded by the hub's lock
	pump    *wire.Pump
}

// New makes a hub. It takes sessions while Run runs.
func New(cfg Config, twins Twins, log *slog.Logger) *Hub {
	if cfg.Sessions <= 0 {
		cfg.Sessions = DefaultSessions
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Hub{
		cfg: cfg, twins: twins, log: log, sessions: map[string]*connection{},
		upgrader: websocket.Upgrader{
			ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{},
			HandshakeTimeout: 10 * time.Second, Subprotocols: []string{wire.Subprotocol},
			CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "" }, // no page has business here
		},
	}
}

// Run lets nodes in until ctx ends, then ends all sessions and waits for them.
func (h *Hub) Run(ctx context.Context) error {
	h.mu.Lock()
	h.ctx = ctx
	h.mu.Unlock()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			h.mu.Lock()
			h.ctx = nil
			h.mu.Unlock()
			h.running.Wait()
			return nil
		case <-sweep.C:
			h.sweep()
		}
	}
}

// ServeHTTP begins a session. It returns once the connection is handed over, so that what the HTTP server keeps for a
// request is not kept for a session.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, err := h.cfg.Identify(r)
	if err != nil {
		h.count(func(s *Stats) { s.Denied++ })
		h.log.Warn("a session is refused", "from", r.RemoteAddr, "error", err)
		http.Error(w, "a certificate of this hub is needed: "+err.Error(), http.StatusForbidden)
		return
	}
	h.mu.Lock()
	ctx := h.ctx
	full := h.sessions[who.Node] == nil && len(h.sessions)+h.coming >= h.cfg.Sessions
	if ctx == nil || full {
		h.mu.Unlock()
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the hub takes no more sessions now", http.StatusServiceUnavailable)
		return
	}
	h.running.Add(1)
	h.coming++
	h.mu.Unlock()
	c, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		h.mu.Lock()
		h.coming--
		h.mu.Unlock()
		h.running.Done()
		h.log.Debug("a session did not begin", "node", who.Node, "error", err)
		return
	}
	this, session := h.begin(who, c, r.RemoteAddr)
	// Now that it is in the list a revocation ends it; one that came a moment ago did not.
	if _, err := h.cfg.Identify(r); err != nil {
		this.pump.Close(wire.CodeRevoked, err.Error())
	}
	// Nothing of the request goes along: it would be kept as long as the session.
	go h.carry(ctx, this, session)
}

// begin makes a connection the session of its node, and ends an older one.
func (h *Hub) begin(who Identity, c *websocket.Conn, from string) (*connection, *Session) {
	h.mu.Lock()
	older := h.sessions[who.Node]
	session := NewSession(who.Node, h.twins) // fences the older one, before anything else is said
	this := &connection{node: who.Node, from: from, expires: who.Expires, pump: wire.NewPump(c, session, false)}
	h.sessions[who.Node] = this
	h.coming--
	h.stats.Begun++
	if older != nil {
		h.stats.Fenced++
	}
	h.mu.Unlock()
	if older != nil {
		h.log.Warn("a node has begun another session: the older one is ended; if this goes on, two machines have its certificate",
			"node", who.Node, "from", from)
		older.pump.Close(wire.CodeFenced, "the node has begun another session")
	}
	h.log.Info("node connected", "node", who.Node, "from", from)
	return this, session
}

// carry carries a session to its end.
func (h *Hub) carry(ctx context.Context, this *connection, session *Session) {
	defer h.running.Done()
	err := this.pump.Run(ctx)
	session.Close()
	h.mu.Lock()
	if h.sessions[this.node] == this {
		delete(h.sessions, this.node)
	}
	broken := errors.Is(err, wire.ErrMessage) || errors.Is(err, wire.ErrVersion)
	if broken {
		h.stats.Broken++
	}
	h.mu.Unlock()
	level := slog.LevelInfo
	if broken {
		level = slog.LevelWarn
	}
	h.log.Log(ctx, level, "node disconnected", "node", this.node, "from", this.from, "why", err)
}

// Wake tells that there may be something to tell a node.
func (h *Hub) Wake(node string) {
	h.mu.Lock()
	c := h.sessions[node]
	h.mu.Unlock()
	if c != nil {
		c.pump.Poke()
	}
}

// End ends the session of a node whose certificate is no longer good.
func (h *Hub) End(node, reason string) {
	h.mu.Lock()
	c := h.sessions[node]
	h.mu.Unlock()
	if c != nil {
		c.pump.Close(wire.CodeRevoked, reason)
	}
}

// sweep ends sessions whose certificate has expired and was not renewed.
func (h *Hub) sweep() {
	now := h.cfg.Now()
	var over []*connection
	h.mu.Lock()
	for _, c := range h.sessions {
		if now.Before(c.expires) {
			continue
		}
		if h.cfg.Expires != nil {
			c.expires = h.cfg.Expires(c.node)
		}
		if !now.Before(c.expires) {
			over = append(over, c)
		}
	}
	h.mu.Unlock()
	for _, c := range over { // a close may wait for a line that is stuck
		reason := fmt.Sprintf("the certificate expired at %s", c.expires.UTC().Format(time.RFC3339))
		h.running.Go(func() { c.pump.Close(wire.CodeRevoked, reason) })
	}
}

func (h *Hub) count(f func(*Stats)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.stats)
}

// Stats gives the counters.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Sessions = len(h.sessions)
	return s
}
