package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds the body of a login, in bytes.
const maxBody = 4 << 10

// bodyTime is how long it may take to arrive.
const bodyTime = 10 * time.Second

// Config is what a Login is told.
type Config struct {
	// Accept decides about a secret: whose it is, and the role that it gives. It is called with at most 4 KiB, by
	// several goroutines, and must take the same time for right and wrong secrets.
	Accept func(secret string) (who Identity, ok bool)
	// Still tells whether the secret that somebody came in with is good yet. It is asked at each request, and each time
	// that a stream looks who reads it; nil: secrets do not end before the process.
	Still func(who Identity) bool
	// Tokens tells that Accept takes API tokens beside the code; the page says so to who is not logged in.
	Tokens bool
	// Hosts are the names and addresses, without ports, under which the pages are reached, beside those of loopback.
	Hosts []string
	// TLS tells that the pages are served over TLS: then the cookie goes over nothing else.
	TLS bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Login is a door. It is safe for use by several goroutines.
//
// Of one address (IPv6: of one /64) 5 wrong secrets a minute are looked at, of all addresses together 60; beyond that
// every attempt is answered 429 unseen, with Retry-After. So somebody can keep others from logging in, but not from
// what they are logged in to.
type Login struct {
	cfg     Config
	hosts   map[string]bool
	cross   *http.CrossOriginProtection
	limiter limiter
	open    sessions
}

// New makes a door.
func New(cfg Config) *Login {
	l := &Login{cfg: cfg, hosts: map[string]bool{}, cross: http.NewCrossOriginProtection()}
	for _, h := range cfg.Hosts {
		l.hosts[strings.ToLower(strings.TrimSuffix(h, "."))] = true
	}
	if l.cfg.Now == nil {
		l.cfg.Now = time.Now
	}
	return l
}

// Handler serves POST /v1/login, POST /v1/logout and GET /v1/session. It has to stand behind [Login.Guard].
func (l *Login) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/login", l.login)
	mux.HandleFunc("POST /v1/logout", l.logout)
	mux.HandleFunc("GET /v1/session", l.session)
	mux.HandleFunc("/v1/login", only("POST"))
	mux.HandleFunc("/v1/logout", only("POST"))
	mux.HandleFunc("/v1/session", only("GET, HEAD"))
	return mux
}

// only refuses other methods, as a problem like everything else.
func only(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", methods)
		problem(w, http.StatusMethodNotAllowed, clip(r.Method+" "+r.URL.Path)+": expected "+methods)
	}
}

func (l *Login) login(w http.ResponseWriter, r *http.Request) {
	secret, status, err := readSecret(w, r)
	if err != nil {
		problem(w, status, err.Error())
		return
	}
	now := l.cfg.Now()
	attempt, wait := l.limiter.begin(origin(r.RemoteAddr), now)
	if wait > 0 {
		seconds := int((wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		problem(w, http.StatusTooManyRequests, fmt.Sprintf("too many wrong codes: try again in %d s", seconds))
		return
	}
	who, ok := l.cfg.Accept(secret)
	if !ok {
		detail := "code: expected the one that is valid now"
		if l.cfg.Tokens {
			detail += ", or an API token"
		}
		problem(w, http.StatusUnauthorized, detail)
		return
	}
	l.limiter.right(attempt)
	if c, err := r.Cookie(l.cookieName(r)); err == nil {
		l.open.end(c.Value) // this browser's last session; its cookie is replaced
	}
	http.SetCookie(w, l.cookie(r, l.open.add(who, now), int(maxAge/time.Second)))
	answer(w, http.StatusOK, "application/json", sessionBody{Name: who.Name, Role: who.Role})
}

func (l *Login) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(l.cookieName(r)); err == nil {
		l.open.end(c.Value)
	}
	http.SetCookie(w, l.cookie(r, "", -1))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// sessionBody tells a page who looks at it, and what it may offer.
type sessionBody struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

func (l *Login) session(w http.ResponseWriter, r *http.Request) {
	found, _ := l.find(r)
	if found == nil {
		takes := []string{"code"}
		if l.cfg.Tokens {
			takes = append(takes, "token")
		}
		stranger(w, takes...)
		return
	}
	answer(w, http.StatusOK, "application/json", sessionBody{Name: found.who.Name, Role: found.who.Role})
}

// find gives the session of a request; nil if there is none. One whose secret is not good any more ends here, and with it
// what it follows.
func (l *Login) find(r *http.Request) (*session, time.Duration) {
	c, err := r.Cookie(l.cookieName(r))
	if err != nil {
		return nil, 0
	}
	found, left := l.open.find(c.Value, l.cfg.Now())
	if found == nil || !l.still(found) {
		l.open.end(c.Value)
		return nil, 0
	}
	return found, left
}

// still reports whether a session goes on.
func (l *Login) still(s *session) bool {
	return s.ctx.Err() == nil && (l.cfg.Still == nil || l.cfg.Still(s.who))
}

// cookieName has the port in it: a browser sends the cookies of a host to all its ports, and two nodes on one machine
// would overwrite each other's.
func (l *Login) cookieName(r *http.Request) string {
	name := "twinbridge"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		name += "-" + port
	}
	if l.cfg.TLS {
		name = "__Host-" + name
	}
	return name
}

func (l *Login) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: l.cookieName(r), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: l.cfg.TLS, SameSite: http.SameSiteStrictMode,
	}
}

// readSecret reads {"code":"..."}, strictly: one key, once, nothing behind it. Errors do not repeat what was sent.
func readSecret(w http.ResponseWriter, r *http.Request) (secret string, status int, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return "", http.StatusUnsupportedMediaType, fmt.Errorf("Content-Type: %q: expected application/json", clip(r.Header.Get("Content-Type")))
	}
	// A writer without deadlines is one of a test.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return "", http.StatusInternalServerError, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		return "", http.StatusRequestEntityTooLarge, errors.New("body: expected at most 4 KiB")
	}
	if err != nil {
		return "", http.StatusBadRequest, errors.New("body: it broke off")
	}
	if secret, err = parseSecret(body); err != nil {
		return "", http.StatusUnprocessableEntity, err
	}
	return secret, 0, nil
}

// parseSecret goes token by token, as decoding into a struct takes a key twice, or in another case.
func parseSecret(body []byte) (string, error) {
	const want = `body: expected {"code":"..."}`
	if !json.Valid(body) {
		return "", errors.New(want + ", in valid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var tokens []json.Token
	for range 5 { // one more than there should be
		token, err := dec.Token()
		if err != nil {
			break
		}
		tokens = append(tokens, token)
	}
	if len(tokens) != 4 || tokens[0] != json.Delim('{') || tokens[1] != "code" || tokens[3] != json.Delim('}') {
		return "", errors.New(want + ", and no other key")
	}
	secret, ok := tokens[2].(string)
	if !ok || strings.TrimSpace(secret) == "" {
		return "", errors.New("code: expected a text that is not empty")
	}
	return secret, nil
}
