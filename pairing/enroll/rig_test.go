package enroll

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("no space left")

// memStore is a Store in memory.
type memStore struct {
	mu      sync.Mutex
	data    map[string][]byte
	full    bool // refuse commits
	commits int
}

func newStore() *memStore { return &memStore{data: map[string][]byte{}} }

func (s *memStore) Get(key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.data[key]
	return bytes.Clone(d), ok, nil
}

func (s *memStore) List(prefix string) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Record
	for k, d := range s.data {
		if strings.HasPrefix(k, prefix) {
			out = append(out, Record{Key: k, Data: bytes.Clone(d)})
		}
	}
	return out, nil
}

func (s *memStore) Commit(changes ...Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errDisk
	}
	s.commits++
	for _, c := range changes {
		if c.Data == nil {
			delete(s.data, c.Key)
		} else {
			s.data[c.Key] = bytes.Clone(c.Data)
		}
	}
	return nil
}

func (s *memStore) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func (s *memStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

// backup gives a copy of the store as it is.
func (s *memStore) backup() *memStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memStore{data: maps.Clone(s.data)}
}

func (s *memStore) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.data {
		if bytes.Contains(d, []byte(text)) {
			return true
		}
	}
	return false
}

// handClock is a clock that is set by hand.
type handClock struct {
	mu sync.Mutex
	t  time.Time
}

var someDay = time.Date(2031, 5, 17, 12, 30, 0, 0, time.UTC)

func newHandClock() *handClock { return &handClock{t: someDay} }

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *handClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *handClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// pipes is a network of pipes: addresses and who listens there.
type pipes struct {
	mu    sync.Mutex
	hosts map[string]*pipeListener
	// fault, if set, is asked for each connection.
	fault func(net.Conn) (net.Conn, error)
}

func newPipes() *pipes { return &pipes{hosts: map[string]*pipeListener{}} }

func (p *pipes) listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts[address] = l
	return l
}

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	l, fault := p.hosts[address], p.fault
	p.mu.Unlock()
	if l == nil {
		return nil, errors.New("no such host: " + address)
	}
	near, far := newPipe()
	c := net.Conn(near)
	if fault != nil {
		var err error
		if c, err = fault(near); err != nil {
			return nil, err
		}
	}
	select {
	case l.conns <- far:
		return c, nil
	case <-l.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// hub is an authority on a network.
type hub struct {
	*Authority
	store *memStore
	clock *handClock
	net   *pipes
	cfg   AuthorityConfig
	live  atomic.Pointer[Authority] // the same one, for those who serve
	// wrap, if set, stands before the handler of the authority.
	wrap func(http.Handler) http.Handler
}

const hubURL = "https://hub.example:8443"

// newHub opens an authority in an empty store. It is not served yet.
func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{store: newStore(), clock: newHandClock(), net: newPipes()}
	h.cfg = AuthorityConfig{Now: h.clock.now}
	h.reopen(t)
	return h
}

// reopen opens the authority anew, as after a restart.
func (h *hub) reopen(t testing.TB) {
	t.Helper()
	a, err := OpenAuthority(h.store, h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Authority = a
	h.live.Store(a)
}

// reopenEmpty opens the authority in an empty store.
func (h *hub) reopenEmpty(t testing.TB) {
	t.Helper()
	h.store = newStore()
	h.reopen(t)
}

// serve serves the authority, and a page at /who that says who asks, until the test ends.
func (h *hub) serve(t testing.TB, address string) {
	t.Helper()
	conf := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return h.live.Load().ServerTLS(), nil // of the authority that is open now
	}}
	serve(t, h.net.listen(t, address), conf, h.handler())
}

func (h *hub) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/enroll/", func(w http.ResponseWriter, r *http.Request) {
		next := h.live.Load().Handler()
		if h.wrap != nil {
			next = h.wrap(next)
		}
		next.ServeHTTP(w, r)
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		id, err := h.live.Load().Identify(r.TLS)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		io.WriteString(w, id.Node)
	})
	return mux
}

// serve serves a handler until the test ends.
func serve(t testing.TB, l net.Listener, conf *tls.Config, handler http.Handler) {
	t.Helper()
	s := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(tls.NewListener(l, conf))
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
}

func (h *hub) token(t testing.TB, node string) Token {
	t.Helper()
	token, err := h.NewToken(node, []string{hubURL}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// member joins a node over the network.
func (h *hub) member(t testing.TB, node string) (*Member, *memStore) {
	t.Helper()
	store := newStore()
	m, err := Join(t.Context(), store, h.token(t, node).Text(), h.memberConfig())
	if err != nil {
		t.Fatal(err)
	}
	return m, store
}

func (h *hub) memberConfig() MemberConfig {
	return MemberConfig{Now: h.clock.now, Dial: h.net.dial}
}

// who asks /who with a TLS configuration.
func (h *hub) who(t testing.TB, conf *tls.Config) (string, error) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: conf, DialContext: h.net.dial, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hubURL+"/who", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(strings.TrimSpace(string(text)))
	}
	return string(text), nil
}

// post hands a body to the handler itself, as from a connection with the given TLS state.
func (h *hub) post(t testing.TB, path, from string, state *tls.ConnectionState, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr, r.TLS = from, state
	w := httptest.NewRecorder()
	h.Authority.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

var anyone = &tls.ConnectionState{}

// shown is the TLS state of a connection on which a member showed its certificate.
func shown(m *Member) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{m.state.Load().leaf}}
}

// body makes a JSON object of pairs of strings.
func body(t testing.TB, pairs ...string) string {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// newCSR makes a key and a request for it.
func newCSR(t testing.TB) string {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := makeCSR("somebody", key)
	if err != nil {
		t.Fatal(err)
	}
	return toPEM(pemRequest, der)
}

func joinBody(t testing.TB, token Token, csr string) string {
	t.Helper()
	return body(t, "node", token.Node, "secret", b64.EncodeToString(token.secret), "csr", csr)
}

func answered(t testing.TB, status int, text string) *x509.Certificate {
	t.Helper()
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	g, err := parseAnswer([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return g.leaf
}
