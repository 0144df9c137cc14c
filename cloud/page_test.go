package cloud_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/cloud"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/internal/deviceapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hub is a hub that runs, with both of its addresses.
type hub struct {
	t     *testing.T
	ready cloud.Ready
	plain *http.Client // for both, of which it follows no redirect
	urls  map[string]string
}

func newHub(t *testing.T) *hub {
	t.Helper()
	data, log := t.TempDir(), slog.New(slog.DiscardHandler)
	reg, err := embedded.OpenFolder(data, log)
	if err != nil {
		t.Fatal(err)
	}
	cfg := cloud.Defaults()
	cfg.Hub.Listen, cfg.Hub.Plain, cfg.Hub.Names = "127.0.0.1:0", "127.0.0.1:0", []string{"hub.example"}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan cloud.Ready, 1), make(chan error, 1)
	go func() {
		ended <- cloud.Run(ctx, cloud.Options{
			Data: data, Config: cfg, Version: "test", Started: time.Now(), Out: io.Discard, Log: log,
			Registry: reg, RunRegistry: reg.Run, Books: reg.File(), Ready: func(r cloud.Ready) { ready <- r },
		})
	}()
	h := &hub{t: t}
	select {
	case h.ready = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the hub ended with %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(h.ready.CA) {
		t.Error("the hub's CA is no certificate")
	}
	h.plain = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 20 * time.Second}
	h.urls = map[string]string{"plain": "http://" + h.ready.Plain, "TLS": "https://" + h.ready.Listen}
	t.Cleanup(func() {
		h.plain.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended with %v", err)
		}
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

type reply struct {
	status int
	header http.Header
	body   string
}

// ask asks at one of the addresses; header are keys and values.
func (h *hub) ask(door, method, path, body string, header ...string) reply {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.urls[door]+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	res, err := h.plain.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func (h *hub) want(status int, says, door, method, path, body string, header ...string) reply {
	h.t.Helper()
	got := h.ask(door, method, path, body, header...)
	if got.status != status || !strings.Contains(got.body, says) {
		h.t.Errorf("%s: %s %s %v: %d %.300s; want %d and %q", door, method, path, header, got.status, got.body, status, says)
	}
	return got
}

// enter logs in and gives the cookie as a browser sends it.
func (h *hub) enter(door, secret string) string {
	h.t.Helper()
	got := h.want(200, `"role"`, door, "POST", "/v1/login", fmt.Sprintf(`{"code":%q}`, secret), "Sec-Fetch-Site", "same-origin")
	cookie, attributes, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(attributes, want) {
			h.t.Errorf("%s: the cookie has %q, want %s", door, attributes, want)
		}
	}
	secure := strings.HasPrefix(cookie, "__Host-") && strings.Contains(attributes, "Secure") && !strings.Contains(attributes, "Domain")
	if secure != (door == "TLS") || !strings.Contains(cookie, "=") {
		h.t.Fatalf("%s: cookie %.20s... with %q", door, cookie, attributes)
	}
	return cookie
}

// token makes an API token, as its admin does.
func (h *hub) token(name, role string) deviceapi.NewToken {
	h.t.Helper()
	got := h.want(201, "secret", "plain", "POST", "/v1/tokens", fmt.Sprintf(`{"name":%q,"role":%q}`, name, role), "Cookie", h.enter("plain", h.ready.Code))
	var out deviceapi.NewToken
	if err := json.Unmarshal([]byte(got.body), &out); err != nil {
		h.t.Fatal(err)
	}
	return out
}

const wish = `{"expected":{"power":true}}`

// TestDoors: at both addresses a program shows a token, and a browser a cookie; neither gets in as the other.
func TestDoors(t *testing.T) {
	h := newHub(t)
	operator := h.token("panel", "operator")
	bearer := []string{"Authorization", "Bearer " + operator.Secret}
	for _, door := range []string{"plain", "TLS"} {
		t.Run(door, func(t *testing.T) {
			h := &hub{t, h.ready, h.plain, h.urls}
			cookie := h.enter(door, h.ready.Code)

			// A browser.
			page := h.want(200, "<title>twinbridge</title>", door, "GET", "/", "")
			if page.header.Get("Content-Security-Policy") == "" {
				t.Error("the page has no policy")
			}
			h.want(401, `"takes":["code","token"]`, door, "GET", "/v1/session", "")
			h.want(200, `{"name":"code","role":"admin"}`, door, "GET", "/v1/session", "", "Cookie", cookie)
			h.want(200, `"nodes":0`, door, "GET", "/healthz", "", "Cookie", cookie)
			h.want(200, `"devices":[]`, door, "GET", "/v1/devices", "", "Cookie", cookie)
			h.want(200, `"tokens"`, door, "GET", "/v1/tokens", "", "Cookie", cookie)
			h.want(401, "Bearer", door, "GET", "/v1/devices", "", "Cookie", cookie+"x")
			h.want(401, "Bearer", door, "GET", "/v1/devices", "", "Cookie", "other=1")
			h.want(404, "", door, "GET", "/index.html", "")

			// A stranger is told that the hub is there, and no more.
			if got := h.want(200, "", door, "GET", "/healthz", ""); got.body != `{"status":"ok"}` {
				t.Errorf("a stranger is told %s", got.body)
			}
			h.want(401, "Bearer", door, "GET", "/v1/devices", "")
			h.want(401, "Bearer", door, "GET", "/v1/watch", "")

			// A program.
			h.want(200, `"devices":[]`, door, "GET", "/v1/devices", "", bearer...)
			h.want(404, "nothing", door, "PATCH", "/v1/devices/default/nothing/expected", wish, bearer...)
			h.want(403, "expected role admin", door, "GET", "/v1/tokens", "", bearer...)
			h.want(401, "token", door, "GET", "/v1/devices", "", "Authorization", "Bearer "+h.ready.Code)

			// What it says of itself counts, not what a browser would add.
			h.want(403, "expected role admin", door, "GET", "/v1/tokens", "", append(bearer, "Cookie", cookie)...)
			h.want(401, "not good", door, "GET", "/v1/tokens", "", "Authorization", "Bearer tb_wrong", "Cookie", cookie)
			h.want(401, "not good", door, "GET", "/v1/tokens", "", "Authorization", "", "Cookie", cookie)
		})
	}
	t.Run("a cookie of one address is none at the other", func(t *testing.T) {
		h := &hub{t, h.ready, h.plain, h.urls}
		h.want(401, "", "TLS", "GET", "/v1/devices", "", "Cookie", h.enter("plain", h.ready.Code))
		h.want(401, "", "plain", "GET", "/v1/devices", "", "Cookie", h.enter("TLS", h.ready.Code))
	})
}

// TestHosts: a browser that was led here by a name of somebody else's is answered by nothing. A program is not led.
func TestHosts(t *testing.T) {
	h := newHub(t)
	cookie := h.enter("TLS", h.ready.Code)
	name, value, _ := strings.Cut(cookie, "=")
	prefix := name[:strings.LastIndex(name, "-")]
	for host, ours := range map[string]bool{
		"hub.example": true, "HUB.example:8443": true, "localhost:8443": true, "127.0.0.1": true, "[::1]:8443": true,
		"evil.example": false, "hub.example.evil.example": false, "192.0.2.99:8443": false,
	} {
		cookie := prefix + "=" + value
		if _, port, ok := strings.Cut(strings.TrimPrefix(host, "[::1]"), ":"); ok {
			cookie = prefix + "-" + port + "=" + value
		}
		page, devices := h.ask("TLS", "GET", "/", "", "Host", host), h.ask("TLS", "GET", "/v1/devices", "", "Host", host, "Cookie", cookie)
		login := h.ask("TLS", "POST", "/v1/login", `{"code":"wrong"}`, "Host", host, "Cookie", cookie)
		want := [3]int{421, 421, 421}
		if ours {
			want = [3]int{200, 200, 401}
		}
		if got := [3]int{page.status, devices.status, login.status}; ours && got[2] == 429 {
			t.Fatalf("%s: the login is slowed down, this test asks too often", host)
		} else if got != want {
			t.Errorf("Host %s: page, devices and login answer %v, want %v", host, got, want)
		}
		h.want(401, "Bearer", "TLS", "GET", "/v1/devices", "", "Host", host)
	}
}

// TestOtherSites: what another site's page has a browser send changes nothing, with a cookie or without.
func TestOtherSites(t *testing.T) {
	h := newHub(t)
	for _, door := range []string{"plain", "TLS"} {
		cookie := h.enter(door, h.ready.Code)
		for _, from := range [][]string{
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"},
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
		} {
			with := append([]string{"Cookie", cookie}, from...)
			for _, path := range []string{"/v1/tokens", "/v1/logout", "/v1/wishes", "/v1/apply"} {
				h.want(403, "another", door, "POST", path, "{}", with...)
			}
			h.want(403, "another", door, "POST", "/v1/login", `{"code":"x"}`, from...)
			h.want(403, "another", door, "PATCH", "/v1/devices/default/lamp/expected", wish, with...)
		}
		h.want(200, `"role"`, door, "GET", "/v1/session", "", "Cookie", cookie)
		// From the page itself.
		h.want(404, "lamp", door, "PATCH", "/v1/devices/default/lamp/expected", wish, "Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Origin", h.urls[door])
	}
}

// TestRolesOfSessions: somebody who came in with a token may what the token may.
func TestRolesOfSessions(t *testing.T) {
	h := newHub(t)
	for _, tt := range []struct {
		role        string
		wish, apply int
	}{{"viewer", 403, 403}, {"operator", 404, 403}, {"admin", 404, 422}} {
		cookie := []string{"Cookie", h.enter("plain", " "+h.token("of "+tt.role, tt.role).Secret+"\n"), "Sec-Fetch-Site", "same-origin"}
		h.want(200, `{"name":"of `+tt.role+`","role":"`+tt.role+`"}`, "plain", "GET", "/v1/session", "", cookie...)
		h.want(200, `"devices":[]`, "plain", "GET", "/v1/devices", "", cookie...)
		h.want(tt.wish, "", "plain", "PATCH", "/v1/devices/default/lamp/expected", wish, cookie...)
		h.want(tt.apply, "", "plain", "POST", "/v1/apply", `{}`, cookie...)
	}
}

// TestStreamsEnd: with the logout, and with the token that somebody came in with.
func TestStreamsEnd(t *testing.T) {
	h := newHub(t)
	admin := h.enter("plain", h.ready.Code)
	for _, tt := range []struct {
		name string
		end  func(cookie, token string)
	}{
		{"logout", func(cookie, _ string) { h.want(204, "", "plain", "POST", "/v1/logout", "{}", "Cookie", cookie) }},
		{"revoked", func(_, token string) { h.want(204, "", "plain", "DELETE", "/v1/tokens/"+token, "", "Cookie", admin) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := h.token(tt.name, "viewer")
			cookie := h.enter("plain", token.Secret)
			r, err := http.NewRequestWithContext(t.Context(), "GET", h.urls["plain"]+"/v1/watch", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", cookie)
			res, err := h.plain.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewReader(res.Body)
			if first, err := lines.ReadString('\n'); err != nil || first != "event: ready\n" {
				t.Fatalf("the stream begins with %q, %v", first, err)
			}
			began := time.Now()
			tt.end(cookie, token.ID)
			if _, err := io.Copy(io.Discard, lines); err == nil && res.ContentLength >= 0 {
				t.Errorf("the stream has a length: %d", res.ContentLength)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the stream ended after %v, want a second or so", took)
			}
			h.want(401, "", "plain", "GET", "/v1/devices", "", "Cookie", cookie)
			h.want(401, "no session", "plain", "GET", "/v1/session", "", "Cookie", cookie)
		})
	}
}
