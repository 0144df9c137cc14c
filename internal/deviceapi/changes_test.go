package deviceapi

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"twinbridge/twin"
)

// few is a service that has devices and a watch, and nothing else.
type few struct {
	Service
	names []twin.Name
	due   []twin.Name
}

func (f *few) Devices(context.Context) ([]twin.Name, error) { return f.names, nil }
func (f *few) Watch() Watch                                 { return f }
func (f *few) C() <-chan struct{}                           { return nil }
func (f *few) Close()                                       {}

func (f *few) Take() []twin.Name {
	out := f.due
	f.due = nil
	return out
}

// TestChangesAreBounded: devices that come and go for ever do not fill the memory, and who has missed what is forgotten
// begins anew.
func TestChangesAreBounded(t *testing.T) {
	stays := twin.Name{Namespace: "default", Name: "stays"}
	f := &few{names: []twin.Name{stays}, due: []twin.Name{stays}}
	c := newChanges(f)
	c.sync(t.Context())
	begun := c.id(1)
	for i := range 20 * keptGone {
		f.due = []twin.Name{{Namespace: "default", Name: fmt.Sprint("n", i)}}
		c.sync(t.Context())
		if len(c.last) > 4*keptGone || len(c.log) > 12*keptGone {
			t.Fatalf("after %d: %d names, %d entries", i, len(c.last), len(c.log))
		}
	}
	if _, known, err := c.from(begun); known || err != nil {
		t.Errorf("an id from before what was forgotten: known %v, %v", known, err)
	}
	if seq, known, err := c.from(c.id(c.seq)); !known || seq != c.seq || err != nil {
		t.Errorf("the last id: %d %v %v", seq, known, err)
	}
	var all []change
	for at := uint64(0); ; {
		some, next := c.since(at, 100)
		all = append(all, some...)
		if at = next; len(some) < 100 {
			break
		}
	}
	if !slices.ContainsFunc(all, func(e change) bool { return e.name == stays }) {
		t.Error("a device that is there was forgotten")
	}
	if !slices.IsSortedFunc(all, func(a, b change) int { return int(a.seq) - int(b.seq) }) {
		t.Error("changes are out of order")
	}
}

func FuzzDecodeBatch(f *testing.F) {
	for _, s := range []string{
		`{"all":true,"expected":{"a":1}}`, `{"select":{"labels":{"a":"b"}},"expected":{"a":"x"},"validFor":"5m"}`, `{"select":null}`, `null`, `[]`, `{}`,
		`{"all":true,"select":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := DecodeBatch(b)
		if err == nil && (len(got.Expected) == 0 || got.Select == nil || got.All != got.Select.IsZero()) {
			t.Errorf("%q is taken as %+v", b, got)
		}
	})
}

func FuzzEventID(f *testing.F) {
	c := newChanges(&few{})
	for _, s := range []string{"", "-", "a-1", c.id(0), c.id(1 << 60), c.epoch + "--1", c.epoch + "-+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if seq, known, err := c.from(id); known && (err != nil || seq > c.seq) {
			t.Errorf("%q is known as %d, %v", id, seq, err)
		}
	})
}
