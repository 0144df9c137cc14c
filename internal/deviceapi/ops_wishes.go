package deviceapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

type patchInput struct {
	Namespace string `path:"namespace" maxLength:"128"`
	Name      string `path:"name" maxLength:"128"`
	Wait      string `query:"wait" example:"5s" doc:"How long to wait for the outcome, at most 60s"`
	IfMatch   string `header:"If-Match" maxLength:"4096" doc:"Take the wish only if nobody decided about its properties since this ETag was read"`
	RawBody   []byte `contentType:"application/json"`
}

type wishOutput struct {
	Status int
	Body   Wish
}

type wishInput struct {
	ID string `path:"id" maxLength:"128"`
}

func (a *api) wishRoutes(h huma.API) {
	const path = "/v1/devices/{namespace}/{name}/expected"
	schema := BodyOf[Patch](h, "Patch")
	wish := huma.SchemaFromField(h.OpenAPI().Components.Schemas, fieldOf[Wish](), "Wish")
	answer := func(text string) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: wish}}}
	}
	huma.Register(h, huma.Operation{
		OperationID: "wish", Method: http.MethodPatch, Path: path, Summary: "Wish that properties take values",
		SkipValidateBody: true,
		Errors:           Failures(http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType),
		Responses:        map[string]*huma.Response{"200": answer("Applied"), "202": answer("Accepted, still pending")},
	}, a.wish)
	h.OpenAPI().Paths[path].Patch.RequestBody = schema
	huma.Register(h, huma.Operation{
		OperationID: "get-wish", Method: http.MethodGet, Path: "/v1/wishes/{id}", Summary: "Read what became of a wish",
		Errors: Failures(http.StatusNotFound),
	}, a.wishByID)
}

func (a *api) wish(ctx context.Context, in *patchInput) (*wishOutput, error) {
	name, err := pathName(in.Namespace, in.Name)
	if err != nil {
		return nil, problem(err)
	}
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, problem(err)
	}
	patch, err := DecodePatch(in.RawBody)
	if err != nil {
		return nil, problem(err)
	}
	v, err := a.service.Device(ctx, name)
	if err != nil {
		return nil, problem(err)
	}
	w, err := patch.wish(v.Device)
	if err != nil {
		return nil, problem(&twin.RefusedError{Reason: err.Error(), Err: err})
	}
	if in.IfMatch != "" && in.IfMatch != "*" {
		if w.Guard, err = a.guard(ctx, name, in.IfMatch, w.Values); err != nil {
			return nil, problem(err)
		}
	}
	got, err := a.service.Ask(ctx, name, w)
	if err != nil {
		return nil, problem(err)
	}
	if wait > 0 && !got.Settled() {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		now, err := a.service.Await(ctx, name, got.ID)
		if err != nil && ctx.Err() == nil {
			return nil, problem(err)
		}
		if now.ID != "" {
			got = now
		}
	}
	return wishAnswer(WishOf(&got))
}

// guard reads the device for If-Match. Here it waits for the disk as long as it must: a guard cannot be checked against
// what is not told.
func (a *api) guard(ctx context.Context, name twin.Name, header string, values map[string]twin.Value) (map[string]uint64, error) {
	v, err := settled(ctx, a.service, name, values, bodyTime)
	if err != nil {
		return nil, err
	}
	return guard(header, &v, values)
}

// wishAnswer: 200 applied, 202 pending, 409 ended otherwise.
func wishAnswer(w Wish) (*wishOutput, error) {
	switch twin.Outcome(w.Outcome) {
	case twin.Applied:
		return &wishOutput{Status: http.StatusOK, Body: w}, nil
	case twin.Pending:
		return &wishOutput{Status: http.StatusAccepted, Body: w}, nil
	}
	return nil, endedProblem(w)
}

func (a *api) wishByID(ctx context.Context, in *wishInput) (*wishOutput, error) {
	v, err := a.service.Wish(ctx, in.ID)
	if err != nil {
		return nil, problem(err)
	}
	return &wishOutput{Status: http.StatusOK, Body: WishOf(&v)}, nil
}

func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > MaxWait {
		return 0, &twin.FieldError{Field: "wait", Value: clip(text), Want: "a duration up to 60s, as 5s"}
	}
	return d, nil
}
