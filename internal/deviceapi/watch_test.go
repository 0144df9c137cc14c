package deviceapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// follow collects events until the test ends.
func (h *house) follow(f deviceapi.Filter) <-chan deviceapi.Event {
	events := make(chan deviceapi.Event, 1024)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- h.client.Watch(ctx, f, func(e deviceapi.Event) error { events <- e; return nil })
	}()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			h.t.Errorf("Watch ended with %v", err)
		}
	})
	return events
}

// next gives the next event.
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

func TestWatch(t *testing.T) {
	h := newHouse(t)
	h.online(lamp)
	events := h.follow(deviceapi.Filter{})
	for _, want := range []string{"default/lamp", "default/meter", "garden/porch"} {
		if e := next(t, events); e.Kind != deviceapi.EventDevice || e.Device.FullName() != want {
			t.Fatalf("snapshot: got %s %s, want %s", e.Kind, e.Device.FullName(), want)
		}
	}
	if e := next(t, events); e.Kind != deviceapi.EventReady {
		t.Fatalf("after the snapshot: got %s", e.Kind)
	}
	h.mapper(lamp)
	if _, err := h.client.Wish(t.Context(), lamp, deviceapi.Patch{Expected: map[string]deviceapi.Scalar{"powerstatus": deviceapi.Scalar(`"ON"`)}}, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	for {
		e := next(t, events)
		if e.Kind != deviceapi.EventDevice || e.Device.FullName() != "default/lamp" {
			t.Fatalf("got %s %s", e.Kind, e.Device.FullName())
		}
		if p := e.Device.Properties["powerstatus"]; p.Actual != nil && p.Actual.Value.Text() == "ON" && p.Wish == nil {
			break
		}
	}
	if err := h.client.Delete(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	for {
		e := next(t, events)
		if e.Kind == deviceapi.EventDeleted {
			if e.Device.FullName() != "default/meter" {
				t.Errorf("deleted: %s", e.Device.FullName())
			}
			break
		}
	}
}

func TestWatchFilter(t *testing.T) {
	h := newHouse(t)
	events := h.follow(deviceapi.Filter{Namespace: "garden"})
	if e := next(t, events); e.Device.FullName() != "garden/porch" {
		t.Fatalf("got %s %s", e.Kind, e.Device.FullName())
	}
	if e := next(t, events); e.Kind != deviceapi.EventReady {
		t.Fatalf("got %s", e.Kind)
	}
	h.online(lamp)
	h.online(porch)
	if e := next(t, events); e.Device.FullName() != "garden/porch" || e.Device.Presence != "online" {
		t.Errorf("got %s %s", e.Kind, e.Device.FullName())
	}
}

// TestStreamsAreBounded: the 65th is told to come back, and can once another one ended.
func TestStreamsAreBounded(t *testing.T) {
	h := newHouse(t)
	client := http.Client{Transport: deviceapi.SocketTransport(h.socket)}
	defer client.CloseIdleConnections()
	// open begins a stream and gives its status and the way to end it.
	open := func() (status int, retry string, end func() error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://edge/v1/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res.StatusCode, res.Header.Get("Retry-After"), res.Body.Close
	}
	var endOne func() error
	for i := range deviceapi.MaxStreams {
		status, _, end := open()
		if status != 200 {
			t.Fatalf("stream %d: status %d", i, status)
		}
		endOne = end
	}
	if status, retry, _ := open(); status != http.StatusServiceUnavailable || retry == "" {
		t.Errorf("one stream too many: status %d, Retry-After %q", status, retry)
	}
	if err := endOne(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		status, _, _ := open()
		return status == 200
	})
}

// TestSlowReaderIsCut: a reader that never reads neither holds its stream for ever nor delays anybody.
func TestSlowReaderIsCut(t *testing.T) {
	t.Parallel() // it waits
	h := newHouse(t)
	h.online(lamp)
	c, err := net.Dial("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/watch HTTP/1.1\r\nHost: edge\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// Enough changes to fill all buffers on the way, each at full speed.
	start := time.Now()
	big := make([]byte, 3000)
	for i := range big {
		big[i] = 'x'
	}
	text := twin.Name{Namespace: "default", Name: "text"}
	if err := h.store.Apply(nil, []twin.Device{{Name: text, Properties: []twin.Property{{Name: "t", Type: twin.String}}}}); err != nil {
		t.Fatal(err)
	}
	stop := time.After(time.Second)
	for i := 0; ; i++ {
		r := twin.Report{Echo: true, Conn: "c", Props: map[string]twin.PropReport{"t": {Value: twin.StringValue(fmt.Sprintf("%d%s", i, big))}}}
		if _, err := h.store.Report(text, r); err != nil {
			t.Fatal(err)
		}
		select {
		case <-stop:
			t.Logf("%d reports in %v", i, time.Since(start))
			if i < 1000 {
				t.Errorf("only %d reports a second beside a reader that does not read", i)
			}
		default:
			continue
		}
		break
	}
	// The server ends the connection although nobody reads from it: what is left ends before a new event.
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	cut := time.NewTimer(12 * time.Second)
	defer cut.Stop()
	<-cut.C
	if _, err := io.Copy(io.Discard, io.LimitReader(c, 64<<20)); err != nil {
		t.Errorf("the stream was not ended: %v", err)
	}
}

// TestWatchGoesOn: who comes back with an id is told what he missed, what is gone too, and no more.
func TestWatchGoesOn(t *testing.T) {
	h := newHouse(t)
	ready := func(id string) (words []string, last string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := errors.New("ready")
		err := h.client.WatchAfter(ctx, deviceapi.Filter{}, id, func(e deviceapi.Event) error {
			if (e.ID == "") != (e.Kind == deviceapi.EventReset) {
				t.Errorf("%s has the id %q", e.Kind, e.ID)
			}
			if e.Kind == deviceapi.EventReady {
				last = e.ID
				return done
			}
			word := e.Kind
			if e.Kind != deviceapi.EventReset {
				word += " " + e.Device.FullName()
				last = e.ID
			}
			words = append(words, word)
			return nil
		})
		if !errors.Is(err, done) {
			t.Fatalf("the stream ended with %v", err)
		}
		return words, last
	}
	check := func(got []string, want ...string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	words, first := ready("")
	check(words, "device default/lamp", "device default/meter", "device garden/porch")
	words, id := ready(first)
	check(words)
	h.online(porch)
	words, second := ready(id)
	check(words, "device garden/porch")
	if err := h.client.Delete(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	words, _ = ready(second)
	check(words, "deleted default/meter")
	words, _ = ready(first)
	check(words, "device garden/porch", "deleted default/meter")
	words, _ = ready("")
	check(words, "device default/lamp", "device garden/porch")
	for _, unknown := range []string{"0000000000-1", strings.Split(first, "-")[0] + "-999999"} {
		words, _ = ready(unknown)
		check(words, "reset", "device default/lamp", "device garden/porch")
	}
	for _, bad := range []string{"x", "x-", "-1x", first + "0000000000000000000000", strings.Repeat("1", 65)} {
		if got := h.do("GET", "/v1/watch?after="+bad, ""); got.status != 422 || !strings.Contains(string(got.body), "after") {
			t.Errorf("after=%s: %d %s", bad, got.status, got.body)
		}
	}
	// What a browser says by itself is newer than the URL that it repeats.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://edge/v1/watch?after="+first, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, now := ready("")
	req.Header.Set("Last-Event-ID", now)
	res, err := h.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text := make([]byte, 12)
	if _, err := io.ReadFull(res.Body, text); err != nil || string(text) != "event: ready" {
		t.Errorf("with Last-Event-ID: %q, %v", text, err)
	}
}

// TestBatchAtHome: the node itself takes wishes for many.
func TestBatchAtHome(t *testing.T) {
	h := newHouse(t)
	h.mapper(lamp)
	h.online(lamp)
	got, err := h.client.WishMany(t.Context(), deviceapi.Batch{
		Select: &deviceapi.Filter{Namespace: "default"}, Patch: deviceapi.Patch{Expected: map[string]deviceapi.Scalar{"powerstatus": deviceapi.Scalar(`"ON"`)}},
	}, 5*time.Second)
	if err != nil || len(got.Wishes) != 2 || got.Wishes[0].Wish == nil || got.Wishes[0].Wish.Outcome != "applied" || got.Wishes[1].Status != 422 {
		t.Errorf("got %+v, %v; want lamp applied and meter refused", got, err)
	}
}
