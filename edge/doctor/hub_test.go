package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"twinbridge/internal/certtest"
)

// hubAnswers serves what a hub says to who asks it how it is.
func hubAnswers(conf *tls.Config, clock time.Time) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, conf)
		r, err := http.ReadRequest(bufio.NewReader(s))
		if err != nil || r.URL.Path != "/healthz" {
			return
		}
		date := ""
		if !clock.IsZero() {
			date = "Date: " + clock.UTC().Format(http.TimeFormat) + "\r\n"
		}
		io.WriteString(s, "HTTP/1.1 200 OK\r\n"+date+"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
	}
}

func TestCheckHub(t *testing.T) {
	a := certtest.New(t, t.TempDir(), "hub")
	a.Issue("server", "hub.example")
	server := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: a.Pair("server")}
	trusts := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: a.Pool, ServerName: "hub.example"}
	up := func(clock time.Time) Dial { return scripted(t, hubAnswers(server, clock)) }
	one := []string{"https://hub.example:8443"}
	two := []string{"https://gone.example:8443", "https://hub.example:8443"}
	half := func(d Dial) Dial {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "gone.example:8443" {
				return nil, syscall.EHOSTUNREACH
			}
			return d(ctx, network, addr)
		}
	}
	says := func(state string) *Node { return answering(Health{Hub: state}, nil) }
	away := says("away: connect to hub https://hub.example:8443: refused")
	for name, tt := range map[string]struct {
		node *Node
		list []string
		conf *tls.Config
		err  error
		dial Dial
		want want
	}{
		"connected":          {says("connected"), nil, nil, nil, nil, want{OK, "connected to its hub", ""}},
		"device refused":     {says("connected; the hub does not take default/lamp: taken"), nil, nil, nil, nil, want{Warn, "default/lamp: taken", "rename"}},
		"not joined":         {says(""), nil, nil, nil, nil, want{Skipped, "has joined no hub", ""}},
		"not joined, off":    {stopped(), nil, nil, nil, nil, want{Skipped, "has joined no hub", ""}},
		"unreadable":         {stopped(), nil, nil, errOther, nil, want{Skipped, "something else", ""}},
		"away, refused":      {away, one, nil, nil, failing(syscall.ECONNREFUSED), want{Fail, "the node says: away", "start the hub"}},
		"away, no address":   {says("away: closed"), nil, nil, nil, nil, want{Fail, "away: closed", "hub.url"}},
		"away, it is there":  {away, one, nil, nil, up(time.Now()), want{Fail, "only the node can tell", "node list"}},
		"off, it is there":   {stopped(), one, trusts, nil, up(time.Now()), want{OK, "the hub answers, its certificate is good until", ""}},
		"its clock is wrong": {stopped(), one, trusts, nil, up(time.Now().Add(time.Hour)), want{Warn, "the hub's clock says", "timedatectl"}},
		"it says no time":    {stopped(), one, trusts, nil, up(time.Time{}), want{OK, "the hub answers", ""}},
		"off, gone":          {stopped(), one, trusts, nil, failing(syscall.EHOSTUNREACH), want{Fail, "no route", "cable"}},
		"another hub":        {stopped(), one, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "hub.example"}, nil, up(time.Now()), want{Fail, "unknown authority", "join again"}},
		"second address":     {stopped(), two, trusts, nil, half(up(time.Now())), want{Warn, "the hub answers", "cable"}},
		"none of two":        {stopped(), two, trusts, nil, failing(syscall.EHOSTUNREACH), want{Fail, "none of the hub's addresses", "cable"}},
		"no address":         {stopped(), []string{"hub"}, trusts, nil, nil, want{Fail, "no address of a hub", "hub.url"}},
		"ends at once":       {stopped(), one, trusts, nil, scripted(t, func(c net.Conn) { tls.Server(c, server).Handshake() }), want{Fail, "no hub answers", "node list"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckHub(tt.node, Hub{
				Member: func(context.Context) ([]string, *tls.Config, error) { return tt.list, tt.conf, tt.err },
				Dial:   tt.dial, Now: time.Now,
			})))
		})
	}
}
