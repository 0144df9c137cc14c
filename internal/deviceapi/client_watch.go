package deviceapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxEvent bounds a line of a stream: a device with a full state, escaped.
const maxEvent = 1 << 20

// Event is one event of a stream.
type Event struct {
	Kind   string // EventDevice, EventDeleted, EventReady, EventReset
	ID     string // goes into WatchAfter; "" of EventReset
	Device Device // of EventDevice; of EventDeleted its namespace and name
}

// Watch follows devices and calls each with every event, until each gives an error, ctx ends, or the stream breaks off,
// which is io.ErrUnexpectedEOF.
func (c *Client) Watch(ctx context.Context, f Filter, each func(Event) error) error {
	return c.WatchAfter(ctx, f, "", each)
}

// WatchAfter is Watch for who has read up to the event of that id: he is told only what changed since, if the server
// still knows; else the first event is EventReset.
func (c *Client) WatchAfter(ctx context.Context, f Filter, id string, each func(Event) error) error {
	q := f.query()
	if id != "" {
		q.Set("after", id)
	}
	res, err := c.send(ctx, http.MethodGet, "/v1/watch", q, nil, "")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, maxEvent))
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return answer(res.StatusCode, text, nil)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 4096), maxEvent)
	var kind, last string
	for lines.Scan() {
		line := lines.Bytes()
		if k, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			kind, last = string(k), ""
			continue
		}
		if id, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			last = string(id)
			continue
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		e := Event{Kind: kind, ID: last}
		if err := json.Unmarshal(data, &e.Device); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read the stream: %w", err)
	}
	return io.ErrUnexpectedEOF
}
