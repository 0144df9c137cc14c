package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody is a journal that makes nothing durable.
type nobody struct{}

func (nobody) Wake() {}

type clock struct{ start time.Time }

func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }
func (clock) Wall() time.Time      { return time.Now() }

type noManifests struct{}

func (noManifests) Source(twin.Name) string { return "" }
func (noManifests) Apply(context.Context, []byte) (deviceapi.Applied, error) {
	return deviceapi.Applied{}, errors.New("no manifests here")
}

func (noManifests) Manifest(twin.Name) ([]byte, error) { return nil, errors.New("no manifests here") }

func (noManifests) Profile([]twin.Name) ([]byte, error) { return nil, errors.New("no manifests here") }

func newServer(t *testing.T, path string) (*Server, *twin.Store) {
	t.Helper()
	s, store, _ := newNode(t, path)
	return s, store
}

func newNode(t *testing.T, path string) (*Server, *twin.Store, *twin.Node) {
	t.Helper()
	node, err := twin.OpenNode(twin.NodeConfig{Name: "cellar", FileID: "file", NewID: rand.Text}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := twin.NewStore(node, clock{time.Now()}, nobody{})
	return New(Config{Socket: path, Version: "test", Started: time.Now()}, store, noManifests{}, nil, slog.New(slog.DiscardHandler)), store, node
}

// running serves until the returned function is called.
func running(t *testing.T, s *Server) (stop func()) {
	t.Helper()
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func TestSocketIsItsOwners(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	s, _ := newServer(t, path)
	stop := running(t, s)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("socket: %v %v, want mode 0600", info, err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end the socket is still there: %v", err)
	}
}

func TestSecondServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	first, _ := newServer(t, path)
	running(t, first)
	second, _ := newServer(t, path)
	if err := second.Listen(); !errors.Is(err, ErrTaken) {
		t.Errorf("got %v, want %v", err, ErrTaken)
	}
	c := deviceapi.NewSocketClient(path)
	defer c.Close()
	if _, err := c.Health(t.Context()); err != nil {
		t.Errorf("the first one no longer answers: %v", err)
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed process leaves it
	l.Close()
	s, _ := newServer(t, path)
	running(t, s)
	c := deviceapi.NewSocketClient(path)
	defer c.Close()
	if _, err := c.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, says string }{
		{file, "not a socket"},
		{filepath.Join(dir, strings.Repeat("x", 120)), "data folder"},
		{filepath.Join(dir, "missing", SocketName), "no such file"},
	} {
		s, _ := newServer(t, tt.path)
		if err := s.Listen(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.path, err, tt.says)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// TestEndAnswersWhoWaits: a wait for an outcome and a stream do not hold the end up.
func TestEndAnswersWhoWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	s, store := newServer(t, path)
	stop := running(t, s)
	name := twin.Name{Namespace: "default", Name: "lamp"}
	if err := store.Apply(nil, []twin.Device{{Name: name, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}}); err != nil {
		t.Fatal(err)
	}
	c := deviceapi.NewSocketClient(path)
	defer c.Close()
	ready, wished := make(chan struct{}), make(chan error, 1)
	streamed := make(chan error, 1)
	go func() {
		streamed <- c.Watch(t.Context(), deviceapi.Filter{}, func(e deviceapi.Event) error {
			if e.Kind == deviceapi.EventDevice && e.Device.Properties["power"].Wish != nil {
				close(ready)
			}
			return nil
		})
	}()
	go func() {
		w, err := c.Wish(t.Context(), name, deviceapi.Patch{Expected: map[string]deviceapi.Scalar{"power": deviceapi.Scalar("true")}}, time.Minute)
		if err == nil && w.Outcome != "pending" {
			err = errors.New("outcome " + w.Outcome)
		}
		wished <- err
	}()
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("the wish did not arrive")
	}
	start := time.Now()
	stop()
	if took := time.Since(start); took > time.Second {
		t.Errorf("the end took %v", took)
	}
	if err := <-wished; err != nil {
		t.Errorf("who waited got %v, want the wish as it is", err)
	}
	if err := <-streamed; err == nil {
		t.Error("the stream ended without an error")
	}
}

// TestTagsOfAnotherStoreID: a node that finds itself an old disk takes a new store id; tags from before guard nothing.
func TestTagsOfAnotherStoreID(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	s, store, node := newNode(t, path)
	name := twin.Name{Namespace: "default", Name: "lamp"}
	if err := store.Apply(nil, []twin.Device{{Name: name, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}}); err != nil {
		t.Fatal(err)
	}
	tag := func() string {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/devices/default/lamp", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Header().Get("ETag")
	}
	before := tag()
	if again := tag(); again != before {
		t.Errorf("the tag went from %s to %s, and nothing happened", before, again)
	}
	// A hub that holds a rev of an opening that this disk knows nothing of.
	node.LinkUp(twin.Now{Mono: 1}, twin.HubHello{HubStore: "hub", Session: "s", NodeStore: store.StoreID(), LastRev: 1, LastOpening: "another"})
	if after := tag(); after == before {
		t.Errorf("the tag is still %s", after)
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := deviceapi.NewSocketClient(filepath.Join(t.TempDir(), SocketName))
	defer c.Close()
	if _, err := c.Health(t.Context()); !errors.Is(err, deviceapi.ErrNotRunning) {
		t.Errorf("got %v, want %v", err, deviceapi.ErrNotRunning)
	}
}
