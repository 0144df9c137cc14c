package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// The package's own bucket. Its name carries the version of the format: a later version has another, and no file has
// two of them.
const (
	ownPrefix   = "_store"
	ownBucket   = ownPrefix + "1"
	keyID       = "id"
	keyOpenings = "openings"
	keyBuckets  = "buckets"
)

// MaxOpenings is how many openings a store remembers.
const MaxOpenings = 16

// ID is a random number of 128 bits.
type ID [16]byte

// newID draws an ID.
func newID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails: it ends the process instead
	return id
}

// String gives 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what String gives.
func ParseID(s string) (id ID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("id %q: expected 32 hexadecimal digits", s)
	}
	return ID(b), nil
}

// identity is who a store is: its id, and its last openings, the newest last.
type identity struct {
	id       ID
	openings []ID
}

// ID gives the store id, made with the file or by RenewID. Numbers counted in a store mean something only beside it.
func (s *Store) ID() ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.identity.id
}

// Opening gives the id of this opening. It was on disk before Open returned.
func (s *Store) Opening() ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.identity.openings[len(s.identity.openings)-1]
}

// Openings gives the last MaxOpenings openings under the present store id, the newest, which is this one, last.
func (s *Store) Openings() []ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.identity.openings)
}

// RenewID gives the store another id, for a copy that must not be taken for the original: one restored from a backup,
// or an old disk that was put back. Openings before this one are forgotten with the old id. It returns when the new id
// is on disk; until then, and after an error, the old one holds.
func (s *Store) RenewID() (ID, error) {
	next := identity{id: newID(), openings: []ID{s.Opening()}}
	if err := s.commit(next.changes()); err != nil {
		return ID{}, fmt.Errorf("renew store id: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity = next
	return next.id, nil
}

// beginOpening reads the identity and commits a new opening.
func (s *Store) beginOpening() error {
	var who identity
	err := s.view(func(tx *bbolt.Tx) (err error) {
		who, err = readIdentity(tx)
		return err
	})
	if err != nil {
		return err
	}
	who.openings = append(who.openings, newID())
	who.openings = who.openings[max(0, len(who.openings)-MaxOpenings):]
	if err := s.commit(who.changes()[1:]); err != nil {
		return fmt.Errorf("begin opening: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity = who
	return nil
}

// changes writes the identity: first the id, then the openings.
func (who identity) changes() []Change {
	var openings []byte
	for _, o := range who.openings {
		openings = append(openings, o[:]...)
	}
	return []Change{
		{Bucket: ownBucket, Key: keyID, Data: who.id[:]},
		{Bucket: ownBucket, Key: keyOpenings, Data: openings},
	}
}

func readIdentity(tx *bbolt.Tx) (who identity, err error) {
	b := tx.Bucket([]byte(ownBucket))
	if b == nil {
		return who, damaged(ownBucket, "", "is missing")
	}
	read := func(key string, ok func(data []byte) bool) error {
		data, _, reason := parseRecord([]byte(ownBucket), []byte(key), b.Get([]byte(key)))
		if reason == "" && !ok(data) {
			reason = "has a wrong length"
		}
		if reason != "" {
			return damaged(ownBucket, key, reason)
		}
		return nil
	}
	if err := read(keyID, func(d []byte) bool { return copy(who.id[:], d) == len(who.id) && len(d) == len(who.id) }); err != nil {
		return who, err
	}
	return who, read(keyOpenings, func(d []byte) bool {
		for chunk := range slices.Chunk(d, len(ID{})) {
			if len(chunk) == len(ID{}) {
				who.openings = append(who.openings, ID(chunk))
			}
		}
		return len(d) == len(who.openings)*len(ID{}) && len(who.openings) <= MaxOpenings
	})
}

// initialise fills a new file.
func initialise(tx *bbolt.Tx) error {
	w := writer{tx: tx}
	for _, c := range (identity{id: newID()}).changes() {
		if c.Data == nil {
			c.Data = []byte{}
		}
		if err := w.put(c); err != nil {
			return err
		}
	}
	return w.finish()
}

// bucketList is the record that names all buckets: a bucket that a damaged page no longer names is missed.
func bucketList(tx *bbolt.Tx) (Change, error) {
	var names []string
	err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		names = append(names, string(name))
		return nil
	})
	return Change{Bucket: ownBucket, Key: keyBuckets, Data: []byte(strings.Join(names, "\n"))}, err
}
