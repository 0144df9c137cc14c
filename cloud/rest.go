package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"twinbridge/cloud/api"
	"twinbridge/cloud/cloudhub"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/login"
	"twinbridge/internal/store"
	"twinbridge/internal/web"
)

// rest is what people and programs speak to: the API, and the page in front of it.
type rest struct {
	api       *api.API
	code      login.Code
	tokenFile string
	hosts     []string
}

// newREST makes the API. At the first start there is a token of an admin in a file that is its owner's alone.
func newREST(o *Options, nodes *enrolment, links *cloudhub.Hub) (*rest, error) {
	numbers, err := newMetrics(o, links)
	if err != nil {
		return nil, err
	}
	r := &rest{code: login.NewCode(), tokenFile: TokenFile(o.Data), hosts: o.Config.hosts()}
	r.api, err = api.New(api.Config{
		Version: o.Version, Started: o.Started, Metrics: numbers.Handler(o.Log), Session: whoIs,
	}, o.Registry, books{o.Books}, nodes, o.Log)
	if err != nil {
		return nil, err
	}
	secret, fresh, err := r.api.FirstToken()
	if err != nil {
		return nil, fmt.Errorf("make the first token: %w", err)
	}
	if fresh {
		if err := replaceFile(r.tokenFile, []byte(secret+"\n")); err != nil {
			return nil, fmt.Errorf("write the first token: %w", err)
		}
	}
	return r, nil
}

// socketKey marks requests that came through the socket.
type socketKey struct{}

// bySocket marks the context of the socket's connections.
func bySocket(ctx context.Context) context.Context { return context.WithValue(ctx, socketKey{}, true) }

// whoIs tells who is logged in: at the page, or, by the right to open the socket, at the hub's machine.
func whoIs(r *http.Request) (who, role string, ok bool) {
	if r.Context().Value(socketKey{}) != nil {
		return "socket", "admin", true
	}
	id, ok := login.From(r.Context())
	return id.Name, id.Role, ok
}

// onSocket is what the socket serves: the API, for whom the file's mode lets in.
func (r *rest) onSocket() http.Handler { return r.api.Handler() }

// onAddress is what an address serves: the API to who shows a token; to a browser the page, its login, and behind that
// the API.
func (r *rest) onAddress(secure bool) http.Handler {
	door := login.New(login.Config{Accept: r.accept, Still: r.still, Tokens: true, Hosts: r.hosts, TLS: secure})
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	for _, path := range []string{"/v1/login", "/v1/logout", "/v1/session"} {
		mux.Handle(path, door.Handler())
	}
	for _, path := range []string{"/v1/", "/healthz", "/metrics", "/openapi.json"} {
		mux.Handle(path, door.Know(r.api.Handler()))
	}
	browser := door.Guard(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if len(req.Header.Values("Authorization")) > 0 || req.Header.Get("Cookie") == "" && isRoute(req.URL.Path) && req.Header.Get("Origin") == "" {
			r.api.Handler().ServeHTTP(w, req) // a program: no cookie speaks for it
			return
		}
		browser.ServeHTTP(w, req)
	})
}

// isRoute reports whether a path is one of the API's, and not of the login.
func isRoute(path string) bool {
	if slices.Contains([]string{"/v1/login", "/v1/logout", "/v1/session"}, path) {
		return false
	}
	return strings.HasPrefix(path, "/v1/") || slices.Contains([]string{"/healthz", "/metrics", "/openapi.json"}, path)
}

// accept takes the code that was printed at the start, or an API token.
func (r *rest) accept(secret string) (login.Identity, bool) {
	if r.code.Matches(secret) {
		return login.Identity{Name: "code", Role: deviceapi.RoleAdmin}, true
	}
	id, who, role, ok := r.api.Accept(strings.TrimSpace(secret))
	return login.Identity{Name: who, Role: role, Secret: id}, ok
}

// still lets whoever came in with the code stay; with a token, as long as that is good.
func (r *rest) still(who login.Identity) bool { return who.Secret == "" || r.api.Still(who.Secret) }

// books keeps the API's records: tokens, audit, what was taken of manifests.
type books struct{ file *store.Store }

const booksBucket = "api"

// Get implements [api.Store].
func (k books) Get(key string) ([]byte, bool, error) {
	b, err := k.file.Get(booksBucket, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// List implements [api.Store].
func (k books) List(prefix string) (out []api.Record, err error) {
	all, err := k.file.Records(booksBucket)
	for _, r := range all {
		if strings.HasPrefix(r.Key, prefix) {
			out = append(out, api.Record(r))
		}
	}
	return out, err
}

// Begin implements [api.Store].
func (k books) Begin(changes ...api.Change) (end func() error) {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change{Bucket: booksBucket, Key: c.Key, Data: c.Data}
	}
	return k.file.Begin(out...)
}
