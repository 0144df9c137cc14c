package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/internal/deviceapi"
)

type tokenInput struct {
	RawBody []byte `contentType:"application/json"`
}

type tokenIDInput struct {
	ID string `path:"id" maxLength:"64"`
}

type tokensOutput struct{ Body deviceapi.Tokens }

type newTokenOutput struct{ Body deviceapi.NewToken }

func (a *API) tokenRoutes(h huma.API) {
	const path = "/v1/tokens"
	huma.Register(h, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: path, Summary: "List the API tokens", Errors: deviceapi.Failures(),
	}, func(context.Context, *struct{}) (*tokensOutput, error) {
		out := &tokensOutput{Body: deviceapi.Tokens{Tokens: []deviceapi.Token{}}}
		for _, t := range a.tokens.list() {
			out.Body.Tokens = append(out.Body.Tokens, t.shown())
		}
		return out, nil
	})
	schema := deviceapi.BodyOf[deviceapi.TokenAsk](h, "TokenAsk")
	huma.Register(h, huma.Operation{
		OperationID: "make-token", Method: http.MethodPost, Path: path, Summary: "Make an API token",
		SkipValidateBody: true, DefaultStatus: http.StatusCreated, Errors: bodyAnswers(http.StatusConflict),
	}, a.makeToken)
	h.OpenAPI().Paths[path].Post.RequestBody = schema
	huma.Register(h, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: path + "/{id}", Summary: "End an API token at once",
		Description:   "Its event streams end within a second. 409 if it is the last one of an admin.",
		DefaultStatus: http.StatusNoContent, Errors: deviceapi.Failures(http.StatusNotFound, http.StatusConflict),
	}, func(ctx context.Context, in *tokenIDInput) (*struct{}, error) {
		e := deviceapi.AuditEntry{Action: "revoke-token", Object: in.ID, Detail: a.tokens.nameOf(in.ID)}
		return nil, answered(a.act(ctx, e, nil, func(context.Context) error { return a.tokens.revoke(in.ID) }))
	})
}

// shown gives what REST shows of a token.
func (t *token) shown() deviceapi.Token {
	return deviceapi.Token{ID: t.ID, Name: t.Name, Role: t.Role, Created: t.Created, Expires: moment(t.Expires), LastUsed: t.LastUsed}
}

func (a *API) makeToken(ctx context.Context, in *tokenInput) (*newTokenOutput, error) {
	var body deviceapi.TokenAsk
	if err := deviceapi.Decode(in.RawBody, &body, "name", "role", "validFor"); err != nil {
		return nil, deviceapi.Answer(err)
	}
	validFor, err := duration("validFor", body.ValidFor, 0, time.Second, maxTokenLife)
	if err != nil {
		return nil, deviceapi.Answer(err)
	}
	out := &newTokenOutput{}
	e := deviceapi.AuditEntry{Action: "make-token", Object: clip(body.Name), Detail: "role " + clip(body.Role)}
	err = a.act(ctx, e, nil, func(context.Context) error {
		t, secret, err := a.tokens.make(body.Name, body.Role, validFor)
		out.Body = deviceapi.NewToken{Token: t.shown(), Secret: secret}
		return err
	})
	if err != nil {
		return nil, deviceapi.Answer(err)
	}
	return out, nil
}
