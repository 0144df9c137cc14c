package mapper

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// Reconnecting: the first try comes at once, then with growing pauses.
const (
	firstReconnect = 100 * time.Millisecond
	maxReconnect   = 5 * time.Second
	askAgain       = 5 * time.Second // for the list of devices, until there is an answer
)

// Config is what a mapper needs to know.
type Config struct {
	// Node is the name of the node whose devices it moves.
	Node string
	// Broker is the broker's address: tcp://host:port (also mqtt://), or ssl://host:port (also tls://, mqtts://).
	Broker string
	// User and Password are for the broker, if it asks for them.
	User, Password string
	// TLS is used with the ssl schemes; nil means the system's roots.
	TLS *tls.Config
}

// Mapper moves the devices of a node whose protocol it has a driver for.
type Mapper struct {
	cfg     Config
	drivers map[string]Driver
	log     *slog.Logger
	id      string

	link atomic.Pointer[link] // nil while there is no connection

	mu      sync.RWMutex
	workers map[twin.Name]*worker
	running sync.WaitGroup
	leaving map[twin.Name]*worker // removed, perhaps not yet closed; of Run's goroutine alone

	reports, states, deltas atomic.Uint64
}

// Stats are counters since the start, and two gauges.
type Stats struct {
	Connected bool
	Devices   int
	Deltas    uint64 // received
	Reports   uint64 // sent
	States    uint64 // sent
}

// New makes a mapper. drivers are keyed by the protocol's name in lower case. A setting that cannot work is a
// *twin.FieldError.
func New(cfg Config, drivers map[string]Driver, log *slog.Logger) (*Mapper, error) {
	if cfg.Node == "" || strings.ContainsAny(cfg.Node, "/+#\x00") {
		return nil, &twin.FieldError{Field: "node", Value: cfg.Node, Want: "a name without '/', '+' or '#'"}
	}
	if !strings.Contains(cfg.Broker, "://") {
		cfg.Broker = "tcp://" + cfg.Broker
	}
	u, err := url.Parse(cfg.Broker)
	if err == nil && u.User != nil {
		return nil, &twin.FieldError{Field: "broker", Value: u.Redacted(), Want: "tcp://host:port or ssl://host:port; user and password stand elsewhere"}
	}
	if err != nil || u.Port() == "" || !slices.Contains([]string{"tcp", "mqtt", "ssl", "tls", "mqtts"}, u.Scheme) {
		return nil, &twin.FieldError{Field: "broker", Value: cfg.Broker, Want: "tcp://host:port or ssl://host:port"}
	}
	for name := range drivers {
		if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, "/+#") {
			return nil, &twin.FieldError{Field: "driver", Value: name, Want: "a name in lower case without '/', '+' or '#'"}
		}
	}
	return &Mapper{cfg: cfg, drivers: drivers, log: log, id: clientID(), workers: map[twin.Name]*worker{}, leaving: map[twin.Name]*worker{}}, nil
}

// Stats gives the counters of now.
func (m *Mapper) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Stats{Connected: m.link.Load() != nil, Devices: len(m.workers), Deltas: m.deltas.Load(), Reports: m.reports.Load(), States: m.states.Load()}
}

// Run moves devices until ctx ends. It waits for the broker as long as it takes, and comes back after every break; the
// devices stay open meanwhile. At the end every device is told offline and closed. It is called once.
func (m *Mapper) Run(ctx context.Context) error {
	// The devices end before the connection does, so that they can say good-bye.
	devices, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	pause, said := firstReconnect, ""
	var last *link // the one to say good-bye over
	for {
		start := time.Now()
		l, err := connect(ctx, &m.cfg, m.id, m.delta)
		if err == nil {
			m.log.Info("connected to the MQTT broker", "broker", m.cfg.Broker)
			said = ""
			err = m.serve(ctx, devices, l)
		}
		if ctx.Err() != nil {
			last = l
			break
		}
		if l != nil {
			m.link.Store(nil)
			l.close()
		}
		if text := err.Error(); text != said { // once, not at each try
			m.log.Warn("no connection to the MQTT broker, trying again", "error", err)
			said = text
		}
		if time.Since(start) > maxReconnect {
			pause = firstReconnect
		}
		rest(ctx, pause)
		pause = min(2*pause, maxReconnect)
	}
	stop()
	m.running.Wait()
	m.link.Store(nil)
	if last != nil {
		last.close()
	}
	return nil
}

// rest waits for about pause; many mappers do not come back at the same moment.
func rest(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause*3/4 + rand.N(pause/2))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// serve works over one connection until it breaks, which is the error, or ctx ends.
func (m *Mapper) serve(ctx, devices context.Context, l *link) error {
	filters := []string{topic.OfNode(topic.MembershipResult, m.cfg.Node).String(), topic.OfNode(topic.MembershipUpdated, m.cfg.Node).String()}
	for name, d := range m.drivers {
		if _, ok := d.(Presser); ok {
			filters = append(filters, pressTopic(name, "+", "+"))
		}
	}
	if err := l.subscribe(ctx, filters...); err != nil {
		return err
	}
	m.link.Store(l)
	v := &visit{m: m, l: l, devices: devices}
	v.ask()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-l.broken:
			return err
		case <-l.flooded:
			return errors.New("more messages than can be looked at")
		case <-again.C:
			if !v.answered {
				v.ask()
			}
		case n := <-l.notes:
			if err := v.look(ctx, n); err != nil {
				return err
			}
		}
	}
}

// delta puts a delta where its device's worker finds it.
func (m *Mapper) delta(t topic.Topic, payload []byte) {
	m.deltas.Add(1)
	m.mu.RLock()
	w := m.workers[t.Device]
	m.mu.RUnlock()
	if w != nil {
		w.inbox.putDelta(payload, time.Now())
	}
}
