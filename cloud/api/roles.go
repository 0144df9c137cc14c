package api

import (
	"context"
	"slices"

	"twinbridge/internal/deviceapi"
)

// everybody is the role of routes that take no identity.
const everybody = ""

// roles are in order: each may what those before it may.
func roles() []string {
	return []string{everybody, deviceapi.RoleViewer, deviceapi.RoleOperator, deviceapi.RoleAdmin}
}

// mayAs reports whether a role is enough where another one is needed. Unknown words are enough for nothing.
func mayAs(have, need string) bool {
	h, n := slices.Index(roles(), have), slices.Index(roles(), need)
	return h >= 0 && n >= 0 && h >= n
}

func isRole(role string) bool { return role != everybody && slices.Contains(roles(), role) }

// needed gives the role that a route takes, by its pattern. false: nobody may; a new route is entered here first. Where
// there is no route at all, a viewer is told so.
func needed(pattern string) (role string, ok bool) {
	switch pattern {
	case "GET /healthz", "GET /openapi.json":
		return everybody, true
	case "", "GET /metrics",
		"GET /v1/devices", "GET /v1/devices/{namespace}/{name}", "GET /v1/wishes/{id}", "GET /v1/watch",
		"GET /v1/models", "GET /v1/models/{namespace}/{name}", "GET /v1/manifests/{namespace}/{name}", "GET /v1/profile",
		"GET /v1/nodes", "GET /v1/nodes/{name}":
		return deviceapi.RoleViewer, true
	case "PATCH /v1/devices/{namespace}/{name}/expected", "POST /v1/wishes":
		return deviceapi.RoleOperator, true
	case "POST /v1/apply", "PUT /v1/models/{namespace}/{name}", "DELETE /v1/devices/{namespace}/{name}",
		"POST /v1/devices/{namespace}/{name}/move",
		"DELETE /v1/nodes/{name}", "POST /v1/nodes/{name}/token", "POST /v1/nodes/{name}/revoke",
		"GET /v1/tokens", "POST /v1/tokens", "DELETE /v1/tokens/{id}", "GET /v1/audit":
		return deviceapi.RoleAdmin, true
	}
	return "", false
}

// identity is who asks.
type identity struct {
	who, role string
	token     string // id of the API token; "" of a session
	from      string // address
	still     func() bool
}

type identityKey struct{}

func withIdentity(ctx context.Context, id *identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// identityOf gives who asks; nobody is a zero one.
func identityOf(ctx context.Context) *identity {
	if id, ok := ctx.Value(identityKey{}).(*identity); ok {
		return id
	}
	return &identity{}
}

// readerOf names who reads a stream.
func readerOf(ctx context.Context) string {
	id := identityOf(ctx)
	if id.token != "" {
		return "token " + id.token
	}
	return "session " + id.who
}

// stillGood reports whether who reads a stream may go on.
func stillGood(ctx context.Context) bool {
	still := identityOf(ctx).still
	return still != nil && still()
}
