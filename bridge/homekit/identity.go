package homekit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"twinbridge/bridge/homekit/pair"
	"twinbridge/bridge/homekit/srp"
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
	ID      string   `json:"id"` // the device id, as E1:91:1A:70:85:AA
	Seed    []byte   `json:"seed"`
	Code    string   `json:"code"` // to be shown again after a restart; it lies beside the key, which is worth more
	SetupID setup.ID `json:"setupId"`
	// Salt and V are the verifier of the code, made once because that takes milliseconds.
	Salt []byte `json:"salt"`
	V    []byte `json:"verifier"`
}

// newIdentity makes a random one.
func newIdentity() (identity, error) {
	var mac [6]byte
	seed := make([]byte, ed25519.SeedSize)
	// Since Go 1.24 crypto/rand does not fail.
	_, _ = rand.Read(mac[:])
	_, _ = rand.Read(seed)
	parts := make([]string, len(mac))
	for i, b := range mac {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	code := setup.NewCode().String()
	v, err := srp.NewVerifier(code, rand.Reader)
	if err != nil {
		return identity{}, fmt.Errorf("make the verifier of the setup code: %w", err)
	}
	return identity{ID: strings.Join(parts, ":"), Seed: seed, Code: code, SetupID: setup.NewID(), Salt: v.Salt[:], V: v.V[:]}, nil
}

// paired gives the identity as package pair needs it.
func (i *identity) paired() pair.Identity {
	id := pair.Identity{ID: i.ID, Key: ed25519.NewKeyFromSeed(i.Seed)}
	copy(id.Verifier.Salt[:], i.Salt)
	copy(id.Verifier.V[:], i.V)
	return id
}

// check reports an identity that cannot be one.
func (i *identity) check() error {
	if len(i.Seed) != ed25519.SeedSize {
		return fmt.Errorf("the key has %d bytes, not %d", len(i.Seed), ed25519.SeedSize)
	}
	if len(i.Salt) != srp.SaltLen || len(i.V) != srp.PublicKeyLen {
		return fmt.Errorf("the verifier has %d and %d bytes, not %d and %d", len(i.Salt), len(i.V), srp.SaltLen, srp.PublicKeyLen)
	}
	if _, err := i.SetupID.Hash(i.ID); err != nil {
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

// begin makes a new identity durable, with nothing paired, in one step. So a record that is missing later is a damage.
func (n notebook) begin(id identity) (state, error) {
	st := state{identity: id, pairings: []pair.Pairing{}, config: config{Number: 1}}
	var changes []store.Change
	for _, r := range []struct {
		key   string
		value any // each record is JSON of another type
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
	pairings []pair.Pairing
	failures int
	config   config
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
		id, err := newIdentity()
		if err != nil {
			return state{}, err
		}
		return n.begin(id)
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
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", err, errUnreadable)
	}
	return st, nil
}

// Save makes the table of pairings durable; see [pair.Keeper].
func (n notebook) Save(table []pair.Pairing) error { return n.save(keyPairings, table) }

// SaveFailures makes the number of wrong setup codes durable; see [pair.Keeper].
func (n notebook) SaveFailures(failures int) error { return n.save(keyFailures, failures) }
