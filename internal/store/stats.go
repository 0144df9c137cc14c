package store

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats tells how the store fares since it was opened.
type Stats struct {
	Commits    uint64        // transactions on disk
	Changes    uint64        // records put or deleted in them
	Bytes      uint64        // keys and records in them, as they were handed in
	Failures   uint64        // transactions that failed
	Reopened   uint64        // times the file was opened anew after a failure
	FileBytes  int64         // length of the file; 0 while it cannot be told
	LastCommit time.Time     // wall time of the last commit
	LastTook   time.Duration // how long it took, syncs included
	MaxTook    time.Duration // the longest
	TotalTook  time.Duration // all of them together
}

type counters struct {
	failures, reopened atomic.Uint64

	mu sync.Mutex
	s  Stats
}

func (c *counters) committed(w writer, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Commits++
	c.s.Changes += uint64(w.changes)
	c.s.Bytes += uint64(w.bytes)
	c.s.LastCommit = time.Now()
	c.s.LastTook = took
	c.s.MaxTook = max(c.s.MaxTook, took)
	c.s.TotalTook += took
}

// Stats gives the figures of now. It does not wait for the disk.
func (s *Store) Stats() Stats {
	s.counters.mu.Lock()
	out := s.counters.s
	s.counters.mu.Unlock()
	out.Failures = s.counters.failures.Load()
	out.Reopened = s.counters.reopened.Load()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.h != nil {
		if info, err := s.h.file.Stat(); err == nil {
			out.FileBytes = info.Size()
		}
	}
	return out
}
