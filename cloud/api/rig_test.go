package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/cloud/api"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is a bucket of a store, as the wiring of a hub has it; it can be made to fail.
type kept struct {
	file   *store.Store
	broken atomic.Bool
}

func (k *kept) Get(key string) ([]byte, bool, error) {
	data, err := k.file.Get("api", key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

func (k *kept) List(prefix string) ([]api.Record, error) {
	all, err := k.file.Records("api")
	var out []api.Record
	for _, r := range all {
		if strings.HasPrefix(r.Key, prefix) {
			out = append(out, api.Record{Key: r.Key, Data: r.Data})
		}
	}
	return out, err
}

func (k *kept) Begin(changes ...api.Change) func() error {
	if k.broken.Load() {
		return func() error { return errors.New("read-only file system") }
	}
	list := make([]store.Change, len(changes))
	for i, c := range changes {
		list[i] = store.Change{Bucket: "api", Key: c.Key, Data: c.Data}
	}
	return k.file.Begin(list...)
}

// joins is an enrolment in memory.
type joins struct {
	mu    sync.Mutex
	until map[string]time.Time
	fails error
}

func (j *joins) NewToken(node string, validFor time.Duration) (string, time.Time, error) {
	return "join-" + node, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(validFor), nil
}

func (j *joins) Revoke(node string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.until[node]; !ok {
		return twin.ErrNodeUnknown
	}
	if j.fails != nil {
		return j.fails
	}
	delete(j.until, node)
	return nil
}

func (j *joins) Expiry(node string) (time.Time, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t, ok := j.until[node]
	return t, ok
}

// clock is a time that is moved by hand.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// hub is a served API over a registry in a file.
type hub struct {
	t      testing.TB
	file   *store.Store
	reg    *embedded.Registry
	kept   *kept
	joins  *joins
	clock  *clock
	api    *api.API
	base   string
	admin  string
	log    *bytes.Buffer
	client http.Client
}

var (
	lamp  = twin.Name{Namespace: "default", Name: "lamp"}
	porch = twin.Name{Namespace: "garden", Name: "porch"}
)

const manifests = `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: lamp}
spec:
  properties:
    - {name: powerstatus, type: STRING, accessMode: ReadWrite}
    - {name: level, type: INT, accessMode: ReadWrite, minimum: "0", maximum: "100"}
    - {name: watts, type: DOUBLE, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: lamp, labels: {room: hall}}
spec: {deviceModelRef: {name: lamp}, nodeName: attic, properties: []}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: lamp, namespace: garden}
spec:
  properties:
    - {name: powerstatus, type: STRING, accessMode: ReadWrite}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: porch, namespace: garden, labels: {room: porch}}
spec: {deviceModelRef: {name: lamp}, nodeName: attic, properties: []}
`

type option func(*api.Config)

func newHub(t testing.TB, options ...option) *hub {
	t.Helper()
	return openHub(t, filepath.Join(t.TempDir(), "hub.db"), options...)
}

func openHub(t testing.TB, path string, options ...option) *hub {
	t.Helper()
	file, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := embedded.Open(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, file: file, reg: reg, kept: &kept{file: file}, joins: &joins{until: map[string]time.Time{}}, clock: &clock{}, log: &bytes.Buffer{}}
	cfg := api.Config{
		Version: "test", Started: time.Now(), Now: h.clock.now,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics\n") }),
	}
	for _, o := range options {
		o(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	if h.api, err = api.New(cfg, reg, h.kept, h.joins, log); err != nil {
		t.Fatal(err)
	}
	if h.admin, _, err = h.api.FirstToken(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.base = "http://" + l.Addr().String()
	h.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	server := deviceapi.NewServer(h.api.Handler(), log)
	ctx, cancel := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	run, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := reg.Run(run); err != nil {
			t.Error(err)
		}
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		cancel()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
		stop()
		wg.Wait()
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// defined applies the manifests and lets the node attic live.
func (h *hub) defined() *node {
	h.t.Helper()
	if got := h.as(h.admin, "POST", "/v1/apply", manifests, "Content-Type", "application/yaml"); got.status != 200 {
		h.t.Fatalf("apply: %d %s", got.status, got.body)
	}
	n := h.node("attic")
	eventually(h.t, "the lamps are online", func() bool {
		for _, name := range []twin.Name{lamp, porch} {
			if v, err := h.reg.Device(name); err != nil || v.Presence != twin.Online {
				return false
			}
		}
		return true
	})
	return n
}

// token makes an API token.
func (h *hub) token(name, role, validFor string) deviceapi.NewToken {
	h.t.Helper()
	got := h.as(h.admin, "POST", "/v1/tokens", fmt.Sprintf(`{"name":%q,"role":%q,"validFor":%q}`, name, role, validFor))
	var t deviceapi.NewToken
	if err := json.Unmarshal(got.body, &t); err != nil || got.status != 201 {
		h.t.Fatalf("make token %s: %d %s", name, got.status, got.body)
	}
	return t
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// as sends a request with a token; "" is none. Headers come in pairs.
func (h *hub) as(token, method, path, body string, headers ...string) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<26))
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, text}
}

// want is as, for an answer that has to have that status and say that.
func (h *hub) want(status int, says, token, method, path, body string, headers ...string) reply {
	h.t.Helper()
	got := h.as(token, method, path, body, headers...)
	if got.status != status || !strings.Contains(string(got.body), says) {
		h.t.Errorf("%s %s %s: %s\nwant %d with %q", method, path, body, got, status, says)
	}
	return got
}

// node is an edge node in memory, whose mapper does what it is told, and its link to the hub.
type node struct {
	t     testing.TB
	name  string
	reg   *embedded.Registry
	store *twin.Store
	idle  atomic.Bool // its mapper does nothing
	stop  func()
}

type nodeClock struct{ start time.Time }

func (c nodeClock) Now() time.Duration { return time.Since(c.start) + 1 }
func (nodeClock) Wall() time.Time      { return time.Now() }

type nobody struct{}

func (nobody) Wake() {}

func (h *hub) node(name string) *node {
	h.t.Helper()
	inner, err := twin.OpenNode(twin.NodeConfig{Name: name, Version: "9", FileID: "file", NewID: rand.Text}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	n := &node{t: h.t, name: name, reg: h.reg, store: twin.NewStore(inner, nodeClock{time.Now()}, nobody{})}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.run(ctx) })
	n.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	h.t.Cleanup(n.stop)
	return n
}

func (n *node) commit() {
	n.store.Tick()
	if b, due := n.store.TakeBatch(false); due {
		n.store.Committed(b, nil)
	}
}

func (n *node) run(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	session := n.reg.Connect(n.name)
	up := false
	for {
		select {
		case <-ctx.Done():
			n.reg.Disconnect(n.name, session)
			n.store.LinkDown()
			return
		case <-tick.C:
		}
		n.commit()
		if !up {
			session, up = n.greet(session)
			continue
		}
		n.exchange(session)
		if !n.idle.Load() {
			n.obey()
		}
	}
}

func (n *node) greet(session string) (string, bool) {
	hello, ok := n.reg.Hello(n.name, session)
	if !ok {
		return session, false
	}
	n.store.LinkUp(hello)
	n.commit()
	answer, ok := n.store.Hello()
	if !ok {
		n.t.Error("no answer to the hub's hello")
		return session, false
	}
	if again := n.reg.NodeHello(n.name, session, answer); again != "" {
		return again, false
	}
	return session, true
}

func (n *node) exchange(session string) {
	if d, ok := n.store.Decisions(); ok {
		n.reg.Learn(n.name, session, d)
	}
	if o, ok := n.store.Observations(100); ok {
		n.reg.Observe(n.name, session, o)
	}
	if rev, ok := n.reg.Ack(n.name, session); ok {
		n.store.Acked(rev)
	}
	for _, def := range n.reg.Definitions(n.name, session, 1000) {
		if err := n.store.DefineCloud(def); err != nil {
			n.t.Errorf("definition: %v", err)
		}
	}
	for _, r := range n.store.Refusals() {
		n.reg.DefinitionRefused(n.name, session, r)
	}
	for _, w := range n.reg.Offers(n.name, session, 1000) {
		n.store.OfferCloud(w)
	}
}

// obey does what is offered, and says that the devices are there.
func (n *node) obey() {
	for _, name := range n.store.Devices() {
		v, err := n.store.Device(name)
		if err != nil {
			continue
		}
		r := twin.Report{Echo: true, Conn: "test", Props: map[string]twin.PropReport{}}
		for i := range v.Props {
			if p := &v.Props[i]; p.Offered {
				r.Props[p.Def.Name] = twin.PropReport{Value: p.Expected, Wish: p.Wish}
			}
		}
		if v.Presence != twin.Online {
			err = n.store.SetState(name, "online", "test")
		}
		if len(r.Props) > 0 && err == nil {
			_, err = n.store.Report(name, r)
		}
		if err != nil && !errors.Is(err, twin.ErrNotFound) {
			n.t.Error(err)
		}
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 10 s: %s", what)
		case <-tick.C:
		}
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// ask asks an API without a server.
func ask(t *testing.T, a *api.API, token, method, path, body string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

// hashText is some hash, in base64.
func hashText(i int) string {
	sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	return base64.StdEncoding.EncodeToString(sum[:])
}
