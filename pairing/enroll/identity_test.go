package enroll

import (
	"crypto"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// told notes what the watchers hear.
type told struct {
	mu   sync.Mutex
	list []string
}

func (w *told) note(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, node)
}

func (w *told) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.list
	w.list = nil
	return l
}

func TestRevoke(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	var w told
	h.OnRevoke(w.note)
	if err := h.Revoke("attic"); !errors.Is(err, ErrUnknownNode) {
		t.Errorf("revoking nobody: %v", err)
	}
	m, _ := h.member(t, "attic")
	other, _ := h.member(t, "cellar")
	if got := w.take(); len(got) != 0 {
		t.Errorf("first joins revoked %v", got)
	}
	h.store.setFull(true)
	if err := h.Revoke("attic"); !errors.Is(err, errDisk) || len(w.take()) != 0 {
		t.Errorf("revoked on a full disk: %v", err)
	}
	if _, err := h.who(t, m.TLS()); err != nil {
		t.Errorf("a revocation that failed: %v", err)
	}
	h.store.setFull(false)
	h.clock.add(time.Hour)
	if err := h.Revoke("attic"); err != nil {
		t.Fatal(err)
	}
	if got := w.take(); !slices.Equal(got, []string{"attic"}) {
		t.Errorf("told %v, want attic", got)
	}
	refused := func(when string) {
		t.Helper()
		if _, err := h.who(t, m.TLS()); err == nil || !strings.Contains(err.Error(), ErrRevoked.Error()) {
			t.Errorf("%s: who: %v", when, err)
		}
		for _, signed := range []bool{false, true} {
			var no *RefusedError
			if err := m.renew(t.Context(), signed); !errors.As(err, &no) || no.Status != http.StatusForbidden {
				t.Errorf("%s: renewal, signed %v: %v, want status 403", when, signed, err)
			}
		}
		if got, err := h.who(t, other.TLS()); got != "cellar" || err != nil {
			t.Errorf("%s: the other node: %q, %v", when, got, err)
		}
		h.clock.add(time.Minute)
	}
	refused("after the revocation")
	h.reopen(t)
	h.OnRevoke(w.note)
	refused("after a restart")
	if n := h.Nodes()[0]; !n.Revoked.Equal(someDay.Add(time.Hour)) {
		t.Errorf("listed as %+v", n)
	}

	again, _ := h.member(t, "attic")
	if got := w.take(); len(got) != 0 {
		t.Errorf("the join of a revoked node revoked %v", got)
	}
	if got, err := h.who(t, again.TLS()); got != "attic" || err != nil {
		t.Errorf("joined again: %q, %v", got, err)
	}
	if n := h.Nodes()[0]; !n.Revoked.IsZero() || !n.Joined.Equal(someDay) {
		t.Errorf("listed as %+v", n)
	}
	refused("after the node joined again")
	if err := h.Revoke("attic"); err != nil {
		t.Fatal(err)
	}
	if err := h.Revoke("attic"); err != nil {
		t.Errorf("revoking twice: %v", err)
	}
}

// TestTakeOver: a token for a name that is in use ends the certificates of before.
func TestTakeOver(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	var w told
	h.OnRevoke(w.note)
	m, _ := h.member(t, "attic")
	// In the same millisecond, and later with a clock that went back.
	for range 3 {
		next, _ := h.member(t, "attic")
		if got := w.take(); !slices.Equal(got, []string{"attic"}) {
			t.Errorf("told %v, want attic", got)
		}
		if _, err := h.who(t, m.TLS()); err == nil || !strings.Contains(err.Error(), "took over") {
			t.Errorf("the node of before: %v", err)
		}
		if got, err := h.who(t, next.TLS()); got != "attic" || err != nil {
			t.Errorf("the new node: %q, %v", got, err)
		}
		m = next
		h.clock.add(-time.Hour)
	}
}

// TestRenewal: both certificates are good, each is told from the other.
func TestRenewal(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	m, store := h.member(t, "attic")
	old := *m.state.Load()
	for _, signed := range []bool{false, true} {
		h.clock.add(24 * time.Hour)
		if err := m.renew(t.Context(), signed); err != nil {
			t.Fatal(err)
		}
		if want := h.clock.now().Add(DefaultLifetime); !m.Expires().Equal(want) || !h.Nodes()[0].Expires.Equal(want) {
			t.Errorf("signed %v: until %v, by the hub %v, want %v", signed, m.Expires(), h.Nodes()[0].Expires, want)
		}
	}
	a, errA := h.Identify(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{old.leaf}})
	b, errB := h.Identify(shown(m))
	if errA != nil || errB != nil || a.Node != b.Node || a.Serial == b.Serial || !a.NotAfter.Equal(old.leaf.NotAfter) {
		t.Errorf("%+v %v, %+v %v", a, errA, b, errB)
	}
	if samePublic(old.cert.PrivateKey, m.state.Load().cert.PrivateKey) {
		t.Error("the key is the old one")
	}
	// The disk of the hub is no reason to lose a node; that of the node keeps what there is.
	h.store.setFull(true)
	if err := m.renew(t.Context(), false); err != nil {
		t.Errorf("renewal while the hub's disk is full: %v", err)
	}
	h.store.setFull(false)
	before := m.Expires()
	h.clock.add(time.Hour)
	store.setFull(true)
	if err := m.renew(t.Context(), false); !errors.Is(err, errDisk) || !m.Expires().Equal(before) {
		t.Errorf("renewal while the node's disk is full: %v", err)
	}
}

func samePublic(a, b crypto.PrivateKey) bool {
	x, _ := keyHash(a.(crypto.Signer).Public())
	y, _ := keyHash(b.(crypto.Signer).Public())
	return string(x) == string(y)
}

// TestRenewalIntoAnotherName tries to get a certificate of cellar with the key of attic.
func TestRenewalIntoAnotherName(t *testing.T) {
	h := newHub(t)
	foreign := newHub(t)
	foreign.net = newPipes()
	h.serve(t, "hub.example:8443")
	foreign.serve(t, "hub.example:8443")
	attic, _ := h.member(t, "attic")
	cellar, _ := h.member(t, "cellar")
	stranger, _ := foreign.member(t, "cellar")

	// Over a connection with a certificate, the request's name counts for nothing.
	der, err := makeCSR("cellar", ecKey(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	csr := toPEM(pemRequest, der)
	status, text := h.post(t, RenewPath, "192.0.2.1:1", shown(attic), body(t, "csr", csr))
	if c := answered(t, status, text); c.URIs[0].String() != "twinbridge:node:attic" {
		t.Errorf("got a certificate of %v", c.URIs)
	}
	key := func(m *Member) crypto.Signer { return m.state.Load().cert.PrivateKey.(crypto.Signer) }
	pemOf := func(m *Member) string { return toPEM(pemCertificate, m.state.Load().leaf.Raw) }
	sign := func(k crypto.Signer, der []byte) string {
		s, err := signProof(k, der)
		if err != nil {
			t.Fatal(err)
		}
		return b64.EncodeToString(s)
	}
	otherDER, err := makeCSR("cellar", ecKey(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	// A self-made certificate with the right name, by a CA of the same name.
	selfKey := ecKey(t, elliptic.P256())
	fake := *h.ca.cert // the CA's certificate in all but the key
	fake.PublicKey, fake.PublicKeyAlgorithm = selfKey.Public(), x509.ECDSA
	forged, err := (&signer{cert: &fake, key: selfKey}).forNode("cellar", someDay.UnixMilli(), selfKey.Public(), someDay, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server, err := h.server.get(someDay)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		name, cert, signature string
		want                  int
	}{
		{"signed by another key", pemOf(cellar), sign(key(attic), der), 403},
		{"signature over another request", pemOf(cellar), sign(key(cellar), otherDER), 403},
		{"certificate of another CA", pemOf(stranger), sign(key(stranger), der), 403},
		{"forged certificate", toPEM(pemCertificate, forged.Raw), sign(selfKey, der), 403},
		{"certificate of the hub", toPEM(pemCertificate, server.Leaf.Raw), sign(server.PrivateKey.(crypto.Signer), der), 403},
		{"certificate of the CA", string(h.CACertificate()), sign(h.ca.key, der), 403},
		{"empty signature", pemOf(cellar), "AA", 403},
		{"no base64", pemOf(cellar), "!", 422},
		{"right", pemOf(cellar), sign(key(cellar), der), 200},
	} {
		status, text := h.post(t, RenewPath, fmt.Sprintf("192.0.2.%d:1", i), anyone, body(t, "csr", csr, "certificate", tt.cert, "signature", tt.signature))
		if status != tt.want {
			t.Errorf("%s: status %d, want %d: %s", tt.name, status, tt.want, text)
		}
	}
	// A proof on a connection that shows a certificate is two words for one thing.
	status, text = h.post(t, RenewPath, "192.0.2.1:1", shown(attic), body(t, "csr", csr, "certificate", pemOf(cellar), "signature", sign(key(cellar), der)))
	if status != 422 {
		t.Errorf("proof beside a certificate: status %d: %s", status, text)
	}
}

func TestIdentifyRefuses(t *testing.T) {
	h, foreign := newHub(t), newHub(t)
	h.clock.add(time.Hour)
	key := ecKey(t, elliptic.P256())
	make := func(by *hub, change func(*x509.Certificate)) *tls.ConnectionState {
		c := &x509.Certificate{
			SerialNumber: newSerial(someDay.UnixMilli()), URIs: []*url.URL{nodeURI("attic")}, NotAfter: someDay.Add(2 * time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		change(c)
		leaf, err := by.ca.sign(c, key.Public(), someDay)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	}
	uri := func(s string) []*url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	for _, tt := range []struct {
		name  string
		state *tls.ConnectionState
		want  error
	}{
		{"no TLS", nil, ErrNoCertificate},
		{"no certificate", anyone, ErrNoCertificate},
		{"another CA", make(foreign, func(*x509.Certificate) {}), ErrForeign},
		{"a server", make(h, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ErrForeign},
		{"the CA", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{h.ca.cert}}, ErrForeign},
		{"no name", make(h, func(c *x509.Certificate) { c.URIs, c.Subject = nil, pkix.Name{CommonName: "attic"} }), ErrForeign},
		{"two names", make(h, func(c *x509.Certificate) { c.URIs = append(c.URIs, nodeURI("cellar")) }), ErrForeign},
		{"another scheme", make(h, func(c *x509.Certificate) { c.URIs = uri("spiffe:node:attic") }), ErrForeign},
		{"another kind", make(h, func(c *x509.Certificate) { c.URIs = uri("twinbridge:user:attic") }), ErrForeign},
		{"another writing", make(h, func(c *x509.Certificate) { c.URIs = uri("twinbridge:node:%61ttic") }), ErrForeign},
		{"bad name", make(h, func(c *x509.Certificate) { c.URIs = uri("twinbridge:node:a%2Fb") }), ErrForeign},
		{"with a host", make(h, func(c *x509.Certificate) { c.URIs = uri("twinbridge://node/attic") }), ErrForeign},
		{"with a fragment", make(h, func(c *x509.Certificate) { c.URIs = uri("twinbridge:node:attic#x") }), ErrForeign},
		{"no join", make(h, func(c *x509.Certificate) { c.SerialNumber = newSerial(0) }), ErrForeign},
		{"long serial", make(h, func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 8*serialSize) }), ErrForeign},
		{"expired", make(h, func(c *x509.Certificate) { c.NotAfter = someDay.Add(time.Hour - time.Second) }), ErrExpired},
	} {
		if id, err := h.Identify(tt.state); !errors.Is(err, tt.want) || id != (Identity{}) {
			t.Errorf("%s: %+v, %v, want %v", tt.name, id, err, tt.want)
		}
	}
	if n := h.Nodes(); len(n) != 0 {
		t.Errorf("recorded %v", n)
	}
	if id, err := h.Identify(make(h, func(*x509.Certificate) {})); err != nil || id.Node != "attic" {
		t.Errorf("a good one: %+v, %v", id, err)
	}
	// The end of the certificate comes while the connection is open.
	state := make(h, func(*x509.Certificate) {})
	h.clock.add(2 * time.Hour)
	if _, err := h.Identify(state); !errors.Is(err, ErrExpired) {
		t.Errorf("after its end: %v", err)
	}
}

// TestLostRecords: the hub has its CA and nothing else, or an old backup.
func TestLostRecords(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	var w told
	empty := h.store.backup()
	first, _ := h.member(t, "attic")
	revoked, _ := h.member(t, "shed")
	if err := h.Revoke("shed"); err != nil {
		t.Fatal(err)
	}
	old := h.store.backup()
	h.clock.add(time.Hour)
	second, _ := h.member(t, "attic") // takes over
	if err := second.renew(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	shed, _ := h.member(t, "shed")

	back := func(s *memStore) {
		h.store = s.backup()
		h.reopen(t)
		h.OnRevoke(w.note)
	}
	good := func(m *Member) {
		t.Helper()
		if got, err := h.who(t, m.TLS()); got != m.Name() || err != nil {
			t.Errorf("%s: %q, %v", m.Name(), got, err)
		}
	}
	bad := func(m *Member) {
		t.Helper()
		if _, err := h.who(t, m.TLS()); err == nil || !strings.Contains(err.Error(), ErrRevoked.Error()) {
			t.Errorf("%s: %v, want ErrRevoked", m.Name(), err)
		}
	}
	t.Run("nothing is left", func(t *testing.T) {
		back(empty)
		good(second)
		if n := h.Nodes(); len(n) != 1 || !n[0].Joined.Equal(someDay.Add(time.Hour)) || !n[0].Expires.Equal(second.Expires()) {
			t.Errorf("recorded %+v", n)
		}
		bad(first)
		h.reopen(t)
		bad(first)
		good(second)
		if err := h.Revoke("attic"); err != nil {
			t.Fatal(err)
		}
		bad(second)
	})
	t.Run("an old backup", func(t *testing.T) {
		w.take()
		back(old)
		good(first) // for all that the backup says
		good(second)
		if got := w.take(); !slices.Equal(got, []string{"attic"}) {
			t.Errorf("told %v, want attic: the join of before is over", got)
		}
		bad(first)
		bad(revoked)
		good(shed)
		if got := w.take(); len(got) != 0 {
			t.Errorf("told %v of a node that was revoked already", got)
		}
	})
	t.Run("an old backup, revoked before it comes", func(t *testing.T) {
		back(old)
		if err := h.Revoke("attic"); err != nil {
			t.Fatal(err)
		}
		bad(second)
	})
	t.Run("and a full disk", func(t *testing.T) {
		back(empty)
		h.store.setFull(true)
		good(second)
		if err := second.renew(t.Context(), true); err != nil {
			t.Errorf("renewal: %v", err)
		}
		h.store.setFull(false)
		good(second)
		if n := h.Nodes(); len(n) != 1 {
			t.Errorf("recorded %+v", n)
		}
	})
}

// TestOpenSSL: another implementation finds the certificates good for what they are for, and for nothing else.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs openssl: %v", err)
		}
		t.Skipf("this test needs openssl: %v", err)
	}
	h := newHub(t)
	h.clock.set(time.Now())
	h.reopenEmpty(t)
	h.serve(t, "hub.example:8443")
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := file("ca.pem", string(h.CACertificate()))
	server, err := h.server.get(h.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	m, _ := h.member(t, "küche")
	node := file("node.pem", toPEM(pemCertificate, m.state.Load().leaf.Raw))
	hubCert := file("hub.pem", toPEM(pemCertificate, server.Leaf.Raw))
	run := func(args ...string) (string, bool) {
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		return string(out), err == nil
	}
	for _, tt := range []struct {
		name string
		args []string
		want bool
	}{
		{"node as client", []string{"-purpose", "sslclient", node}, true},
		{"node as server", []string{"-purpose", "sslserver", node}, false},
		{"hub as server", []string{"-purpose", "sslserver", "-verify_hostname", ServerName, hubCert}, true},
		{"hub as client", []string{"-purpose", "sslclient", hubCert}, false},
		{"hub by address", []string{"-purpose", "sslserver", "-verify_ip", "127.0.0.1", hubCert}, true},
		{"hub of another name", []string{"-purpose", "sslserver", "-verify_hostname", "hub.example", hubCert}, false},
	} {
		if out, ok := run(append([]string{"verify", "-x509_strict", "-CAfile", ca}, tt.args...)...); ok != tt.want {
			t.Errorf("%s: good %v, want %v: %s", tt.name, ok, tt.want, out)
		}
	}
	if out, ok := run("verify", "-CAfile", node, hubCert); ok {
		t.Errorf("a node's certificate is taken for a CA: %s", out)
	}
	out, ok := run("x509", "-in", node, "-noout", "-text")
	for _, want := range []string{"URI:twinbridge:node:k%C3%BCche", "TLS Web Client Authentication", "CA:FALSE", "Digital Signature"} {
		if !ok || !strings.Contains(out, want) {
			t.Errorf("openssl does not show %q in\n%s", want, out)
		}
	}
	// A request that openssl made.
	key := filepath.Join(dir, "key.pem")
	csr := filepath.Join(dir, "csr.pem")
	if out, ok := run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key); !ok {
		t.Fatal(out)
	}
	if out, ok := run("req", "-new", "-key", key, "-subj", "/CN=root", "-addext", "basicConstraints=critical,CA:TRUE", "-out", csr); !ok {
		t.Fatal(out)
	}
	text, err := os.ReadFile(csr)
	if err != nil {
		t.Fatal(err)
	}
	mustJoin(t, h, h.token(t, "attic"), string(text))
}
