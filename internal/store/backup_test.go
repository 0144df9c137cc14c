package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestBackupAndRestore(t *testing.T) {
	s := open(t)
	for i := range 50 {
		put(t, s, "b", fmt.Sprintf("k%d", i), strings.Repeat("x", 500))
	}
	want := dump(t, s, "b")
	var backup bytes.Buffer
	if err := s.Backup(&backup); err != nil {
		t.Fatal(err)
	}
	put(t, s, "b", "later", "x")
	if got := names(t, filepath.Dir(s.path)); !slices.Equal(got, []string{"edge.db"}) {
		t.Errorf("left behind: %v", got)
	}

	dir := filepath.Join(t.TempDir(), "new")
	for range 2 { // into an empty place, then over what is there
		path := filepath.Join(dir, "edge.db")
		if err := Restore(path, bytes.NewReader(backup.Bytes()), quick); err != nil {
			t.Fatal(err)
		}
		if got := names(t, dir); !slices.Equal(got, []string{"edge.db"}) {
			t.Errorf("left behind: %v", got)
		}
		r := openAt(t, path)
		if got := dump(t, r, "b"); !same(got, want) {
			t.Errorf("restored %d records, want %d", len(got), len(want))
		}
		if r.ID() == s.ID() || r.Created() {
			t.Errorf("the restored store has the id of the original, %v, or calls itself new", r.ID())
		}
		if slices.Contains(r.Openings(), s.Opening()) {
			t.Error("the restored store remembers openings under the old id")
		}
		put(t, r, "b", "other", "x")
		closeNow(t, r)
	}
}

func TestRestoreRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := openAt(t, path)
	put(t, s, "b", "k", "v")
	var backup bytes.Buffer
	if err := s.Backup(&backup); err != nil {
		t.Fatal(err)
	}
	closeNow(t, s)
	flipped := bytes.Clone(backup.Bytes())
	flipped[bytes.LastIndex(flipped, []byte("openings"))] ^= 1
	broken := io.MultiReader(bytes.NewReader(backup.Bytes()[:5000]), errReader{})
	for _, c := range []struct {
		name string
		r    io.Reader
		o    Options
		want error
	}{
		{"empty", strings.NewReader(""), quick, ErrDamaged},
		{"a text", strings.NewReader(strings.Repeat("x", 50000)), quick, ErrDamaged},
		{"cut short", bytes.NewReader(backup.Bytes()[:backup.Len()-1]), quick, ErrDamaged},
		{"flipped", bytes.NewReader(flipped), quick, ErrDamaged},
		{"too large", bytes.NewReader(backup.Bytes()), Options{MaxSize: int64(backup.Len()) - 1}, ErrTooLarge},
		{"broken off", broken, quick, errBroken},
	} {
		if err := Restore(path, c.r, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"edge.db"}) {
			t.Errorf("%s: left behind: %v", c.name, got)
		}
	}
	if got := dump(t, openAt(t, path), "b"); !same(got, map[string]string{"b/k": "v"}) {
		t.Errorf("after refused restores: %v", got)
	}
}

var errBroken = errors.New("broken off")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

// TestSlowReaderHoldsNothingUp commits, and makes the file larger, while a backup waits for its reader.
func TestSlowReaderHoldsNothingUp(t *testing.T) {
	s := open(t)
	put(t, s, "b", "k", strings.Repeat("x", 100000))
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.Backup(w)
		done <- errors.Join(err, w.Close())
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		put(t, s, "b", fmt.Sprintf("k%d", i), strings.Repeat("y", 100000))
	}
	rest, err := io.ReadAll(io.LimitReader(r, 10<<20))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	copied := append(first, rest...)
	if _, err := check(bytes.NewReader(copied), int64(len(copied))); err != nil {
		t.Errorf("the copy is damaged: %v", err)
	}
	if bytes.Contains(copied, []byte("yyyy")) {
		t.Error("the copy has what was written after it began")
	}
}

func TestSnapshot(t *testing.T) {
	s := open(t)
	snap := s.path + ".bak"
	put(t, s, "b", "k", "1")
	for _, v := range []string{"2", "3"} {
		put(t, s, "b", "k", v)
		if err := s.Snapshot(snap); err != nil {
			t.Fatal(err)
		}
		c := openAt(t, snap)
		if got := dump(t, c, "b"); !same(got, map[string]string{"b/k": v}) {
			t.Errorf("snapshot holds %v, want %s", got, v)
		}
		closeNow(t, c)
	}
	if got := names(t, filepath.Dir(s.path)); !slices.Equal(got, []string{"edge.db", "edge.db.bak"}) {
		t.Errorf("left behind: %v", got)
	}
	if info, err := os.Stat(snap); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestSnapshotOfDamage keeps the last good snapshot.
func TestSnapshotOfDamage(t *testing.T) {
	s := open(t)
	put(t, s, "b", "k", "valuable")
	if err := s.Snapshot(s.path + ".bak"); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path, bytes.ReplaceAll(file, []byte("valuable"), []byte("worthies")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(s.path + ".bak"); !errors.Is(err, ErrDamaged) {
		t.Errorf("Snapshot: %v, want ErrDamaged", err)
	}
	if err := s.Backup(io.Discard); !errors.Is(err, ErrDamaged) {
		t.Errorf("Backup: %v, want ErrDamaged", err)
	}
	if _, err := s.Get("b", "k"); !errors.Is(err, ErrDamaged) {
		t.Errorf("Get: %v, want ErrDamaged", err)
	}
	if got := dump(t, openAt(t, s.path+".bak"), "b"); !same(got, map[string]string{"b/k": "valuable"}) {
		t.Errorf("the snapshot holds %v", got)
	}
}

func TestSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	for _, content := range []string{"damaged", "damaged again"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		aside, err := SetAside(path, quick)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(aside); err != nil || string(b) != content {
			t.Errorf("aside lies %q (%v), want %q", b, err, content)
		}
	}
	if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"edge.db.damaged"}) {
		t.Errorf("there are %v", got)
	}
	if _, err := SetAside(path, quick); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}
