package deviceapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

// Bounds of wishes for many devices.
const (
	MaxBatch   = 10_000 // devices of one
	maxBatches = 4      // on their way at once
	askers     = 256    // wishes of one that are handed in at once, so that they share commits
)

// Batch is the body of a wish for many devices.
type Batch struct {
	Select *Filter `json:"select,omitempty" doc:"Which devices; at least one of its keys"`
	All    bool    `json:"all,omitempty" doc:"In the place of select: all devices"`
	Patch
}

// Batched tells of each device of a batch.
type Batched struct {
	Wishes []BatchedWish `json:"wishes"`
}

// BatchedWish is one device's: the wish, or why it was not taken.
type BatchedWish struct {
	Device string `json:"device" example:"default/lamp"`
	Wish   *Wish  `json:"wish,omitempty"`
	Status int    `json:"status,omitempty" doc:"What a PATCH of this device alone would have been answered; absent if there is a wish"`
	Detail string `json:"detail,omitempty"`
}

type batchInput struct {
	Wait    string `query:"wait" example:"5s" doc:"How long to wait for the outcomes, all together, at most 60s"`
	RawBody []byte `contentType:"application/json"`
}

type batchOutput struct{ Body Batched }

func (a *api) batchRoute(h huma.API) {
	const path = "/v1/wishes"
	schema := BodyOf[Batch](h, "Batch")
	huma.Register(h, huma.Operation{
		OperationID: "wish-many", Method: http.MethodPost, Path: path, Summary: "Wish that properties of many devices take values",
		Description: "Every device that is selected is asked by itself: one that does not take the wish does not keep it from the others. " +
			"404 if no device is selected.",
		SkipValidateBody: true,
		Errors:           Failures(http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType),
	}, a.batch)
	h.OpenAPI().Paths[path].Post.RequestBody = schema
}

// DecodeBatch reads the body of a wish for many devices. Errors name the field.
func DecodeBatch(body []byte) (Batch, error) {
	var b Batch
	if err := decodeStrict(body, &b, "select", "all", "expected", "validFor", "insist"); err != nil {
		return Batch{}, err
	}
	const want = `namespace, model, node or labels; or "all": true in its place`
	switch {
	case b.Select == nil && !b.All:
		return Batch{}, &twin.FieldError{Field: "select", Value: "", Want: want}
	case b.Select != nil && b.All:
		return Batch{}, &twin.FieldError{Field: "all", Value: "true", Want: "either select or all"}
	case b.Select != nil && b.Select.IsZero():
		return Batch{}, &twin.FieldError{Field: "select", Value: "{}", Want: want}
	case b.Select == nil:
		b.Select = &Filter{}
	}
	if err := b.Select.check(); err != nil {
		return Batch{}, fmt.Errorf("select: %w", err)
	}
	return b, b.check()
}

func (a *api) batch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, problem(err)
	}
	b, err := DecodeBatch(in.RawBody)
	if err != nil {
		return nil, problem(err)
	}
	select {
	case a.batches <- struct{}{}:
		defer func() { <-a.batches }()
	default:
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("too many wishes for many devices are on their way; come back later"),
			http.Header{"Retry-After": {"5"}})
	}
	views, err := a.selected(ctx, b.Select)
	if err != nil {
		return nil, problem(err)
	}
	each, ended := ctx, func() error { return nil }
	if a.options.Batch != nil {
		names := make([]twin.Name, len(views))
		for i := range views {
			names[i] = views[i].Name
		}
		each, ended = a.options.Batch(ctx, &b, names)
	}
	out := &batchOutput{Body: Batched{Wishes: make([]BatchedWish, len(views))}}
	a.askAll(each, &b.Patch, views, out.Body.Wishes)
	if err := ended(); err != nil {
		return nil, problem(err)
	}
	if wait > 0 {
		a.awaitAll(ctx, wait, views, out.Body.Wishes)
	}
	return out, nil
}

// selected gives the devices that are meant.
func (a *api) selected(ctx context.Context, f *Filter) ([]*twin.Resolved, error) {
	names, err := a.service.Devices(ctx)
	if err != nil {
		return nil, err
	}
	var out []*twin.Resolved
	for _, name := range names {
		if !f.wants(name) {
			continue
		}
		v, err := a.service.Device(ctx, name)
		if err != nil || !f.wantsView(&v) {
			continue // deleted in between, or not asked for
		}
		if out = append(out, v.Device); len(out) > MaxBatch {
			return nil, &twin.FieldError{Field: "select", Value: clip(f.String()), Want: fmt.Sprintf("at most %d devices at once", MaxBatch)}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("select: %s: %w", clip(f.String()), errNobody)
	}
	return out, nil
}

// errNobody says that a selection is empty.
var errNobody error = noDevice{}

type noDevice struct{}

func (noDevice) Error() string        { return "no device is selected" }
func (noDevice) Is(target error) bool { return target == twin.ErrNotFound }

// askAll hands the wishes in.
func (a *api) askAll(ctx context.Context, p *Patch, devices []*twin.Resolved, out []BatchedWish) {
	var wg sync.WaitGroup
	turn := make(chan int)
	for range min(askers, len(devices)) {
		wg.Go(func() {
			for i := range turn {
				out[i] = a.askOne(ctx, p, devices[i])
			}
		})
	}
	for i := range devices {
		turn <- i
	}
	close(turn)
	wg.Wait()
}

func (a *api) askOne(ctx context.Context, p *Patch, d *twin.Resolved) BatchedWish {
	out := BatchedWish{Device: d.Name.String()}
	w, err := p.wish(d)
	if err != nil {
		err = &twin.RefusedError{Reason: err.Error(), Err: err}
	} else {
		var v twin.WishView
		if v, err = a.service.Ask(ctx, d.Name, w); err == nil {
			got := WishOf(&v)
			out.Wish = &got
			return out
		}
	}
	out.Status, out.Detail = statusOf(err), err.Error()
	return out
}

// awaitAll waits for the outcomes, one after the other: the time is over for all at once.
func (a *api) awaitAll(ctx context.Context, wait time.Duration, devices []*twin.Resolved, out []BatchedWish) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for i := range out {
		w := out[i].Wish
		if w == nil || twin.Outcome(w.Outcome).Ended() {
			continue
		}
		// An error is that of the time that is over; the wish is told as it is by then.
		if now, _ := a.service.Await(ctx, devices[i].Name, w.ID); now.ID != "" {
			got := WishOf(&now)
			out[i].Wish = &got
		}
	}
}
