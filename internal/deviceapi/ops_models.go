package deviceapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

type modelInput struct {
	Namespace string `path:"namespace" maxLength:"128"`
	Name      string `path:"name" maxLength:"128"`
	RawBody   []byte `contentType:"application/json"`
}

type modelsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	Cursor string `query:"cursor" doc:"next of the page before" maxLength:"257"`
}

type modelsOutput struct{ Body Models }

type modelOutput struct{ Body Model }

type applyInput struct {
	RawBody []byte `contentType:"application/yaml"`
}

type applyOutput struct{ Body Applied }

func (a *api) modelRoutes(h huma.API) {
	const path = "/v1/models/{namespace}/{name}"
	schema := BodyOf[Model](h, "Model")
	huma.Register(h, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/v1/models", Summary: "List the device models that this side defines",
		Errors: Failures(),
	}, a.listModels)
	huma.Register(h, huma.Operation{
		OperationID: "get-model", Method: http.MethodGet, Path: path, Summary: "Read a device model",
		Errors: Failures(http.StatusNotFound),
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
		SkipValidateBody: true, Errors: Failures(http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType),
	}, a.putModel)
	h.OpenAPI().Paths[path].Put.RequestBody = schema
	huma.Register(h, huma.Operation{
		OperationID: "apply", Method: http.MethodPost, Path: "/v1/apply",
		Summary:          "Make devices and models as a manifest says",
		Description:      "The body is KubeEdge's manifest: YAML, of one or more documents, or JSON. All of it is taken or none.",
		SkipValidateBody: true, Errors: Failures(http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity),
	}, func(ctx context.Context, in *applyInput) (*applyOutput, error) {
		done, err := a.service.Apply(ctx, in.RawBody)
		if err != nil {
			return nil, problem(err)
		}
		return &applyOutput{done}, nil
	})
	least := 1
	h.OpenAPI().Paths["/v1/apply"].Post.RequestBody.Content["application/yaml"].Schema = &huma.Schema{Type: huma.TypeString, MinLength: &least}
}

func (a *api) listModels(ctx context.Context, in *modelsInput) (*modelsOutput, error) {
	models, err := a.service.Models(ctx)
	if err != nil {
		return nil, problem(err)
	}
	from, err := after(in.Cursor, len(models), func(i int) twin.Name { return models[i].Name })
	if err != nil {
		return nil, problem(err)
	}
	out := &modelsOutput{Body: Models{Models: []Model{}}}
	for i := range models[from:] {
		if len(out.Body.Models) == in.Limit {
			out.Body.Next = models[from+i-1].Name.String()
			break
		}
		out.Body.Models = append(out.Body.Models, ModelOf(&models[from+i]))
	}
	return out, nil
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
