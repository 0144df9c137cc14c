package eventbus

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"twinbridge/edge/eventbus/topic"
)

// The bounds of a connection to an external broker.
const (
	connectLimit = 10 * time.Second       // from the name's lookup to the broker's greeting
	answerLimit  = 5 * time.Second        // for a SUBACK, and for writing one packet
	keepAlive    = 10 * time.Second       // a broker that hangs is noticed after one and a half
	handLimit    = 250 * time.Millisecond // how long the library tries at a time to hand a packet to its writer
	lastWords    = 250 * time.Millisecond
)

// session is one connection to an external broker. It is used once: after a break there is a new one with a new client,
// so that nothing of the old one can be mistaken for the new one's.
type session struct {
	client paho.Client
	conn   *frames
	broken chan error    // gets the reason when the connection is lost
	ended  chan struct{} // closed when nobody takes what comes any more
}

// edgeID makes the client id of a node's process, within the 23 bytes that every broker takes: what fits of the node's
// name, and a random end, so that a second process does not push the first one out.
func edgeID(node string) string {
	const most = 12
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return -1
	}, node)
	var b [3]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "tb-" + name[:min(len(name), most)] + "-" + hex.EncodeToString(b[:])
}

// open connects to the broker. What comes is handed to take in the order of its arrival, in the goroutine that reads the
// connection: what take waits for is not read meanwhile.
func (e *External) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	s := &session{broken: make(chan error, 1), ended: make(chan struct{})}
	unhook := func() bool { return false }
	dial := func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		conn, err := dial(ctx, u, e.cfg.TLS)
		if err != nil {
			return nil, err
		}
		s.conn = newFrames(conn, answerLimit)
		unhook = context.AfterFunc(ctx, func() { conn.Close() }) // the broker's greeting is waited for within ctx too
		return s.conn, nil
	}
	seen := newTwice()
	s.client = paho.NewClient(paho.NewClientOptions().AddBroker(e.cfg.Broker).SetClientID(e.id).SetProtocolVersion(4).
		SetUsername(e.cfg.User).SetPassword(e.cfg.Password).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(connectLimit).
		SetKeepAlive(keepAlive).SetPingTimeout(keepAlive / 2).SetWriteTimeout(handLimit).
		SetConnectionLostHandler(func(_ paho.Client, err error) { s.broken <- err }).
		SetCustomOpenConnectionFn(dial).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { e.receive(s, seen, m) }))
	token := s.client.Connect()
	<-token.Done()
	err := token.Error()
	if err == nil && !unhook() {
		err = context.Cause(ctx)
	}
	if errors.Is(err, packets.ErrorRefusedNotAuthorised) || errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) {
		err = fmt.Errorf("the broker refuses user or password: %w", err)
	}
	if err != nil {
		unhook()
		if s.conn != nil {
			_ = s.conn.Close() // the error to tell is the one above
		}
		return nil, err
	}
	return s, nil
}

func dial(ctx context.Context, u *url.URL, conf *tls.Config) (net.Conn, error) {
	if !secure(u) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", u.Host)
	}
	d := tls.Dialer{Config: conf}
	return d.DialContext(ctx, "tcp", u.Host)
}

// filters are what the edge has to hear, and nothing of what it says itself.
func filters(node string) map[string]byte {
	list := map[string]byte{
		topic.OfNode(topic.MembershipGet, node).String(): 1,
		topic.Filter(topic.MapperLost, topic.TwoLevel):   1,
	}
	for _, k := range []topic.Kind{topic.TwinUpdate, topic.TwinGet, topic.StateUpdate} {
		list[topic.Filter(k, topic.OneLevel)] = 1
		list[topic.Filter(k, topic.TwoLevel)] = 1
	}
	return list
}

// subscribe asks for all filters and waits for the broker's answer. A broker that refuses one would leave mappers
// unheard, so that is an error.
func (s *session) subscribe(ctx context.Context, list map[string]byte) error {
	token := s.client.SubscribeMultiple(list, nil)
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	select {
	case <-token.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return errors.New("subscribe: the broker does not answer")
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	sub, ok := token.(*paho.SubscribeToken)
	if !ok {
		return errors.New("subscribe: no answer")
	}
	got := sub.Result()
	for _, f := range slices.Sorted(maps.Keys(list)) {
		if qos, ok := got[f]; !ok || qos > 2 {
			return fmt.Errorf("subscribe to %s: refused by the broker; its access rules have to let this user read it", f)
		}
	}
	return nil
}

// publish hands a message to the connection, QoS 0 and not retained. It waits while the connection takes nothing; when
// that lasts too long the connection breaks.
func (s *session) publish(ctx context.Context, m parcel) error {
	for {
		token := s.client.Publish(m.topic, 0, false, m.payload)
		select {
		case <-token.Done():
		default:
			return nil // handed over
		}
		err := token.Error()
		if err == nil || !s.client.IsConnectionOpen() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// why gives the reason why the connection was lost, which tells more than the error of who noticed it.
func (s *session) why(err error) error {
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	select {
	case reason := <-s.broken:
		return reason
	case <-limit.C:
		return err
	}
}

// close says goodbye, after what was published before, and ends what waits for the connection.
func (s *session) close() {
	close(s.ended)
	s.conn.hurry(lastWords)
	s.client.Disconnect(uint(lastWords.Milliseconds()))
	_ = s.conn.Close() // mostly closed already
}
