package cloud

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"twinbridge/cloud/cloudhub"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/store"
	"twinbridge/pairing/enroll"
	"twinbridge/twin"
)

// enrolment is what the API and the sessions know of the authority.
type enrolment struct {
	authority *enroll.Authority
	hubs      func() []string // addresses that stand in tokens

	mu      sync.Mutex
	expires map[string]time.Time
	asked   time.Time
}

// NewToken makes a token with which a node of that name joins.
func (e *enrolment) NewToken(node string, validFor time.Duration) (token string, expires time.Time, err error) {
	t, err := e.authority.NewToken(node, e.hubs(), validFor)
	if err != nil {
		return "", time.Time{}, translated(err)
	}
	return t.Text(), t.Expires, nil
}

// Revoke ends the certificates of a node.
func (e *enrolment) Revoke(node string) error { return translated(e.authority.Revoke(node)) }

// translated gives an error of enrolment, which knows nothing of twins, as the API understands it.
func translated(err error) error {
	var field *enroll.FieldError
	switch {
	case errors.As(err, &field):
		return &twin.FieldError{Field: field.Field, Value: field.Value, Want: field.Want}
	case errors.Is(err, enroll.ErrUnknownNode):
		return fmt.Errorf("%w: %w", twin.ErrNodeUnknown, err)
	case errors.Is(err, enroll.ErrTooMany), errors.Is(err, enroll.ErrAuthorityExpired):
		return fmt.Errorf("%w: %w", deviceapi.ErrConflict, err)
	case errors.Is(err, store.ErrDisk):
		return fmt.Errorf("%w: %w", twin.ErrDisk, err)
	}
	return err
}

// Expiry tells until when the certificate is good that a node was given last; false if it has none that is.
func (e *enrolment) Expiry(node string) (time.Time, bool) {
	const fresh = time.Second // a list of a thousand nodes asks once
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); e.expires == nil || now.Sub(e.asked) > fresh {
		e.expires, e.asked = map[string]time.Time{}, now
		for _, n := range e.authority.Nodes() {
			if n.Revoked.IsZero() {
				e.expires[n.Name] = n.Expires
			}
		}
	}
	t, ok := e.expires[node]
	return t, ok
}

// identify tells the node behind a request by its certificate.
func (e *enrolment) identify(r *http.Request) (cloudhub.Identity, error) {
	id, err := e.authority.Identify(r.TLS)
	if err != nil {
		return cloudhub.Identity{}, err
	}
	return cloudhub.Identity{Node: id.Node, Expires: id.NotAfter}, nil
}

// expiry is Expiry for sessions.
func (e *enrolment) expiry(node string) time.Time {
	t, _ := e.Expiry(node)
	return t
}
