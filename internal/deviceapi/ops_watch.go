package deviceapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"twinbridge/twin"
)

// Events of a stream. A stream begins with a device event for each device and then says ready; from then on it tells
// each device that changed, as it is now. What changed more often than the reader reads is told once.
const (
	EventDevice  = "device"  // data: a Device
	EventDeleted = "deleted" // data: {"namespace":..., "name":...}; also what no longer fits the filter
	EventReady   = "ready"   // data: {}
)

const (
	beatEvery  = 15 * time.Second // between two signs of life
	streamTime = 10 * time.Second // for a reader to take one write; a slower one is cut
	streamBuf  = 64 << 10         // bytes that are gathered before they are written
)

func (a *api) watchRoute(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "watch", Method: http.MethodGet, Path: "/v1/watch", Summary: "Follow devices as server-sent events",
		Description: "First a device event for each device, then ready, then each device that changes. deleted tells of one that is gone.",
		Errors:      failures(),
		Responses: map[string]*huma.Response{"200": {
			Description: "The stream",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, a.watch)
}

func (a *api) watch(_ context.Context, in *filter) (*huma.StreamResponse, error) {
	if err := in.check(); err != nil {
		return nil, problem(err)
	}
	select {
	case a.streams <- struct{}{}:
	default:
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("too many streams are open: at most 64"),
			http.Header{"Retry-After": {"5"}})
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-a.streams }()
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return
		}
		s := &stream{w: w, c: http.NewResponseController(w), filter: in, shown: map[twin.Name]bool{}}
		s.run(r.Context(), a.service)
	}}, nil
}

// stream is one reader.
type stream struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	filter *filter
	shown  map[twin.Name]bool // devices that the reader knows
	buf    bytes.Buffer
}

// run writes until the reader is gone, too slow, or ctx ends.
func (s *stream) run(ctx context.Context, service Service) {
	watch := service.Watch()
	defer watch.Close()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	if s.tell(ctx, service, watch.Take()) != nil || s.event(EventReady, struct{}{}) != nil || s.flush() != nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.C():
			if s.tell(ctx, service, watch.Take()) != nil || s.flush() != nil {
				return
			}
		case <-beat.C:
			s.buf.WriteString(": still here\n\n")
			if s.flush() != nil {
				return
			}
		}
	}
}

// tell writes these devices as they are now.
func (s *stream) tell(ctx context.Context, service Service, names []twin.Name) error {
	for _, name := range names {
		if !s.filter.wants(name) {
			continue
		}
		v, err := service.Device(ctx, name)
		if err == nil && s.filter.wantsView(&v) {
			s.shown[name] = true
			if err := s.event(EventDevice, DeviceOf(&v)); err != nil {
				return err
			}
			continue
		}
		if !s.shown[name] {
			continue
		}
		delete(s.shown, name)
		if err := s.event(EventDeleted, gone{name.Namespace, name.Name}); err != nil {
			return err
		}
	}
	return nil
}

// gone is the data of a deleted event.
type gone struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// event adds an event and writes when much has gathered. JSON has no line breaks, so one data line holds it.
func (s *stream) event(kind string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	s.buf.WriteString("event: " + kind + "\ndata: ")
	s.buf.Write(text)
	s.buf.WriteString("\n\n")
	if s.buf.Len() < streamBuf {
		return nil
	}
	return s.flush()
}

func (s *stream) flush() error {
	if s.buf.Len() == 0 {
		return nil
	}
	if err := s.c.SetWriteDeadline(time.Now().Add(streamTime)); err != nil {
		return err
	}
	if _, err := s.buf.WriteTo(s.w); err != nil {
		return err
	}
	return s.c.Flush()
}
