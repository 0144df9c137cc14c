package cloud

import (
	"net/http"
	"sync"
	"time"

	"twinbridge/cloud/cloudhub"
	"twinbridge/pairing/enroll"
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
		return "", time.Time{}, err
	}
	return t.Text(), t.Expires, nil
}

// Revoke ends the certificates of a node.
func (e *enrolment) Revoke(node string) error { return e.authority.Revoke(node) }

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
