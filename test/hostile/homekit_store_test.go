package hostile

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbridge/internal/store"
	"twinbridge/test/world"
)

// record reads what the node keeps of its bridge, and puts something else in its place, while it does not run. A nil data takes
// it away.
func (h *home) record(t *testing.T, key string, data []byte, take bool) []byte {
	t.Helper()
	const bucket = "homekit"
	s, err := store.Open(filepath.Join(h.data, "edge.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	was, err := s.Get(bucket, "bridge/1/"+key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if take || data != nil {
		if err := s.Commit(store.Change{Bucket: bucket, Key: "bridge/1/" + key, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	return was
}

// TestHomeKitUnreadable: a bridge that knows who it is and cannot read who may come in lets nobody in, pairs with nobody, tells
// its owner, and leaves everything as it is; the lamps work. With the record put back it is the bridge that it was.
func TestHomeKitUnreadable(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	was := h.bridge(t)
	for _, tt := range []struct {
		name, key string
		data      []byte // nil: it is gone
	}{
		{"nonsense", "pairings", []byte("nonsense")},
		{"nothing", "pairings", []byte{}},
		{"another type", "pairings", []byte(`{"ID":"x"}`)},
		{"gone", "pairings", nil},
		{"a controller without a key", "pairings", []byte(`[{"ID":"` + p.ID + `","Admin":true}]`)},
		{"nobody who is admin", "pairings", []byte(`[{"ID":"x","Key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`)},
		{"nonsense", "failures", []byte("x")},
		{"less than none", "failures", []byte("-1")},
		{"gone", "failures", nil},
		{"nonsense", "config", []byte("[")},
		{"nonsense", "identity", []byte("{")},
		{"half of it", "identity", []byte(`{"id":"` + was.ID + `"}`)},
		{"gone", "identity", nil},
	} {
		what := tt.key + ": " + tt.name
		addr := h.addr
		h.end(t, true)
		good := h.record(t, tt.key, tt.data, true)
		h.start(t)
		if h.addr != "" {
			t.Errorf("%s: it says that HomeKit listens at %s", what, h.addr)
		}
		if nc, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			nc.Close()
			t.Errorf("%s: it takes connections", what)
		} else if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want refused", what, err)
		}
		all, trouble := h.bridges(t)
		if len(all) != 0 || !strings.Contains(trouble, "homekit") {
			t.Errorf("%s: the bridges are %+v, trouble %q", what, all, trouble)
		}
		var health struct{ Status, Trouble string }
		if status, err := h.api.Do(t.Context(), http.MethodGet, "/healthz", "", &health); err != nil || health.Status != "degraded" || !strings.Contains(health.Trouble, "backup") {
			t.Errorf("%s: health %d %+v %v, want degraded and what to do", what, status, health, err)
		}
		h.works(t, what)
		h.end(t, true)
		if now := h.record(t, tt.key, good, true); string(now) != string(tt.data) {
			t.Errorf("%s: it was written over with %.80q", what, now)
		}
		h.start(t)
		if now := h.bridge(t); now.ID != was.ID || !now.Paired || len(now.Controllers) != 1 {
			t.Errorf("%s: with the record put back it is %+v, was %+v", what, now, was)
		}
		h.follows(t, p, what)
	}
	// Who has no backup makes a new bridge of it.
	h.end(t, true)
	h.record(t, "pairings", []byte("nonsense"), true)
	h.start(t)
	if r := world.Command(t, "", built.Path(t), "pair", "homekit", "--reset", "2", "--data", h.data); r.Code == 0 {
		t.Errorf("reset of a bridge that there is not: %v", r)
	}
	if r := world.Command(t, "", built.Path(t), "pair", "homekit", "--reset", "1", "--data", h.data); r.Code != 0 || !strings.Contains(r.Out, "restart the node") {
		t.Errorf("reset of a bridge that is shut: %v", r)
	}
	h.works(t, "after a reset")
	h.again(t, true)
	if now := h.bridge(t); now.ID == was.ID || now.Paired {
		t.Errorf("after a reset it is %+v, was %+v", now, was)
	}
	if _, err := h.trySecure(t, p, ownersAddr); err == nil {
		t.Error("who had paired with the old bridge comes in to the new one")
	}
	h.follows(t, h.pair(t), "after a reset")
}
