package enroll

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Join makes this node a member of the hub that a token names: it makes a key and stores it, gets a certificate, and
// stores that. It tries each address of the hub once, up to 30 s each. After an error it can be repeated with the same
// token, also when the hub's answer got lost. Nothing is sent to a hub that does not have the token's CA.
//
// Errors: ErrJoined, a FieldError for the token, a [RefusedError], or those of the network and the store.
func Join(ctx context.Context, store Store, token string, cfg MemberConfig) (*Member, error) {
	cfg.complete()
	t, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	old, joined, err := get[memberRecord](store, keyMember)
	if err != nil && !cfg.Again {
		return nil, fmt.Errorf("look for a membership: %w", err)
	}
	if joined && !cfg.Again {
		return nil, fmt.Errorf("%w, as node %s; it has to be told to join again", ErrJoined, old.Name)
	}
	key, der, err := nextKey(store, "join "+hex.EncodeToString(hashSecret(t.secret)))
	if err != nil {
		return nil, fmt.Errorf("join as node %s: %w", t.Node, err)
	}
	csr, err := makeCSR(t.Node, key)
	if err != nil {
		return nil, err
	}
	clock := t.clock(cfg)
	c := &caller{roots: x509.NewCertPool(), now: clock.Time, dial: cfg.Dial}
	for _, ca := range t.CAs {
		c.roots.AddCert(ca)
	}
	g, err := c.join(ctx, t, csr)
	if err == nil {
		err = checkGiven(g.leaf, c.roots, key, t.Node)
	}
	if err != nil {
		return nil, fmt.Errorf("join as node %s: %w", t.Node, err)
	}
	r := memberRecord{
		Version: version, Name: t.Node, Hubs: t.Hubs, Key: der, Cert: g.leaf.Raw,
		Received: t.mark(clock, cfg), Issued: g.issued,
	}
	for _, ca := range t.CAs {
		r.CAs = append(r.CAs, ca.Raw)
	}
	mark, err := put(keyMemberTime, timeRecord{Version: version, Time: r.Received})
	if err != nil {
		return nil, err
	}
	if err := storeMember(store, r, mark); err != nil {
		return nil, fmt.Errorf("join as node %s: %w", t.Node, err)
	}
	cfg.Log.Info("joined the hub", "node", t.Node, "hubs", t.Hubs, "end", g.leaf.NotAfter)
	return OpenMember(store, cfg)
}

// clock gives the time at a join. The token is the newest word there is: the hub's certificate may be younger than
// anything that the node knows.
func (t Token) clock(cfg MemberConfig) *clock {
	passed := []time.Time{cfg.Built, t.Issued}
	for _, ca := range t.CAs {
		passed = append(passed, ca.NotBefore)
	}
	return newClock(cfg.Now, time.Time{}, passed...)
}

// mark gives the time that is saved at a join, in place of what was saved before: a node whose saved time is wrong is
// healed by joining again. The system's clock counts, unless it cannot be right.
func (t Token) mark(c *clock, cfg MemberConfig) time.Time {
	now := c.now().UTC()
	if now.Before(cfg.Built) {
		return c.Time()
	}
	for _, ca := range t.CAs {
		if now.Before(ca.NotBefore) {
			return c.Time()
		}
	}
	return now
}

// join asks one hub after the other, until one gives a certificate or refuses for good.
func (c *caller) join(ctx context.Context, t Token, csr []byte) (given, error) {
	message := map[string]string{"node": t.Node, "secret": b64.EncodeToString(t.secret), "csr": toPEM(pemRequest, csr)}
	var failed error
	for _, hub := range t.Hubs {
		g, err := c.post(ctx, hub, JoinPath, message, nil)
		if err == nil {
			return g, nil
		}
		failed = errors.Join(failed, err)
		refused := (*RefusedError)(nil)
		if ctx.Err() != nil || errors.As(err, &refused) && refused.final() {
			break
		}
	}
	return given{}, failed
}

// storeMember stores a membership, and forgets that its key was the next one.
func storeMember(store Store, r memberRecord, more ...Change) error {
	member, err := put(keyMember, r)
	if err != nil {
		return err
	}
	if err := store.Commit(append(more, member, Change{Key: keyNext})...); err != nil {
		return fmt.Errorf("store certificate: %w", err)
	}
	return nil
}
