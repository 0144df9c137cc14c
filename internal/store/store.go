package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Options are what [Open] may be told. The zero value is good.
type Options struct {
	// LockWait is how long to wait for another process to close the file; 0 means 2 s. A process that is being
	// replaced needs a moment to end.
	LockWait time.Duration
	// MaxSize bounds the file, in bytes; 0 means 1 GiB. What does not fit is refused with ErrFull.
	MaxSize int64
	// Log tells of damage and of a file that was opened anew; nil means silence.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.LockWait <= 0 {
		o.LockWait = 2 * time.Second
	}
	if o.MaxSize <= 0 {
		o.MaxSize = 1 << 30
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is an open file. Its methods may be called by several goroutines at once.
type Store struct {
	path     string
	opts     Options
	created  bool
	suspect  bool
	counters counters

	mu       sync.RWMutex // read-held by who uses h, so that nobody closes it meanwhile
	h        *handle      // nil after a failure, until the next use
	closed   bool
	identity identity

	queue    queue
	commitMu sync.Mutex
	txid     uint64 // of the last commit that is on disk; guarded by mu and commitMu: written under both
}

// Open opens the file at path, and makes it, with its folder, if there is none. It reads the whole file to find damage,
// then commits a new opening id.
//
// Errors: ErrLocked, ErrDamaged, ErrNewer, ErrDisk, or that of a path that cannot be used.
func Open(path string, o Options) (*Store, error) {
	s := &Store{path: path, opts: o.withDefaults()}
	h, sum, err := openHandle(s.path, s.opts, false)
	if errors.Is(err, fs.ErrNotExist) {
		if s.created, err = create(s.path, s.opts); err == nil {
			h, sum, err = openHandle(s.path, s.opts, false)
		}
	}
	if err != nil {
		return nil, err
	}
	s.h, s.suspect, s.txid = h, sum.suspect, sum.txid
	if s.suspect {
		s.opts.Log.Warn("store has one good header of two, its last commit may be missing", "path", path)
	}
	if err := s.beginOpening(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Path gives the file's path.
func (s *Store) Path() string { return s.path }

// Created reports whether Open made the file.
func (s *Store) Created() bool { return s.created }

// Suspect reports whether the file was found with one of its two headers unreadable, as a commit cut short by a power
// cut leaves it, but also a flipped bit. The last commit before may then be missing, although it was acknowledged. Who
// counts revisions should take such a file for an old disk that was put back.
func (s *Store) Suspect() bool { return s.suspect }

// Close waits for what is going on and closes the file. A second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.h
	s.h, s.closed = nil, true
	if h == nil {
		return nil
	}
	return h.close()
}

// Get gives a copy of a record, ErrNotFound if there is none, ErrDamaged if it is not what was written.
func (s *Store) Get(bucket, key string) ([]byte, error) {
	var data []byte
	err := s.view(func(tx *bbolt.Tx) error {
		var v []byte
		if b := tx.Bucket([]byte(bucket)); b != nil {
			v = b.Get([]byte(key))
		}
		if v == nil {
			return fmt.Errorf("bucket %q, key %q: %w", bucket, key, ErrNotFound)
		}
		d, _, reason := parseRecord([]byte(bucket), []byte(key), v)
		if reason != "" {
			return damaged(bucket, key, reason)
		}
		data = copied(d)
		return nil
	})
	return data, err
}

// Record is a key and what is stored under it.
type Record struct {
	Key  string
	Data []byte
}

// Records gives copies of all records of a bucket as they were at one moment, in order of their keys; none if there is
// no such bucket. They are in memory all together: it is meant for starting up.
func (s *Store) Records(bucket string) ([]Record, error) {
	var list []Record
	err := s.view(func(tx *bbolt.Tx) error {
		list = nil
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			d, _, reason := parseRecord([]byte(bucket), k, v)
			if reason != "" {
				return damaged(bucket, string(k), reason)
			}
			list = append(list, Record{Key: string(k), Data: copied(d)})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// copied copies out of the mapped file. Unlike bytes.Clone it gives a non-nil slice for an empty record, because nil
// means "delete" in a [Change].
func copied(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// view runs f in a read transaction, on a file that is opened anew first if it has to be.
func (s *Store) view(f func(tx *bbolt.Tx) error) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	crashed, err := guarded(func() error { return h.db.View(f) })
	s.mu.RUnlock()
	if crashed {
		s.condemn(h, true, err)
	}
	return located(err, s.path)
}

// acquire gives the open file, with mu read-held unless it gives an error.
func (s *Store) acquire() (*handle, error) {
	for {
		s.mu.RLock()
		if s.h != nil {
			return s.h, nil
		}
		s.mu.RUnlock()
		if err := s.reopen(); err != nil {
			return nil, err
		}
	}
}

// reopen opens the file anew after a failure. The opening stays the same one: nothing in memory was lost.
func (s *Store) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.h != nil {
		return nil
	}
	h, sum, err := openHandle(s.path, s.opts, true)
	if errors.Is(err, fs.ErrNotExist) {
		return &DiskError{Op: "open anew", Path: s.path, Err: err}
	}
	if err != nil {
		return err
	}
	if sum.txid < s.txid {
		err = &DamagedError{Path: s.path, Reason: fmt.Sprintf("commit %d is the last one, not %d", sum.txid, s.txid)}
		return errors.Join(err, h.close())
	}
	s.h = h
	s.counters.reopened.Add(1)
	s.opts.Log.Info("store opened anew", "path", s.path)
	return nil
}

// condemn takes a file out of use that can no longer be trusted. crashed: bbolt was left in the middle of something, so
// that closing it could wait for ever.
func (s *Store) condemn(h *handle, crashed bool, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.h != h {
		return
	}
	s.h = nil
	s.opts.Log.Error("store taken out of use, to be opened anew", "path", s.path, "error", why)
	if crashed {
		h.abandon()
	} else if err := h.close(); err != nil {
		s.opts.Log.Error("store not closed cleanly", "path", s.path, "error", err)
	}
}

// located completes an error of this package with the file's path.
func located(err error, path string) error {
	if de := (*DamagedError)(nil); errors.As(err, &de) && de.Path == "" {
		de.Path = path
	}
	return err
}
