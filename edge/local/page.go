package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/login"
	"twinbridge/internal/web"
	"twinbridge/twin"
)

// Page serves a page for the browser, and behind a login the same operations as the socket.
type Page struct {
	listen string
	code   login.Code
	server *http.Server
	l      net.Listener // nil: there is no page
}

// NewPage makes a page on an address, host:port on loopback; port 0 takes any, "" makes no page. devices is what the
// socket serves.
func NewPage(listen string, devices http.Handler, log *slog.Logger) *Page {
	p := &Page{listen: listen, code: login.NewCode()}
	door := login.New(login.Config{Accept: func(secret string) (login.Identity, bool) {
		return login.Identity{Name: "code", Role: "admin"}, p.code.Matches(secret)
	}})
	p.server = deviceapi.NewServer(pageRoutes(door, devices), log)
	return p
}

// pageRoutes lets strangers see the empty page and the login, and nothing else.
func pageRoutes(door *login.Login, devices http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	for _, path := range []string{"/v1/login", "/v1/logout", "/v1/session"} {
		mux.Handle(path, door.Handler())
	}
	for _, path := range []string{"/v1/", "/healthz", "/metrics", "/openapi.json"} {
		mux.Handle(path, door.Require(devices))
	}
	return door.Guard(mux)
}

// CheckPage reports an address that a page may not have: there is no TLS on it, so it stays on this machine.
func CheckPage(listen string) error {
	if listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(listen)
	if err == nil && host == "localhost" {
		return nil
	}
	if addr, aerr := netip.ParseAddr(host); err == nil && aerr == nil && addr.Unmap().IsLoopback() {
		return nil
	}
	return &twin.FieldError{Field: "listen", Value: listen, Want: "an address on loopback, as 127.0.0.1:8090, since a login does not go over a network without TLS; or nothing"}
}

// Listen takes the address. Run or Close has to follow.
func (p *Page) Listen() error {
	if p.listen == "" {
		return nil
	}
	if err := CheckPage(p.listen); err != nil {
		return err
	}
	l, err := net.Listen("tcp", p.listen)
	if err != nil {
		return err
	}
	// A file of hosts can make of localhost what it likes.
	if addr, ok := l.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("%s is %s, which is not on loopback", p.listen, l.Addr()), l.Close())
	}
	p.l = deviceapi.LimitConns(l, deviceapi.MaxConns)
	return nil
}

// Addr is where the page is, host:port; "" if there is none.
func (p *Page) Addr() string {
	if p.l == nil {
		return ""
	}
	return p.l.Addr().String()
}

// Code is what opens the page. It is made anew with each page.
func (p *Page) Code() string { return p.code.String() }

// Close gives up an address that Run will not serve. After Run it does nothing.
func (p *Page) Close() error { return deviceapi.CloseListener(p.l) }

// Run serves until ctx ends, like the socket.
func (p *Page) Run(ctx context.Context) error {
	if p.l == nil {
		<-ctx.Done()
		return nil
	}
	return deviceapi.Serve(ctx, p.server, p.l, p.l.Addr().String())
}
