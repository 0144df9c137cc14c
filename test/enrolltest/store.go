// Package enrolltest has a membership store for programs that keep nothing: it lives as long as they do.
package enrolltest

import (
	"strings"
	"sync"

	"twinbridge/pairing/enroll"
)

// Store keeps records in memory.
type Store struct {
	mu sync.Mutex
	m  map[string][]byte
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{m: map[string][]byte{}} }

// Get returns the record of a key, and whether there is one.
func (s *Store) Get(key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.m[key]
	return b, ok, nil
}

// List returns the records whose keys begin with prefix.
func (s *Store) List(prefix string) (out []enroll.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, b := range s.m {
		if strings.HasPrefix(k, prefix) {
			out = append(out, enroll.Record{Key: k, Data: b})
		}
	}
	return out, nil
}

// Commit makes all changes.
func (s *Store) Commit(changes ...enroll.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if c.Data == nil {
			delete(s.m, c.Key)
		} else {
			s.m[c.Key] = c.Data
		}
	}
	return nil
}
