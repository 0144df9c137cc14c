package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// sample is a file with everything that a store has: inline and large buckets, branches, records over many pages, and
// free pages. It gives the bytes and the records.
func sample(t testing.TB) (file []byte, records map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edge.db")
	s, err := Open(path, quick)
	if err != nil {
		t.Fatal(err)
	}
	records = map[string]string{}
	var changes []Change
	add := func(bucket, key string, data []byte) {
		changes = append(changes, Change{bucket, key, data})
		records[bucket+"/"+key] = string(data)
	}
	for i := range 60 {
		add("twin", fmt.Sprintf("lamp%02d", i), bytes.Repeat([]byte{byte(i)}, 150))
	}
	add("homekit", "key", []byte("secret"))
	add("matter", "big", bytes.Repeat([]byte{7}, 10000))
	changes = append(changes, Change{"empty", "k", []byte{}})
	records["empty/k"] = ""
	for range 3 { // more than once, so that pages become free
		if err := s.Commit(changes...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file, records
}

var sampleBuckets = []string{"twin", "homekit", "matter", "empty"}

// outcome opens a file with these bytes and says what became of it. Whatever opens must give all records: what is told
// to be good is good.
func outcome(t *testing.T, path string, file []byte, want map[string]string) (damaged, suspect bool) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, quick)
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Errorf("Open: %v, want ErrDamaged", err)
		}
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name the file: %v", err)
		}
		if now, rerr := os.ReadFile(path); rerr != nil || !bytes.Equal(now, file) {
			t.Errorf("a damaged file was changed (%v)", rerr)
		}
		return true, false
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	if got := dump(t, s, sampleBuckets...); !same(got, want) {
		t.Errorf("opened, with %d records instead of %d or other contents", len(got), len(want))
	}
	if err := s.Commit(Change{"twin", "new", []byte("x")}); err != nil {
		t.Errorf("Commit after opening: %v", err)
	}
	return false, s.Suspect()
}

func TestTruncated(t *testing.T) {
	file, want := sample(t)
	path := filepath.Join(t.TempDir(), "edge.db")
	m, _, err := readMetas(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	lengths := []int{0, 1, 15, 16, 80, 100, 511, 512}
	for n := pageSize; n < len(file); n += pageSize {
		lengths = append(lengths, n-1, n, n+1, n+100)
	}
	for _, n := range lengths {
		damaged, _ := outcome(t, path, file[:n], want)
		// What lies behind the pages in use belongs to nobody.
		if needed := n < int(m.pages)*pageSize; damaged != needed {
			t.Errorf("cut to %d of %d bytes (%d in use): damaged %t, want %t", n, len(file), m.pages*pageSize, damaged, needed)
		}
	}
}

// TestPageSweep damages each page in turn, in several ways.
func TestPageSweep(t *testing.T) {
	file, want := sample(t)
	path := filepath.Join(t.TempDir(), "edge.db")
	m, _, err := readMetas(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{r: bytes.NewReader(file), pages: m.pages, seen: make([]uint64, m.pages/64+1)}
	p, err := c.page(m.freelist, 0)
	if err != nil {
		t.Fatal(err)
	}
	free := map[uint64]bool{}
	for ids, _ := p.freeIDs(); len(ids) > 0; ids = ids[8:] {
		free[order.Uint64(ids)] = true
	}
	if len(free) == 0 {
		t.Fatal("the sample has no free pages")
	}
	ways := []struct {
		name string
		do   func(page []byte)
		// some: the change may lie in bytes that mean nothing, such as those behind a page's entries.
		some bool
	}{
		{"zero", func(p []byte) { clear(p) }, false},
		{"ones", func(p []byte) {
			for i := range p {
				p[i] = 0xff
			}
		}, false},
		{"first half of another page", func(p []byte) { copy(p[:pageSize/2], file[3*pageSize:]) }, true},
		{"second half zero", func(p []byte) { clear(p[pageSize/2:]) }, true},
		{"count less one", func(p []byte) { p[10]-- }, true},
		{"overflow of 65536", func(p []byte) { p[14]++ }, true},
	}
	for bit := range 64 {
		at := (bit*797 + 3) % pageSize
		ways = append(ways, struct {
			name string
			do   func(page []byte)
			some bool
		}{fmt.Sprintf("bit of byte %d", at), func(p []byte) { p[at] ^= 1 << (bit % 8) }, true})
	}
	found := 0
	for id := range m.pages {
		for _, w := range ways {
			bad := bytes.Clone(file)
			w.do(bad[id*pageSize:][:pageSize])
			damaged, suspect := outcome(t, path, bad, want)
			if damaged || suspect {
				found++
			}
			switch {
			case bytes.Equal(bad, file):
			case free[id]:
				if damaged {
					t.Errorf("free page %d, %s: damaged", id, w.name)
				}
			case id < 2:
				if damaged || !w.some && !suspect {
					t.Errorf("header %d, %s: damaged %t, suspect %t", id, w.name, damaged, suspect)
				}
			case !w.some && !damaged && w.name != "ones" && !overflow(file, id):
				t.Errorf("page %d, %s: not found", id, w.name)
			}
		}
	}
	t.Logf("%d pages, %d free; %d damages found", m.pages, len(free), found)
	if found < int(m.pages) {
		t.Errorf("only %d damages found", found)
	}
}

// overflow reports whether page id has no head of its own, being the continuation of another.
func overflow(file []byte, id uint64) bool { return order.Uint64(file[id*pageSize:]) != id }

// TestBits flips the bits of the pages in use, one at a time: either it is found, or it changes nothing. It flips all of
// the heads and entries, and every fifth of the rest.
func TestBits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := openAt(t, path)
	for i := range 3 {
		put(t, s, "b", fmt.Sprintf("key%d", i), strings.Repeat("value", 300))
	}
	want := listed(t, s)
	closeNow(t, s)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := readMetas(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range int(m.pages) * pageSize * 8 {
		if i/8%pageSize >= 160 && i%5 != 0 {
			continue
		}
		file[i/8] ^= 1 << (i % 8)
		if got, err := scan(file); err == nil && got != want {
			t.Errorf("bit %d of byte %d of page %d: not found, and %q is read", i%8, i/8%pageSize, i/8/pageSize, got)
		} else if err != nil {
			found++
		}
		file[i/8] ^= 1 << (i % 8)
	}
	t.Logf("%d bits found", found)
	if found < 3*1500*8/5 { // those of the records alone
		t.Errorf("%d bits found", found)
	}
}

// listed and scan give all records of bucket b as one string, by bbolt and by the checker. A file whose newest header
// is lost reads as the commit before; that is no error here, but suspect.
func listed(t *testing.T, s *Store) string {
	var b strings.Builder
	list, err := s.Records("b")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		fmt.Fprintf(&b, "%s=%s;", r.Key, r.Data)
	}
	return b.String()
}

func scan(file []byte) (string, error) {
	r := bytes.NewReader(file)
	sum, err := check(r, r.Size())
	if err != nil {
		return "", err
	}
	if sum.suspect {
		return "", errors.New("suspect")
	}
	m, _, err := readMetas(r, r.Size())
	if err != nil {
		return "", err
	}
	c := &checker{r: r, pages: m.pages, seen: make([]uint64, m.pages/64+1)}
	buckets, err := c.buckets(m.root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range buckets {
		if e.name != "b" {
			continue
		}
		visit := func(key, value []byte, _ uint32) error {
			fmt.Fprintf(&b, "%s=%s;", key, value[recordHead:])
			return nil
		}
		if e.root != 0 {
			err = c.tree(e.root, 0, nil, nil, visit)
		} else {
			err = inlineEntries(e, visit)
		}
	}
	return b.String(), err
}

func TestNotAStore(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	makeBolt(t, foreign, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("somebody"))
		return err
	})
	if _, err := Open(foreign, quick); !errors.Is(err, ErrDamaged) {
		t.Errorf("a foreign bbolt file: %v, want ErrDamaged", err)
	}
	nested := filepath.Join(dir, "nested.db")
	makeBolt(t, nested, func(tx *bbolt.Tx) error {
		if err := initialise(tx); err != nil {
			return err
		}
		_, err := tx.Bucket([]byte(ownBucket)).CreateBucket([]byte("x"))
		return err
	})
	if _, err := Open(nested, quick); !errors.Is(err, ErrDamaged) {
		t.Errorf("a bucket within a bucket: %v, want ErrDamaged", err)
	}
	unlisted := filepath.Join(dir, "unlisted.db")
	makeBolt(t, unlisted, func(tx *bbolt.Tx) error {
		if err := initialise(tx); err != nil {
			return err
		}
		_, err := tx.CreateBucket([]byte("x"))
		return err
	})
	if _, err := Open(unlisted, quick); !errors.Is(err, ErrDamaged) {
		t.Errorf("a bucket that is not listed: %v, want ErrDamaged", err)
	}
	newer := filepath.Join(dir, "newer.db")
	makeBolt(t, newer, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte(ownPrefix + "2"))
		return err
	})
	if _, err := Open(newer, quick); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer format: %v, want ErrNewer", err)
	}
	if _, err := Open(dir, quick); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a folder: %v", err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("hello "), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(text, quick); !errors.Is(err, ErrDamaged) {
		t.Errorf("a text: %v, want ErrDamaged", err)
	}
}

func makeBolt(t *testing.T, path string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamageNamesRecord changes a byte of a record in the file.
func TestDamageNamesRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := openAt(t, path)
	put(t, s, "homekit", "pairing", "a long secret key")
	closeNow(t, s)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := readMetas(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	// Of older commits there may be copies in free pages.
	for at := 0; ; at++ {
		i := bytes.Index(file[at:m.pages*pageSize], []byte("long secret"))
		if i < 0 {
			break
		}
		at += i
		file[at] = 'L'
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, quick)
	var de *DamagedError
	if !errors.As(err, &de) || de.Path != path || de.Bucket != "homekit" || de.Key != "pairing" {
		t.Errorf("Open: %v, want a DamagedError that names homekit, pairing", err)
	}
}

// FuzzCheck feeds changed files to the checker: it must end without a panic, and bbolt must be able to read what it
// calls good.
func FuzzCheck(f *testing.F) {
	file, _ := sample(f)
	f.Add(uint32(5000), []byte{0xff, 0, 1}, uint32(len(file)))
	f.Add(uint32(16), []byte{0}, uint32(pageSize))
	f.Add(uint32(3*pageSize+12), []byte{0xff, 0xff}, uint32(len(file)))
	f.Add(uint32(4*pageSize+10), []byte{0xff, 0xff}, uint32(len(file)))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, size uint32) {
		bad := bytes.Clone(file[:min(int(size), len(file))])
		if int(at) < len(bad) {
			copy(bad[at:], patch)
		}
		if _, err := check(bytes.NewReader(bad), int64(len(bad))); err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "edge.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, quick)
		if err != nil {
			t.Fatalf("checked, but does not open: %v", err)
		}
		for _, b := range sampleBuckets {
			if _, err := s.Records(b); err != nil {
				t.Errorf("checked, but bucket %s does not read: %v", b, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzPage feeds the reader of a single page.
func FuzzPage(f *testing.F) {
	file, _ := sample(f)
	for i := range len(file) / pageSize {
		f.Add(file[i*pageSize:][:pageSize])
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) < pageHead {
			return
		}
		p := page{flags: order.Uint16(b[8:]), count: order.Uint16(b[10:]), b: b}
		for i := range int(p.count) {
			p.branch(i)
			p.leaf(i)
		}
		p.freeIDs()
		parseMeta(b)
		_ = leafEntries(&p, 0, nil, nil, func(_, _ []byte, _ uint32) error { return nil })
		_ = inlineEntries(bucketEntry{name: "b", inline: b}, func(_, _ []byte, _ uint32) error { return nil })
	})
}
