package login

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// visitKey is under which a context holds who asks.
type visitKey struct{}

// visit is one request of a session.
type visit struct {
	door *Login
	of   *session
}

// From tells who asks; false if the request did not come through [Login.Require], and as soon as the session has ended or
// its secret is not good any more.
func From(ctx context.Context) (Identity, bool) {
	v, ok := ctx.Value(visitKey{}).(visit)
	if !ok || !v.door.still(v.of) {
		return Identity{}, false
	}
	return v.of.who, true
}

// Require lets requests with a session through, with who asks in their context ([From]), and answers others 401. A
// request that lasts, as a stream of events, ends when its session does.
func (l *Login) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, left := l.find(r)
		if found == nil {
			stranger(w)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), visitKey{}, visit{l, found}), left)
		defer cancel()
		defer context.AfterFunc(found.ctx, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Know lets everybody through, and puts who is logged in into the context, as Require does.
func (l *Login) Know(next http.Handler) http.Handler {
	known := l.Require(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if found, _ := l.find(r); found != nil {
			known.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Guard refuses requests that name a host which is not ours with 421, and requests that change something and come from
// another site's page with 403.
func (l *Login) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.ours(r.Host) {
			problem(w, http.StatusMisdirectedRequest, "Host: "+clip(r.Host)+": expected the address or name under which this is configured to be reached")
			return
		}
		if err := l.cross.Check(r); err != nil {
			problem(w, http.StatusForbidden, "the request comes from another site's page")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether a Host header names this server. The names of loopback are no one else's to point anywhere.
func (l *Login) ours(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || l.hosts[host] {
		return true
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(bare)
	return err == nil && (addr.Unmap().IsLoopback() || l.hosts[bare])
}

// stranger says that nobody is logged in; takes is what somebody may log in with.
func stranger(w http.ResponseWriter, takes ...string) {
	const status = http.StatusUnauthorized
	answer(w, status, "application/problem+json", problemBody{http.StatusText(status), status, "there is no session: log in at /v1/login", takes})
}

// problemBody is problem+json (RFC 9457).
type problemBody struct {
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail"`
	Takes  []string `json:"takes,omitempty"`
}

func problem(w http.ResponseWriter, status int, detail string) {
	answer(w, status, "application/problem+json", problemBody{Title: http.StatusText(status), Status: status, Detail: detail})
}

// answer writes one of our two bodies.
func answer[T sessionBody | problemBody](w http.ResponseWriter, status int, kind string, body T) {
	text, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who hung up is not told
}

// clip shortens what is quoted in a message.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
