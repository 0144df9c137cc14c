package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Change puts a record, or deletes it if Data is nil. An empty record has an empty Data that is not nil.
type Change struct {
	Bucket string // 1 to 64 of a-z, 0-9, '.', '-'; made when first used
	Key    string // 1 to 1024 bytes
	Data   []byte // up to 16 MiB
}

// maxGroup bounds what one transaction takes, in bytes, so that many callers together do not fill the memory.
const maxGroup = 8 << 20

// Commit makes all changes in one transaction, in the order given, and returns when they are on disk. Calls that come
// while another is being written wait and are then written together.
//
// After an error nothing of the changes is known to be on disk, and all of them may be: make them again. ErrFull and
// ErrDisk may pass; each attempt opens the file anew where that is needed. Deleting what is not there is no error.
func (s *Store) Commit(changes ...Change) error { return s.Begin(changes...)() }

// Begin hands changes in without waiting for them: they go along with the next commit, whoever makes it, before its own
// changes. end gives what became of them, and commits them if nobody has yet; its errors are Commit's. So who has to note
// something beside what another one commits pays for no sync of its own.
func (s *Store) Begin(changes ...Change) (end func() error) {
	for i := range changes {
		if err := changes[i].validate(); err != nil {
			return func() error { return fmt.Errorf("store %s: %w", s.path, err) }
		}
	}
	return s.begin(changes)
}

func (c *Change) validate() error {
	bad := func(field string, v any, want string) error {
		return fmt.Errorf("%s %v: expected %s: %w", field, v, want, ErrTooLarge)
	}
	if len(c.Bucket) == 0 || len(c.Bucket) > MaxBucketLen {
		return bad("bucket", fmt.Sprintf("%.80q", c.Bucket), "1 to 64 bytes")
	}
	for _, r := range []byte(c.Bucket) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' {
			return fmt.Errorf("bucket %q: expected a-z, 0-9, '.' and '-' only", c.Bucket)
		}
	}
	if len(c.Key) == 0 || len(c.Key) > MaxKeyLen {
		return bad("key", fmt.Sprintf("%.80q", c.Key), fmt.Sprintf("1 to %d bytes", MaxKeyLen))
	}
	if len(c.Data) > MaxDataLen {
		return bad("record "+c.Bucket+"/"+c.Key, fmt.Sprintf("of %d bytes", len(c.Data)), fmt.Sprintf("at most %d", MaxDataLen))
	}
	return nil
}

// commit is Commit without the rules for names, for the package's own bucket.
func (s *Store) commit(changes []Change) error { return s.begin(changes)() }

func (s *Store) begin(changes []Change) (end func() error) {
	if len(changes) == 0 {
		return func() error { return nil }
	}
	c := s.queue.push(changes)
	return func() error { return s.settled(c) }
}

// settled makes sure that a call is done.
func (s *Store) settled(c *call) error {
	select {
	case <-c.over:
		return c.err
	default:
	}
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	for !c.done { // else a caller before took it along
		group := s.queue.take()
		err := s.write(group)
		if len(group) > 1 && errors.Is(err, ErrFull) {
			// One caller's large record must not cost the others their small ones.
			for i := range group {
				group[i].settle(s.write(group[i : i+1]))
			}
			continue
		}
		for _, g := range group {
			g.settle(err)
		}
	}
	return c.err
}

// call is what one caller wants to have committed. done and err are guarded by commitMu until over is closed.
type call struct {
	changes []Change
	size    int
	done    bool
	err     error
	over    chan struct{}
}

func (c *call) settle(err error) {
	c.done, c.err = true, err
	close(c.over)
}

// queue holds what waits, in order. A caller of Commit holds a goroutine; who calls Begin has to see to its own bound.
type queue struct {
	mu    sync.Mutex
	calls []*call
}

func (q *queue) push(changes []Change) *call {
	c := &call{changes: changes, over: make(chan struct{})}
	for i := range changes {
		c.size += len(changes[i].Key) + len(changes[i].Data)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls = append(q.calls, c)
	return c
}

// take gives the first calls, as many as make up a transaction, at least one.
func (q *queue) take() []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.calls) && (n == 0 || size+q.calls[n].size <= maxGroup) {
		size += q.calls[n].size
		n++
	}
	group := q.calls[:n:n]
	q.calls = append([]*call(nil), q.calls[n:]...)
	return group
}

// write commits a group in one transaction. commitMu is held.
func (s *Store) write(group []*call) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	start := time.Now()
	w := writer{}
	crashed, err := guarded(func() error {
		return h.db.Update(func(tx *bbolt.Tx) error {
			w.tx = tx
			w.txid = uint64(tx.ID())
			for _, g := range group {
				for _, c := range g.changes {
					if err := w.put(c); err != nil {
						return err
					}
				}
			}
			return w.finish()
		})
	})
	if err == nil {
		s.txid = w.txid
		s.counters.committed(w, time.Since(start))
		s.mu.RUnlock()
		return nil
	}
	s.mu.RUnlock()
	s.counters.failures.Add(1)
	if crashed || !harmless(err) {
		s.condemn(h, crashed, err)
	}
	err = located(err, s.path)
	if errors.Is(err, ErrDamaged) && !crashed {
		return err
	}
	return &DiskError{Op: "commit", Path: s.path, Err: err}
}

// harmless reports whether a commit failed where bbolt leaves file and memory as they were: no room in the file, or
// none for a page that was to be written. Such a disk may stay full for days; opening the file anew each time would
// be of no use.
func harmless(err error) bool {
	// A full disk can also show in the sync. That comes as a bare number, and says nothing of what was written.
	var pe *fs.PathError
	return errors.Is(err, bolterrors.ErrMaxSizeReached) || isFull(err) && errors.As(err, &pe) && pe.Op == "write"
}

// writer makes changes within a transaction and keeps the sums of its buckets.
type writer struct {
	tx      *bbolt.Tx
	txid    uint64
	changes int
	bytes   int
	fresh   bool // a bucket was made
}

func (w *writer) put(c Change) error {
	name, key := []byte(c.Bucket), []byte(c.Key)
	b := w.tx.Bucket(name)
	if b == nil {
		if c.Data == nil {
			return nil
		}
		var err error
		if b, err = w.tx.CreateBucket(name); err != nil {
			return err
		}
		w.fresh = true
	}
	sum := bucketSum(b.Sequence())
	if old := b.Get(key); old != nil {
		_, crc, reason := parseRecord(name, key, old)
		if reason != "" {
			return damaged(c.Bucket, c.Key, reason)
		}
		sum.remove(crc)
	} else if c.Data == nil {
		return nil
	}
	w.changes++
	w.bytes += len(c.Key) + len(c.Data)
	if c.Data == nil {
		if err := b.Delete(key); err != nil {
			return err
		}
	} else {
		v, crc := appendRecord(make([]byte, 0, recordHead+len(c.Data)), name, key, c.Data)
		sum.add(crc)
		if err := b.Put(key, v); err != nil {
			return err
		}
	}
	return b.SetSequence(uint64(sum))
}

// finish writes the list of buckets if it changed.
func (w *writer) finish() error {
	if !w.fresh {
		return nil
	}
	list, err := bucketList(w.tx)
	if err != nil {
		return err
	}
	return w.put(list)
}
