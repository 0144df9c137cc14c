package deviceapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
