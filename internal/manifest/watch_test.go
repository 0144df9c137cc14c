package manifest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is a listener that tells what the test says.
type silent struct {
	notices chan error
	closed  chan struct{}
}

func (s *silent) next() error {
	select {
	case err := <-s.notices:
		return err
	case <-s.closed:
		return errors.New("closed")
	}
}

func (s *silent) close() error { close(s.closed); return nil }

// watched is a watcher that runs in a bubble of time.
type watched struct {
	stop func()
	mu   sync.Mutex
	sets []string // what it called back with
}

func (w *watched) add(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sets = append(w.sets, s)
}

// calls tells how often it called back, once nothing moves any more.
func (w *watched) calls() int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sets)
}

// expect checks how often it called back after d, and with what the last time.
func (w *watched) expect(t *testing.T, d time.Duration, calls int, last string) {
	t.Helper()
	<-time.After(d)
	n := w.calls()
	w.mu.Lock()
	defer w.mu.Unlock()
	if n != calls || w.sets[n-1] != last {
		t.Errorf("called back %d times with %q, want %d times, at last with %q", n, w.sets, calls, last)
	}
}

func watch(t *testing.T, dir string, listen func(string) (listener, error)) *watched {
	t.Helper()
	out := &watched{}
	w := NewWatcher(dir, slog.New(slog.DiscardHandler), func(s Set, _ map[string]error) { out.add(names(s)) })
	w.listen = listen
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	out.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	synctest.Wait()
	return out
}

func TestWatchByPolling(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "devices")
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, dir, func(string) (listener, error) { return nil, errors.ErrUnsupported })
		defer w.stop()
		w.expect(t, 0, 1, "") // the folder does not exist yet
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "a.json", deviceFile("a"))
		w.expect(t, pollQuick+quiet+time.Millisecond, 2, "a")
		w.expect(t, time.Minute, 2, "a")
		if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
			t.Fatal(err)
		}
		w.expect(t, pollQuick+quiet+time.Millisecond, 3, "")
	})
}

func TestWatchWaitsForQuiet(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &silent{notices: make(chan error), closed: make(chan struct{})}
		w := watch(t, dir, func(string) (listener, error) { return s, nil })
		defer w.stop()
		write(t, dir, "a.json", deviceFile("a"))
		for range 3 {
			s.notices <- nil
			w.expect(t, quiet/2, 1, "")
		}
		w.expect(t, quiet, 2, "a")
		// Who never stops writing is read all the same.
		start := time.Now()
		for w.calls() == 2 && time.Since(start) < time.Minute {
			s.notices <- nil
			<-time.After(quiet / 2)
		}
		if d := time.Since(start); d > patience+quiet {
			t.Errorf("read after %v, want %v", d, patience)
		}
	})
}

func TestWatchLosesItsListener(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &silent{notices: make(chan error), closed: make(chan struct{})}
		w := watch(t, dir, func(string) (listener, error) { return s, nil })
		defer w.stop()
		s.notices <- errors.New("folder moved")
		synctest.Wait()
		write(t, dir, "a.json", deviceFile("a"))
		w.expect(t, pollQuick+quiet+time.Millisecond, 2, "a")
	})
}

// TestWatchFolder is the real thing: the system's notices, written as editors and mounted configuration do.
func TestWatchFolder(t *testing.T) {
	dir := t.TempDir()
	sets := make(chan string, 100)
	w := NewWatcher(dir, slog.New(slog.DiscardHandler), func(s Set, _ map[string]error) { sets <- names(s) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	until := func(want string) {
		t.Helper()
		late := time.After(pollSlow - 5*time.Second) // before polling could have found it
		for {
			select {
			case got := <-sets:
				if got == want {
					return
				}
			case <-late:
				t.Fatalf("%q never came", want)
			}
		}
	}
	until("")
	write(t, dir, "a.json", deviceFile("a"))
	until("a")
	write(t, dir, "b.tmp", deviceFile("b"))
	if err := os.Rename(filepath.Join(dir, "b.tmp"), filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	until("a b")
	write(t, dir, "a.json", deviceFile("c"))
	until("c b")
	if err := os.Remove(filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	until("c")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	until("")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "d.json", deviceFile("d"))
	until("d")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
