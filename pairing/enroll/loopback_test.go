package enroll

import (
	"crypto"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestLoopback goes the whole way over TCP: join, connect, renew, expire, renew by signature, be revoked.
func TestLoopback(t *testing.T) {
	h := newHub(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, h.ServerTLS(), h.handler())
	token, err := h.NewToken("attic", []string{"https://" + l.Addr().String()}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Join(t.Context(), newStore(), token.Text(), MemberConfig{Now: h.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	d := tls.Dialer{Config: m.TLS()}
	c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := m.renew(t.Context(), false); err != nil {
		t.Errorf("renewal: %v", err)
	}
	h.clock.add(DefaultLifetime + day)
	if err := m.renew(t.Context(), false); err != nil {
		t.Errorf("renewal of an expired certificate: %v", err)
	}
	if err := h.Revoke("attic"); err != nil {
		t.Fatal(err)
	}
	var refused *RefusedError
	if err := m.renew(t.Context(), false); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("renewal after the revocation: %v", err)
	}
}

// TestKindsOfKeys: a node of another make may have another kind of key, and renew with it by either way.
func TestKindsOfKeys(t *testing.T) {
	for name, key := range map[string]crypto.Signer{
		"P-256": ecKey(t, elliptic.P256()), "P-384": ecKey(t, elliptic.P384()), "Ed25519": edKey(t),
	} {
		h := newHub(t)
		der, err := makeCSR("attic", key)
		if err != nil {
			t.Fatal(err)
		}
		csr := toPEM(pemRequest, der)
		status, text := h.post(t, JoinPath, "192.0.2.1:1", anyone, joinBody(t, h.token(t, "attic"), csr))
		leaf := answered(t, status, text)
		status, text = h.post(t, RenewPath, "192.0.2.1:1", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, body(t, "csr", csr))
		answered(t, status, text)
		h.clock.add(DefaultLifetime + day)
		signature, err := signProof(key, der)
		if err != nil {
			t.Fatal(err)
		}
		status, text = h.post(t, RenewPath, "192.0.2.1:1", anyone,
			body(t, "csr", csr, "certificate", toPEM(pemCertificate, leaf.Raw), "signature", b64.EncodeToString(signature)))
		if status != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, status, text)
		}
	}
}

// TestAllAtOnce joins, identifies, renews, revokes and lists at the same time; whoever is revoked last is refused.
func TestAllAtOnce(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	m, _ := h.member(t, "attic")
	state := shown(m)
	csr := newCSR(t)
	h.busy.most = 1000
	var revoked sync.WaitGroup
	revoked.Add(1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				h.Identify(state)
				h.Nodes()
				h.Tokens()
				h.post(t, RenewPath, "192.0.2.1:1", state, body(t, "csr", csr))
			}
			revoked.Wait()
			if _, err := h.Identify(state); !errors.Is(err, ErrRevoked) {
				t.Errorf("after the revocation: %v", err)
			}
			if status, _ := h.post(t, RenewPath, "192.0.2.1:1", state, body(t, "csr", csr)); status != http.StatusForbidden {
				t.Errorf("renewal after the revocation: status %d", status)
			}
		})
	}
	wg.Go(func() {
		defer revoked.Done()
		for range 5 {
			h.token(t, "cellar")
		}
		if err := h.Revoke("attic"); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}

// TestNoResumption: a client that remembers its sessions shows its certificate each time all the same.
func TestNoResumption(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	m, _ := h.member(t, "attic")
	conf := m.TLS()
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		if s.DidResume {
			t.Error("a session was resumed")
		}
		return nil
	}
	for range 3 {
		if got, err := h.who(t, conf); got != "attic" || err != nil {
			t.Errorf("who: %q, %v", got, err)
		}
	}
	h.clock.add(DefaultLifetime + time.Second)
	if _, err := h.who(t, conf); err == nil {
		t.Error("an expired certificate is taken")
	}
}

// TestRenewalLimits: a node that has gone wild is slowed down, and so is who guesses proofs; others are not.
func TestRenewalLimits(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	wild, _ := h.member(t, "attic")
	calm, _ := h.member(t, "cellar")
	csr := newCSR(t)
	renew := func(m *Member, want int) {
		t.Helper()
		if status, text := h.post(t, RenewPath, "192.0.2.1:1", shown(m), body(t, "csr", csr)); status != want {
			t.Errorf("%s: status %d, want %d: %s", m.Name(), status, want, text)
		}
	}
	for range maxEach - 1 { // the join was one
		renew(wild, http.StatusOK)
	}
	renew(wild, http.StatusTooManyRequests)
	renew(calm, http.StatusOK)
	h.clock.add(window)
	renew(wild, http.StatusOK)

	guess := body(t, "csr", csr, "certificate", toPEM(pemCertificate, calm.state.Load().leaf.Raw), "signature", "AAAA")
	for i := range maxEach + 1 {
		want := http.StatusForbidden
		if i == maxEach {
			want = http.StatusTooManyRequests
		}
		if status, text := h.post(t, RenewPath, "192.0.2.66:1", anyone, guess); status != want {
			t.Errorf("proof %d: status %d, want %d: %s", i, status, want, text)
		}
	}
	renew(calm, http.StatusOK)
}
