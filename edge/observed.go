package edge

import (
	"errors"

	"twinbridge/internal/store"
)

// observedNotes keeps what was taken of manifests ([manifest.Observed]) in the node's store.
type observedNotes struct{ file *store.Store }

const observedBucket = "observed-desired"

// Get gives a note.
func (o observedNotes) Get(key string) (data []byte, ok bool, err error) {
	data, err = o.file.Get(observedBucket, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// Put makes a note durable.
func (o observedNotes) Put(key string, data []byte) error {
	return o.file.Commit(store.Change{Bucket: observedBucket, Key: key, Data: data})
}
