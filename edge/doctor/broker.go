package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"
)

// Broker is an MQTT broker, as the configuration names it.
type Broker struct {
	URL            string // tcp://host:port or ssl://host:port
	Own            bool   // it is in the node's own process
	User, Password string
	TLS            *tls.Config // with the ssl schemes; nil: the system's certificates
	Err            error       // why TLS cannot be read; nil: it can
	Dial           Dial
	Now            func() time.Time
}

// CheckBroker connects to the broker as a client of it would, and leaves at once.
func CheckBroker(n *Node, b Broker) Check {
	return Check{Name: "broker", Look: func(ctx context.Context) Finding {
		_, running := n.Health(ctx)
		switch {
		case b.Err != nil:
			return found(Fail, b.Err.Error(), "correct mqtt.ca, mqtt.certificate and mqtt.key")
		case b.URL == "":
			return found(Skipped, "the broker in the node's process takes any free port; the line that begins with ready: says which")
		case b.Own && errors.Is(running, ErrNotRunning):
			return found(Skipped, "the broker is in the node's process, which does not run")
		}
		u, err := url.Parse(b.URL)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			return found(Fail, fmt.Sprintf("%q is no address of a broker", b.URL), "set mqtt.broker to tcp://host:port or ssl://host:port")
		}
		at := u.Redacted()
		start := b.Now()
		c, err := b.Dial(ctx, "tcp", u.Host)
		if err != nil {
			return found(Fail, at+": "+err.Error(), unreachable(err, "the broker")...)
		}
		defer func() { _ = c.Close() }() // it is done with
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		if slices.Contains([]string{"ssl", "tls", "mqtts"}, u.Scheme) {
			t, err := Handshake(ctx, c, b.config(u))
			if err != nil {
				return found(Fail, at+": TLS: "+err.Error(), tlsTrouble(err, b.Now(), "name its authority's certificate by mqtt.ca")...)
			}
			c = t
		}
		code, err := greet(c, "twinbridge-doctor-"+rand.Text()[:8], b.User, b.Password)
		if err != nil {
			return found(Fail, at+": "+err.Error(), noConnack(err)...)
		}
		return b.judge(at, code, b.Now().Sub(start))
	}}
}

// config is how TLS is spoken with the broker.
func (b *Broker) config(u *url.URL) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.TLS != nil {
		c = b.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = u.Hostname()
	}
	return c
}

func noConnack(err error) []string {
	switch {
	case errors.Is(err, errNoMQ):
		return []string{"that is no MQTT broker: correct the address"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return []string{
			"it closed without a word: some brokers do so with a wrong user or password, or where they want TLS (ssl://)",
			"its log says why",
		}
	case alerted(err):
		return []string{notLiked + "; it is mqtt.certificate"}
	}
	return []string{"it took the connection and says nothing: it may want TLS (ssl://), or hang; its log may say more"}
}

// judge tells what a return code means, MQTT 3.1.1 clause 3.2.2.3.
func (b *Broker) judge(at string, code byte, took time.Duration) Finding {
	switch code {
	case connAccepted:
		seen := fmt.Sprintf("%s: connected in %v", at, took.Round(time.Millisecond))
		if b.User != "" {
			seen += " as user " + b.User
		}
		return found(OK, seen)
	case connCredentials, connDenied:
		who := "without a user"
		if b.User != "" {
			who = "with user " + b.User
		}
		return found(Fail, fmt.Sprintf("%s: refused %s (code %d)", at, who, code),
			"set mqtt.user and mqtt.password to what the broker knows", "its list of users and its log say more")
	case connVersion:
		return found(Fail, at+": it does not speak MQTT 3.1.1", "use a broker that does, as Mosquitto")
	case connIdentifier:
		return found(Warn, at+": it answers, and refuses the doctor's client id", "it may take certain ids only: allow those that begin with twinbridge")
	}
	return found(Fail, fmt.Sprintf("%s: it answers that it is not available (code %d)", at, code), "its log says why")
}
