package mapper

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/edge/eventbus/topic"
)

// The bounds of a connection to the broker.
const (
	connectLimit = 10 * time.Second
	answerLimit  = 5 * time.Second // for a SUBACK, and for writing one message
	keepAlive    = 10 * time.Second
	lastWords    = 250 * time.Millisecond

	// maxNotes bounds the membership messages and presses that wait to be looked at. Who sends them faster breaks the
	// connection, and the next one begins with the whole list.
	maxNotes = 1024
	// maxFilters bounds the filters of one SUBSCRIBE.
	maxFilters = 64
)

// link is one connection to the broker. It is used once: after a break there is a new one with a new client, so that
// nothing of an old session can be mistaken for the new one's.
type link struct {
	client     paho.Client
	broken     chan error // gets the reason when the connection is lost
	notes      chan note  // what the mapper itself has to look at, in order
	flooded    chan struct{}
	subscribed map[string]bool // filters
}

// note is a message for the mapper itself.
type note struct {
	topic   string
	payload []byte
}

// clientID makes an id for the lifetime of a mapper, within the 23 bytes that every broker takes.
func clientID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "tb-mapper-" + hex.EncodeToString(b[:])
}

// connect opens a connection. Deltas are handed to delta as they come, within the goroutine that reads the connection,
// so it must not block. Everything else becomes a note.
func connect(ctx context.Context, cfg *Config, id string, delta func(topic.Topic, []byte)) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	l := &link{broken: make(chan error, 1), notes: make(chan note, maxNotes), flooded: make(chan struct{}), subscribed: map[string]bool{}}
	var unhook func() bool
	open := func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		conn, err := dial(ctx, u, cfg.TLS)
		if err == nil {
			unhook = context.AfterFunc(ctx, func() { conn.Close() }) // the broker's greeting is waited for within ctx too
		}
		return conn, err
	}
	l.client = paho.NewClient(paho.NewClientOptions().AddBroker(cfg.Broker).SetClientID(id).SetProtocolVersion(4).
		SetUsername(cfg.User).SetPassword(cfg.Password).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(connectLimit).
		SetKeepAlive(keepAlive).SetPingTimeout(keepAlive/2).SetWriteTimeout(answerLimit).
		SetBinaryWill(topic.Lost(id).String(), []byte("lost"), 0, false).
		SetConnectionLostHandler(func(_ paho.Client, err error) { l.broken <- err }).
		SetCustomOpenConnectionFn(open).
		SetDefaultPublishHandler(l.handler(delta)))
	token := l.client.Connect()
	<-token.Done()
	if err := token.Error(); err != nil {
		return nil, fmt.Errorf("connect to the MQTT broker at %s: %w", cfg.Broker, err)
	}
	if !unhook() {
		return nil, fmt.Errorf("connect to the MQTT broker at %s: %w", cfg.Broker, context.Cause(ctx))
	}
	return l, nil
}

// handler sorts what arrives. It never blocks: what it held up would be the connection.
func (l *link) handler(delta func(topic.Topic, []byte)) paho.MessageHandler {
	full := false
	return func(_ paho.Client, m paho.Message) {
		if m.Retained() {
			return // what was said long ago must not move anything
		}
		if t, err := topic.Parse(m.Topic()); err == nil && t.Kind == topic.TwinDelta {
			delta(t, m.Payload())
			return
		}
		select {
		case l.notes <- note{m.Topic(), m.Payload()}:
		default:
			if !full {
				full = true
				close(l.flooded)
			}
		}
	}
}

func dial(ctx context.Context, u *url.URL, conf *tls.Config) (net.Conn, error) {
	if u.Scheme == "tcp" || u.Scheme == "mqtt" {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", u.Host)
	}
	d := tls.Dialer{Config: conf}
	return d.DialContext(ctx, "tcp", u.Host)
}

// subscribe asks for all filters that were not asked for yet and waits for the broker's answer.
func (l *link) subscribe(ctx context.Context, filters ...string) error {
	batch := map[string]byte{}
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		token := l.client.SubscribeMultiple(batch, nil)
		if err := l.wait(ctx, token); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		if sub, ok := token.(*paho.SubscribeToken); ok {
			for f, qos := range sub.Result() {
				if qos > 2 {
					return fmt.Errorf("subscribe to %s: refused by the broker", f)
				}
			}
		}
		for f := range batch {
			l.subscribed[f] = true
		}
		clear(batch)
		return nil
	}
	for _, f := range filters {
		if l.subscribed[f] {
			continue
		}
		if batch[f] = 0; len(batch) == maxFilters {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// unsubscribe does not wait: what still comes is for a device that nobody has.
func (l *link) unsubscribe(filter string) {
	if l.subscribed[filter] {
		delete(l.subscribed, filter)
		l.client.Unsubscribe(filter)
	}
}

func (l *link) wait(ctx context.Context, token paho.Token) error {
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return errors.New("the broker does not answer")
	}
}

// publish sends with QoS 0: the device's state is told anew after every break, so nothing needs to be kept.
func (l *link) publish(to string, payload []byte) bool {
	token := l.client.Publish(to, 0, false, payload)
	select {
	case <-token.Done():
		return token.Error() == nil
	default:
		return true // handed over to the connection
	}
}

// close says good-bye, after what was published before: the client sends in order.
func (l *link) close() { l.client.Disconnect(uint(lastWords.Milliseconds())) }
