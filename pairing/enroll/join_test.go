package enroll

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestJoin(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	for _, name := range []string{"attic", "küche", "a%b?c:d&e=\"", strings.Repeat("n", MaxNameLen), strings.Repeat("ü", MaxNameLen/2)} {
		m, store := h.member(t, name)
		if got, err := h.who(t, m.TLS()); got != name || err != nil {
			t.Errorf("the hub knows %q as %q, %v", name, got, err)
		}
		again, err := OpenMember(store, h.memberConfig())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.who(t, again.TLS()); got != name || err != nil {
			t.Errorf("after a restart the hub knows %q as %q, %v", name, got, err)
		}
		if again.Name() != name || !slices.Equal(again.Hubs(), []string{hubURL}) || !again.Expires().Equal(someDay.Add(DefaultLifetime)) {
			t.Errorf("member is %s at %v until %v", again.Name(), again.Hubs(), again.Expires())
		}
		if _, ok, _ := store.Get(keyNext); ok {
			t.Error("the key is stored as the next one still")
		}
	}
	if n := h.Tokens(); n != 0 {
		t.Errorf("%d tokens are open after their use", n)
	}
	if got := len(h.Nodes()); got != 5 {
		t.Errorf("%d nodes, want 5", got)
	}
	if n := h.Nodes()[0]; n.Name != "a%b?c:d&e=\"" || !n.Joined.Equal(someDay) || !n.Expires.Equal(someDay.Add(DefaultLifetime)) || !n.Revoked.IsZero() {
		t.Errorf("first node: %+v", n)
	}
}

func TestNotJoined(t *testing.T) {
	if _, err := OpenMember(newStore(), MemberConfig{}); !errors.Is(err, ErrNotJoined) {
		t.Errorf("got %v, want ErrNotJoined", err)
	}
}

func TestJoinTwice(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	_, store := h.member(t, "attic")
	before := store.backup()
	other := h.token(t, "cellar")
	if _, err := Join(t.Context(), store, other.Text(), h.memberConfig()); !errors.Is(err, ErrJoined) || !strings.Contains(err.Error(), "attic") {
		t.Errorf("second join: %v, want ErrJoined and the name", err)
	}
	if !slices.EqualFunc(keysOf(store), keysOf(before), func(a, b string) bool { return a == b }) {
		t.Errorf("a refused join changed the store: %v", keysOf(store))
	}
	if h.Tokens() != 1 {
		t.Error("a refused join used the token")
	}
	cfg := h.memberConfig()
	cfg.Again = true
	m, err := Join(t.Context(), store, other.Text(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.who(t, m.TLS()); got != "cellar" || err != nil {
		t.Errorf("joined again as %q, %v", got, err)
	}
}

func keysOf(s *memStore) []string {
	list, _ := s.List("")
	var out []string
	for _, r := range list {
		out = append(out, r.Key)
	}
	slices.Sort(out)
	return out
}

// TestLostAnswer: the hub has used the token, the node did not hear of it.
func TestLostAnswer(t *testing.T) {
	h := newHub(t)
	lose := true
	h.wrap = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !lose {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
	h.serve(t, "hub.example:8443")
	store, token := newStore(), h.token(t, "attic")
	if _, err := Join(t.Context(), store, token.Text(), h.memberConfig()); err == nil {
		t.Fatal("joined without an answer")
	}
	if h.Tokens() != 0 || len(h.Nodes()) != 1 {
		t.Fatal("the hub did not use the token; the test tests nothing")
	}
	lose = false
	h.reopen(t) // the hub restarted meanwhile, the node too
	var refused *RefusedError
	if _, err := Join(t.Context(), newStore(), token.Text(), h.memberConfig()); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("another key with the same token: %v, want status 409", err)
	}
	m, err := Join(t.Context(), store, token.Text(), h.memberConfig())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.who(t, m.TLS()); got != "attic" || err != nil {
		t.Errorf("who: %q, %v", got, err)
	}
	// Once more, the answer of the repetition being lost, but the join is over now.
	if err := h.Revoke("attic"); err != nil {
		t.Fatal(err)
	}
	cfg := h.memberConfig()
	cfg.Again = true
	store.Commit(Change{Key: keyMember})
	if _, err := Join(t.Context(), store, token.Text(), cfg); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("repeated after the revocation: %v, want status 409", err)
	}
}

// TestTokenOnce: whatever happens, one key wins.
func TestTokenOnce(t *testing.T) {
	h := newHub(t)
	token := h.token(t, "attic")
	csrs := make([]string, 100)
	for i := range csrs {
		csrs[i] = newCSR(t)
	}
	race := func() (won []int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		start := make(chan struct{})
		h.busy.most = 1000 // the limiter would let 10 of them through
		for i, csr := range csrs {
			wg.Go(func() {
				<-start
				status, text := h.post(t, JoinPath, "192.0.2.1:99", anyone, joinBody(t, token, csr))
				if status == http.StatusOK {
					mu.Lock()
					defer mu.Unlock()
					won = append(won, i)
				} else if status != http.StatusConflict {
					t.Errorf("status %d: %s", status, text)
				}
			})
		}
		close(start)
		wg.Wait()
		return won
	}
	first := race()
	if len(first) != 1 {
		t.Fatalf("%d of 100 won, want 1", len(first))
	}
	for range 2 {
		h.reopen(t)
		if again := race(); !slices.Equal(again, first) {
			t.Errorf("after a restart %v won, before it was %v", again, first)
		}
	}
	h.clock.add(time.Hour)
	if status, text := h.post(t, JoinPath, "192.0.2.1:99", anyone, joinBody(t, token, csrs[first[0]])); status != http.StatusForbidden {
		t.Errorf("the winner after the end of the token: status %d: %s", status, text)
	}
}

// TestUseIsDurableFirst: a hub that cannot store the use of a token gives no certificate, and the token stays good.
func TestUseIsDurableFirst(t *testing.T) {
	h := newHub(t)
	token, csr := h.token(t, "attic"), newCSR(t)
	h.store.setFull(true)
	status, text := h.post(t, JoinPath, "192.0.2.1:99", anyone, joinBody(t, token, csr))
	if status != http.StatusServiceUnavailable || strings.Contains(text, "CERTIFICATE") || strings.Contains(text, errDisk.Error()) {
		t.Errorf("on a full disk: status %d: %s", status, text)
	}
	if len(h.Nodes()) != 0 || h.Tokens() != 1 {
		t.Errorf("after a refused join: nodes %v, %d tokens", h.Nodes(), h.Tokens())
	}
	if _, err := h.NewToken("cellar", []string{hubURL}, time.Hour); !errors.Is(err, errDisk) {
		t.Errorf("token on a full disk: %v", err)
	}
	h.store.setFull(false)
	mustJoin(t, h, token, csr)
}

func mustJoin(t *testing.T, h *hub, token Token, csr string) {
	t.Helper()
	status, text := h.post(t, JoinPath, "192.0.2.1:99", anyone, joinBody(t, token, csr))
	answered(t, status, text)
}

// TestSecretIsNotStored looks at what an attacker with the hub's file would find.
func TestSecretIsNotStored(t *testing.T) {
	h := newHub(t)
	token := h.token(t, "attic")
	if h.store.has(b64.EncodeToString(token.secret)) || h.store.has(string(token.secret)) {
		t.Error("the secret lies in the hub's store")
	}
}

// recording notes what arrives at a listener.
type recording struct {
	net.Listener
	mu  sync.Mutex
	got bytes.Buffer
}

func (r *recording) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordedConn{Conn: c, r: r}, nil
}

type recordedConn struct {
	net.Conn
	r *recording
}

func (c *recordedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.got.Write(b[:n])
	return n, err
}

// TestFakeHub: a hub without the CA of the token learns nothing, whatever it pretends.
func TestFakeHub(t *testing.T) {
	h := newHub(t)
	fake := newHub(t)
	token := h.token(t, "attic")
	asClient := func() *tls.Config { // the right CA, but the certificate of a node
		h.serve(t, "hub.example:8443")
		m, _ := h.member(t, "spy")
		return &tls.Config{Certificates: []tls.Certificate{*m.state.Load().cert}}
	}()
	tls12 := fake.ServerTLS()
	tls12.MinVersion, tls12.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	tests := []struct {
		name string
		conf *tls.Config // nil: no TLS
		want string
	}{
		{"another CA", fake.ServerTLS(), "another hub than the one of the token"},
		{"the certificate of a node", asClient, "not valid for any names"},
		{"TLS 1.2", tls12, "protocol version"},
		{"no TLS", nil, "HTTP response to HTTPS client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			network := newPipes()
			rec := &recording{Listener: network.listen(t, "hub.example:8443")}
			var inside recordingHandler
			if tt.conf != nil {
				serve(t, rec, tt.conf, &inside)
			} else {
				serveText(t, rec)
			}
			_, err := Join(t.Context(), newStore(), token.Text(), MemberConfig{Now: h.clock.now, Dial: network.dial})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Join: %v, want %q", err, tt.want)
			}
			rec.mu.Lock()
			defer rec.mu.Unlock()
			if rec.got.Len() == 0 {
				t.Error("nothing arrived; the test tests nothing")
			}
			for _, s := range []string{b64.EncodeToString(token.secret), string(token.secret), "attic", "POST"} {
				if bytes.Contains(rec.got.Bytes(), []byte(s)) {
					t.Errorf("%q was sent in clear", s)
				}
			}
			if n := inside.count(); n != 0 {
				t.Errorf("%d requests came through TLS", n)
			}
		})
	}
	if h.Tokens() != 1 {
		t.Error("the token was used")
	}
}

type recordingHandler struct {
	mu sync.Mutex
	n  int
}

func (r *recordingHandler) ServeHTTP(http.ResponseWriter, *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
}

func (r *recordingHandler) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// serveText answers each connection in clear.
func serveText(t *testing.T, l net.Listener) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
}

// TestOtherAddress: one address is dead, one is another hub, the third is right.
func TestOtherAddress(t *testing.T) {
	h, fake := newHub(t), newHub(t)
	fake.net = h.net
	fake.serve(t, "fake.example:1")
	h.serve(t, "hub.example:8443")
	token, err := h.NewToken("attic", []string{"https://dead.example", "https://fake.example:1", hubURL}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Join(t.Context(), newStore(), token.Text(), h.memberConfig())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Hubs()) != 3 {
		t.Errorf("hubs %v", m.Hubs())
	}
}

// TestBadAnswers: a hub that is the right one, and wrong in its head.
func TestBadAnswers(t *testing.T) {
	h := newHub(t)
	foreign := newHub(t)
	certFor := func(h *hub, name, csr string) string {
		req, err := parseCSR(csr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.ca.forNode(name, 7, req.pub, someDay, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return toPEM(pemCertificate, c.Raw)
	}
	issued := someDay.Format(time.RFC3339)
	var answer func(csr string) string
	h.wrap = func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			m, err := readFlat(b, []string{"node", "secret", "csr"}, nil)
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, answer(m["csr"]))
		})
	}
	h.serve(t, "hub.example:8443")
	for _, tt := range []struct {
		name   string
		answer func(csr string) string
		want   string // empty: it is good
	}{
		{"good", func(csr string) string { return body(t, "certificate", certFor(h, "attic", csr), "issued", issued) }, ""},
		{"empty", func(string) string { return "" }, "not valid JSON"},
		{"endless", func(string) string { return strings.Repeat("x", 1<<20) }, "16 KiB"},
		{"null", func(string) string { return "null" }, "a JSON object"},
		{"no certificate", func(string) string { return body(t, "issued", issued) }, "certificate"},
		{"rubbish", func(string) string { return body(t, "certificate", "x", "issued", issued) }, "PEM"},
		{"rubbish in PEM", func(string) string {
			return body(t, "certificate", toPEM(pemCertificate, []byte("x")), "issued", issued)
		}, "DER"},
		{"another name", func(csr string) string { return body(t, "certificate", certFor(h, "cellar", csr), "issued", issued) }, "another name"},
		{"another key", func(string) string { return body(t, "certificate", certFor(h, "attic", newCSR(t)), "issued", issued) }, "another key"},
		{"another CA", func(csr string) string {
			return body(t, "certificate", certFor(foreign, "attic", csr), "issued", issued)
		}, "cannot be used"},
		{"no time", func(csr string) string { return body(t, "certificate", certFor(h, "attic", csr), "issued", "now") }, "RFC 3339"},
		{"issued after its end", func(csr string) string {
			return body(t, "certificate", certFor(h, "attic", csr), "issued", someDay.Add(2*time.Hour).Format(time.RFC3339))
		}, "before the end"},
	} {
		answer = tt.answer
		store := newStore()
		_, err := Join(t.Context(), store, h.token(t, "attic").Text(), h.memberConfig())
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if got := keysOf(store); !slices.Equal(got, []string{keyNext}) {
			t.Errorf("%s: stored %v", tt.name, got)
		}
	}
}
