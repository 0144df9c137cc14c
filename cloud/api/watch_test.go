package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"twinbridge/cloud/api"
	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// follow collects events until the stream ends, and then says how it did.
func (h *hub) follow(token string, f deviceapi.Filter, after string) (events <-chan deviceapi.Event, ended <-chan error) {
	h.t.Helper()
	c, err := deviceapi.NewClient(h.base, deviceapi.ClientOptions{Token: token})
	if err != nil {
		h.t.Fatal(err)
	}
	out, done := make(chan deviceapi.Event, 4096), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		done <- c.WatchAfter(ctx, f, after, func(e deviceapi.Event) error { out <- e; return nil })
	}()
	h.t.Cleanup(func() { cancel(); <-gone; c.Close() })
	return out, done
}

func next(t *testing.T, events <-chan deviceapi.Event) deviceapi.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
		return deviceapi.Event{}
	}
}

// untilReady gives the events before ready, and ready's id.
func untilReady(t *testing.T, events <-chan deviceapi.Event) (words []string, id string) {
	t.Helper()
	for {
		e := next(t, events)
		switch e.Kind {
		case deviceapi.EventReady:
			return words, e.ID
		case deviceapi.EventReset:
			words = append(words, "reset")
		default:
			words = append(words, e.Kind+" "+e.Device.FullName())
		}
	}
}

func TestStreamEndsWithItsToken(t *testing.T) {
	h := newHub(t, func(c *api.Config) {
		c.Session = func(r *http.Request) (string, string, bool) { return "", "", false }
	})
	h.defined()
	revoked, expired := h.token("revoked", "viewer", ""), h.token("expired", "viewer", "1h")
	for _, tt := range []struct {
		name   string
		secret string
		end    func()
	}{
		{"revoked", revoked.Secret, func() { h.want(204, "", h.admin, "DELETE", "/v1/tokens/"+revoked.ID, "") }},
		{"expired", expired.Secret, func() { h.clock.pass(2 * time.Hour) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events, ended := h.follow(tt.secret, deviceapi.Filter{}, "")
			untilReady(t, events)
			start := time.Now()
			tt.end()
			select {
			case err := <-ended:
				if took := time.Since(start); took > 1500*time.Millisecond || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("ended after %v with %v", took, err)
				}
			case <-time.After(5 * time.Second):
				t.Error("the stream goes on")
			}
		})
	}
}

func TestStreamEndsWithItsSession(t *testing.T) {
	var out atomic.Bool
	h := newHub(t, func(c *api.Config) {
		c.Session = func(*http.Request) (string, string, bool) { return "owner", "viewer", !out.Load() }
	})
	events, ended := h.follow("", deviceapi.Filter{}, "")
	untilReady(t, events)
	out.Store(true)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}

func TestStreamsOfOne(t *testing.T) {
	h := newHub(t)
	greedy, other := h.token("greedy", "viewer", "").Secret, h.token("other", "viewer", "").Secret
	for range api.MaxStreamsOne {
		events, _ := h.follow(greedy, deviceapi.Filter{}, "")
		untilReady(t, events)
	}
	got := h.want(503, "too many streams", greedy, "GET", "/v1/watch", "")
	if got.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	events, _ := h.follow(other, deviceapi.Filter{}, "")
	untilReady(t, events)
}

// TestStreamGoesOn where it broke off, with what changed meanwhile and what is gone.
func TestStreamGoesOn(t *testing.T) {
	h := newHub(t)
	n := h.defined()
	hall := deviceapi.Filter{Labels: map[string]string{"room": "hall"}}
	events, _ := h.follow(h.admin, hall, "")
	words, id := untilReady(t, events)
	if len(words) != 1 || words[0] != "device default/lamp" {
		t.Errorf("by label: %q", words)
	}
	n.idle.Store(true)
	if err := h.reg.Apply(t.Context(), nil, []twin.Device{{
		Name: twin.Name{Namespace: "default", Name: "new"}, Node: "attic", Labels: map[string]string{"room": "hall"},
		Properties: []twin.Property{{Name: "power", Type: twin.Bool}},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := h.reg.Delete(t.Context(), lamp); err != nil {
		t.Fatal(err)
	}
	events, _ = h.follow(h.admin, hall, id)
	words, _ = untilReady(t, events)
	seen := map[string]bool{}
	for _, w := range words {
		seen[w] = true
	}
	if !seen["device default/new"] || !seen["deleted default/lamp"] || seen["reset"] {
		t.Errorf("after coming back: %q", words)
	}
	events, _ = h.follow(h.admin, hall, "other-17")
	if words, _ = untilReady(t, events); len(words) != 2 || words[0] != "reset" || words[1] != "device default/new" {
		t.Errorf("with an id of another server: %q", words)
	}
}
