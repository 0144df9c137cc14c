package deviceapi

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"twinbridge/twin"
)

// Bounds of a request.
const (
	MaxBody    = 1 << 20  // bytes of a body
	MaxHeaders = 16 << 10 // bytes of a request's headers
	MaxConns   = 256      // connections at once; more wait to be accepted
	MaxWait    = time.Minute

	bodyTime   = 10 * time.Second // for a body to arrive
	headerTime = 5 * time.Second  // for headers to arrive
	idleTime   = 2 * time.Minute  // between two requests of a connection
	answerTime = MaxWait + 30*time.Second
)

// NewServer makes a server with the bounds above. The log gets what http.Server says.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		MaxHeaderBytes:    MaxHeaders,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		WriteTimeout:      answerTime,                                       // streams move theirs along
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn), // panics of a handler among them
	}
}

// limit reads bodies before anybody else does, with bounds of size and time, and turns the few answers that the mux
// gives by itself into problems.
//
// The body's deadline has to be lifted again before the operation runs: while a wish is waited for, the server reads
// ahead to see whether the asker hung up, and takes a deadline that passes for that.
func limit(mux *http.ServeMux, admit func(http.ResponseWriter, *http.Request, string) (*http.Request, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if admit != nil {
			var ok bool
			if r, ok = admit(w, r, pattern); !ok {
				return
			}
		}
		if pattern == "" {
			unrouted(mux, w, r)
			return
		}
		for key, values := range r.URL.Query() {
			if key == labelKey && len(values) <= twin.MaxLabels && !slices.Contains(values, "") {
				continue
			}
			if len(values) != 1 || values[0] == "" {
				WriteProblem(w, http.StatusUnprocessableEntity, "query: "+clip(key)+": expected one value")
				return
			}
		}
		if wantsJSON(r, pattern) {
			if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || !isJSON(kind) {
				WriteProblem(w, http.StatusUnsupportedMediaType, "Content-Type: "+clip(r.Header.Get("Content-Type"))+": expected application/json")
				return
			}
		}
		if !readBody(w, r) {
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// wantsJSON reports whether a request has to say that its body is JSON. A POST may go without a body.
func wantsJSON(r *http.Request, pattern string) bool {
	switch r.Method {
	case http.MethodPatch, http.MethodPut:
		return true
	case http.MethodPost:
		return pattern != "POST /v1/apply" && r.ContentLength != 0
	}
	return false
}

func isJSON(kind string) bool { return kind == "application/json" || strings.HasSuffix(kind, "+json") }

// readBody puts the whole body in the place of the stream; false: it did not, and has answered.
func readBody(w http.ResponseWriter, r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	c := http.NewResponseController(w)
	// A writer without deadlines is one of a test.
	if err := c.SetReadDeadline(time.Now().Add(bodyTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		WriteProblem(w, http.StatusInternalServerError, err.Error())
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		WriteProblem(w, http.StatusRequestEntityTooLarge, "body: expected at most 1 MiB")
		return false
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		WriteProblem(w, http.StatusRequestTimeout, "body: it did not arrive within "+bodyTime.String())
		return false
	case err != nil:
		WriteProblem(w, http.StatusBadRequest, "body: it broke off")
		return false
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		WriteProblem(w, http.StatusInternalServerError, err.Error())
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

// unrouted lets the mux say what is wrong with the path or method, and says it as a problem.
func unrouted(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	said := &quiet{header: http.Header{}, status: http.StatusOK}
	mux.ServeHTTP(said, r)
	for _, key := range []string{"Allow", "Location"} {
		if v := said.header.Get(key); v != "" {
			w.Header().Set(key, v)
		}
	}
	what := "no such path"
	switch said.status {
	case http.StatusMethodNotAllowed:
		what = "expected " + said.header.Get("Allow")
	case http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusTemporaryRedirect:
		what = "it is at " + said.header.Get("Location")
	}
	WriteProblem(w, said.status, clip(r.Method+" "+r.URL.Path)+": "+what)
}

// quiet notes headers and status and drops the rest.
type quiet struct {
	header http.Header
	status int
}

func (q *quiet) Header() http.Header         { return q.header }
func (q *quiet) WriteHeader(status int)      { q.status = status }
func (q *quiet) Write(b []byte) (int, error) { return len(b), nil }
