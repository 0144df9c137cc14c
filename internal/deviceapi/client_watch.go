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
	Kind   string // EventDevice, EventDeleted, EventReady
	Device Device // of EventDevice; of EventDeleted its namespace and name
}

// Watch follows devices and calls each with every event, until each gives an error, ctx ends, or the stream breaks off,
// which is io.ErrUnexpectedEOF.
func (c *Client) Watch(ctx context.Context, f Filter, each func(Event) error) error {
	res, err := c.send(ctx, http.MethodGet, "/v1/watch", f.query(), nil, "")
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
	var kind string
	for lines.Scan() {
		line := lines.Bytes()
		if k, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			kind = string(k)
			continue
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		e := Event{Kind: kind}
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
