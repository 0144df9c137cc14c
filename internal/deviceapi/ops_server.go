package deviceapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type healthOutput struct {
	Status int
	Body   Health
}

func (a *api) serverRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/healthz", Summary: "How the server is",
		Errors: Failures(),
	}, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		out := &healthOutput{Status: http.StatusOK, Body: a.service.Health(ctx)}
		if out.Body.Status != "ok" {
			out.Status = http.StatusServiceUnavailable
		}
		return out, nil
	})
}
