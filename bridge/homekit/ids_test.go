package homekit

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

func name(s string) twin.Name { return twin.Name{Namespace: "default", Name: s} }

// openFile opens a store that the test's end closes.
func openFile(t testing.TB, path string) *store.Store {
	t.Helper()
	f, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func want(names ...string) (out []wanted) {
	for _, n := range names {
		out = append(out, wanted{name(n), []string{"info", "info/name", "lamp", "lamp/on"}})
	}
	return out
}

func TestIdentifiersLast(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "edge.db"))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	aids := map[string]uint64{}
	step := func(what string, expect map[string]uint64, list []wanted) map[twin.Name]*known {
		t.Helper()
		r, err := openIDs(file, 1, 149)
		if err != nil {
			t.Fatal(err)
		}
		given, refused, err := r.assign(now, list)
		if err != nil || len(refused) > 0 {
			t.Fatalf("%s: %v, refused %v", what, err, refused)
		}
		got := map[string]uint64{}
		for n, k := range given {
			got[n.Name] = k.AID
		}
		if !maps.Equal(got, expect) {
			t.Errorf("%s: %v, want %v", what, got, expect)
		}
		maps.Copy(aids, got)
		return given
	}
	first := step("two lamps", map[string]uint64{"b": 3, "a": 2}, want("b", "a"))
	if got := first[name("a")].IIDs; !maps.Equal(got, map[string]uint64{"info": 1, "info/name": 2, "lamp": 3, "lamp/on": 4}) {
		t.Errorf("instance ids %v", got)
	}
	// Something in the middle, and another order: what there was keeps its number.
	more := []wanted{{name("a"), []string{"info", "info/serial", "info/name", "lamp", "lamp/brightness", "lamp/on"}}, want("b")[0]}
	second := step("more of a lamp", map[string]uint64{"b": 3, "a": 2}, more)
	if got := second[name("a")].IIDs; !maps.Equal(got, map[string]uint64{"info": 1, "info/name": 2, "lamp": 3, "lamp/on": 4, "info/serial": 5, "lamp/brightness": 6}) {
		t.Errorf("instance ids %v", got)
	}
	step("a lamp is gone, one is new", map[string]uint64{"b": 3, "c": 4}, want("c", "b"))
	now = now.Add(364 * 24 * time.Hour)
	step("it is back within a year", map[string]uint64{"a": 2, "b": 3, "c": 4}, want("a", "b", "c"))
	step("the last is gone", map[string]uint64{"a": 2, "b": 3}, want("a", "b"))
	now = now.Add(366 * 24 * time.Hour)
	step("for more than a year", map[string]uint64{"a": 2, "b": 3}, want("a", "b"))
	step("then it is another one", map[string]uint64{"a": 2, "b": 3, "c": 5}, want("a", "b", "c"))
}

// TestIdentifiersFull: what does not fit is refused and takes nobody's place; a second bridge takes it, and keeps it.
func TestIdentifiersFull(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "edge.db"))
	step := func(bridges int, names []string, on map[string]int, refuse ...string) {
		t.Helper()
		r, err := openIDs(file, bridges, 2)
		if err != nil {
			t.Fatal(err)
		}
		given, refused, err := r.assign(time.Now(), want(names...))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for n, k := range given {
			got[n.Name] = k.Bridge
		}
		var no []string
		for _, n := range refused {
			no = append(no, n.Name)
		}
		if !maps.Equal(got, on) || !slices.Equal(no, refuse) {
			t.Errorf("on bridges %v, refused %v; want %v and %v", got, no, on, refuse)
		}
	}
	step(1, []string{"m", "n"}, map[string]int{"m": 1, "n": 1})
	step(1, []string{"a", "m", "n"}, map[string]int{"m": 1, "n": 1}, "a")
	step(2, []string{"a", "m", "n"}, map[string]int{"a": 2, "m": 1, "n": 1})
	step(2, []string{"a", "n"}, map[string]int{"a": 2, "n": 1})
	step(2, []string{"a", "b", "m", "n", "z"}, map[string]int{"a": 2, "n": 1, "b": 1, "m": 2}, "z")
	step(1, []string{"a", "b", "m", "n"}, map[string]int{"b": 1, "n": 1}, "a", "m")
}

// TestIdentifiersDamaged: a registry that is not what was written is an error, not a new beginning.
func TestIdentifiersDamaged(t *testing.T) {
	for _, c := range []store.Change{
		{Bucket: bucket, Key: accessoryPrefix + "default/a", Data: []byte(`{"bridge":1,`)},
		{Bucket: bucket, Key: accessoryPrefix + "default/a", Data: []byte(`{}`)},
		{Bucket: bucket, Key: accessoryPrefix + "a/b/c", Data: []byte(`{"bridge":1,"aid":2,"iids":{},"next":1}`)},
		{Bucket: bucket, Key: keyNextAID, Data: []byte(`"x"`)},
		{Bucket: bucket, Key: keyNextAID},
	} {
		file := openFile(t, filepath.Join(t.TempDir(), "edge.db"))
		r, err := openIDs(file, 1, 149)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.assign(time.Now(), want("a")); err != nil {
			t.Fatal(err)
		}
		if err := file.Commit(c); err != nil {
			t.Fatal(err)
		}
		if _, err := openIDs(file, 1, 149); !errors.Is(err, errUnreadable) {
			t.Errorf("%s = %q: %v", c.Key, c.Data, err)
		}
	}
}

// TestIdentifiersNotDurable: what is not on disk is given to nobody.
func TestIdentifiersNotDurable(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "edge.db"))
	r, err := openIDs(file, 1, 149)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.assign(time.Now(), want("a")); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(r.next, len(r.names))
	file.Close()
	if _, _, err := r.assign(time.Now(), want("a", "b")); err == nil {
		t.Error("assigned though the store is closed")
	}
	if now := fmt.Sprint(r.next, len(r.names)); now != before {
		t.Errorf("next and names %s, want %s", now, before)
	}
	if given, _, err := r.assign(time.Now(), want("a")); err != nil || len(given) != 1 {
		t.Errorf("what is on disk already: %v, %v", given, err)
	}
}
