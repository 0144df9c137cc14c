package deviceapi

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Events of a stream. A stream begins with a device event for each device and then says ready; from then on it tells
// each device that changed, as it is now. What changed more often than the reader reads is told once. Who comes back with
// the id of the last event that he read is told what changed since, and then ready; reset says that this cannot be known,
// and that everything follows anew.
const (
	EventDevice  = "device"  // data: a Device
	EventDeleted = "deleted" // data: {"namespace":..., "name":...}; also what no longer fits the filter
	EventReady   = "ready"   // data: {}
	EventReset   = "reset"   // data: {}
)

type watchInput struct {
	Namespace   string   `query:"namespace" doc:"Only devices of this namespace"`
	Model       string   `query:"model" doc:"Only devices of this model, as namespace/name"`
	Node        string   `query:"node" doc:"Only devices of this node"`
	Label       []string `query:"label,explode" maxItems:"64" example:"room=hall" doc:"Only devices with this label, as key=value; may be repeated"`
	After       string   `query:"after" maxLength:"64" doc:"id of the last event that was read; only what changed since is told"`
	LastEventID string   `header:"Last-Event-ID" maxLength:"64" doc:"The same, as browsers say it by themselves"`
}

func (a *api) watchRoute(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "watch", Method: http.MethodGet, Path: "/v1/watch", Summary: "Follow devices as server-sent events",
		Description: "First a device event for each device, then ready, then each device that changes. deleted tells of one that is " +
			"gone. Each event has an id: who comes back with it is told only what changed since, then ready; or, where that is not " +
			"known, reset and everything anew.",
		Errors: Failures(),
		Responses: map[string]*huma.Response{"200": {
			Description: "The stream",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, a.watch)
}

func (a *api) watch(ctx context.Context, in *watchInput) (*huma.StreamResponse, error) {
	f, err := newFilter(in.Namespace, in.Model, in.Node, in.Label)
	if err != nil {
		return nil, problem(err)
	}
	s := &stream{api: a, filter: f}
	// A browser that reconnects repeats the URL, after= and all, and has read more since.
	if id := cmp.Or(in.LastEventID, in.After); id != "" {
		known := false
		a.changes.sync(ctx)
		if s.at, known, err = a.changes.from(id); err != nil {
			return nil, problem(err)
		}
		s.resumed, s.reset = known, !known
	}
	closed, ok := a.streams.open(ctx)
	if !ok {
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("too many streams are open; close one, or come back later"),
			http.Header{"Retry-After": {"5"}})
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer closed()
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return
		}
		s.w, s.c = w, http.NewResponseController(w)
		s.run(r.Context())
	}}, nil
}
