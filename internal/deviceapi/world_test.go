package deviceapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/edge/local"
	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a journal whose disk is a variable.
type memory struct {
	store *twin.Store
	wake  chan struct{}
	held  atomic.Bool // nothing becomes durable
	err   atomic.Pointer[error]
}

func (m *memory) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *memory) run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-m.wake:
		}
		m.store.Tick()
		if m.held.Load() {
			continue
		}
		if b, due := m.store.TakeBatch(false); due {
			var err error
			if e := m.err.Load(); e != nil {
				err = *e
			}
			m.store.Committed(b, err)
		}
	}
}

type clock struct{ start time.Time }

func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }
func (clock) Wall() time.Time      { return time.Now() }

// house is a store with two lamps and a thermometer, served on a socket.
type house struct {
	t      *testing.T
	store  *twin.Store
	disk   *memory
	socket string
	client *deviceapi.Client
	http   http.Client
}

var (
	lamp   = twin.Name{Namespace: "default", Name: "lamp"}
	porch  = twin.Name{Namespace: "garden", Name: "porch"}
	meter  = twin.Name{Namespace: "default", Name: "meter"}
	lampMo = twin.Name{Namespace: "default", Name: "lamp-model"}
)

// definitions stand in for the manifests of the edge.
type definitions struct{ store *twin.Store }

func (d definitions) Source(n twin.Name) string {
	if n == porch {
		return "devices/porch.yaml"
	}
	return ""
}

func (d definitions) Apply(_ context.Context, text []byte) (deviceapi.Applied, error) {
	if !bytes.HasPrefix(text, []byte("kind: ")) {
		return deviceapi.Applied{}, &twin.FieldError{Field: "kind", Value: "", Want: "Device or DeviceModel"}
	}
	name := twin.Name{Namespace: "default", Name: "applied"}
	dev := twin.Device{Name: name, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}
	return deviceapi.Applied{Models: []string{}, Devices: []string{name.String()}}, d.store.Apply(nil, []twin.Device{dev})
}

func (d definitions) Manifest(n twin.Name) ([]byte, error) {
	if n == porch {
		return nil, fmt.Errorf("%w: %w", deviceapi.ErrConflict, &twin.FieldError{Field: "step", Value: "2", Want: "none"})
	}
	if _, err := d.store.Device(n); err != nil {
		return nil, err
	}
	return []byte("kind: Device\nname: " + n.String() + "\n"), nil
}

func (d definitions) Profile(names []twin.Name) ([]byte, error) {
	for _, n := range names {
		if _, err := d.store.Device(n); err != nil {
			return nil, err
		}
	}
	return fmt.Appendf(nil, "{\"names\": %q}\n", names), nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	node, err := twin.OpenNode(twin.NodeConfig{Name: "cellar", FileID: "file", NewID: rand.Text}, nil)
	if err != nil {
		t.Fatal(err)
	}
	disk := &memory{wake: make(chan struct{}, 1)}
	store := twin.NewStore(node, clock{time.Now()}, disk)
	disk.store = store
	zero, hundred := 0.0, 100.0
	model := twin.DeviceModel{Name: lampMo, Properties: []twin.Property{
		{Name: "powerstatus", Type: twin.String},
		{Name: "level", Type: twin.Int, Min: &zero, Max: &hundred},
		{Name: "fade", Type: twin.Float},
		{Name: "night", Type: twin.Bool},
		{Name: "watts", Type: twin.Float, Access: twin.ReadOnly},
	}}
	err = store.Apply([]twin.DeviceModel{model}, []twin.Device{
		{Name: lamp, Model: lampMo, Annotations: map[string]string{"attribute.serial": "4711"}},
		{Name: porch, Model: lampMo},
		{Name: meter, Properties: []twin.Property{{Name: "celsius", Type: twin.Float, Access: twin.ReadOnly}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: store, disk: disk, socket: filepath.Join(t.TempDir(), "s")}
	server := local.New(local.Config{Socket: h.socket, Version: "test", Started: time.Now()}, store, definitions{store},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics\n") }), slog.New(slog.DiscardHandler))
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { disk.run(ctx) })
	wg.Go(func() {
		if err := server.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	h.client = deviceapi.NewSocketClient(h.socket)
	h.http = http.Client{Transport: deviceapi.SocketTransport(h.socket)}
	t.Cleanup(func() {
		h.client.Close()
		h.http.CloseIdleConnections()
		cancel()
		wg.Wait()
	})
	return h
}

// mapper reports what is expected of a device whenever it is offered something, until the test ends.
func (h *house) mapper(name twin.Name) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	w := h.store.Watch()
	wg.Go(func() {
		defer w.Close()
		for {
			v, err := h.store.Device(name)
			if err == nil {
				h.answer(name, &v)
			}
			select {
			case <-ctx.Done():
				return
			case <-w.C():
				w.Take()
			}
		}
	})
	h.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (h *house) answer(name twin.Name, v *twin.View) {
	r := twin.Report{Echo: true, Conn: "test", Props: map[string]twin.PropReport{}}
	for i := range v.Props {
		if p := &v.Props[i]; p.Offered {
			r.Props[p.Def.Name] = twin.PropReport{Value: p.Expected, Wish: p.Wish}
		}
	}
	if len(r.Props) == 0 {
		return
	}
	if _, err := h.store.Report(name, r); err != nil && !errors.Is(err, twin.ErrNotFound) {
		h.t.Error(err)
	}
}

func (h *house) online(name twin.Name) {
	h.t.Helper()
	if err := h.store.SetState(name, "online", "test"); err != nil {
		h.t.Fatal(err)
	}
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// json reads the answer as an object.
func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.body, &m); err != nil {
		t.Fatalf("answer %q: %v", r.body, err)
	}
	return m
}

// do sends a request; headers come in pairs.
func (h *house) do(method, path, body string, headers ...string) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://edge"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := h.http.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<24))
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, text}
}

// eventually waits until ok.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("not within 10 s")
		case <-tick.C:
		}
	}
}
