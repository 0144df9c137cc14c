package homekit

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"twinbridge/bridge/homekit/pair"
	"twinbridge/internal/store"
)

func TestIdentity(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "edge.db"))
	n := newNotebook(file, 1)
	first, err := n.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.identity.check(); err != nil || first.config.Number != 1 {
		t.Errorf("%v, config %+v", err, first.config)
	}
	if err := n.Save([]pair.Pairing{{ID: "phone", Key: make([]byte, 32), Admin: true}}); err != nil {
		t.Fatal(err)
	}
	again, err := n.open()
	if err != nil || again.identity.ID != first.identity.ID || !slices.Equal(again.identity.Seed, first.identity.Seed) || len(again.pairings) != 1 {
		t.Errorf("opened again: %+v, %v", again, err)
	}
	other, err := newNotebook(file, 2).open()
	if err != nil || other.identity.ID == first.identity.ID || len(other.pairings) != 0 {
		t.Errorf("a second bridge: %+v, %v", other, err)
	}
	id, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	reset, err := n.begin(id)
	if err != nil || reset.identity.ID == first.identity.ID || len(reset.pairings) != 0 {
		t.Errorf("after a reset: %+v, %v", reset, err)
	}
}

// TestIdentityDamaged: whatever is missing or wrong, the bridge does not come up as one that is not paired.
func TestIdentityDamaged(t *testing.T) {
	for key, values := range map[string][]string{
		keyIdentity: {"", "{}", `{"id":"x","seed":"","code":"","setupId":""}`, "x"},
		keyPairings: {"", "x"},
		keyFailures: {"", "x"},
		keyConfig:   {"", "x"},
	} {
		for _, value := range values {
			file := openFile(t, filepath.Join(t.TempDir(), "edge.db"))
			n := newNotebook(file, 1)
			if _, err := n.open(); err != nil {
				t.Fatal(err)
			}
			c := store.Change{Bucket: bucket, Key: n.prefix + key, Data: []byte(value)}
			if value == "" {
				c.Data = nil
			}
			if err := file.Commit(c); err != nil {
				t.Fatal(err)
			}
			if _, err := n.open(); !errors.Is(err, errUnreadable) {
				t.Errorf("%s is %q: %v", key, value, err)
			}
		}
	}
}

func TestConfigNumber(t *testing.T) {
	c := config{Number: 65534}
	for _, want := range []uint16{65535, 1, 2} {
		if c = c.next("x"); c.Number != want {
			t.Errorf("%d, want %d", c.Number, want)
		}
	}
}
