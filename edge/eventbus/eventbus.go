package eventbus

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"twinbridge/twin"
)

// DefaultClients is how many clients may be connected at a time if nothing else is said.
const DefaultClients = 1024

// Config is what a bus is told.
type Config struct {
	// Listen is the address of the broker, host:port. Port 0 takes a free one.
	Listen string
	// TLS, if set, encrypts. If it demands certificates of the clients, they are known by these.
	TLS *tls.Config
	// Allow, if set, lets a client in by user and password. Without it anybody is let in, which is allowed on loopback
	// only, or behind client certificates.
	Allow func(user string, password []byte) bool
	// Clients is how many may be connected at a time; 0: [DefaultClients].
	Clients int
}

// Bus connects the twins of a node with MQTT, by a broker of its own.
type Bus struct {
	log      *slog.Logger
	stats    *counters
	listener *listener
	broker   *broker
	protocol *protocol
	allow    func(user string, password []byte) bool
}

// New makes a bus and opens its port, so that a port that is taken shows at once. [Bus.Run] serves it; who never runs it
// calls [Bus.Close].
func New(cfg Config, store *twin.Store, log *slog.Logger) (*Bus, error) {
	if cfg.Clients <= 0 {
		cfg.Clients = DefaultClients
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT: %w", err)
	}
	known := cfg.Allow != nil || cfg.TLS != nil && cfg.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	if a, ok := l.Addr().(*net.TCPAddr); !known && (!ok || !a.IP.IsLoopback()) {
		_ = l.Close() // the error below is the one to tell
		return nil, &twin.FieldError{
			Field: "listen", Value: cfg.Listen,
			Want: "an address of this machine only, as 127.0.0.1:1883, or users with passwords, or certificates of the clients",
		}
	}
	if cfg.TLS != nil {
		l = tls.NewListener(l, cfg.TLS)
	}
	b := &Bus{log: log, stats: &counters{}, allow: cfg.Allow}
	b.broker = newBroker(cfg.Clients, log)
	// A few more, so that the broker can tell a client that there are too many.
	b.listener = newListener(l, cfg.Clients+16, log)
	b.protocol = newProtocol(store, b.broker, b.stats, log)
	return b, nil
}

// Addr is where the broker listens.
func (b *Bus) Addr() net.Addr { return b.listener.Addr() }

// Stats gives the counters.
func (b *Bus) Stats() Stats { return b.stats.stats() }

// Close gives up the port of a bus that is not run.
func (b *Bus) Close() error {
	b.listener.Close(func(string) {})
	return nil
}

// Run serves until ctx ends, then says goodbye to the clients and waits for all that it started. It can be called once.
// A broken connection during the end does not make devices offline: it is the node that leaves, not they.
func (b *Bus) Run(ctx context.Context) error {
	defer b.Close()
	h := &hook{ctx: ctx, broker: b.broker, protocol: b.protocol, allow: b.allow, stats: b.stats}
	if err := b.broker.server.AddHook(h, nil); err != nil {
		return fmt.Errorf("MQTT broker: %w", err)
	}
	if err := b.broker.serve(b.listener); err != nil {
		return err
	}
	b.protocol.run(ctx)
	b.broker.stop(b.listener)
	return nil
}
