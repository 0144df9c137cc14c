package edge

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"

	"twinbridge/edge/eventbus"
	"twinbridge/twin"
)

// bus is the node's side of MQTT: with a broker in this process, or with one elsewhere.
type bus struct {
	addr  string // host:port of the broker
	run   func(context.Context) error
	close func() error
	stats func() eventbus.Stats
	// trouble is why the broker cannot be reached, nil if it can; the field is nil where it is this process.
	trouble func() error
}

// health is why there is no MQTT; nil if there is.
func (b *bus) health() error {
	if b.trouble == nil {
		return nil
	}
	if err := b.trouble(); err != nil {
		return fmt.Errorf("mqtt: %w", err)
	}
	return nil
}

// openBus opens the port of the broker in this process; if a broker elsewhere is named, none is opened.
func (o *Options) openBus(store *twin.Store) (*bus, error) {
	if o.Config.MQTT.Broker != "" {
		return o.externalBus(store)
	}
	c := eventbus.Config{Listen: o.Config.MQTT.Listen}
	if user := o.Config.MQTT.User; user != "" {
		password := []byte(o.Config.MQTT.Password)
		c.Allow = func(u string, p []byte) bool {
			return subtle.ConstantTimeCompare([]byte(u), []byte(user))&subtle.ConstantTimeCompare(p, password) == 1
		}
	}
	var err error
	if c.TLS, err = serverTLS(o.Config.MQTT.Certificate, o.Config.MQTT.Key); err != nil {
		return nil, err
	}
	b, err := eventbus.New(c, store, o.Log)
	if err != nil {
		return nil, o.listenError("mqtt.listen", err)
	}
	return &bus{addr: b.Addr().String(), run: b.Run, close: b.Close, stats: b.Stats}, nil
}

func (o *Options) externalBus(store *twin.Store) (*bus, error) {
	m := &o.Config.MQTT
	c := eventbus.ExternalConfig{Broker: m.Broker, User: m.User, Password: m.Password}
	var err error
	if c.TLS, err = clientTLS(m.CA, m.Certificate, m.Key); err != nil {
		return nil, err
	}
	e, err := eventbus.NewExternal(c, store, o.Log)
	if f, ok := asField(err); ok {
		return nil, &twin.FieldError{Field: "mqtt.broker", Value: f.Value, Want: f.Want}
	}
	if err != nil {
		return nil, err
	}
	if m.Listen != Defaults().MQTT.Listen {
		o.Log.Warn("mqtt.listen has no effect, as mqtt.broker names a broker elsewhere", "mqtt.listen", m.Listen, "mqtt.broker", m.Broker)
	}
	addr := m.Broker
	if u, err := url.Parse(m.Broker); err == nil {
		addr = u.Host
	}
	return &bus{addr: addr, run: e.Run, close: func() error { return nil }, stats: e.Stats, trouble: e.Trouble}, nil
}
