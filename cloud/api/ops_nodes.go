package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

const maxJoinTime = time.Hour // for a join token to be used

type nodeInput struct {
	Name string `path:"name" maxLength:"128"`
}

type nodeOutput struct{ Body deviceapi.Node }

type nodesOutput struct{ Body deviceapi.Nodes }

type joinInput struct {
	Name    string `path:"name" maxLength:"128"`
	RawBody []byte `contentType:"application/json" required:"false"`
}

type joinOutput struct{ Body deviceapi.JoinToken }

func (a *API) nodeRoutes(h huma.API) {
	const path = "/v1/nodes/{name}"
	huma.Register(h, huma.Operation{
		OperationID: "list-nodes", Method: http.MethodGet, Path: "/v1/nodes", Summary: "List the edge nodes", Errors: deviceapi.Failures(),
	}, func(context.Context, *struct{}) (*nodesOutput, error) {
		out := &nodesOutput{Body: deviceapi.Nodes{Nodes: []deviceapi.Node{}}}
		for _, n := range a.reg.Nodes() {
			out.Body.Nodes = append(out.Body.Nodes, a.nodeOf(&n))
		}
		return out, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-node", Method: http.MethodGet, Path: path, Summary: "Read an edge node",
		Errors: deviceapi.Failures(http.StatusNotFound),
	}, func(_ context.Context, in *nodeInput) (*nodeOutput, error) {
		n, ok := a.reg.Node(in.Name)
		if !ok {
			return nil, deviceapi.Answer(noNode(in.Name))
		}
		return &nodeOutput{a.nodeOf(&n)}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "delete-node", Method: http.MethodDelete, Path: path, Summary: "Revoke a node's certificate and forget the node",
		Description:   "409 while a device of the cloud's hangs on it: delete or move it first.",
		DefaultStatus: http.StatusNoContent, Errors: deviceapi.Failures(http.StatusNotFound, http.StatusConflict),
	}, a.deleteNode)
	huma.Register(h, huma.Operation{
		OperationID: "revoke-node", Method: http.MethodPost, Path: path + "/revoke", Summary: "Revoke a node's certificate",
		Description:   "Its connection ends. The node stays known, and can join again with a new token.",
		DefaultStatus: http.StatusNoContent, Errors: deviceapi.Failures(http.StatusNotFound, http.StatusConflict),
	}, a.revokeNode)
	schema := deviceapi.BodyOf[deviceapi.JoinAsk](h, "JoinAsk")
	schema.Required = false
	huma.Register(h, huma.Operation{
		OperationID: "make-join-token", Method: http.MethodPost, Path: path + "/token", Summary: "Make a token with which a node joins, once",
		SkipValidateBody: true, Errors: bodyAnswers(http.StatusConflict),
	}, a.joinToken)
	h.OpenAPI().Paths[path+"/token"].Post.RequestBody = schema
}

func (a *API) nodeOf(v *twin.NodeView) deviceapi.Node {
	n := deviceapi.Node{
		Name: v.Name, Connected: v.Connected, Since: moment(v.Since), Version: v.Version, Store: v.Store, Rev: v.Rev, Devices: v.Devices,
	}
	if v.DiskBad {
		n.Trouble = "node: disk"
	}
	if until, ok := a.nodes.Expiry(v.Name); ok {
		n.Expires = moment(until)
	}
	for _, r := range v.Refused {
		n.Refused = append(n.Refused, deviceapi.Refused{Device: r.Name.String(), Reason: r.Reason})
	}
	return n
}

func noNode(name string) error {
	return &nodeError{name}
}

// nodeError says that there is no such node.
type nodeError struct{ name string }

func (e *nodeError) Error() string {
	return "node " + clip(e.name) + ": " + twin.ErrNodeUnknown.Error()
}
func (e *nodeError) Is(target error) bool { return target == twin.ErrNodeUnknown }

// deleteNode forgets a node. It is forgotten first, as that can be refused, and once more when it cannot come back: it may
// have been connecting meanwhile.
func (a *API) deleteNode(ctx context.Context, in *nodeInput) (*struct{}, error) {
	e := deviceapi.AuditEntry{Action: "delete-node", Object: in.Name}
	err := a.act(ctx, e, nil, func(ctx context.Context) error {
		known := a.reg.RemoveNode(ctx, in.Name)
		if known != nil && !errors.Is(known, twin.ErrNodeUnknown) {
			return known
		}
		switch err := a.nodes.Revoke(in.Name); {
		case errors.Is(err, twin.ErrNodeUnknown):
			return known
		case err != nil:
			return err
		}
		if err := a.reg.RemoveNode(ctx, in.Name); !errors.Is(err, twin.ErrNodeUnknown) {
			return err
		}
		return nil
	})
	return nil, answered(err)
}

func (a *API) revokeNode(ctx context.Context, in *nodeInput) (*struct{}, error) {
	e := deviceapi.AuditEntry{Action: "revoke-node", Object: in.Name}
	return nil, answered(a.act(ctx, e, nil, func(context.Context) error {
		err := a.nodes.Revoke(in.Name)
		if errors.Is(err, twin.ErrNodeUnknown) {
			return noNode(in.Name)
		}
		return err
	}))
}

func (a *API) joinToken(ctx context.Context, in *joinInput) (*joinOutput, error) {
	if err := (twin.Name{Namespace: twin.DefaultNamespace, Name: in.Name}).Validate(); err != nil {
		return nil, deviceapi.Answer(err)
	}
	var body deviceapi.JoinAsk
	if len(in.RawBody) > 0 {
		if err := deviceapi.Decode(in.RawBody, &body, "validFor"); err != nil {
			return nil, deviceapi.Answer(err)
		}
	}
	validFor, err := duration("validFor", body.ValidFor, maxJoinTime, time.Second, maxJoinTime)
	if err != nil {
		return nil, deviceapi.Answer(err)
	}
	out := &joinOutput{Body: deviceapi.JoinToken{Node: in.Name}}
	e := deviceapi.AuditEntry{Action: "make-join-token", Object: in.Name, Detail: "for " + validFor.String()}
	err = a.act(ctx, e, nil, func(context.Context) (err error) {
		out.Body.Token, out.Body.Expires, err = a.nodes.NewToken(in.Name, validFor)
		return err
	})
	if err != nil {
		return nil, deviceapi.Answer(err)
	}
	return out, nil
}

// answered is the answer to what may have gone wrong, nil if nothing has.
func answered(err error) error {
	if err == nil {
		return nil
	}
	return deviceapi.Answer(err)
}
