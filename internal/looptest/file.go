package looptest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"twinbridge/internal/store"
)

var errDisk = errors.New("disk: input/output error")

// file is a disk in memory. It is the File of the registry and of the node's holder.
type file struct {
	mu   sync.Mutex
	data map[string][]byte
	bad  bool // it takes nothing for now
	dead bool // its process has crashed: nothing reaches it any more
	took time.Duration
}

func newFile(took time.Duration) *file { return &file{data: map[string][]byte{}, took: took} }

// ID implements devicetwin.File.
func (f *file) ID() store.ID { return store.ID{1} }

// Records implements devicetwin.File and embedded.File.
func (f *file) Records(bucket string) (out []store.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(f.data)) {
		if key, ok := strings.CutPrefix(k, bucket+":"); ok {
			out = append(out, store.Record{Key: key, Data: f.data[k]})
		}
	}
	return out, nil
}

// Commit implements devicetwin.File and embedded.File.
func (f *file) Commit(changes ...store.Change) error {
	wait(f.took)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bad || f.dead {
		return errDisk
	}
	for _, c := range changes {
		if c.Data == nil {
			delete(f.data, c.Bucket+":"+c.Key)
		} else {
			f.data[c.Bucket+":"+c.Key] = bytes.Clone(c.Data)
		}
	}
	return nil
}

func (f *file) fail(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = on
}

// crash gives what the next process finds.
func (f *file) crash() *file {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	return &file{data: maps.Clone(f.data), bad: f.bad, took: f.took}
}

// largest is the size of the largest record, in bytes.
func (f *file) largest() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.data {
		n = max(n, len(b))
	}
	return n
}

// wait lets virtual time pass.
func wait(d time.Duration) { <-time.After(d) }
