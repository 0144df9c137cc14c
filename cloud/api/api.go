package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"twinbridge/cloud/registry"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
)

// Bounds of the API.
const (
	MaxRequests   = 1024 // requests that are being answered at once, streams among them
	MaxStreams    = 512  // event streams
	MaxStreamsOne = 16   // of one token, or of one who logged in
	MaxTokens     = 1000
	MaxAudit      = 10_000
	MaxAttempts   = 10 // failed attempts of an address in a minute, if Config does not say otherwise

	maxAuditBytes = 16 << 20         // of the audit in memory
	durableTime   = 10 * time.Second // for what is decided to come to disk
)

// Enrolment makes and takes back the right of nodes to join. Its errors may be *twin.FieldError, twin.ErrNodeUnknown,
// twin.ErrDisk and deviceapi.ErrConflict.
type Enrolment interface {
	// NewToken makes a secret with which a node of that name can join, once, within validFor.
	NewToken(node string, validFor time.Duration) (token string, expires time.Time, err error)
	// Revoke takes back the certificate of a node and ends its connections. It returns when that is on disk. A node
	// without a certificate is twin.ErrNodeUnknown.
	Revoke(node string) error
	// Expiry tells until when the node's certificate is good; false if it has none.
	Expiry(node string) (time.Time, bool)
}

// Config is what an API is told.
type Config struct {
	Version string    // of the program
	Started time.Time // of the process
	// Metrics answers GET /metrics; nil: there is none.
	Metrics http.Handler
	// Session tells who is logged in on a request without an Authorization header, and his role; nil: nobody ever is. It is
	// asked again each second while he follows a stream.
	Session func(*http.Request) (who, role string, ok bool)
	// Attempts bounds failed attempts of an address in a minute; 0: MaxAttempts.
	Attempts int
	// Now is the time by which tokens expire; nil: the system's.
	Now func() time.Time
}

// API serves a hub. It is safe for use by several goroutines.
type API struct {
	cfg     Config
	reg     registry.Registry
	nodes   Enrolment
	kept    Store
	log     *slog.Logger
	tokens  *tokens
	audit   *audit
	failed  *limiter
	origin  *http.CrossOriginProtection
	handler http.Handler

	applying sync.Mutex // one manifest at a time
	observed *manifest.Observed
}

// New makes an API over a registry. Damaged records are an error.
func New(cfg Config, reg registry.Registry, kept Store, nodes Enrolment, log *slog.Logger) (*API, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = MaxAttempts
	}
	a := &API{
		cfg: cfg, reg: reg, nodes: nodes, kept: kept, log: log, failed: newLimiter(cfg.Attempts, cfg.Now),
		origin: http.NewCrossOriginProtection(), observed: manifest.NewObserved(observedNotes{kept}),
	}
	var err error
	if a.tokens, err = openTokens(kept, cfg.Now); err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	if a.audit, err = openAudit(kept, cfg.Now, log); err != nil {
		return nil, fmt.Errorf("open audit: %w", err)
	}
	h := deviceapi.New(&service{a}, deviceapi.Options{
		Version: cfg.Version, Title: "twinbridge hub", About: about, Metrics: cfg.Metrics,
		Routes: a.routes, Admit: a.admit, Batch: a.batch,
		Streams: deviceapi.Streams{Most: MaxStreams, Each: MaxStreamsOne, Who: readerOf, Still: stillGood},
	})
	a.handler = bounded(h, MaxRequests)
	return a, nil
}

const about = "Devices of all nodes, what is expected of them and what they do; the nodes, and who may do what."

// Handler is what the hub serves. It reads no more than deviceapi's bounds of a request; the headers are bounded by the
// server ([deviceapi.NewServer]).
func (a *API) Handler() http.Handler { return a.handler }

// FirstToken makes an API token of an admin if there is none that is good, and gives its secret; fresh tells whether it
// did. It returns when that is on disk.
func (a *API) FirstToken() (secret string, fresh bool, err error) { return a.tokens.first() }

// Accept tells whose API token that is: its id, its name and its role.
func (a *API) Accept(secret string) (id, who, role string, ok bool) {
	t, ok := a.tokens.accept(secret)
	return t.ID, t.Name, t.Role, ok
}

// Still reports whether the API token of an id is good yet: neither revoked nor expired.
func (a *API) Still(id string) bool { return a.tokens.still(id) }

// bounded lets so many requests in at once and turns the others away.
func bounded(h http.Handler, most int) http.Handler {
	places := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "5")
			deviceapi.WriteProblem(w, http.StatusServiceUnavailable, "too many requests are being answered; come back later")
		}
	})
}
