package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestPeek: what a peek sees is what an opening sees, and the file stays as it was to the byte.
func TestPeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := openAt(t, path)
	put(t, s, "small", "a", "one")
	for i := range 500 { // more than a page
		put(t, s, "large", fmt.Sprintf("%04d", i), "some text")
	}
	if _, err := Peek(path, "small"); !errors.Is(err, ErrLocked) {
		t.Errorf("an open file: %v, want %v", err, ErrLocked)
	}
	closeNow(t, s)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for bucket, want := range map[string]int{"small": 1, "large": 500, "none": 0} {
		list, err := Peek(path, bucket)
		if err != nil || len(list) != want {
			t.Errorf("bucket %s: %d records, %v; want %d", bucket, len(list), err, want)
		}
		if bucket == "small" && (len(list) != 1 || list[0].Key != "a" || string(list[0].Data) != "one") {
			t.Errorf("bucket small: %v", list)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the file has changed (%v)", err)
	}
	// Nobody is kept from opening it.
	closeNow(t, openAt(t, path))
}

func TestPeekRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Peek(filepath.Join(dir, "none"), "b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Peek(dir, "b"); err == nil {
		t.Error("a folder: no error")
	}
	path := filepath.Join(dir, "edge.db")
	s := openAt(t, path)
	put(t, s, "b", "key", "value")
	closeNow(t, s)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, pageSize, len(good) / 2} {
		short := filepath.Join(dir, "short")
		if err := os.WriteFile(short, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Peek(short, "b"); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes of %d: %v, want %v", n, len(good), err, ErrDamaged)
		}
	}
}
