package cloud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"twinbridge/cloud/cloudhub"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/wire"
	"twinbridge/pairing/enroll"
	"twinbridge/twin"
)

// graceTime is what requests have to end once the hub ends.
const graceTime = 500 * time.Millisecond

// door is one address at which the hub listens.
type door struct {
	key    string // of the configuration
	l      net.Listener
	server *http.Server
	secure bool
}

type doors []*door

// listen opens the addresses. Over TLS there are the link, joining, REST and the page; without it, on this machine only,
// REST and the page.
func listen(o *Options, authority *enroll.Authority, links *cloudhub.Hub, rest *rest) (out doors, err error) {
	mux := http.NewServeMux()
	mux.Handle("GET "+wire.Path, links)
	mux.Handle("/v1/enroll/", authority.Handler())
	mux.Handle("/", rest.onAddress(true))
	log := slog.New(o.Log.Handler())
	l, err := net.Listen("tcp", o.Config.Hub.Listen)
	if err != nil {
		return nil, o.listenError("hub.listen", err)
	}
	config := authority.ServerTLS()
	config.NextProtos = []string{"http/1.1"} // the link begins as HTTP/1.1
	most := cloudhub.DefaultSessions + deviceapi.MaxConns
	out = append(out, &door{
		key: "hub.listen", secure: true, server: deviceapi.NewServer(mux, log),
		l: tls.NewListener(deviceapi.LimitConns(l, most), config),
	})
	if o.Config.Hub.Plain == "" {
		return out, nil
	}
	l, err = net.Listen("tcp", o.Config.Hub.Plain)
	if err != nil {
		return nil, errors.Join(o.listenError("hub.plain", err), out.close())
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return nil, errors.Join(&twin.FieldError{Field: "hub.plain", Value: o.Config.Hub.Plain, Want: "an address of this machine only, as 127.0.0.1:8080; beyond it there is TLS, at hub.listen"}, l.Close(), out.close())
	}
	return append(out, &door{key: "hub.plain", l: deviceapi.LimitConns(l, deviceapi.MaxConns), server: deviceapi.NewServer(rest.onAddress(false), log)}), nil
}

// listenError names the key of an address that cannot be listened on.
func (o *Options) listenError(key string, err error) error {
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "; another program has it: stop that, or set " + key + " in " + o.File
	}
	return fmt.Errorf("%s: %w%s", key, err, hint)
}

// run serves until ctx ends.
func (d *door) run(ctx context.Context) error {
	d.server.BaseContext = func(net.Listener) context.Context { return ctx }
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(d.l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	err := d.server.Shutdown(grace)
	if err != nil {
		err = d.server.Close()
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// close gives up the addresses.
func (ds doors) close() (err error) {
	for _, d := range ds {
		if e := d.l.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (ds doors) addr() string { return ds[0].l.Addr().String() }

// plain gives the address without TLS, "" if there is none.
func (ds doors) plain() string {
	if len(ds) < 2 {
		return ""
	}
	return ds[1].l.Addr().String()
}

// page gives the URL of the page, for somebody at this machine.
func (ds doors) page(o *Options) string {
	switch {
	case ds.plain() != "":
		return "http://" + ds.plain() + "/"
	case o.Config.Hub.URL != "":
		return o.Config.Hub.URL
	}
	return "https://" + reachable(ds.addr()) + "/"
}

// reachable gives the address at which a listener is reached from this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}
