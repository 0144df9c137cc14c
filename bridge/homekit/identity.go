package homekit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"twinbridge/internal/store"
	"twinbridge/pairing/setup"
)

// bucket holds everything of HomeKit in the node's store.
const bucket = "homekit"

// Records of a bridge, behind its prefix.
const (
	keyIdentity = "identity"
	keyPairings = "pairings"
	keyFailures = "failures"
	keyConfig   = "config"
)

// identity is who a bridge is. It is made once, and anew by a reset only.
type identity struct {
	ID      string        `json:"id"` // the device id, as E1:91:1A:70:85:AA
	Seed    []byte        `json:"seed"`
	Code    string        `json:"code"`
	SetupID setup.SetupID `json:"setupId"`
}

// newIdentity makes a random one.
func newIdentity() identity {
	var mac [6]byte
	seed := make([]byte, ed25519.SeedSize)
	// Since Go 1.24 crypto/rand does not fail.
	_, _ = rand.Read(mac[:])
	_, _ = rand.Read(seed)
	parts := make([]string, len(mac))
	for i, b := range mac {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return identity{ID: strings.Join(parts, ":"), Seed: seed, Code: setup.NewCode().String(), SetupID: setup.NewSetupID()}
}

// key is the long-term secret key.
func (i *identity) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(i.Seed) }

// check reports an identity that cannot be one.
func (i *identity) check() error {
	if len(i.Seed) != ed25519.SeedSize {
		return fmt.Errorf("the key has %d bytes, not %d", len(i.Seed), ed25519.SeedSize)
	}
	if _, err := setup.SetupHash(i.SetupID, i.ID); err != nil {
		return err
	}
	_, err := setup.ParseCode(i.Code)
	return err
}

// config is the configuration number and what it counts (HAP R2, 6.4: c#).
type config struct {
	Number uint16 `json:"number"` // 1 to 65535
	Hash   string `json:"hash"`   // of the structure that it stands for
}

// next gives the number of another structure.
func (c config) next(hash string) config {
	if c.Number == 65535 {
		return config{1, hash}
	}
	return config{c.Number + 1, hash}
}

// notebook is what a bridge has in the store.
type notebook struct {
	file   *store.Store
	prefix string
}

func newNotebook(file *store.Store, bridge int) notebook {
	return notebook{file, fmt.Sprintf("bridge/%d/", bridge)}
}

// change makes the change of one record.
func (n notebook) change(key string, value any) (store.Change, error) {
	data, err := json.Marshal(value)
	return store.Change{Bucket: bucket, Key: n.prefix + key, Data: data}, err
}

// save makes one record durable.
func (n notebook) save(key string, value any) error {
	c, err := n.change(key, value)
	if err != nil {
		return fmt.Errorf("save %s of the HomeKit bridge: %w", key, err)
	}
	if err := n.file.Commit(c); err != nil {
		return fmt.Errorf("save %s of the HomeKit bridge: %w", key, err)
	}
	return nil
}

func (n notebook) load(key string, into any) error {
	data, err := n.file.Get(bucket, n.prefix+key)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%s of the HomeKit bridge: %w", key, err)
	}
	return nil
}

// begin makes a new identity, with nothing paired, durable in one step. So a record that is missing later is a damage.
func (n notebook) begin() (state, error) {
	st := state{identity: newIdentity(), pairings: []pairing{}, config: config{Number: 1}}
	var changes []store.Change
	for _, r := range []struct {
		key   string
		value any
	}{{keyIdentity, st.identity}, {keyPairings, st.pairings}, {keyFailures, 0}, {keyConfig, st.config}} {
		c, err := n.change(r.key, r.value)
		if err != nil {
			return state{}, fmt.Errorf("make the identity of the HomeKit bridge: %w", err)
		}
		changes = append(changes, c)
	}
	if err := n.file.Commit(changes...); err != nil {
		return state{}, fmt.Errorf("make the identity of the HomeKit bridge: %w", err)
	}
	return st, nil
}

// state is what a bridge remembers.
type state struct {
	identity identity
	pairings []pairing
	failures int
	config   config
}

// pairing is a controller that may speak with the bridge.
type pairing struct {
	ID    string `json:"id"`
	Key   []byte `json:"key"`
	Admin bool   `json:"admin"`
}

// errUnreadable is wrapped when there is an identity, and not all of it can be read.
var errUnreadable = errors.New("nobody can pair or connect until a backup of the store is put back or HomeKit is reset")

// open reads what the bridge remembers, or makes it where there is nothing at all.
func (n notebook) open() (state, error) {
	var st state
	err := n.load(keyIdentity, &st.identity)
	if errors.Is(err, store.ErrNotFound) {
		for _, key := range []string{keyPairings, keyFailures, keyConfig} {
			if _, err := n.file.Get(bucket, n.prefix+key); !errors.Is(err, store.ErrNotFound) {
				return state{}, fmt.Errorf("the identity of the HomeKit bridge is gone, its %s are there: %w", key, errUnreadable)
			}
		}
		return n.begin()
	}
	if err == nil {
		err = st.identity.check()
	}
	if err == nil {
		err = n.load(keyPairings, &st.pairings)
	}
	if err == nil {
		err = n.load(keyFailures, &st.failures)
	}
	if err == nil {
		err = n.load(keyConfig, &st.config)
	}
	for _, p := range st.pairings {
		if len(p.Key) != ed25519.PublicKeySize || p.ID == "" {
			err = errors.Join(err, fmt.Errorf("the key of controller %q has %d bytes", p.ID, len(p.Key)))
		}
	}
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", err, errUnreadable)
	}
	return st, nil
}
