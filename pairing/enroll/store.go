package enroll

import (
	"encoding/json"
	"fmt"
)

// Store is where both sides keep what must survive. Its methods may be called by several goroutines at once.
type Store interface {
	// Get gives what is stored under a key; ok is false if there is nothing.
	Get(key string) (data []byte, ok bool, err error)
	// List gives all records whose keys begin with prefix, in any order.
	List(prefix string) ([]Record, error)
	// Commit makes changes durable before it returns, all or none.
	Commit(changes ...Change) error
}

// Record is a key and what is stored under it.
type Record struct {
	Key  string
	Data []byte
}

// Change puts Data under Key; nil deletes.
type Change struct {
	Key  string
	Data []byte
}

// The keys. Those of the hub and those of a node differ, so that one store can hold both.
const (
	keyCA       = "hub/ca"
	keyHubTime  = "hub/time"
	prefixNode  = "hub/node/"
	prefixToken = "hub/token/"

	keyMember     = "member/now"
	keyNext       = "member/next"
	keyMemberTime = "member/time"
)

// version is that of the stored records. A record of a later one is refused, not guessed at.
const version = 1

// put makes the change that stores v.
func put[T any](key string, v T) (Change, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Change{}, fmt.Errorf("write record %s: %w", key, err)
	}
	return Change{Key: key, Data: data}, nil
}

// take reads what put wrote.
func take[T any](key string, data []byte) (T, error) {
	var head struct {
		Version int `json:"v"`
	}
	var v T
	if err := json.Unmarshal(data, &head); err != nil {
		return v, fmt.Errorf("read record %s: %w", key, err)
	}
	if head.Version != version {
		return v, fmt.Errorf("read record %s: it has version %d, this program knows version %d", key, head.Version, version)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("read record %s: %w", key, err)
	}
	return v, nil
}

// get reads a record; ok is false if there is none.
func get[T any](s Store, key string) (v T, ok bool, err error) {
	data, ok, err := s.Get(key)
	if err != nil || !ok {
		if err != nil {
			err = fmt.Errorf("read record %s: %w", key, err)
		}
		return v, false, err
	}
	v, err = take[T](key, data)
	return v, err == nil, err
}
