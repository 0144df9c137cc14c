package eventbus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"twinbridge/edge/eventbus/topic"
)

// Bounds of the broker.
const (
	// maxPacket leaves room above topic.MaxPayload, so that a payload that is too long can be answered; beyond it the
	// library closes the connection.
	maxPacket = 2 * topic.MaxPayload

	maxInflight   = 1024 // QoS 1 and 2 messages that wait for one client
	sessionTime   = time.Hour
	maxRetained   = 1024  // retained messages
	maxFilters    = 40000 // subscriptions of one client: two shapes of each of twin.MaxDevices
	maxAsker      = 64    // bytes of a client id that are kept as the asker of a wish
	quietInterval = 24 * time.Hour
)

// broker is the embedded MQTT broker.
type broker struct {
	server *mqtt.Server
	self   *mqtt.Client // whom the library believes our messages to come from; it has no connection
	log    *slog.Logger

	mu   sync.Mutex
	full map[*link]bool // links that were seen crowded
}

func newBroker(most int, log *slog.Logger) *broker {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClients = int64(most)
	c.MaximumPacketSize = maxPacket
	c.MaximumClientWritesPending = queueLength
	c.MaximumInflight = maxInflight
	c.ReceiveMaximum = maxInflight
	c.MaximumSessionExpiryInterval = uint32(sessionTime / time.Second)
	c.TopicAliasMaximum = 0 // the library checks permissions before it resolves an alias
	server := mqtt.New(&mqtt.Options{
		Capabilities: c,
		Logger:       slog.New(quieter{log.Handler()}),
		// The library stops the world for its $SYS figures; ours are in Stats.
		SysTopicResendInterval: int64(quietInterval / time.Second),
	})
	b := &broker{server: server, log: log, full: map[*link]bool{}}
	b.self = server.NewClient(nil, "", "", true)
	return b
}

// publish sends a message to all who subscribed: QoS 0, not retained. It does not wait for anybody.
func (b *broker) publish(name string, payload []byte) {
	err := b.server.InjectPacket(b.self, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
		TopicName:   name,
		Payload:     payload,
	})
	if err != nil {
		b.log.Error("publish to MQTT clients", "topic", name, "error", err)
	}
}

// wanted reports whether anybody subscribed to a topic.
func (b *broker) wanted(name string) bool {
	s := b.server.Topics.Subscribers(name)
	return len(s.Subscriptions) > 0 || len(s.Shared) > 0
}

// sessionsFull reports whether as many sessions are kept as may be, of clients that are here and that are away.
func (b *broker) sessionsFull() bool {
	return int64(b.server.Clients.Len()) >= 2*b.server.Options.Capabilities.MaximumClients
}

// pause waits for clients that have much to read, so that a long row of messages reaches them whole.
func (b *broker) pause(ctx context.Context) {
	b.mu.Lock()
	var busy []*link
	for l := range b.full {
		if l.crowded() {
			busy = append(busy, l)
		} else {
			delete(b.full, l)
		}
	}
	b.mu.Unlock()
	for _, l := range busy {
		l.wait(ctx)
	}
}

// crowd remembers that a link has much to read.
func (b *broker) crowd(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full[l] = true
}

// forget ends what is remembered of a link.
func (b *broker) forget(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.full, l)
}

// serve begins to serve the listener; stop ends it.
func (b *broker) serve(l *listener) error {
	if err := b.server.AddListener(l); err != nil {
		return fmt.Errorf("MQTT broker: %w", err)
	}
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("MQTT broker: %w", err)
	}
	return nil
}

// stop ends the listener, then the library. The library would end the listener itself, but it locks its clients for
// reading twice in one call, and a client that leaves in between stops both for ever.
func (b *broker) stop(l *listener) {
	l.Close(func(string) { b.sayGoodbye() })
	if err := b.server.Close(); err != nil {
		b.log.Error("stop MQTT broker", "error", err)
	}
}

// sayGoodbye tells the clients that are here that the broker ends (MQTT 5 section 4.13), and closes them.
func (b *broker) sayGoodbye() {
	for _, c := range b.server.Clients.GetAll() {
		if c.Net.Listener == listenerID && !c.Closed() {
			if err := b.server.DisconnectClient(c, packets.ErrServerShuttingDown); err != nil {
				b.log.Debug("say goodbye", "client", c.ID, "error", err)
			}
		}
	}
}

// quieter makes the library's news ours to keep quiet about: it warns of each keepalive of 5 s and of each client that
// breaks off. Its errors stay errors.
type quieter struct{ slog.Handler }

func (q quieter) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, quietLevel(l))
}

func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.Level = quietLevel(r.Level)
	return q.Handler.Handle(ctx, r)
}

func (q quieter) WithAttrs(a []slog.Attr) slog.Handler { return quieter{q.Handler.WithAttrs(a)} }
func (q quieter) WithGroup(name string) slog.Handler   { return quieter{q.Handler.WithGroup(name)} }

func quietLevel(l slog.Level) slog.Level {
	if l < slog.LevelError {
		return min(l, slog.LevelDebug)
	}
	return l
}
