package eventbus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/twin"
)

// Connecting again: the first try comes after about a second, then with growing pauses. A connection that lasted begins
// anew.
const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// maxIn is how many messages may wait to be taken. Beyond it the connection is read more slowly, and the broker queues
// by its own bounds.
const maxIn = 512

// ExternalConfig is what a bus at an external broker is told.
type ExternalConfig struct {
	// Broker is its address: tcp://host:port (also mqtt://), or ssl://host:port (also tls://, mqtts://).
	Broker string
	// User and Password are for the broker, if it asks for them.
	User, Password string
	// TLS is used with the ssl schemes; nil means the system's roots.
	TLS *tls.Config
}

// External connects the twins of a node with MQTT by a broker that runs elsewhere. That shows neither who published nor
// who subscribed, so that the rules for it are others (rule 5, owner).
type External struct {
	cfg      ExternalConfig
	id       string
	log      *slog.Logger
	stats    *counters
	protocol *protocol
	in       chan parcel
	out      *outbox

	mu      sync.Mutex
	trouble error // why there is no connection; nil: there is one
	full    bool  // it was said that the broker takes too slowly
}

// NewExternal makes a bus. It connects in [External.Run]: a broker that is not there yet is no error. A setting that
// cannot work is a *twin.FieldError.
func NewExternal(cfg ExternalConfig, store *twin.Store, log *slog.Logger) (*External, error) {
	const want = "tcp://host:port or ssl://host:port"
	u, err := url.Parse(cfg.Broker)
	if err == nil && u.User != nil {
		return nil, &twin.FieldError{Field: "broker", Value: u.Redacted(), Want: want + "; user and password stand elsewhere"}
	}
	if err != nil || u.Hostname() == "" || u.Port() == "" || !slices.Contains([]string{"tcp", "mqtt", "ssl", "tls", "mqtts"}, u.Scheme) {
		return nil, &twin.FieldError{Field: "broker", Value: cfg.Broker, Want: want}
	}
	if cfg.TLS != nil && !secure(u) {
		return nil, &twin.FieldError{Field: "broker", Value: cfg.Broker, Want: "ssl://host:port, as certificates are named"}
	}
	e := &External{
		cfg: cfg, id: edgeID(store.NodeName()), log: log, stats: &counters{}, in: make(chan parcel, maxIn), out: newOutbox(),
		trouble: errors.New("not connected yet"),
	}
	e.protocol = newProtocol(store, e, e.stats, log)
	e.protocol.crew = newCrew()
	return e, nil
}

// secure reports whether a broker's address asks for TLS.
func secure(u *url.URL) bool { return u.Scheme != "tcp" && u.Scheme != "mqtt" }

// Stats gives the counters. Clients, Refused and Denied are the broker's own matter, and 0.
func (e *External) Stats() Stats { return e.stats.stats() }

// Trouble is why the broker cannot be reached; nil if it can.
func (e *External) Trouble() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.trouble
}

// Run serves until ctx ends. It waits for the broker as long as it takes, and comes back after every break.
func (e *External) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { e.protocol.run(ctx) })
	wg.Go(func() { e.protocol.mend(ctx) })
	wg.Go(func() { e.work(ctx) })
	pause := firstPause
	for {
		start := time.Now()
		err := e.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		e.note(fmt.Errorf("broker %s: %w", e.cfg.Broker, err))
		if time.Since(start) > maxPause {
			pause = firstPause
		}
		rest(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

// rest waits for about pause; many nodes do not come back at the same moment.
func rest(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause*3/4 + rand.N(pause/2))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// note keeps why there is no connection, and says it when it is another reason than before.
func (e *External) note(err error) {
	e.mu.Lock()
	before := e.trouble
	e.trouble = err
	e.mu.Unlock()
	if before == nil || gist(before) != gist(err) {
		e.log.Warn("no connection to the MQTT broker, trying again; devices stay as they are known", "error", err)
	}
}

// gist tells errors apart, but not by the port of the connection on which they came.
func gist(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + op.Err.Error()
	}
	return err.Error()
}

// serve works over one connection until it breaks, which is the error, or ctx ends.
func (e *External) serve(ctx context.Context) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	defer e.out.set(false)
	if err := s.subscribe(ctx, filters(e.protocol.store.NodeName())); err != nil {
		return err
	}
	e.out.set(true)
	e.mu.Lock()
	e.trouble, e.full = nil, false
	e.mu.Unlock()
	e.log.Info("connected to the MQTT broker", "broker", e.cfg.Broker, "client", e.id)
	e.protocol.connected()
	for {
		select {
		case <-ctx.Done():
			s.conn.hurry(lastWords)
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			return e.send(last, s) // answers to mappers that said goodbye
		case err := <-s.broken:
			return err
		case <-e.out.wake:
			if err := e.send(ctx, s); err != nil {
				return err
			}
		}
	}
}

// send publishes what waits. What found no room meanwhile is told again.
func (e *External) send(ctx context.Context, s *session) error {
	for {
		m, lost, ok := e.out.take()
		if !ok {
			return nil
		}
		if err := s.publish(ctx, m); err != nil {
			return s.why(fmt.Errorf("publish: %w", err))
		}
		e.protocol.retell(lost)
		select {
		case err := <-s.broken:
			return err
		default:
		}
	}
}

// publish implements publisher.
func (e *External) publish(topic string, payload []byte) {
	if e.out.put(parcel{topic, payload}) {
		return
	}
	e.stats.dropped.Add(1)
	e.mu.Lock()
	first := !e.full
	e.full = true
	e.mu.Unlock()
	if first {
		e.log.Warn("the MQTT broker takes too slowly; it is told the present state when it has caught up")
	}
}

// wanted implements publisher: nobody sees who subscribed, so everything is wanted while there is a connection.
func (e *External) wanted(string) bool { return e.out.isOpen() }

// pause implements publisher.
func (e *External) pause(ctx context.Context) { e.out.pause(ctx, patience) }

// receive takes a message of the broker, in the goroutine that reads the connection.
func (e *External) receive(s *session, seen *twice, m paho.Message) {
	if m.Retained() {
		return // what was said long ago must not move anything
	}
	if m.Qos() > 0 && seen.seen(m.MessageID(), m.Duplicate(), m.Topic(), m.Payload()) {
		e.stats.repeated.Add(1)
		return
	}
	select {
	case e.in <- parcel{m.Topic(), m.Payload()}:
	case <-s.ended:
	}
}

// work takes the messages in the order in which they came. There is one goroutine for all, so that a mapper's will is
// not taken before what it said last. It does not wait for the disk, but for the broker to take the answers: else these
// would be lost in a flood of questions.
func (e *External) work(ctx context.Context) {
	var unknown peer
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-e.in:
			e.out.pause(ctx, ownPatience)
			e.protocol.handle(ctx, &unknown, m.topic, m.payload)
		}
	}
}
