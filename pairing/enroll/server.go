package enroll

import (
	"crypto/tls"
	"fmt"
	"sync"
	"time"
)

// serverCert is the hub's own certificate. It lies in memory only: nobody trusts it for itself, so a restart may make
// another one.
type serverCert struct {
	renew func(now time.Time) (*tls.Certificate, error)

	mu      sync.Mutex
	cert    *tls.Certificate
	made    time.Time
	renewAt time.Time
}

// get gives the certificate, a new one at two thirds of the life of the last one, or when the clock has gone back.
func (s *serverCert) get(now time.Time) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert != nil && now.Before(s.renewAt) && s.made.Sub(now) <= slack {
		return s.cert, nil
	}
	c, err := s.renew(now)
	if err != nil {
		return nil, err
	}
	s.cert, s.made = c, now
	s.renewAt = now.Add(max(c.Leaf.NotAfter.Sub(now)*2/3, time.Minute))
	return c, nil
}

func (a *Authority) newServerCert(now time.Time) (*tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	leaf, err := a.ca.forServer(a.cfg.Hosts, key.Public(), now)
	if err != nil {
		return nil, fmt.Errorf("make the hub's certificate: %w", err)
	}
	a.log.Info("made the hub's certificate", "end", leaf.NotAfter)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
