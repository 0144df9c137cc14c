package deviceapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"twinbridge/twin"
)

const (
	beatEvery  = 15 * time.Second // between two signs of life
	stillEvery = time.Second      // between two looks whether the reader may go on
	streamTime = 10 * time.Second // for a reader to take one write; a slower one is cut
	streamBuf  = 64 << 10         // bytes that are gathered before they are written
	streamStep = 256              // devices that are looked up at a time
)

// errNoMore ends the stream of a reader who may no longer read.
var errNoMore = errors.New("the reader may not read any more")

// stream is one reader.
type stream struct {
	*api
	w       http.ResponseWriter
	c       *http.ResponseController
	filter  *Filter
	resumed bool               // the reader may know devices that this stream did not tell
	reset   bool               // the reader has to forget what it knows
	at      uint64             // everything up to here is told
	shown   map[twin.Name]bool // what the reader knows of a device: it, or that it is gone
	buf     bytes.Buffer
	looked  time.Time // when it was last asked whether the reader may go on
}

// run writes until the reader is gone, too slow, may not read any more, or ctx ends.
func (s *stream) run(ctx context.Context) {
	s.shown, s.looked = map[twin.Name]bool{}, time.Now()
	bell, stop := s.changes.follow()
	defer stop()
	beat, look := time.NewTicker(beatEvery), time.NewTicker(stillEvery)
	defer beat.Stop()
	defer look.Stop()
	// The body's end is written after this, on a quiet stream long past the deadline of the last write: without one of its
	// own the end would be cut off, and the reader take it for a line that broke.
	defer func() { _ = s.c.SetWriteDeadline(time.Now().Add(streamTime)) }()
	if s.begin(ctx) != nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changes.watch.C():
			s.changes.sync(ctx) // rings for this one too
		case <-bell:
			if s.tell(ctx) != nil || s.flush(ctx) != nil {
				return
			}
		case <-look.C:
			if s.may(ctx) != nil {
				return
			}
		case <-beat.C:
			s.buf.WriteString(": still here\n\n")
			if s.flush(ctx) != nil {
				return
			}
		}
	}
}

// begin tells what the reader does not know yet, and that it is all.
func (s *stream) begin(ctx context.Context) error {
	if s.reset {
		if err := s.event(ctx, EventReset, "", struct{}{}); err != nil {
			return err
		}
	}
	s.changes.sync(ctx)
	if err := s.tell(ctx); err != nil {
		return err
	}
	if err := s.event(ctx, EventReady, s.changes.id(s.at), struct{}{}); err != nil {
		return err
	}
	return s.flush(ctx)
}

// tell writes the devices that changed, as they are now.
func (s *stream) tell(ctx context.Context) error {
	for {
		some, next := s.changes.since(s.at, streamStep)
		for _, e := range some {
			if err := s.device(ctx, e.name, s.changes.id(e.seq)); err != nil {
				return err
			}
		}
		if s.at = next; len(some) < streamStep {
			return nil
		}
	}
}

func (s *stream) device(ctx context.Context, name twin.Name, id string) error {
	if !s.filter.wants(name) {
		return nil
	}
	v, err := s.service.Device(ctx, name)
	if err == nil && s.filter.wantsView(&v) {
		s.shown[name] = true
		return s.event(ctx, EventDevice, id, DeviceOf(&v))
	}
	knows, told := s.shown[name]
	if told && !knows || !told && !s.resumed {
		return nil
	}
	if s.shown[name] = false; !s.resumed {
		delete(s.shown, name)
	}
	return s.event(ctx, EventDeleted, id, gone{name.Namespace, name.Name})
}

// gone is the data of a deleted event.
type gone struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// event adds an event and writes when much has gathered. JSON has no line breaks, so one data line holds it.
func (s *stream) event(ctx context.Context, kind, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	s.buf.WriteString("event: " + kind + "\n")
	if id != "" {
		s.buf.WriteString("id: " + id + "\n")
	}
	s.buf.WriteString("data: ")
	s.buf.Write(text)
	s.buf.WriteString("\n\n")
	if s.buf.Len() < streamBuf {
		return nil
	}
	return s.flush(ctx)
}

func (s *stream) flush(ctx context.Context) error {
	if s.buf.Len() == 0 {
		return nil
	}
	if time.Since(s.looked) >= stillEvery {
		if err := s.may(ctx); err != nil {
			return err
		}
	}
	if err := s.c.SetWriteDeadline(time.Now().Add(streamTime)); err != nil {
		return err
	}
	if _, err := s.buf.WriteTo(s.w); err != nil {
		return err
	}
	return s.c.Flush()
}

// may asks whether the reader may go on.
func (s *stream) may(ctx context.Context) error {
	s.looked = time.Now()
	if !s.streams.still(ctx) {
		return errNoMore
	}
	return nil
}
