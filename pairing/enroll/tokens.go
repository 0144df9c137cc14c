package enroll

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxTokenLife is the longest life of a token.
const MaxTokenLife = time.Hour

// maxTokens bounds the tokens that are kept, used ones too, which stay until they expire.
const maxTokens = 1000

// tokenRecord is what the hub keeps of a token.
type tokenRecord struct {
	Version int       `json:"v"`
	Node    string    `json:"node"`
	Hash    []byte    `json:"hash"` // of the secret
	Expires time.Time `json:"expires"`
	Key     []byte    `json:"key,omitempty"`  // hash of the public key that used it; empty: unused
	Join    int64     `json:"join,omitempty"` // the join that it made
}

func (t tokenRecord) used() bool { return len(t.Key) > 0 }

// NewToken makes a token that lets a node join under a name, once, within validFor, 1 s to [MaxTokenLife]. hubs are the
// addresses that it will try. If a node of that name has joined already, the join takes the name over from it.
//
// Errors: a FieldError, ErrTooMany, ErrAuthorityExpired, or that of the store.
func (a *Authority) NewToken(node string, hubs []string, validFor time.Duration) (Token, error) {
	if err := CheckNode(node); err != nil {
		return Token{}, err
	}
	if err := checkHubs(hubs); err != nil {
		return Token{}, err
	}
	if validFor < time.Second || validFor > MaxTokenLife {
		return Token{}, &FieldError{Field: "validFor", Value: validFor.String(), Want: "1 s to 1 h"}
	}
	now := a.clock.Time().Truncate(time.Second)
	if now.After(a.ca.cert.NotAfter) {
		return Token{}, ErrAuthorityExpired
	}
	t := Token{
		Node: node, Hubs: slices.Clone(hubs), CAs: []*x509.Certificate{a.ca.cert},
		Issued: now, Expires: now.Add(validFor).Truncate(time.Second), secret: newSecret(),
	}
	r := tokenRecord{Version: version, Node: node, Hash: hashSecret(t.secret), Expires: t.Expires}
	key := prefixToken + rand.Text()

	a.deciding.Lock()
	defer a.deciding.Unlock()
	gone := a.expiredTokens(now)
	if a.countTokens()-len(gone) >= maxTokens {
		return Token{}, fmt.Errorf("make token for node %s: %w tokens; at most %d are kept until they expire", node, ErrTooMany, maxTokens)
	}
	ch, err := put(key, r)
	if err != nil {
		return Token{}, err
	}
	if err := a.commit(append(deletions(gone), ch)...); err != nil {
		return Token{}, fmt.Errorf("store token for node %s: %w", node, err)
	}
	a.forget(gone)
	a.setToken(key, r)
	a.log.Info("token made", "node", node, "expires", t.Expires)
	return t, nil
}

// Tokens counts the tokens that are open: neither used nor expired.
func (a *Authority) Tokens() int {
	now := a.clock.Time()
	a.mu.RLock()
	defer a.mu.RUnlock()
	n := 0
	for _, t := range a.tokens {
		if !t.used() && now.Before(t.Expires) {
			n++
		}
	}
	return n
}

func (a *Authority) countTokens() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.tokens)
}

func (a *Authority) setToken(key string, t tokenRecord) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[key] = t
}

func (a *Authority) expiredTokens(now time.Time) []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var keys []string
	for k, t := range a.tokens {
		if !now.Before(t.Expires) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (a *Authority) forget(keys []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range keys {
		delete(a.tokens, k)
	}
}

func deletions(keys []string) []Change {
	out := make([]Change, len(keys))
	for i, k := range keys {
		out[i] = Change{Key: k}
	}
	return out
}

// tidy forgets expired tokens and saves the time.
func (a *Authority) tidy() error {
	a.deciding.Lock()
	defer a.deciding.Unlock()
	gone := a.expiredTokens(a.clock.Time())
	if err := a.commit(deletions(gone)...); err != nil {
		return err
	}
	a.forget(gone)
	return nil
}

var (
	errSecret = errors.New("no token with this secret is open for this node: it is wrong, or the token has expired")
	errUsed   = errors.New("this token has been used, with another key; ask for a new one")
	errOver   = errors.New("the join that this token made is over; ask for a new one")
)

// findToken finds the token of a node by its secret. All are compared, each in constant time, so that the time says
// nothing.
func (a *Authority) findToken(node string, secret []byte) (key string, t tokenRecord, ok bool) {
	hash := hashSecret(secret)
	now := a.clock.Time()
	a.mu.RLock()
	defer a.mu.RUnlock()
	for k, r := range a.tokens {
		if subtle.ConstantTimeCompare(r.Hash, hash) == 1 && r.Node == node && now.Before(r.Expires) {
			key, t, ok = k, r, true
		}
	}
	return key, t, ok
}

// redeem uses a token, or repeats its use by the same key, and gives a certificate. The use is durable before it returns.
//
// Errors: errSecret, errUsed, errOver, ErrTooMany, ErrAuthorityExpired, or that of the store.
func (a *Authority) redeem(node string, secret []byte, req request) (*x509.Certificate, error) {
	a.deciding.Lock()
	defer a.deciding.Unlock()
	key, t, ok := a.findToken(node, secret)
	if !ok {
		return nil, errSecret
	}
	now := a.clock.Time()
	a.mu.RLock()
	n, known := a.nodes[node]
	count := len(a.nodes)
	a.mu.RUnlock()
	switch {
	case t.used() && !bytes.Equal(t.Key, req.key):
		return nil, errUsed
	case t.used():
		if unknown, err := n.verdict(t.Join); err != nil || unknown {
			return nil, errOver
		}
		return a.issueAgain(n, t.Join, req, now)
	case !known && count >= maxNodes:
		return nil, fmt.Errorf("%w nodes; at most %d", ErrTooMany, maxNodes)
	}
	tookOver := known && !n.revoked()
	if !known {
		n = nodeRecord{Version: version, Name: node, Joined: now}
	}
	n.Join, n.Revoked = n.next(now), time.Time{}
	cert, err := a.ca.forNode(node, n.Join, req.pub, now, a.cfg.Lifetime)
	if err != nil {
		return nil, err
	}
	n.Expires = cert.NotAfter
	t.Key, t.Join = req.key, n.Join
	ch, err := put(key, t)
	if err != nil {
		return nil, err
	}
	if err := a.storeNode(n, ch); err != nil {
		return nil, fmt.Errorf("store join: %w", err)
	}
	a.setToken(key, t)
	if tookOver {
		a.log.Info("a join took the name over", "node", node)
		a.tell(node)
	}
	return cert, nil
}

// issueAgain makes another certificate of a join that stands in the records. deciding is held.
func (a *Authority) issueAgain(n nodeRecord, join int64, req request, now time.Time) (*x509.Certificate, error) {
	cert, err := a.ca.forNode(n.Name, join, req.pub, now, a.cfg.Lifetime)
	if err != nil {
		return nil, err
	}
	n.Expires = cert.NotAfter
	if err := a.storeNode(n); err != nil {
		// Nothing that has to be kept is lost: a full disk must not cost nodes their certificates.
		a.log.Error("the end of a new certificate could not be stored", "node", n.Name, "error", err)
	}
	return cert, nil
}

// renew makes the next certificate of a join.
func (a *Authority) renew(id identity, expires time.Time, req request) (*x509.Certificate, error) {
	if err := a.admit(id, expires); err != nil {
		return nil, err
	}
	a.deciding.Lock()
	defer a.deciding.Unlock()
	n, unknown, err := a.verdict(id)
	if err != nil {
		return nil, err
	}
	if unknown { // it could not be recorded
		n = nodeRecord{Version: version, Name: id.node, Joined: time.UnixMilli(id.join).UTC(), Join: id.join, Cut: n.Cut}
	}
	return a.issueAgain(n, id.join, req, a.clock.Time())
}
