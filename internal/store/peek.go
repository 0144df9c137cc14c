package store

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Peek reads a file without opening it as a store: it changes nothing, begins no opening and holds no lock, so that it
// keeps nobody from opening the file. It checks the whole file and gives the records of one bucket, none if there is no
// such bucket.
//
// Errors: ErrLocked for a file that is open in another process, or was changed meanwhile; ErrDamaged, ErrNewer, or that
// of a path that cannot be read.
func Peek(path, bucket string) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	before, err := untouched(f)
	if err != nil {
		return nil, err
	}
	list, found := peek(f, before.size, bucket)
	// Pages that a process writes meanwhile look like damage, and a bucket read among them is worth nothing.
	after, err := untouched(f)
	switch {
	case err != nil:
		return nil, err
	case after != before:
		return nil, fmt.Errorf("%s: %w: it was changed meanwhile", path, ErrLocked)
	case found != nil:
		return nil, located(found, path)
	}
	return list, nil
}

// state tells two states of a file apart.
type state struct {
	size    int64
	changed time.Time
}

// untouched gives the state of a file that nobody has open as a store. The lock is taken for a moment only: who opens a
// store tries for longer.
func untouched(f *os.File) (state, error) {
	info, err := f.Stat()
	if err != nil {
		return state{}, err
	}
	if !info.Mode().IsRegular() {
		return state{}, fmt.Errorf("%s is not a regular file", f.Name())
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return state{}, fmt.Errorf("%s: %w", f.Name(), ErrLocked)
	case err != nil:
		return state{}, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != nil {
		return state{}, fmt.Errorf("unlock %s: %w", f.Name(), err)
	}
	return state{info.Size(), info.ModTime()}, nil
}

// peek checks a file and gives the records of a bucket.
func peek(f *os.File, size int64, bucket string) ([]Record, error) {
	if _, err := check(f, size); err != nil {
		return nil, err
	}
	m, _, err := readMetas(f, size)
	if err != nil {
		return nil, err
	}
	c := &checker{r: f, pages: m.pages, seen: make([]uint64, m.pages/64+1)}
	buckets, err := c.buckets(m.root)
	if err != nil {
		return nil, err
	}
	var list []Record
	for _, e := range buckets {
		if e.name != bucket {
			continue
		}
		visit := func(key, value []byte, _ uint32) error {
			data, _, reason := parseRecord([]byte(bucket), key, value)
			if reason != "" {
				return damaged(bucket, string(key), reason)
			}
			list = append(list, Record{Key: string(key), Data: copied(data)})
			return nil
		}
		if e.root == 0 {
			err = inlineEntries(e, visit)
		} else {
			err = c.tree(e.root, 0, nil, nil, visit)
		}
		return list, err
	}
	return nil, nil
}
