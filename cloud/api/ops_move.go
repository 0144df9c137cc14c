package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

type moveInput struct {
	Namespace string `path:"namespace" maxLength:"128"`
	Name      string `path:"name" maxLength:"128"`
	RawBody   []byte `contentType:"application/json"`
}

func (a *API) moveRoute(h huma.API) {
	const path = "/v1/devices/{namespace}/{name}/move"
	schema := deviceapi.BodyOf[deviceapi.MoveAsk](h, "MoveAsk")
	huma.Register(h, huma.Operation{
		OperationID: "move-device", Method: http.MethodPost, Path: path, Summary: "Give a device to another node",
		Description: "The new node gets it, with what is expected of it, once the old one has said that it gave it up; with force at once. " +
			"409 if a node defines the device.",
		SkipValidateBody: true, DefaultStatus: http.StatusNoContent, Errors: bodyAnswers(http.StatusNotFound, http.StatusConflict),
	}, a.move)
	h.OpenAPI().Paths[path].Post.RequestBody = schema
}

func (a *API) move(ctx context.Context, in *moveInput) (*struct{}, error) {
	name := twin.Name{Namespace: in.Namespace, Name: in.Name}
	var body deviceapi.MoveAsk
	err := name.Validate()
	if err == nil {
		err = deviceapi.Decode(in.RawBody, &body, "node", "force")
	}
	if err == nil && body.Node == "" {
		err = &twin.FieldError{Field: "node", Value: "", Want: "the node that is to have it"}
	}
	if err != nil {
		return nil, deviceapi.Answer(err)
	}
	detail := "to " + body.Node
	if body.Force {
		detail += ", forced"
	}
	e := deviceapi.AuditEntry{Action: "move", Object: name.String(), Detail: detail}
	return nil, answered(a.act(ctx, e, nil, func(ctx context.Context) error { return a.reg.Move(ctx, name, body.Node, body.Force) }))
}
