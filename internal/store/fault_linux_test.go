package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLocked(t *testing.T) {
	s := open(t)
	_, err := Open(s.path, quick)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), s.path) {
		t.Errorf("second Open: %v, want ErrLocked that names %s", err, s.path)
	}
	if err := Restore(s.path, bytes.NewReader(nil), quick); err == nil {
		t.Error("Restore over a store in use")
	}
	if _, err := SetAside(s.path, quick); !errors.Is(err, ErrLocked) {
		t.Errorf("SetAside of a store in use: %v, want ErrLocked", err)
	}
	put(t, s, "b", "k", "v") // the first is not disturbed
	closeNow(t, s)
	openAt(t, s.path)
}

// TestTempLeftOver is what a power cut in the first creation leaves: a file of any length beside the place.
func TestTempLeftOver(t *testing.T) {
	good, _ := sample(t)
	for _, n := range []int{0, 1, 100, pageSize, 4 * pageSize, 5*pageSize + 7, len(good)} {
		path := filepath.Join(t.TempDir(), "edge.db")
		if err := os.WriteFile(path+tempSuffix, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path)
		if got := dump(t, s, sampleBuckets...); len(got) != 0 || !s.Created() {
			t.Errorf("%d bytes left over: created %t, with %d records", n, s.Created(), len(got))
		}
		if _, err := os.Stat(path + tempSuffix); !os.IsNotExist(err) {
			t.Errorf("%d bytes left over: the temporary file is still there: %v", n, err)
		}
	}
}

func TestTempIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "edge.db")
	if err := os.Symlink(victim, path+tempSuffix); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, quick); err == nil {
		t.Error("a symbolic link was followed")
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
		t.Errorf("the file it leads to now holds %q (%v)", b, err)
	}
}

func TestCreatedByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	ids := make(chan ID, 8)
	var wg sync.WaitGroup
	for range cap(ids) {
		wg.Go(func() {
			s, err := Open(path, Options{})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			ids <- s.ID()
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("two stores were made: %v and %v", first, id)
		}
	}
}

func TestFolderCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "edge.db"), quick); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// TestFileShrinksUnderneath reads mapped pages that are no longer there. That is the fault which a page that the disk
// cannot deliver raises as well.
func TestFileShrinksUnderneath(t *testing.T) {
	s := open(t)
	for i := range 100 {
		put(t, s, "b", fmt.Sprintf("k%d", i), strings.Repeat("x", 1000))
	}
	whole, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.path, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Get("b", "k7"); !errors.Is(err, ErrDamaged) {
			t.Errorf("Get: %v, want ErrDamaged", err)
		}
		if _, err := s.Records("b"); !errors.Is(err, ErrDamaged) {
			t.Errorf("Records: %v, want ErrDamaged", err)
		}
		if err := s.Commit(Change{"b", "k7", []byte("y")}); !errors.Is(err, ErrDamaged) {
			t.Errorf("Commit: %v, want ErrDamaged", err)
		}
	}
	if err := os.WriteFile(s.path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, s, "b", "k7", "y")
	if got := dump(t, s, "b"); len(got) != 100 || got["b/k7"] != "y" {
		t.Errorf("after the file came back: %d records, k7 = %q", len(got), got["b/k7"])
	}
	if got := s.Stats().Reopened; got != 1 {
		t.Errorf("opened anew %d times, want 1", got)
	}
}

func TestCommitIntoDamage(t *testing.T) {
	s := open(t)
	for i := range 100 {
		put(t, s, "b", fmt.Sprintf("k%d", i), strings.Repeat("x", 1000))
	}
	if err := os.Truncate(s.path, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(Change{"b", "k7", []byte("y")}); !errors.Is(err, ErrDamaged) {
		t.Errorf("Commit: %v, want ErrDamaged", err)
	}
}

// TestOlderFileUnderneath: after a failure the file must hold all that was acknowledged.
func TestOlderFileUnderneath(t *testing.T) {
	s := open(t)
	old, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "b", "k", "v")
	s.condemn(s.h, false, errors.New("planted"))
	if err := os.WriteFile(s.path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("b", "k"); !errors.Is(err, ErrDamaged) {
		t.Errorf("Get: %v, want ErrDamaged", err)
	}
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(Change{"b", "k", []byte("v")}); !errors.Is(err, ErrDisk) {
		t.Errorf("Commit without a file: %v, want ErrDisk", err)
	}
	if _, err := os.Stat(s.path); !os.IsNotExist(err) {
		t.Errorf("a new file stands in for the lost one: %v", err)
	}
}

// replaceFD makes the store's descriptor another file.
func replaceFD(t *testing.T, s *Store, with string, flag int) {
	t.Helper()
	other, err := unix.Open(with, flag|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Dup3(other, int(s.h.file.Fd()), unix.O_CLOEXEC), unix.Close(other)); err != nil {
		t.Fatal(err)
	}
}

func TestNoSpaceForAPage(t *testing.T) {
	s := open(t)
	put(t, s, "b", "k", "old")
	replaceFD(t, s, "/dev/full", unix.O_RDWR)
	for range 3 {
		err := s.Commit(Change{"b", "k", []byte("new")}, Change{"c", "k", []byte("new")})
		if !errors.Is(err, ErrFull) || !errors.Is(err, ErrDisk) || !strings.Contains(err.Error(), s.path) {
			t.Errorf("Commit: %v, want ErrFull that names the file", err)
		}
		if got := dump(t, s, "b", "c"); !same(got, map[string]string{"b/k": "old"}) {
			t.Errorf("after a failed commit: %v", got)
		}
	}
	replaceFD(t, s, s.path, unix.O_RDWR)
	put(t, s, "b", "k", "new")
	if got := s.Stats(); got.Failures != 3 || got.Reopened != 0 {
		t.Errorf("%d failures, want 3; opened anew %d times, want 0", got.Failures, got.Reopened)
	}
	closeNow(t, s)
	if got := dump(t, openAt(t, s.path), "b", "c"); !same(got, map[string]string{"b/k": "new"}) {
		t.Errorf("after reopening: %v", got)
	}
}

// TestWriteFails makes the disk refuse with something else than "full": the file is opened anew for the next commit.
func TestWriteFails(t *testing.T) {
	s := open(t)
	put(t, s, "b", "k", "old")
	id, opening := s.ID(), s.Opening()
	replaceFD(t, s, s.path, unix.O_RDONLY)
	if err := s.Commit(Change{"b", "k", []byte("new")}); !errors.Is(err, ErrDisk) || errors.Is(err, ErrFull) {
		t.Errorf("Commit: %v, want ErrDisk, not ErrFull", err)
	}
	if got := dump(t, s, "b"); !same(got, map[string]string{"b/k": "old"}) {
		t.Errorf("after the failed commit: %v", got)
	}
	put(t, s, "b", "k", "new")
	if got := s.Stats(); got.Failures != 1 || got.Reopened != 1 {
		t.Errorf("%d failures, opened anew %d times, want 1 and 1", got.Failures, got.Reopened)
	}
	if s.ID() != id || s.Opening() != opening {
		t.Error("opening the file anew changed the identity")
	}
}

func TestMaxSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s, err := Open(path, Options{MaxSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	n := 0
	for ; n < 1000 && err == nil; n++ {
		err = s.Commit(Change{"b", fmt.Sprintf("k%03d", n), make([]byte, 1000)})
	}
	if !errors.Is(err, ErrFull) || n < 50 {
		t.Fatalf("after %d records: %v, want ErrFull", n, err)
	}
	if got := s.Stats(); got.FileBytes > 256<<10 || got.Reopened != 0 {
		t.Errorf("file of %d bytes, opened anew %d times", got.FileBytes, got.Reopened)
	}
	// What another caller asks for at the same time is not refused along with what is too large.
	s.commitMu.Lock()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Commit(Change{"b", "large", make([]byte, MaxDataLen)}); !errors.Is(err, ErrFull) {
			t.Errorf("large: %v, want ErrFull", err)
		}
	})
	wg.Go(func() {
		if err := s.Commit(Change{"b", "k000", nil}, Change{"b", "k001", nil}); err != nil {
			t.Errorf("small: %v", err)
		}
	})
	eventually(t, "both wait", func() bool {
		s.queue.mu.Lock()
		defer s.queue.mu.Unlock()
		return len(s.queue.calls) == 2
	})
	s.commitMu.Unlock()
	wg.Wait()
	put(t, s, "b", "k000", "room again")
}

// TestDiskFull fills a file system of 2 MiB, as root in a mount namespace that ends with the thread.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("CI") != "true" {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread, with its namespace, ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			t.Errorf("unshare: %v", err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Errorf("make mounts private: %v", err)
			return
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
			t.Errorf("mount: %v", err)
			return
		}
		fillDisk(t, dir)
	}()
	<-done
}

func fillDisk(t *testing.T, dir string) {
	path := filepath.Join(dir, "edge.db")
	s, err := Open(path, quick)
	if err != nil {
		t.Errorf("Open: %v", err)
		return
	}
	want := map[string]string{}
	for i := 0; err == nil && i < 5000; i++ {
		key, data := fmt.Sprintf("k%04d", i), strings.Repeat("x", 1500)
		if err = s.Commit(Change{"b", key, []byte(data)}); err == nil {
			want["b/"+key] = data
		}
	}
	if !errors.Is(err, ErrFull) || len(want) < 500 {
		t.Errorf("after %d records: %v, want ErrFull", len(want), err)
	}
	for i := range 20 { // fail again and again, then make room
		if err := s.Commit(Change{"b", fmt.Sprintf("m%d", i), make([]byte, 100000)}); !errors.Is(err, ErrFull) {
			t.Errorf("on a full disk: %v, want ErrFull", err)
		}
	}
	if err := s.Snapshot(path + ".bak"); !errors.Is(err, ErrFull) {
		t.Errorf("Snapshot on a full disk: %v, want ErrFull", err)
	}
	if list, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	if got := dump(t, s, "b"); !same(got, want) {
		t.Errorf("on a full disk %d records are read, want %d", len(got), len(want))
	}
	// The process starts again while the disk is full. What the file had room for, it still has.
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if s, err = Open(path, quick); err != nil {
		t.Errorf("Open on a full disk: %v", err)
		return
	}
	for i := range 300 {
		delete(want, fmt.Sprintf("b/k%04d", i))
		if err := s.Commit(Change{"b", fmt.Sprintf("k%04d", i), nil}); err != nil {
			t.Errorf("delete on a full disk: %v", err)
			return
		}
	}
	want["b/late"] = "room again"
	if err := s.Commit(Change{"b", "late", []byte("room again")}); err != nil {
		t.Errorf("after room was made: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if s, err = Open(path, quick); err != nil {
		t.Errorf("Open at the end: %v", err)
		return
	}
	if got := dump(t, s, "b"); !same(got, want) {
		t.Errorf("at the end %d records, want %d", len(got), len(want))
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
