package deviceapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type modelInput struct {
	Namespace string `path:"namespace" maxLength:"128"`
	Name      string `path:"name" maxLength:"128"`
	RawBody   []byte `contentType:"application/json"`
}

type modelOutput struct{ Body Model }

type applyInput struct {
	RawBody []byte `contentType:"application/yaml"`
}

type applyOutput struct{ Body Applied }

func (a *api) modelRoutes(h huma.API) {
	const path = "/v1/models/{namespace}/{name}"
	schema := jsonBody[Model](h, "Model")
	huma.Register(h, huma.Operation{
		OperationID: "get-model", Method: http.MethodGet, Path: path, Summary: "Read a device model",
		Errors: failures(http.StatusNotFound),
	}, func(ctx context.Context, in *nameInput) (*modelOutput, error) {
		name, err := in.name()
		if err != nil {
			return nil, problem(err)
		}
		m, err := a.service.Model(ctx, name)
		if err != nil {
			return nil, problem(err)
		}
		return &modelOutput{ModelOf(&m)}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "put-model", Method: http.MethodPut, Path: path, Summary: "Define a device model",
		SkipValidateBody: true, Errors: failures(http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType),
	}, a.putModel)
	h.OpenAPI().Paths[path].Put.RequestBody = schema
	huma.Register(h, huma.Operation{
		OperationID: "apply", Method: http.MethodPost, Path: "/v1/apply",
		Summary:          "Make devices and models as a manifest says",
		Description:      "The body is KubeEdge's manifest: YAML, of one or more documents, or JSON. All of it is taken or none.",
		SkipValidateBody: true, Errors: failures(http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity),
	}, func(ctx context.Context, in *applyInput) (*applyOutput, error) {
		done, err := a.service.Apply(ctx, in.RawBody)
		if err != nil {
			return nil, problem(err)
		}
		return &applyOutput{done}, nil
	})
}

func (a *api) putModel(ctx context.Context, in *modelInput) (*modelOutput, error) {
	name, err := pathName(in.Namespace, in.Name)
	if err != nil {
		return nil, problem(err)
	}
	m, err := DecodeModel(name, in.RawBody)
	if err != nil {
		return nil, problem(err)
	}
	if err := a.service.PutModel(ctx, m); err != nil {
		return nil, problem(err)
	}
	return &modelOutput{ModelOf(&m)}, nil
}
