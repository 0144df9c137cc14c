package enroll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// look is how often Run looks at the clock, which may have been set meanwhile.
	look = 6 * time.Hour
	// saveEvery is how often the time is saved. It wears an SD card, and a day is near enough.
	saveEvery = 24 * time.Hour
	minPause  = time.Second
	maxPause  = time.Hour
)

// share gives the share of a certificate's life after which it is renewed: 2/3 at most, and up to 6 % less, so that
// nodes which joined together do not come together.
func share() float64 { return 2.0/3 - 0.06*rand.Float64() }

// due gives when to renew. By the hub's clock the life began at Issued, by this node's at Received; what is over earlier counts,
// so that neither clock alone can make it late.
func (s *membership) due() time.Time {
	used := time.Duration(s.renewAt * float64(s.leaf.NotAfter.Sub(s.record.Issued)))
	byHub := s.record.Issued.Add(used)
	if byNode := s.record.Received.Add(used); byNode.Before(byHub) {
		return byNode
	}
	return byHub
}

// pause gives how long to wait after a number of failures in a row: 1 s, doubled up to 1 h, less up to half of it.
func pause(failures int) time.Duration {
	d := maxPause
	if failures < 13 {
		d = min(minPause<<max(failures-1, 0), maxPause)
	}
	return d - time.Duration(rand.Float64()*float64(d)/2)
}

// Run keeps the certificate until ctx ends: it renews it at 2/3 of its life, and goes on trying for as long as it takes.
// It never fails. A node whose clock is not set cannot know how old its certificate is, and renews it at the start.
func (m *Member) Run(ctx context.Context) error {
	doubt := m.clock.unset()
	failures := 0
	wait := time.Duration(0)
	if doubt {
		wait = pause(6) // after a power cut in a street, all begin together
	}
	saved := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if time.Since(saved) >= saveEvery {
			saved = time.Now()
			m.save()
		}
		if doubt || !m.clock.Time().Before(m.state.Load().due()) {
			switch err := m.renew(ctx, failures%2 == 1); {
			case err == nil:
				doubt, failures = false, 0
				if m.cfg.Renewed != nil {
					m.cfg.Renewed()
				}
			case ctx.Err() != nil:
				return nil
			default:
				failures++
				m.log.Warn("certificate not renewed; trying again", "node", m.Name(), "end", m.Expires(), "failures", failures, "error", err)
			}
		}
		switch {
		case failures > 0:
			wait = pause(failures)
		default:
			wait = min(max(m.state.Load().due().Sub(m.clock.Time()), minPause), look)
		}
		timer.Reset(wait)
	}
}

// save saves the time. That it could not is no more than a clock that may stand behind after a power cut.
func (m *Member) save() {
	ch, t, ok := m.clock.change(keyMemberTime)
	if !ok {
		return
	}
	if err := m.store.Commit(ch); err != nil {
		m.log.Warn("the time could not be saved", "error", err)
		return
	}
	m.clock.marked(t)
}

// renew gets the next certificate, for a new key, from one of the hub's addresses. signed: not with the certificate but
// with a signature, which a hub takes whatever its clock says of the certificate.
func (m *Member) renew(ctx context.Context, signed bool) error {
	s := m.state.Load()
	key, der, err := nextKey(m.store, "renew "+s.record.Name)
	if err != nil {
		return err
	}
	csr, err := makeCSR(s.record.Name, key)
	if err != nil {
		return err
	}
	var failed error
	for _, hub := range s.record.Hubs {
		g, err := m.ask(ctx, s, hub, csr, signed)
		if err == nil {
			err = checkGiven(g.leaf, m.roots, key, s.record.Name)
		}
		if err == nil {
			return m.take(s, g, der)
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

// ask asks one hub, with the certificate if that can be good, else with a signature of its key.
func (m *Member) ask(ctx context.Context, s *membership, hub string, csr []byte, signed bool) (given, error) {
	c := m.caller()
	message := map[string]string{"csr": toPEM(pemRequest, csr)}
	if !signed && m.clock.Time().Before(s.leaf.NotAfter) {
		g, err := c.post(ctx, hub, RenewPath, message, s.cert)
		if err == nil || !alert(err) {
			return g, err
		}
		// By the hub's clock, the certificate may have expired. The alert that says so can get lost with the connection:
		// therefore every second attempt is a signed one.
	}
	key, err := parseKey(s.record.Key)
	if err != nil {
		return given{}, err
	}
	signature, err := signProof(key, csr)
	if err != nil {
		return given{}, fmt.Errorf("sign request: %w", err)
	}
	message["certificate"] = toPEM(pemCertificate, s.leaf.Raw)
	message["signature"] = b64.EncodeToString(signature)
	return c.post(ctx, hub, RenewPath, message, nil)
}

// take stores a new certificate and uses it from now on.
func (m *Member) take(s *membership, g given, key []byte) error {
	r := s.record
	r.Key, r.Cert, r.Issued, r.Received = key, g.leaf.Raw, g.issued, m.clock.Time()
	next, err := r.open()
	if err != nil {
		return err
	}
	var more []Change
	mark, t, ok := m.clock.change(keyMemberTime)
	if ok {
		more = append(more, mark)
	}
	if err := storeMember(m.store, r, more...); err != nil {
		return err
	}
	if ok {
		m.clock.marked(t)
	}
	m.state.Store(next)
	m.log.Info("certificate renewed", "node", r.Name, "end", g.leaf.NotAfter)
	return nil
}
