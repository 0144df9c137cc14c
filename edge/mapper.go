package edge

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/gpio"
	"twinbridge/edge/mapper/driver/rpio"
	"twinbridge/edge/mapper/driver/sim"
	"twinbridge/internal/stage"
	"twinbridge/twin"
)

// RunMapper is a mapper in a process of its own, until ctx ends. It moves the devices of a node whose broker it can
// reach; out gets a line for each change of a simulated device.
func RunMapper(ctx context.Context, cfg MapperConfig, out io.Writer, log *slog.Logger) error {
	shown := newShow(out)
	m, err := newMapper(cfg, shown.changed, log)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	lines, movers := stage.New(ctx, failed), stage.New(ctx, failed)
	defer func() {
		movers.End()
		lines.End()
	}()
	lines.Run("lamps", shown.run)
	movers.Run("mapper", m.Run)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// newMapper makes a mapper with the drivers that it may use. changed is told what simulated devices do.
func newMapper(cfg MapperConfig, changed func(twin.Name, string, twin.Value), log *slog.Logger) (*mapper.Mapper, error) {
	drivers := map[string]mapper.Driver{}
	for _, name := range cfg.Drivers {
		switch name {
		case "gpio":
			drivers[name] = gpio.Driver{}
		case "rpio":
			drivers[name] = rpio.New()
		case "sim":
			drivers[name] = sim.New(changed)
		}
	}
	c := mapper.Config{Node: cfg.Node, Broker: cfg.Broker, User: cfg.User, Password: cfg.Password}
	var err error
	if c.TLS, err = cfg.tls(); err != nil {
		return nil, err
	}
	m, err := mapper.New(c, drivers, log)
	if f, ok := asField(err); ok && f.Field == "broker" {
		return nil, &twin.FieldError{Field: "mqtt.broker", Value: f.Value, Want: f.Want}
	}
	return m, err
}

// tls is how the broker is spoken to; nil means in clear, or with the system's certificates.
func (c *MapperConfig) tls() (*tls.Config, error) {
	if c.Own != "" {
		return ownTLS(c.Own)
	}
	return clientTLS(c.CA, c.Certificate, c.Key)
}

// reachable gives the address at which a listener can be reached from this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch ip := net.ParseIP(host); {
	case ip == nil || !ip.IsUnspecified():
		return addr
	case ip.To4() != nil:
		return net.JoinHostPort("127.0.0.1", port)
	}
	return net.JoinHostPort("::1", port)
}
