package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// quick makes a lock that is held show at once.
var quick = Options{LockWait: time.Millisecond}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, quick)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func open(t *testing.T) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "edge.db"))
}

func put(t *testing.T, s *Store, bucket, key, data string) {
	t.Helper()
	if err := s.Commit(Change{bucket, key, []byte(data)}); err != nil {
		t.Fatalf("Commit(%s/%s): %v", bucket, key, err)
	}
}

func closeNow(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// dump gives everything in a store but its own bucket.
func dump(t *testing.T, s *Store, buckets ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, b := range buckets {
		list, err := s.Records(b)
		if err != nil {
			t.Fatalf("Records(%s): %v", b, err)
		}
		for _, r := range list {
			all[b+"/"+r.Key] = string(r.Data)
		}
	}
	return all
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

func TestPutGetDelete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "edge.db")
	s := openAt(t, path)
	if !s.Created() || s.Suspect() || s.Path() != path {
		t.Errorf("Created %t, Suspect %t, Path %s", s.Created(), s.Suspect(), s.Path())
	}
	err := s.Commit(
		Change{"twin", "lamp", []byte("ON")},
		Change{"twin", "empty", []byte{}},
		Change{"homekit", "lamp", []byte("key")},
		Change{"twin", "gone", []byte("x")},
		Change{"twin", "gone", nil},
		Change{"twin", "never", nil},
		Change{"nobucket", "never", nil},
		Change{"twin", "lamp", []byte("OFF")},
	)
	if err != nil {
		t.Fatal(err)
	}
	check := func(s *Store) {
		t.Helper()
		want := map[string]string{"twin/lamp": "OFF", "twin/empty": "", "homekit/lamp": "key"}
		if got := dump(t, s, "twin", "homekit", "nobucket"); !same(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got, err := s.Get("twin", "empty"); err != nil || got == nil || len(got) != 0 {
			t.Errorf("empty record: %v, %v", got, err)
		}
		for _, miss := range [][2]string{{"twin", "gone"}, {"nobucket", "x"}, {"twin", ""}} {
			if _, err := s.Get(miss[0], miss[1]); !errors.Is(err, ErrNotFound) {
				t.Errorf("Get(%q): %v, want ErrNotFound", miss, err)
			}
		}
	}
	check(s)
	closeNow(t, s)
	s = openAt(t, path)
	if s.Created() {
		t.Error("Created after reopening")
	}
	check(s)
	for _, p := range []struct {
		path string
		want fs.FileMode
	}{{path, 0o600}, {filepath.Dir(path), 0o700 | fs.ModeDir}, {filepath.Dir(filepath.Dir(path)), 0o700 | fs.ModeDir}} {
		if info, err := os.Stat(p.path); err != nil || info.Mode() != p.want {
			t.Errorf("%s: mode %v, want %v (%v)", p.path, info.Mode(), p.want, err)
		}
	}
}

func TestModeIsTightened(t *testing.T) {
	s := open(t)
	closeNow(t, s)
	if err := os.Chmod(s.path, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, s.path)
	if info, err := os.Stat(s.path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestBadChangesChangeNothing(t *testing.T) {
	s := open(t)
	put(t, s, "b", "k", "v")
	for _, c := range []Change{
		{"", "k", []byte("x")},
		{strings.Repeat("a", 65), "k", []byte("x")},
		{"_store1", "id", []byte("x")},
		{"A", "k", []byte("x")},
		{"a\nb", "k", []byte("x")},
		{"b", "", []byte("x")},
		{"b", strings.Repeat("k", MaxKeyLen+1), []byte("x")},
		{"b", "big", make([]byte, MaxDataLen+1)},
	} {
		if err := s.Commit(Change{"b", "k", []byte("new")}, c); err == nil {
			t.Errorf("Commit(%.20q/%.20q, %d bytes) was taken", c.Bucket, c.Key, len(c.Data))
		}
	}
	if err := s.Commit(Change{"b", "big", make([]byte, MaxDataLen+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if got := dump(t, s, "b"); !same(got, map[string]string{"b/k": "v"}) {
		t.Errorf("got %v", got)
	}
	if err := s.Commit(Change{"b", strings.Repeat("k", MaxKeyLen), make([]byte, MaxDataLen)}); err != nil {
		t.Errorf("largest record: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	var id ID
	var openings []ID
	for i := range MaxOpenings + 4 {
		s := openAt(t, path)
		if i == 0 {
			id = s.ID()
		}
		openings = append(openings, s.Opening())
		want := openings[max(0, len(openings)-MaxOpenings):]
		if got := s.Openings(); s.ID() != id || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("opening %d: id %v, want %v; openings %v, want %v", i, s.ID(), id, got, want)
		}
		closeNow(t, s)
	}
	if id == (ID{}) || openings[0] == openings[1] {
		t.Fatalf("ids are not random: %v %v", id, openings[:2])
	}

	s := openAt(t, path)
	fresh, err := s.RenewID()
	if err != nil || fresh == id || s.ID() != fresh {
		t.Fatalf("RenewID: %v, %v; ID %v, was %v", fresh, err, s.ID(), id)
	}
	now := s.Opening()
	if got := s.Openings(); len(got) != 1 || got[0] != now {
		t.Errorf("openings after RenewID: %v, want only %v", got, now)
	}
	closeNow(t, s)
	s = openAt(t, path)
	if got := s.Openings(); s.ID() != fresh || len(got) != 2 || got[0] != now {
		t.Errorf("after reopening: id %v, want %v; openings %v", s.ID(), fresh, got)
	}
	if back, err := ParseID(fresh.String()); err != nil || back != fresh {
		t.Errorf("ParseID(%s): %v, %v", fresh, back, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 32), fresh.String() + "00"} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) took it", bad)
		}
	}
}

func TestOtherStoresDiffer(t *testing.T) {
	if a, b := open(t), open(t); a.ID() == b.ID() || a.Opening() == b.Opening() {
		t.Errorf("two stores: %v %v, %v %v", a.ID(), b.ID(), a.Opening(), b.Opening())
	}
}

func TestClosed(t *testing.T) {
	s := open(t)
	closeNow(t, s)
	if err := s.Commit(Change{"b", "k", []byte("v")}); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit: %v", err)
	}
	if _, err := s.Get("b", "k"); !errors.Is(err, ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCallersShareCommits(t *testing.T) {
	s := open(t)
	before := s.Stats().Commits
	const callers = 64
	// Holding the lock that a commit takes makes the callers pile up behind it.
	s.commitMu.Lock()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if err := s.Commit(Change{"b", fmt.Sprintf("k%02d", i), []byte{byte(i)}}); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
	eventually(t, "all callers wait", func() bool {
		s.queue.mu.Lock()
		defer s.queue.mu.Unlock()
		return len(s.queue.calls) == callers
	})
	s.commitMu.Unlock()
	wg.Wait()
	if got := s.Stats().Commits - before; got != 1 {
		t.Errorf("%d callers took %d commits, want 1", callers, got)
	}
	if got := dump(t, s, "b"); len(got) != callers {
		t.Errorf("%d records, want %d", len(got), callers)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	var q queue
	for range 20 {
		q.push([]Change{{"b", "k", make([]byte, 1<<20-1)}})
	}
	for _, want := range []int{8, 8, 4, 0} {
		if got := len(q.take()); got != want {
			t.Errorf("group of %d, want %d", got, want)
		}
	}
	q.push([]Change{{"b", "k", make([]byte, maxGroup)}, {"b", "l", make([]byte, maxGroup)}})
	if got := len(q.take()); got != 1 {
		t.Errorf("a call larger than a group: took %d, want 1", got)
	}
}

// TestAgainstMap makes random changes and compares with a map, through reopening, which checks the whole file.
func TestAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "edge.db")
	s := openAt(t, path)
	buckets := []string{"twin", "homekit", "matter"}
	want := map[string]string{}
	for step := range 300 {
		changes := make([]Change, 1+rng.IntN(20))
		for i := range changes {
			c := Change{Bucket: buckets[rng.IntN(3)], Key: fmt.Sprintf("k%d", rng.IntN(200))}
			if rng.IntN(3) > 0 {
				n := rng.IntN(300)
				if rng.IntN(50) == 0 {
					n = rng.IntN(30000)
				}
				c.Data = bytes.Repeat([]byte{byte(rng.IntN(256))}, n)
				want[c.Bucket+"/"+c.Key] = string(c.Data)
			} else {
				delete(want, c.Bucket+"/"+c.Key)
			}
			changes[i] = c
		}
		if err := s.Commit(changes...); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if step%20 == 19 {
			closeNow(t, s)
			s = openAt(t, path)
			if got := dump(t, s, buckets...); !same(got, want) {
				t.Fatalf("step %d: %d records, want %d, or contents differ", step, len(got), len(want))
			}
		}
	}
}

func TestReadersAndWriters(t *testing.T) {
	s := open(t)
	put(t, s, "b", "a", "0")
	put(t, s, "b", "z", "0")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				v := fmt.Appendf(nil, "%d.%d", w, i)
				if err := s.Commit(Change{"b", "a", v}, Change{"b", "z", v}, Change{"b", fmt.Sprintf("m%d", i), make([]byte, 2000)}); err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				list, err := s.Records("b")
				if err != nil || !bytes.Equal(list[0].Data, list[len(list)-1].Data) {
					t.Errorf("half a commit was seen: %v", err)
				}
				_ = s.Stats()
			}
		})
	}
	wg.Wait()
}

func TestStats(t *testing.T) {
	s := open(t)
	before := s.Stats()
	if before.Commits != 1 { // the opening
		t.Errorf("%d commits after Open, want 1", before.Commits)
	}
	if err := s.Commit(Change{"b", "key", []byte("value")}, Change{"b", "other", nil}); err != nil {
		t.Fatal(err)
	}
	got := s.Stats()
	// The list of buckets is written along: "buckets" and "_store1\nb".
	if got.Commits != 2 || got.Changes != before.Changes+2 || got.Bytes != before.Bytes+8+16 {
		t.Errorf("before %+v, after %+v", before, got)
	}
	if got.FileBytes == 0 || got.LastTook <= 0 || got.MaxTook < got.LastTook || got.TotalTook < got.MaxTook || got.LastCommit.IsZero() {
		t.Errorf("got %+v", got)
	}
}

// eventually waits for a state that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "edge.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	data := make([]byte, 512)
	for i := 0; b.Loop(); i++ {
		if err := s.Commit(Change{"twin", fmt.Sprintf("lamp%d", i%20), data}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "hub.db")
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20 {
		var changes []Change
		for j := range 1000 {
			changes = append(changes, Change{"twin", fmt.Sprintf("device%d-%d", i, j), make([]byte, 1000)})
		}
		if err := s.Commit(changes...); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(s.Stats().FileBytes)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestBegin: what is begun goes along with the next commit, and its end commits what nobody else did.
func TestBegin(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	get := func(key string) string {
		data, err := s.Get("b", key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		return string(data)
	}
	before := s.Stats().Commits
	end := s.Begin(Change{Bucket: "b", Key: "note", Data: []byte("1")})
	if got := get("note"); got != "" {
		t.Errorf("begun, and already there: %q", got)
	}
	if err := s.Commit(Change{Bucket: "b", Key: "note", Data: []byte("2")}, Change{Bucket: "b", Key: "act", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if got := get("note"); got != "2" {
		t.Errorf("the note is %q; what was begun comes before what is committed", got)
	}
	for range 2 {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	if got := s.Stats().Commits - before; got != 1 {
		t.Errorf("%d commits, want 1 for both", got)
	}
	end = s.Begin(Change{Bucket: "b", Key: "alone", Data: []byte("1")})
	if err := end(); err != nil || get("alone") != "1" {
		t.Errorf("nobody else committed: %v, %q", err, get("alone"))
	}
	if err := s.Begin(Change{Bucket: "B!", Key: "k", Data: []byte("1")})(); err == nil {
		t.Error("a bad bucket is taken")
	}
	if err := s.Begin()(); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}
