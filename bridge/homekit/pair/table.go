package pair

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
)

// MaxPairings is the size of the table. HomeKit asks for 16 at least.
const MaxPairings = 32

// Pairing is a controller that we know.
type Pairing struct {
	ID    string            // 1 to 64 bytes, as the controller calls itself
	Key   ed25519.PublicKey // its long-term key
	Admin bool              // it may add, remove and list pairings
	// Unseen is set until the controller has come back with a pair-verify: it may not have got the last answer of
	// pair-setup.
	Unseen bool
}

// entry is a pairing in this process.
type entry struct {
	Pairing
	serial uint64 // another one for each time that somebody is added, so a session ends with the pairing that began it
	counts bool   // not left unseen by an earlier process
}

// table is the pairings in the order in which they were added. It is never changed, only replaced.
type table []entry

func (t table) find(id string) int {
	return slices.IndexFunc(t, func(e entry) bool { return e.ID == id })
}

func (t table) serial(n uint64) int {
	return slices.IndexFunc(t, func(e entry) bool { return e.serial == n })
}

// paired reports whether pair-setup is shut.
func (t table) paired() bool {
	return slices.ContainsFunc(t, func(e entry) bool { return e.counts })
}

func (t table) hasAdmin() bool {
	return slices.ContainsFunc(t, func(e entry) bool { return e.Admin })
}

func (t table) ids() []string {
	ids := make([]string, len(t))
	for i, e := range t {
		ids[i] = e.ID
	}
	return ids
}

// pairings copies the table for somebody else.
func (t table) pairings() []Pairing {
	out := make([]Pairing, len(t))
	for i, e := range t {
		out[i] = e.Pairing
		out[i].Key = bytes.Clone(e.Key)
	}
	return out
}

// checkPairings refuses a table that we cannot have saved.
func checkPairings(pairings []Pairing) error {
	if len(pairings) > MaxPairings {
		return fmt.Errorf("%d pairings, at most %d expected", len(pairings), MaxPairings)
	}
	ids, admin := map[string]bool{}, false
	for _, p := range pairings {
		switch {
		case !isIdentifier(p.ID):
			return fmt.Errorf("pairing: identifier %q, expected 1 to %d bytes of printable text", p.ID, maxIdentifier)
		case ids[p.ID]:
			return fmt.Errorf("pairing %s: twice in the table", p.ID)
		case len(p.Key) != keyLen:
			return fmt.Errorf("pairing %s: a public key of %d bytes, expected %d", p.ID, len(p.Key), keyLen)
		}
		ids[p.ID], admin = true, admin || p.Admin
	}
	if len(pairings) > 0 && !admin {
		return fmt.Errorf("%d pairings and no admin among them", len(pairings))
	}
	return nil
}
