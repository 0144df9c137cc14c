package enroll

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxNodes bounds the records of nodes.
const maxNodes = 100_000

// nodeRecord is what the hub knows of a name. The numbers of joins are milliseconds since 1970, so that they grow even
// over the loss of records.
type nodeRecord struct {
	Version int       `json:"v"`
	Name    string    `json:"name"`
	Joined  time.Time `json:"joined"`           // first
	Join    int64     `json:"join"`             // the join in force, or the last one if it is revoked
	Cut     int64     `json:"cut,omitempty"`    // joins up to this number are revoked
	Expires time.Time `json:"expires"`          // end of the newest certificate that is known
	Revoked time.Time `json:"revoked,omitzero"` // when Cut was set for the join in force; zero: it is good
}

func (n nodeRecord) key() string   { return prefixNode + n.Name }
func (n nodeRecord) revoked() bool { return n.Join <= n.Cut }

// next gives the number of a new join.
func (n nodeRecord) next(now time.Time) int64 {
	return max(now.UnixMilli(), n.Join+1, n.Cut+1, 1)
}

// Node is what the hub tells about a node.
type Node struct {
	Name    string
	Joined  time.Time // first join
	Expires time.Time // end of the newest certificate that the hub knows of
	Revoked time.Time // zero: it is not
}

// Nodes gives all nodes that have joined, revoked ones too, in order of their names.
func (a *Authority) Nodes() []Node {
	a.mu.RLock()
	out := make([]Node, 0, len(a.nodes))
	for _, n := range a.nodes {
		out = append(out, Node{Name: n.Name, Joined: n.Joined, Expires: n.Expires, Revoked: n.Revoked})
	}
	a.mu.RUnlock()
	slices.SortFunc(out, func(x, y Node) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// Identity is who is at the other end of a connection.
type Identity struct {
	Node     string
	Serial   string    // of the certificate, hexadecimal
	NotAfter time.Time // end of the certificate; a connection should end then
}

// Identify says which node a connection to [Authority.ServerTLS] belongs to.
//
// Errors: ErrNoCertificate, ErrForeign, ErrExpired, ErrRevoked.
func (a *Authority) Identify(state *tls.ConnectionState) (Identity, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Identity{}, ErrNoCertificate
	}
	leaf := state.PeerCertificates[0]
	id, err := a.check(leaf, 0)
	if err != nil {
		return Identity{}, err
	}
	if err := a.admit(id, leaf.NotAfter); err != nil {
		return Identity{}, fmt.Errorf("node %s: %w", id.node, err)
	}
	return Identity{Node: id.node, Serial: hex.EncodeToString(leaf.SerialNumber.Bytes()), NotAfter: leaf.NotAfter}, nil
}

// check verifies a certificate by itself: the CA signed it for a node and its end, plus grace, lies ahead. TLS has done
// the same, but not for a certificate that comes in a body, nor for one that ended while the connection was open.
func (a *Authority) check(leaf *x509.Certificate, grace time.Duration) (identity, error) {
	now := a.clock.Time()
	at := now
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: a.ca.pool(), CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return identity{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	id, err := identityOf(leaf)
	if err != nil {
		return identity{}, err
	}
	if now.After(leaf.NotAfter.Add(grace)) {
		return identity{}, fmt.Errorf("node %s, on %s: %w", id.node, leaf.NotAfter.UTC().Format(time.DateOnly), ErrExpired)
	}
	return id, nil
}

// verdict says what the records make of a join.
func (n nodeRecord) verdict(join int64) (unknown bool, err error) {
	switch {
	case join <= n.Cut:
		return false, ErrRevoked
	case join < n.Join:
		return false, fmt.Errorf("%w: a later join took over", ErrRevoked)
	}
	return join > n.Join, nil
}

func (a *Authority) verdict(id identity) (nodeRecord, bool, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	n := a.nodes[id.node]
	unknown, err := n.verdict(id.join)
	return n, unknown, err
}

// admit checks a join against the records. One that they do not know was lost with them: it is recorded again.
func (a *Authority) admit(id identity, expires time.Time) error {
	if _, unknown, err := a.verdict(id); err != nil || !unknown {
		return err
	}
	a.deciding.Lock()
	defer a.deciding.Unlock()
	n, unknown, err := a.verdict(id)
	if err != nil || !unknown {
		return err
	}
	took := n.Name != "" && !n.revoked()
	if n.Name == "" {
		n = nodeRecord{Version: version, Name: id.node, Joined: time.UnixMilli(id.join).UTC()}
	}
	n.Join, n.Expires, n.Revoked = id.join, expires.UTC(), time.Time{}
	if err := a.storeNode(n); err != nil {
		// The certificate says all that the record would.
		a.log.Error("a node that the records did not know could not be recorded", "node", id.node, "error", err)
		return nil
	}
	a.log.Warn("a node that the records did not know was recorded again", "node", id.node)
	if took {
		a.tell(id.node)
	}
	return nil
}

// storeNode makes a record durable, with other changes, and takes it into memory. deciding is held.
func (a *Authority) storeNode(n nodeRecord, more ...Change) error {
	ch, err := put(n.key(), n)
	if err != nil {
		return err
	}
	if err := a.commit(append(more, ch)...); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes[n.Name] = n
	return nil
}

// Revoke revokes all certificates of a node, for ever: when it returns nil that is durable, [Authority.Identify] refuses
// them, and the watchers have been called. The node can join again with a new token. The error is ErrUnknownNode, or that
// of the store.
func (a *Authority) Revoke(node string) error {
	a.deciding.Lock()
	defer a.deciding.Unlock()
	a.mu.RLock()
	n, ok := a.nodes[node]
	a.mu.RUnlock()
	if !ok {
		return fmt.Errorf("revoke node %q: %w", clip(node), ErrUnknownNode)
	}
	now := a.clock.Time()
	n.Cut = max(now.UnixMilli(), n.Join, n.Cut)
	if n.Revoked.IsZero() {
		n.Revoked = now
	}
	if err := a.storeNode(n); err != nil {
		return fmt.Errorf("revoke node %s: %w", node, err)
	}
	a.log.Info("node revoked", "node", node)
	a.tell(node)
	return nil
}

// OnRevoke adds a watcher. It is called when certificates of a node that were good are so no longer: live connections of
// that node are to be ended. It must not block or call the Authority. Whoever serves a connection takes it into the list
// that the watcher looks at first, and calls [Authority.Identify] then, else a revocation could fall between.
func (a *Authority) OnRevoke(f func(node string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = append(a.watchers, f)
}

// tell calls the watchers. deciding is held, so that they hear of things in order.
func (a *Authority) tell(node string) {
	a.mu.RLock()
	list := slices.Clone(a.watchers)
	a.mu.RUnlock()
	for _, f := range list {
		f(node)
	}
}
