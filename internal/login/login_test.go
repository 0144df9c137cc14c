package login

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "K7QM-3XZD"

// house is a door with a room behind it.
type house struct {
	t    *testing.T
	door *Login
	h    http.Handler
	from string // address of who asks
}

func newHouse(t *testing.T, cfg Config) *house {
	t.Helper()
	if cfg.Accept == nil {
		cfg.Accept = func(s string) (Identity, bool) { return Identity{Name: "code", Role: "admin"}, s == secret }
	}
	door := New(cfg)
	mux := http.NewServeMux()
	mux.Handle("/v1/", door.Handler())
	mux.Handle("/room", door.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := From(r.Context())
		fmt.Fprintf(w, "%s %s %v", who.Name, who.Role, ok)
	})))
	return &house{t: t, door: door, h: door.Guard(mux), from: "192.0.2.1:5000"}
}

// do asks; header are keys and values.
func (h *house) do(method, path, body string, header ...string) *http.Response {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, "http://localhost:8090"+path, strings.NewReader(body))
	r.RemoteAddr = h.from
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.h.ServeHTTP(w, r)
	return w.Result()
}

func (h *house) login(code string, header ...string) *http.Response {
	h.t.Helper()
	return h.do("POST", "/v1/login", fmt.Sprintf(`{"code":%q}`, code), header...)
}

// enter logs in and gives the cookie as a browser sends it.
func (h *house) enter() string {
	h.t.Helper()
	res := h.login(secret)
	if res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		h.t.Fatalf("login: %d, %v", res.StatusCode, res.Cookies())
	}
	c := res.Cookies()[0]
	return c.Name + "=" + c.Value
}

func (h *house) want(status int, what string, res *http.Response) {
	h.t.Helper()
	if res.StatusCode != status {
		h.t.Errorf("%s: status %d, want %d", what, res.StatusCode, status)
	}
	if kind := res.Header.Get("Content-Type"); status >= 400 && kind != "application/problem+json" {
		h.t.Errorf("%s: the answer is %q, want a problem", what, kind)
	}
}

func TestLogin(t *testing.T) {
	h := newHouse(t, Config{})
	h.want(401, "no session", h.do("GET", "/room", ""))
	h.want(401, "no session", h.do("GET", "/v1/session", ""))
	h.want(401, "wrong code", h.login("K7QM-3XZE"))
	cookie := h.enter()
	h.want(200, "with a session", h.do("GET", "/room", "", "Cookie", cookie))
	h.want(200, "with a session", h.do("GET", "/v1/session", "", "Cookie", cookie))
	h.want(401, "another port's cookie", h.do("GET", "/room", "", "Cookie", cookie, "Host", "localhost:8091"))
	h.want(401, "a cookie of another value", h.do("GET", "/room", "", "Cookie", cookie+"x"))
	h.want(204, "logout", h.do("POST", "/v1/logout", "", "Cookie", cookie))
	h.want(401, "after the logout", h.do("GET", "/room", "", "Cookie", cookie))
	h.want(204, "logout of nobody", h.do("POST", "/v1/logout", ""))
	for _, path := range []string{"/v1/login", "/v1/logout"} {
		h.want(405, path, h.do("GET", path, ""))
	}
	h.want(405, "session", h.do("DELETE", "/v1/session", ""))
}

func TestIdentity(t *testing.T) {
	h := newHouse(t, Config{Accept: func(s string) (Identity, bool) { return Identity{Name: "token " + s, Role: "viewer"}, s == "t1" }})
	res := h.login("t1")
	c := res.Cookies()[0]
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost:8090/room", nil)
	r.AddCookie(c)
	h.h.ServeHTTP(w, r)
	if got := w.Body.String(); got != "token t1 viewer true" {
		t.Errorf("got %q", got)
	}
	if _, ok := From(t.Context()); ok {
		t.Error("somebody asks though nobody does")
	}
}

func TestCookie(t *testing.T) {
	for _, tls := range []bool{false, true} {
		h := newHouse(t, Config{TLS: tls})
		c := h.login(secret).Cookies()[0]
		name := "twinbridge-8090"
		if tls {
			name = "__Host-" + name
		}
		if c.Name != name || c.Secure != tls || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("TLS %v: %v", tls, c)
		}
		if len(c.Value) < 26 {
			t.Errorf("%q holds less than 128 bits", c.Value)
		}
		for key := range h.door.open.open {
			if strings.Contains(string(key[:]), c.Value) {
				t.Error("the session is kept under what the cookie holds")
			}
		}
	}
}

// TestFixation: a session that somebody planted is not the one that a login opens, and the browser's last one ends.
func TestFixation(t *testing.T) {
	h := newHouse(t, Config{})
	planted := "twinbridge-8090=PLANTEDPLANTEDPLANTEDPLANT"
	c := h.login(secret, "Cookie", planted).Cookies()[0]
	if strings.HasSuffix(planted, c.Value) {
		t.Error("the planted session was taken")
	}
	h.want(401, "the planted one", h.do("GET", "/room", "", "Cookie", planted))
	mine := c.Name + "=" + c.Value
	next := h.login(secret, "Cookie", mine).Cookies()[0]
	h.want(401, "the last one", h.do("GET", "/room", "", "Cookie", mine))
	h.want(200, "the new one", h.do("GET", "/room", "", "Cookie", next.Name+"="+next.Value))
}

func TestBadBodies(t *testing.T) {
	asked := 0
	h := newHouse(t, Config{Accept: func(string) (Identity, bool) { asked++; return Identity{}, false }})
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"nothing", "", 422},
		{"no JSON", "code=K7QM", 422},
		{"null", "null", 422},
		{"a list", `["K7QM-3XZD"]`, 422},
		{"no key", "{}", 422},
		{"empty", `{"code":""}`, 422},
		{"spaces", `{"code":"  "}`, 422},
		{"a number", `{"code":7}`, 422},
		{"an object", `{"code":{}}`, 422},
		{"twice", `{"code":"a","code":"K7QM-3XZD"}`, 422},
		{"another case", `{"Code":"K7QM-3XZD"}`, 422},
		{"one more key", `{"code":"K7QM-3XZD","role":"admin"}`, 422},
		{"more behind it", `{"code":"K7QM-3XZD"}{}`, 422},
		{"deep", `{"code":` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `}`, 422},
		{"huge", `{"code":"` + strings.Repeat("x", 5000) + `"}`, 413},
	} {
		h.want(tt.status, tt.name, h.do("POST", "/v1/login", tt.body))
	}
	h.want(415, "a form", h.do("POST", "/v1/login", `{"code":"K7QM-3XZD"}`, "Content-Type", "application/x-www-form-urlencoded"))
	h.want(415, "plain text", h.do("POST", "/v1/login", `{"code":"K7QM-3XZD"}`, "Content-Type", "text/plain"))
	if asked != 0 {
		t.Errorf("%d bodies were looked at as if they were codes", asked)
	}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		for range maxWrong {
			h.want(401, "wrong", h.login("wrong"))
			time.Sleep(time.Second)
		}
		res := h.login(secret)
		h.want(429, "the right one after five wrong ones", res)
		if got := res.Header.Get("Retry-After"); got != "55" {
			t.Errorf("Retry-After is %q, want 55", got)
		}
		h.from = "[2001:db8::1]:1"
		h.enter() // from elsewhere
		h.from = "192.0.2.1:6000"
		time.Sleep(54 * time.Second)
		h.want(429, "a second too early", h.login(secret))
		time.Sleep(time.Second)
		h.enter()
		h.enter() // right ones do not count
		h.enter()
	})
}

// TestLimiterOverAll: with addresses in plenty it is still slow, and a network of IPv6 counts as one address.
func TestLimiterOverAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		for i := range 2 * maxWrong {
			h.from = fmt.Sprintf("[2001:db8::%x]:1", i)
			want := 401
			if i >= maxWrong {
				want = 429
			}
			h.want(want, h.from, h.login("wrong"))
		}
		looked := maxWrong
		for i := range 1000 {
			h.from = fmt.Sprintf("198.51.%d.%d:1", i/250, i%250)
			if h.login("wrong").StatusCode == 401 {
				looked++
			}
		}
		if looked != maxWrongAll || len(h.door.limiter.wrong) != maxWrongAll {
			t.Errorf("%d were looked at, %d are remembered; want %d", looked, len(h.door.limiter.wrong), maxWrongAll)
		}
		res := h.login(secret)
		h.want(429, "the right one", res)
		if got := res.Header.Get("Retry-After"); got != "60" {
			t.Errorf("Retry-After is %q, want 60", got)
		}
		time.Sleep(wrongWindow)
		h.enter()
	})
}

// TestManyAtOnce: who asks a thousand times at once has not more tries.
func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	looked := 0
	h := newHouse(t, Config{Accept: func(string) (Identity, bool) {
		mu.Lock()
		defer mu.Unlock()
		looked++
		return Identity{}, false
	}})
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { h.login("wrong") })
	}
	wg.Wait()
	if looked != maxWrong {
		t.Errorf("%d were looked at, want %d", looked, maxWrong)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		idle, busy := h.enter(), h.enter()
		for range 11 {
			time.Sleep(time.Hour)
			h.want(200, "busy", h.do("GET", "/room", "", "Cookie", busy))
		}
		time.Sleep(time.Hour)
		h.want(401, "idle for 12 hours", h.do("GET", "/room", "", "Cookie", idle))
		for range 59 {
			h.want(200, "busy", h.do("GET", "/room", "", "Cookie", busy))
			time.Sleep(12*time.Hour - time.Second)
		}
		h.want(200, "almost 30 days", h.do("GET", "/room", "", "Cookie", busy))
		time.Sleep(time.Hour)
		h.want(401, "30 days", h.do("GET", "/room", "", "Cookie", busy))
		if n := len(h.door.open.open); n != 0 {
			t.Errorf("%d sessions are kept", n)
		}
	})
}

// TestManySessions: beyond the bound the one that was idle for the longest time ends.
func TestManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		first := h.enter()
		time.Sleep(time.Second)
		second := h.enter()
		time.Sleep(time.Second)
		h.want(200, "first", h.do("GET", "/room", "", "Cookie", first))
		for range maxSessions - 1 {
			time.Sleep(time.Second)
			h.enter()
		}
		h.want(200, "used last", h.do("GET", "/room", "", "Cookie", first))
		h.want(401, "idle", h.do("GET", "/room", "", "Cookie", second))
		if n := len(h.door.open.open); n != maxSessions {
			t.Errorf("%d sessions, want %d", n, maxSessions)
		}
	})
}

// TestStreamEnds: what lasts ends with the session that opened it, and with its time.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		stream := func(cookie string) (ended chan time.Time) {
			ended = make(chan time.Time, 1)
			lasts := h.door.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), "GET", "http://localhost:8090/", nil)
			r.Header.Set("Cookie", cookie)
			go func() {
				lasts.ServeHTTP(httptest.NewRecorder(), r)
				ended <- time.Now()
			}()
			synctest.Wait()
			return ended
		}
		cookie, begun := h.enter(), time.Now()
		first := stream(cookie)
		time.Sleep(time.Hour)
		h.do("POST", "/v1/logout", "", "Cookie", cookie)
		if got := (<-first).Sub(begun); got != time.Hour {
			t.Errorf("it ended after %v, want with the logout", got)
		}
		begun = time.Now()
		if got := (<-stream(h.enter())).Sub(begun); got != maxAge {
			t.Errorf("it ended after %v, want %v", got, maxAge)
		}
	})
}

// TestSecretEnds: who came in with a secret that is not good any more is out, whatever he follows.
func TestSecretEnds(t *testing.T) {
	gone := map[string]bool{}
	h := newHouse(t, Config{
		Tokens: true,
		Accept: func(s string) (Identity, bool) {
			return Identity{Name: "phone", Role: "viewer", Secret: s}, s == "t1" || s == "t2"
		},
		Still: func(who Identity) bool { return !gone[who.Secret] },
	})
	enter := func(code string) string {
		t.Helper()
		res := h.login(code)
		if len(res.Cookies()) != 1 {
			t.Fatalf("login with %s: %d", code, res.StatusCode)
		}
		c := res.Cookies()[0]
		return c.Name + "=" + c.Value
	}
	first, other := enter("t1"), enter("t2")
	var asker context.Context
	follow := h.door.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asker = r.Context()
		if who, ok := From(asker); !ok || who.Name != "phone" {
			t.Errorf("at first: %v, %v", who, ok)
		}
		gone["t1"] = true
		if who, ok := From(asker); ok {
			t.Errorf("when the secret had ended: %v", who)
		}
		h.want(401, "its next request", h.do("GET", "/room", "", "Cookie", first))
		<-asker.Done()
	}))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost:8090/", nil)
	r.Header.Set("Cookie", first)
	follow.ServeHTTP(httptest.NewRecorder(), r)
	gone["t1"] = false
	h.want(401, "a session that ended does not come back", h.do("GET", "/room", "", "Cookie", first))
	h.want(200, "another secret's session", h.do("GET", "/room", "", "Cookie", other))
	h.want(200, "who looks", h.do("GET", "/v1/session", "", "Cookie", other))
}

// TestTakes: the page is told what to ask for, and nothing else before somebody is logged in.
func TestTakes(t *testing.T) {
	for tokens, want := range map[bool]string{false: `"takes":["code"]}`, true: `"takes":["code","token"]}`} {
		h := newHouse(t, Config{Tokens: tokens})
		body, err := io.ReadAll(h.do("GET", "/v1/session", "").Body)
		if err != nil || !strings.HasSuffix(strings.TrimSpace(string(body)), want) {
			t.Errorf("tokens %v: %s, %v", tokens, body, err)
		}
		body, err = io.ReadAll(h.login("wrong").Body)
		if err != nil || strings.Contains(string(body), "or an API token") != tokens {
			t.Errorf("tokens %v, a wrong secret: %s, %v", tokens, body, err)
		}
	}
}

// TestRebinding: a name that somebody else pointed at this address opens nothing, not even the empty page.
func TestRebinding(t *testing.T) {
	h := newHouse(t, Config{Hosts: []string{"house.example", "192.0.2.7", "2001:db8::7"}})
	cookie := h.enter()
	for host, ours := range map[string]bool{
		"localhost": true, "localhost:8090": true, "LOCALHOST.:8090": true, "app.localhost:1": true, "127.0.0.1": true, "127.8.8.8:8090": true,
		"[::1]:8090": true, "[::1]": true, "[::ffff:127.0.0.1]:1": true, "house.example": true, "House.Example:8443": true, "192.0.2.7:1": true, "[2001:db8::7]:1": true,
		"": false, "evil.example": false, "evil.example:8090": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"notlocalhost": false, "192.0.2.8": false, "[2001:db8::8]:1": false, "0.0.0.0:8090": false, "house.example.evil": false, "127.1": false, "2130706433": false, "[::]": false,
	} {
		res := h.do("GET", "/v1/session", "", "Host", host, "Cookie", cookie)
		if (res.StatusCode != http.StatusMisdirectedRequest) != ours {
			t.Errorf("Host %q: status %d, ours %v", host, res.StatusCode, ours)
		}
	}
}

// TestCrossSite: another site's page changes nothing, even if the browser sent the cookie.
func TestCrossSite(t *testing.T) {
	h := newHouse(t, Config{})
	cookie := h.enter()
	for _, tt := range []struct {
		name   string
		header []string
		status int
	}{
		{"from here", []string{"Sec-Fetch-Site", "same-origin"}, 204},
		{"from here, an old browser", []string{"Origin", "http://localhost:8090"}, 204},
		{"no browser", nil, 204},
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"another port", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 403},
		{"another site, an old browser", []string{"Origin", "https://evil.example"}, 403},
		{"no origin to tell", []string{"Origin", "null"}, 403},
	} {
		if tt.status == 204 {
			cookie = h.enter()
		}
		h.want(tt.status, tt.name, h.do("POST", "/v1/logout", "", append(tt.header, "Cookie", cookie)...))
	}
	h.want(403, "login from another site", h.login(secret, "Sec-Fetch-Site", "cross-site"))
}

func TestCode(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		c := NewCode()
		text := c.String()
		if len(text) != 9 || text[4] != '-' || strings.Trim(text, alphabet+"-") != "" || seen[text] {
			t.Fatalf("the code is %q", text)
		}
		seen[text] = true
		plain := strings.ReplaceAll(text, "-", "")
		looks := strings.NewReplacer("0", "o", "1", "l")
		for _, typed := range []string{text, plain, strings.ToLower(text), " " + plain[:3] + " " + plain[3:] + "\n", looks.Replace(text)} {
			if !c.Matches(typed) {
				t.Errorf("%q does not open %q", typed, text)
			}
		}
		for _, typed := range []string{"", "-", text + "0", text[1:], plain[:7], NewCode().String()} {
			if c.Matches(typed) {
				t.Errorf("%q opens %q", typed, text)
			}
		}
	}
	if (Code{}).Matches("") {
		t.Error("a code that was never made is opened by nothing")
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, s := range []string{`{"code":"K7QM-3XZD"}`, `{"code":"a","code":"b"}`, `{}`, `null`, `{"code":"\ud800"}`, ` {"code" : "x"} `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSecret(b)
		if (err == nil) != (strings.TrimSpace(s) != "") {
			t.Errorf("%q gave %q and %v", b, s, err)
		}
		if err != nil && len(err.Error()) > 100 {
			t.Errorf("the error repeats what was sent: %v", err)
		}
	})
}
