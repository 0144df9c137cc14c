package api

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinbridge/internal/deviceapi"
)

// admit lets a request in if who asks may. It is called before anything of the body is read.
//
// A good token is let in whatever happened at its address before: its 256 bits cannot be guessed, and a program with an
// old token must not lock out its neighbours. The bound on failed attempts keeps their noise down.
func (a *API) admit(w http.ResponseWriter, r *http.Request, pattern string) (*http.Request, bool) {
	need, routed := needed(pattern)
	id, bad := a.identify(r)
	switch {
	case bad:
		a.turnAway(w, r)
		return nil, false
	case id == nil && (need != everybody || !routed):
		w.Header().Set("WWW-Authenticate", `Bearer realm="twinbridge"`)
		deviceapi.WriteProblem(w, http.StatusUnauthorized, "who asks is not known: expected Authorization: Bearer with an API token")
		return nil, false
	case id == nil:
		return r, true
	}
	if id.token == "" { // a browser adds the session by itself, whoever made the page
		if err := a.origin.Check(r); err != nil {
			deviceapi.WriteProblem(w, http.StatusForbidden, "the request comes from a page of another origin")
			return nil, false
		}
	}
	if !routed || !mayAs(id.role, need) {
		if !routed {
			need = "other"
		}
		deviceapi.WriteProblem(w, http.StatusForbidden, "role "+id.role+" may not do this: expected role "+need)
		return nil, false
	}
	return r.WithContext(withIdentity(r.Context(), id)), true
}

// identify tells who asks; nil: nobody says who he is. bad: he says so and it is not true.
func (a *API) identify(r *http.Request) (id *identity, bad bool) {
	from := addressOf(r)
	switch said := r.Header.Values("Authorization"); len(said) {
	case 0:
		return a.session(r, from), false
	case 1:
		scheme, secret, ok := strings.Cut(said[0], " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return nil, true
		}
		t, ok := a.tokens.accept(secret)
		if !ok {
			return nil, true
		}
		still := func() bool {
			now, ok := a.tokens.accept(secret)
			return ok && now.ID == t.ID
		}
		return &identity{who: t.Name, role: t.Role, token: t.ID, from: from, still: still}, false
	}
	return nil, true
}

func (a *API) session(r *http.Request, from string) *identity {
	if a.cfg.Session == nil {
		return nil
	}
	who, role, ok := a.cfg.Session(r)
	if !ok || !isRole(role) {
		return nil
	}
	still := func() bool {
		w, is, ok := a.cfg.Session(r)
		return ok && w == who && is == role
	}
	return &identity{who: who, role: role, from: from, still: still}
}

// turnAway answers a failed attempt.
func (a *API) turnAway(w http.ResponseWriter, r *http.Request) {
	if wait := a.failed.fail(addressOf(r)); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		deviceapi.WriteProblem(w, http.StatusTooManyRequests, "too many attempts with tokens that are not good")
		return
	}
	a.log.Warn("a token that is not good", "from", addressOf(r), "path", r.URL.Path)
	w.Header().Set("WWW-Authenticate", `Bearer realm="twinbridge", error="invalid_token"`)
	deviceapi.WriteProblem(w, http.StatusUnauthorized, "the token is not good: it is mistyped, expired or revoked")
}

// addressOf gives the address that a request came from, without its port.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
