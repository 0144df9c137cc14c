package api

import (
	"encoding/json"
	"fmt"
)

// Store is where tokens, the audit, and what was taken of manifests are kept. Its methods may be called by several
// goroutines at once.
type Store interface {
	// Get gives what stands under a key; ok is false if there is nothing.
	Get(key string) (data []byte, ok bool, err error)
	// List gives all records whose keys begin with prefix, in order of their keys.
	List(prefix string) ([]Record, error)
	// Begin hands changes in, all or none; they go to disk with the next commit, whoever makes it, in the order in which
	// they were begun. end returns when they are there, and commits them if nobody has yet. Who does not call it does not
	// mind when that is.
	Begin(changes ...Change) (end func() error)
}

// Record is a key and what stands under it.
type Record struct {
	Key  string
	Data []byte
}

// Change puts Data under Key; nil deletes. Keys have at most 512 bytes.
type Change struct {
	Key  string
	Data []byte
}

// The beginnings of keys.
const (
	tokenPrefix    = "token/"
	auditPrefix    = "audit/"
	observedPrefix = "observed/"
)

// put makes the change that keeps v.
func put[T any](key string, v T) (Change, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Change{}, fmt.Errorf("write record %s: %w", key, err)
	}
	return Change{Key: key, Data: data}, nil
}

// observedNotes keeps what was taken of manifests.
type observedNotes struct{ kept Store }

// Get implements manifest.Kept.
func (o observedNotes) Get(key string) ([]byte, bool, error) { return o.kept.Get(observedPrefix + key) }

// Put implements manifest.Kept.
func (o observedNotes) Put(key string, data []byte) error {
	return o.kept.Begin(Change{Key: observedPrefix + key, Data: data})()
}
