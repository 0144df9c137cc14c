package embedded

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is a file in memory whose disk can fail.
type file struct {
	mu      sync.Mutex
	records map[string][]byte
	broken  error
	commits int
}

func (f *file) Records(string) (out []store.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, b := range f.records {
		out = append(out, store.Record{Key: k, Data: b})
	}
	return out, f.broken
}

func (f *file) Commit(changes ...store.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits++
	if f.broken != nil {
		return f.broken
	}
	for _, c := range changes {
		if c.Data == nil {
			delete(f.records, c.Key)
		} else {
			f.records[c.Key] = c.Data
		}
	}
	return nil
}

func (f *file) breaks(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

// running opens a registry on the file and runs it until stop.
func running(t *testing.T, f File) (r *Registry, stop func() error) {
	t.Helper()
	r, err := Open(f, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	once := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = once() }) // who wants the error has asked for it
	return r, once
}

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

func define(t *testing.T, r *Registry) {
	t.Helper()
	m := twin.DeviceModel{Name: lamp, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}
	if err := r.Apply(t.Context(), []twin.DeviceModel{m}, []twin.Device{{Name: lamp, Model: lamp, Node: "attic"}}); err != nil {
		t.Fatal(err)
	}
}

func on(id string) twin.Wish {
	return twin.Wish{ID: id, Origin: twin.FromCloud, Values: map[string]twin.Value{"power": twin.BoolValue(true)}}
}

// What was told as accepted is there after a kill, which commits nothing any more.
func TestDurable(t *testing.T) {
	f := &file{records: map[string][]byte{}}
	r, stop := running(t, f)
	define(t, r)
	if _, err := r.Ask(t.Context(), lamp, on("w1")); err != nil {
		t.Fatal(err)
	}
	f.breaks(errors.New("killed")) // whatever comes after is lost
	if err := stop(); err != nil {
		t.Logf("the last commit: %v", err)
	}
	f.breaks(nil)
	again, _ := running(t, f)
	v, err := again.Wish("w1")
	if err != nil || v.Outcome != twin.Pending {
		t.Errorf("wish after the restart: %+v, %v", v, err)
	}
	if _, err := again.Model(lamp); err != nil {
		t.Errorf("model after the restart: %v", err)
	}
	if d, err := again.Device(lamp); err != nil || d.Prop("power").Wish != "w1" {
		t.Errorf("device after the restart: %+v, %v", d, err)
	}
	if again.StoreID() != r.StoreID() {
		t.Error("the store has another id")
	}
}

// A disk that fails is told to who asks, and heals by itself.
func TestDiskFails(t *testing.T) {
	f := &file{records: map[string][]byte{}}
	r, _ := running(t, f)
	define(t, r)
	f.breaks(errors.New("no space left"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := r.Ask(ctx, lamp, on("w1")); !errors.Is(err, twin.ErrDisk) {
		t.Fatalf("got %v, want %v", err, twin.ErrDisk)
	}
	if r.DiskError() == nil {
		t.Error("no trouble is shown")
	}
	// Once that is known, what is refused is not done later either.
	if v, err := r.Ask(ctx, lamp, on("late")); !errors.Is(err, twin.ErrDisk) || v.ID != "" {
		t.Errorf("with a disk that is known to fail: %+v, %v; want %v", v, err, twin.ErrDisk)
	}
	if _, err := r.Wish("late"); !errors.Is(err, twin.ErrWishUnknown) {
		t.Errorf("a wish that was not taken: %v, want %v", err, twin.ErrWishUnknown)
	}
	f.breaks(nil)
	if err := r.WaitDurable(ctx, r.Seq()); err != nil && !errors.Is(err, twin.ErrDisk) {
		t.Fatal(err)
	}
	for r.DiskError() != nil && ctx.Err() == nil { // it is tried again within a second
		_ = r.WaitDurable(ctx, r.Seq())
	}
	if _, err := r.Ask(ctx, lamp, on("w2")); err != nil {
		t.Errorf("after the disk healed: %v", err)
	}
}

// Wishes that come together share commits.
func TestGroupCommit(t *testing.T) {
	f := &slow{file: file{records: map[string][]byte{}}}
	r, _ := running(t, f)
	define(t, r)
	before := f.commits
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if _, err := r.Ask(t.Context(), lamp, on(string(rune('a'+i)))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := f.commits - before; n > 16 {
		t.Errorf("32 wishes took %d commits", n)
	}
}

// slow is a file whose commits take a while.
type slow struct{ file }

func (s *slow) Commit(changes ...store.Change) error {
	<-time.After(2 * time.Millisecond)
	return s.file.Commit(changes...)
}

func TestOpenRefuses(t *testing.T) {
	for name, records := range map[string]map[string][]byte{
		"no JSON":        {"view/default/lamp": []byte("{")},
		"an unknown key": {"what/ever": []byte("{}")},
		"a broken value": {"view/default/lamp": []byte(`{"device":{"name":"default/lamp","properties":[{"name":"p","type":"int"}]},"props":{"p":{"e":"x5"}}}`)},
	} {
		if _, err := Open(&file{records: records}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Open(&file{broken: store.ErrDamaged}, slog.New(slog.DiscardHandler)); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(dir, slog.New(slog.DiscardHandler)); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
