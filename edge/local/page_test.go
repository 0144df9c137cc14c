package local

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"twinbridge/twin"
)

// browser is somebody who looks at a page.
type browser struct {
	t      *testing.T
	base   string
	cookie *http.Cookie
	client *http.Client
}

func (b *browser) do(method, path, body string, header ...string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	if b.cookie != nil {
		req.AddCookie(b.cookie)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		b.cookie = c
	}
	return res.StatusCode, string(text)
}

// openPage serves the page of a node with a lamp until the test ends.
func openPage(t *testing.T) (*Page, *twin.Store, *browser) {
	t.Helper()
	server, store := newServer(t, "unused")
	name := twin.Name{Namespace: "default", Name: "lamp"}
	lamp := twin.Device{Name: name, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}
	if err := store.Apply(nil, []twin.Device{lamp}); err != nil {
		t.Fatal(err)
	}
	p := NewPage("127.0.0.1:0", server.Handler(), slog.New(slog.DiscardHandler))
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	b := &browser{t: t, base: "http://" + p.Addr(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		cancel()
		wg.Wait()
		if err := p.Close(); err != nil {
			t.Errorf("close after the end: %v", err)
		}
	})
	return p, store, b
}

// routes of the page that are behind the login.
var inside = []struct{ method, path, body string }{
	{"GET", "/v1/devices", ""},
	{"GET", "/v1/devices/default/lamp", ""},
	{"PATCH", "/v1/devices/default/lamp/expected", `{"expected":{"power":true}}`},
	{"DELETE", "/v1/devices/default/lamp", ""},
	{"GET", "/v1/wishes/x", ""},
	{"GET", "/v1/watch", ""},
	{"GET", "/v1/models/default/lamp", ""},
	{"PUT", "/v1/models/default/lamp", `{"properties":[]}`},
	{"POST", "/v1/apply", "{}"},
	{"GET", "/v1/manifests/default/lamp", ""},
	{"GET", "/v1/profile", ""},
	{"GET", "/healthz", ""},
	{"GET", "/metrics", ""},
	{"GET", "/openapi.json", ""},
	{"GET", "/v1/", ""},
	{"GET", "/v1/nothing", ""},
}

// TestStrangers see the empty page and the login, and nothing that is inside.
func TestStrangers(t *testing.T) {
	p, store, b := openPage(t)
	for _, path := range []string{"/", "/app.js", "/style.css", "/favicon.svg"} {
		if status, _ := b.do("GET", path, ""); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
	for _, r := range inside {
		if status, body := b.do(r.method, r.path, r.body); status != http.StatusUnauthorized || strings.Contains(body, "power") {
			t.Errorf("%s %s without a session: %d %s", r.method, r.path, status, body)
		}
	}
	b.cookie = &http.Cookie{Name: "twinbridge-" + p.Addr()[strings.LastIndex(p.Addr(), ":")+1:], Value: "guessed"}
	for _, r := range inside {
		if status, _ := b.do(r.method, r.path, r.body); status != http.StatusUnauthorized {
			t.Errorf("%s %s with a guessed session: %d", r.method, r.path, status)
		}
	}
	if _, err := store.Device(twin.Name{Namespace: "default", Name: "lamp"}); err != nil {
		t.Errorf("the lamp: %v", err)
	}
	b.cookie = nil
	if status, body := b.do("POST", "/v1/login", `{"code":"0000-0000"}`); status != http.StatusUnauthorized || strings.Contains(body, "0000") {
		t.Errorf("a wrong code: %d %s", status, body)
	}
	for _, path := range []string{"/", "/v1/login", "/healthz"} {
		if status, _ := b.do("GET", path, "", "Host", "evil.example"); status != http.StatusMisdirectedRequest {
			t.Errorf("%s by another name: %d", path, status)
		}
	}
}

// TestPagePress: with the code one is inside, and a press there is the house's.
func TestPagePress(t *testing.T) {
	p, store, b := openPage(t)
	if status, body := b.do("POST", "/v1/login", `{"code":"`+p.Code()+`"}`); status != http.StatusOK {
		t.Fatalf("login: %d %s", status, body)
	}
	status, body := b.do("PATCH", "/v1/devices/default/lamp/expected", `{"expected":{"power":true},"validFor":"5m"}`)
	var w struct{ ID, Outcome string }
	if err := json.Unmarshal([]byte(body), &w); err != nil || status != http.StatusAccepted {
		t.Fatalf("press: %d %s", status, body)
	}
	v, err := store.FindWish(w.ID)
	if err != nil || v.Origin != twin.FromLocal || v.Asker != "page" {
		t.Errorf("the wish is %+v, %v; want origin local, asker page", v, err)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		status, _ := b.do("PATCH", "/v1/devices/default/lamp/expected", `{"expected":{"power":false}}`, "Sec-Fetch-Site", site)
		if status != http.StatusForbidden {
			t.Errorf("a press by another site's page (%s): %d", site, status)
		}
	}
	for _, r := range inside {
		if r.path == "/v1/watch" || r.method == "DELETE" || r.method == "PUT" { // which last, take the lamp, wait for a disk
			continue
		}
		if status, body := b.do(r.method, r.path, r.body); status == http.StatusUnauthorized {
			t.Errorf("%s %s with a session: %d %s", r.method, r.path, status, body)
		}
	}
	if status, _ := b.do("POST", "/v1/logout", ""); status != http.StatusNoContent {
		t.Errorf("logout: %d", status)
	}
	if status, _ := b.do("GET", "/v1/devices", ""); status != http.StatusUnauthorized {
		t.Errorf("after the logout: %d", status)
	}
}

func TestCheckPage(t *testing.T) {
	for listen, good := range map[string]bool{
		"": true, "127.0.0.1:8090": true, "127.0.0.1:0": true, "127.9.9.9:1": true, "[::1]:8090": true, "localhost:8090": true,
		":8090": false, "0.0.0.0:8090": false, "[::]:8090": false, "192.0.2.1:8090": false, "house.example:8090": false,
		"127.0.0.1": false, "8090": false, "localhost.evil.example:1": false, "[fe80::1%lo]:1": false,
	} {
		err := CheckPage(listen)
		if f := (*twin.FieldError)(nil); (err == nil) != good || err != nil && (!errors.As(err, &f) || f.Value != listen) {
			t.Errorf("%q: %v, want good: %v", listen, err, good)
		}
	}
}

func TestPagePortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := NewPage(l.Addr().String(), http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err := p.Listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	none := NewPage("", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err := none.Listen(); err != nil || none.Addr() != "" {
		t.Errorf("no page: %v, %q", err, none.Addr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(none.Run(ctx), none.Close()); err != nil {
		t.Error(err)
	}
}
