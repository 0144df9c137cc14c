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

	"twinbridge/cloud/cloudhub"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/wire"
	"twinbridge/pairing/enroll"
	"twinbridge/twin"
)

// door is one address at which the hub listens.
type door struct {
	key    string // of the configuration
	l      net.Listener
	server *http.Server
}

// The doors beside that of hub.listen.
const (
	plainDoor  = "hub.plain"
	socketDoor = "socket"
)

type doors []*door

// listen opens the addresses, the socket in the data folder among them: who may open it is an admin. Over TLS there are the link, joining, REST and the page; without it, on this machine only,
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
		key: "hub.listen", server: deviceapi.NewServer(mux, log),
		l: tls.NewListener(deviceapi.LimitConns(l, most), config),
	})
	socket, err := deviceapi.ListenSocket(Socket(o.Data))
	if err != nil {
		return nil, errors.Join(err, out.close())
	}
	out = append(out, &door{key: socketDoor, l: socket, server: deviceapi.NewServer(rest.onSocket(), log)})
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
	return append(out, &door{key: plainDoor, l: deviceapi.LimitConns(l, deviceapi.MaxConns), server: deviceapi.NewServer(rest.onAddress(false), log)}), nil
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
	d.server.BaseContext = func(net.Listener) context.Context {
		if d.key == socketDoor {
			return bySocket(ctx)
		}
		return ctx
	}
	return deviceapi.Serve(ctx, d.server, d.l, d.key)
}

// close gives up the addresses.
func (ds doors) close() (err error) {
	for _, d := range ds {
		err = errors.Join(err, deviceapi.CloseListener(d.l))
	}
	return err
}

func (ds doors) addr() string { return ds[0].l.Addr().String() }

// plain gives the address without TLS, "" if there is none.
func (ds doors) plain() string {
	for _, d := range ds {
		if d.key == plainDoor {
			return d.l.Addr().String()
		}
	}
	return ""
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
