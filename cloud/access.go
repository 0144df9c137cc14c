package cloud

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"twinbridge/internal/store"
	"twinbridge/pairing/enroll"
)

// accessName is the file of the hub's certificate authority and of who has joined.
const accessName = "access.db"

// lockWait is how long a hub that is being replaced may take to close its files.
const lockWait = time.Second

// openAccess opens access.db.
func openAccess(o *Options) (*store.Store, error) {
	file, err := store.Open(filepath.Join(o.Data, accessName), store.Options{LockWait: lockWait, Log: o.Log})
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another hub runs on data folder %s: %w; stop it, or name another folder with --data", o.Data, err)
	case errors.Is(err, store.ErrDamaged):
		return nil, fmt.Errorf("%w; nothing in it was changed: put a backup in its place. Without it every node has to join again", err)
	case err != nil:
		return nil, fmt.Errorf("open the hub's keys: %w", err)
	}
	return file, nil
}

// identities keeps the records of enrolment in a bucket of access.db.
type identities struct{ file *store.Store }

const identitiesBucket = "enroll"

// Get implements [enroll.Store].
func (k identities) Get(key string) ([]byte, bool, error) {
	b, err := k.file.Get(identitiesBucket, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// List implements [enroll.Store].
func (k identities) List(prefix string) (out []enroll.Record, err error) {
	all, err := k.file.Records(identitiesBucket)
	for _, r := range all {
		if strings.HasPrefix(r.Key, prefix) {
			out = append(out, enroll.Record(r))
		}
	}
	return out, err
}

// Commit implements [enroll.Store].
func (k identities) Commit(changes ...enroll.Change) error {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change{Bucket: identitiesBucket, Key: c.Key, Data: c.Data}
	}
	return k.file.Commit(out...)
}
