package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustKey(t testing.TB, key crypto.Signer, err error) crypto.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t testing.TB, c elliptic.Curve) crypto.Signer {
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	return mustKey(t, key, err)
}

func edKey(t testing.TB) crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return mustKey(t, key, err)
}

// TestEvilCSR: what a request asks for does not matter; what is not a sound request is refused and uses up nothing.
func TestEvilCSR(t *testing.T) {
	p256 := ecKey(t, elliptic.P256())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	make := func(key crypto.Signer, c x509.CertificateRequest) string {
		der, err := x509.CreateCertificateRequest(rand.Reader, &c, key)
		if err != nil {
			t.Fatal(err)
		}
		return toPEM(pemRequest, der)
	}
	ext := func(oid asn1.ObjectIdentifier, value any) []pkix.Extension {
		der, err := asn1.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return []pkix.Extension{{Id: oid, Critical: true, Value: der}}
	}
	uri, _ := url.Parse("twinbridge:node:cellar")
	good := make(p256, x509.CertificateRequest{})
	block, _ := pem.Decode([]byte(good))
	flipped := slices.Clone(block.Bytes)
	flipped[len(flipped)-1] ^= 1
	basic := asn1.ObjectIdentifier{2, 5, 29, 19}
	usage := asn1.ObjectIdentifier{2, 5, 29, 37}
	tests := []struct {
		name string
		csr  string
		ok   bool
	}{
		{"another name", make(p256, x509.CertificateRequest{Subject: pkix.Name{CommonName: "cellar"}}), true},
		{"another node's URI", make(p256, x509.CertificateRequest{URIs: []*url.URL{uri}}), true},
		{"the hub's names", make(p256, x509.CertificateRequest{DNSNames: []string{ServerName, "localhost", "*"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, EmailAddresses: []string{"root@hub.example"}}), true},
		{"to be a CA", make(p256, x509.CertificateRequest{ExtraExtensions: ext(basic, struct{ CA bool }{true})}), true},
		{"to be a server", make(p256, x509.CertificateRequest{ExtraExtensions: ext(usage, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 1}})}), true},
		{"P-384", make(ecKey(t, elliptic.P384()), x509.CertificateRequest{}), true},
		{"Ed25519", make(edKey(t), x509.CertificateRequest{}), true},

		{"RSA", make(rsaKey, x509.CertificateRequest{}), false},
		{"P-224", make(ecKey(t, elliptic.P224()), x509.CertificateRequest{}), false},
		{"P-521", make(ecKey(t, elliptic.P521()), x509.CertificateRequest{}), false},
		{"wrong signature", toPEM(pemRequest, flipped), false},
		{"empty", "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n", false},
		{"cut short", toPEM(pemRequest, block.Bytes[:len(block.Bytes)-9]), false},
		{"with a tail", toPEM(pemRequest, append(slices.Clone(block.Bytes), 0)), false},
		{"a certificate", toPEM(pemCertificate, block.Bytes), false},
		{"two of them", good + good, false},
		{"with a header", strings.Replace(good, "REQUEST-----\n", "REQUEST-----\nProc-Type: 4,ENCRYPTED\n\n", 1), false},
		{"behind a text", "hello\n" + good, false},
		{"no PEM", "hello", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHub(t)
			token := h.token(t, "attic")
			status, text := h.post(t, JoinPath, "192.0.2.1:99", anyone, joinBody(t, token, tt.csr))
			if !tt.ok {
				if status != http.StatusUnprocessableEntity || h.Tokens() != 1 || len(h.Nodes()) != 0 {
					t.Errorf("status %d, %d tokens, %d nodes: %s", status, h.Tokens(), len(h.Nodes()), text)
				}
				return
			}
			c := answered(t, status, text)
			if len(c.URIs) != 1 || c.URIs[0].String() != "twinbridge:node:attic" || c.Subject.CommonName != "attic" ||
				len(c.DNSNames)+len(c.IPAddresses)+len(c.EmailAddresses) != 0 {
				t.Errorf("names: %v %v %v %v %v", c.Subject, c.URIs, c.DNSNames, c.IPAddresses, c.EmailAddresses)
			}
			if c.IsCA || !c.BasicConstraintsValid || c.KeyUsage != x509.KeyUsageDigitalSignature ||
				!slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || len(c.UnknownExtKeyUsage) != 0 {
				t.Errorf("usages: CA %v, %v, %v", c.IsCA, c.KeyUsage, c.ExtKeyUsage)
			}
			if !c.NotAfter.Equal(someDay.Add(DefaultLifetime)) {
				t.Errorf("it ends %v", c.NotAfter)
			}
		})
	}
}

// TestWrongSecret: what does not fit a token uses up none.
func TestWrongSecret(t *testing.T) {
	h := newHub(t)
	token, csr := h.token(t, "attic"), newCSR(t)
	other := h.token(t, "cellar")
	forged := token
	forged.secret = newSecret()
	renamed := token
	renamed.Node = "cellar"
	for _, tt := range []struct {
		name string
		body string
	}{
		{"wrong secret", joinBody(t, forged, csr)},
		{"secret of another node", joinBody(t, renamed, csr)},
		{"node without a token", body(t, "node", "shed", "secret", b64.EncodeToString(token.secret), "csr", csr)},
		{"no base64", body(t, "node", "attic", "secret", "!", "csr", csr)},
		{"short", body(t, "node", "attic", "secret", b64.EncodeToString(token.secret[:31]), "csr", csr)},
		{"the hash itself", body(t, "node", "attic", "secret", b64.EncodeToString(hashSecret(token.secret)), "csr", csr)},
	} {
		if status, text := h.post(t, JoinPath, "192.0.2.1:99", anyone, tt.body); status != http.StatusForbidden {
			t.Errorf("%s: status %d: %s", tt.name, status, text)
		}
	}
	if h.Tokens() != 2 {
		t.Errorf("%d tokens are open, want 2", h.Tokens())
	}
	mustJoin(t, h, other, newCSR(t))
	h.clock.add(time.Hour)
	if status, text := h.post(t, JoinPath, "192.0.2.2:99", anyone, joinBody(t, token, csr)); status != http.StatusForbidden {
		t.Errorf("expired token: status %d: %s", status, text)
	}
}

func TestLimiter(t *testing.T) {
	h := newHub(t)
	token, csr := h.token(t, "attic"), newCSR(t)
	forged := token
	forged.secret = newSecret()
	try := func(from string, want int) {
		t.Helper()
		if status, text := h.post(t, JoinPath, from, anyone, joinBody(t, forged, csr)); status != want {
			t.Errorf("from %s: status %d, want %d: %s", from, status, want, text)
		}
	}
	for range maxEach {
		try("192.0.2.1:99", http.StatusForbidden)
	}
	try("192.0.2.1:100", http.StatusTooManyRequests)
	if status, _ := h.post(t, JoinPath, "192.0.2.1:100", anyone, joinBody(t, token, csr)); status != http.StatusTooManyRequests {
		t.Errorf("right secret from an address that guessed: status %d", status)
	}
	// All have had their share: who fails now does so once.
	try("[2001:db8::1]:1", http.StatusForbidden)
	try("[2001:db8::2]:1", http.StatusTooManyRequests) // a neighbour in the same network of 64 bits
	try("[2001:db8:0:1::1]:1", http.StatusForbidden)
	// And nobody is locked out by it.
	mustJoinFrom(t, h, "198.51.100.7:1", token, csr)

	h.clock.add(window)
	try("192.0.2.1:99", http.StatusForbidden)

	// One node cannot keep the hub busy for ever.
	for range maxEach - 1 {
		mustJoinFrom(t, h, "198.51.100.7:1", token, csr)
	}
	mustJoinFrom(t, h, "198.51.100.7:1", token, csr)
	if status, _ := h.post(t, JoinPath, "198.51.100.7:1", anyone, joinBody(t, token, csr)); status != http.StatusTooManyRequests {
		t.Errorf("certificate %d within a minute: status %d", maxEach+1, status)
	}
	h.clock.add(-time.Hour) // a clock that goes back does not lock anybody out
	try("192.0.2.1:99", http.StatusForbidden)
}

func mustJoinFrom(t *testing.T, h *hub, from string, token Token, csr string) {
	t.Helper()
	status, text := h.post(t, JoinPath, from, anyone, joinBody(t, token, csr))
	answered(t, status, text)
}

// TestLimiterIsBounded: many addresses do not grow it.
func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(newHandClock().now)
	for i := range 3 * maxKeys {
		l.count(string(rune(i + 0x4e00)))
	}
	if len(l.each) != maxKeys {
		t.Errorf("it remembers %d keys, want %d", len(l.each), maxKeys)
	}
}

func TestBadRequests(t *testing.T) {
	h := newHub(t)
	token, csr := h.token(t, "attic"), newCSR(t)
	good := joinBody(t, token, csr)
	tests := []struct {
		name, path, body string
		want             int
		say              string
	}{
		{"empty", JoinPath, "", 400, "JSON"},
		{"null", JoinPath, "null", 422, "a JSON object"},
		{"list", JoinPath, "[]", 422, "a JSON object"},
		{"text", JoinPath, `"x"`, 422, "a JSON object"},
		{"no keys", JoinPath, "{}", 422, "node"},
		{"half", JoinPath, good[:len(good)/2], 400, "JSON"},
		{"two objects", JoinPath, good + good, 400, "JSON"},
		{"key twice", JoinPath, `{"node":"cellar",` + good[1:], 422, "each key once"},
		{"key twice in another case", JoinPath, `{"NODE":"cellar",` + good[1:], 422, "no such key"},
		{"unknown key", JoinPath, `{"usages":"server auth",` + good[1:], 422, "known are node, secret, csr"},
		{"number", JoinPath, strings.Replace(good, `"attic"`, "7", 1), 422, "a JSON string"},
		{"object", JoinPath, strings.Replace(good, `"attic"`, `{"a":"b"}`, 1), 422, "a JSON string"},
		{"null name", JoinPath, strings.Replace(good, `"attic"`, `null`, 1), 422, "a JSON string"},
		{"bad name", JoinPath, strings.Replace(good, "attic", "at/tic", 1), 422, "without '/'"},
		{"no UTF-8", JoinPath, strings.Replace(good, "attic", "at\xfftic", 1), 422, "UTF-8"},
		{"deep", JoinPath, strings.Repeat("[", 8000), 400, "JSON"},
		{"too large", JoinPath, `{"node":"` + strings.Repeat("x", 1<<20), 413, "16 KiB"},
		{"renewal by nobody", RenewPath, body(t, "csr", csr), 401, "no client certificate"},
		{"renewal with half a proof", RenewPath, body(t, "csr", csr, "certificate", "x"), 401, "no client certificate"},
		{"renewal with rubbish", RenewPath, body(t, "csr", csr, "certificate", "x", "signature", "x"), 422, "PEM"},
		{"renewal with rubbish in PEM", RenewPath, body(t, "csr", csr, "certificate", toPEM(pemCertificate, []byte("x")), "signature", "x"), 422, "DER"},
		{"elsewhere", "/v1/enroll/", good, 404, JoinPath},
	}
	before := h.store.count()
	for _, tt := range tests {
		status, text := h.post(t, tt.path, "192.0.2.1:99", anyone, tt.body)
		if status != tt.want || !strings.Contains(text, tt.say) || !strings.Contains(text, `"detail"`) {
			t.Errorf("%s: status %d, want %d: %s; want %q", tt.name, status, tt.want, text, tt.say)
		}
		if strings.Contains(text, b64.EncodeToString(token.secret)) {
			t.Errorf("%s: the secret comes back", tt.name)
		}
	}
	w := httptest.NewRecorder()
	h.Authority.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, JoinPath, http.NoBody))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("GET: status %d, %v", w.Code, w.Header())
	}
	if status, text := h.post(t, JoinPath, "192.0.2.1:99", nil, good); status != 403 || !strings.Contains(text, "TLS") {
		t.Errorf("without TLS: status %d: %s", status, text)
	}
	if h.store.count() != before || h.Tokens() != 1 || len(h.Nodes()) != 0 {
		t.Error("a bad request changed something")
	}
	mustJoin(t, h, token, csr)
}

func TestNewTokenRefuses(t *testing.T) {
	h := newHub(t)
	for _, tt := range []struct {
		name  string
		node  string
		hubs  []string
		valid time.Duration
		want  string
	}{
		{"no name", "", []string{hubURL}, time.Hour, "node"},
		{"long name", strings.Repeat("x", MaxNameLen+1), []string{hubURL}, time.Hour, "node"},
		{"slash", "a/b", []string{hubURL}, time.Hour, "node"},
		{"wildcard", "a+", []string{hubURL}, time.Hour, "node"},
		{"space", "a b", []string{hubURL}, time.Hour, "node"},
		{"escape", "a\x1b[2J", []string{hubURL}, time.Hour, "node"},
		{"no address", "a", nil, time.Hour, "hubs"},
		{"many addresses", "a", slices.Repeat([]string{hubURL}, maxHubs+1), time.Hour, "hubs"},
		{"http", "a", []string{"http://hub.example"}, time.Hour, "hubs"},
		{"path", "a", []string{hubURL + "/x"}, time.Hour, "hubs"},
		{"user", "a", []string{"https://me@hub.example"}, time.Hour, "hubs"},
		{"query", "a", []string{hubURL + "?x"}, time.Hour, "hubs"},
		{"no host", "a", []string{"https://:8443"}, time.Hour, "hubs"},
		{"port 0", "a", []string{"https://hub.example:0"}, time.Hour, "hubs"},
		{"large port", "a", []string{"https://hub.example:65536"}, time.Hour, "hubs"},
		{"long address", "a", []string{"https://" + strings.Repeat("x", 255)}, time.Hour, "hubs"},
		{"at once over", "a", []string{hubURL}, 0, "validFor"},
		{"too long", "a", []string{hubURL}, time.Hour + 1, "validFor"},
	} {
		_, err := h.NewToken(tt.node, tt.hubs, tt.valid)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != tt.want || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%s: %v, want one of field %s", tt.name, err, tt.want)
		}
	}
	if h.Tokens() != 0 {
		t.Error("a refused token is open")
	}
	for _, ok := range []string{"https://hub.example", "https://192.0.2.1:8443", "https://[2001:db8::1]:8443"} {
		if _, err := h.NewToken("a", []string{ok}, time.Second); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

// TestTokensEnd: expired tokens leave the store, and there is a bound.
func TestTokensEnd(t *testing.T) {
	h := newHub(t)
	for range maxTokens {
		h.token(t, "attic")
	}
	if _, err := h.NewToken("attic", []string{hubURL}, time.Hour); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v, want ErrTooMany", err)
	}
	h.clock.add(time.Hour)
	if h.Tokens() != 0 {
		t.Errorf("%d tokens are open after their end", h.Tokens())
	}
	h.reopen(t)
	h.token(t, "attic")
	if left, _ := h.store.List(prefixToken); len(left) != 1 {
		t.Errorf("%d tokens are stored, want 1", len(left))
	}
	h.clock.add(time.Hour)
	if err := h.tidy(); err != nil {
		t.Fatal(err)
	}
	if left, _ := h.store.List(prefixToken); len(left) != 0 {
		t.Errorf("%d tokens are stored, want none", len(left))
	}
}

func TestOpenAuthorityRefuses(t *testing.T) {
	for _, cfg := range []AuthorityConfig{
		{Hosts: []string{"hub.example:8443"}},
		{Hosts: []string{""}},
		{Hosts: []string{"a..b"}},
		{Hosts: []string{"-a"}},
		{Hosts: slices.Repeat([]string{"a"}, 65)},
		{Lifetime: time.Second},
		{Lifetime: 400 * 24 * time.Hour},
	} {
		var field *FieldError
		if _, err := OpenAuthority(newStore(), cfg); !errors.As(err, &field) {
			t.Errorf("%v: %v, want a FieldError", cfg.Hosts, err)
		}
	}
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	h.member(t, "attic")
	damage := func(key string, data []byte) error {
		s := h.store.backup()
		s.Commit(Change{Key: key, Data: data})
		_, err := OpenAuthority(s, h.cfg)
		return err
	}
	for name, err := range map[string]error{
		"no CA":          damage(keyCA, nil),
		"CA is rubbish":  damage(keyCA, []byte("x")),
		"CA is empty":    damage(keyCA, []byte(`{"v":1}`)),
		"newer CA":       damage(keyCA, []byte(`{"v":2}`)),
		"newer node":     damage(prefixNode+"attic", []byte(`{"v":2}`)),
		"newer token":    damage(prefixToken+"x", []byte(`{"v":2}`)),
		"time is broken": damage(keyHubTime, []byte(`{"v":1,"time":7}`)),
	} {
		if err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	full := newStore()
	full.setFull(true)
	if _, err := OpenAuthority(full, h.cfg); !errors.Is(err, errDisk) {
		t.Errorf("on a full disk: %v", err)
	}
}

func TestServerTLS(t *testing.T) {
	h := newHub(t)
	h.cfg.Hosts = []string{"hub.home.arpa", "192.0.2.7"}
	h.reopen(t)
	h.serve(t, "hub.example:8443")
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(h.CACertificate()) {
		t.Fatal("no CA certificate")
	}
	ca := h.ca.cert
	if !ca.IsCA || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign || !ca.NotAfter.Equal(someDay.Add(caLife)) {
		t.Errorf("CA: %v, path %d, usage %v, end %v", ca.IsCA, ca.MaxPathLen, ca.KeyUsage, ca.NotAfter)
	}
	var first *x509.Certificate
	look := func(name string) (*x509.Certificate, error) {
		c, err := h.net.dial(t.Context(), "", "hub.example:8443")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		tc := tls.Client(c, &tls.Config{RootCAs: pool, ServerName: name, Time: h.clock.now})
		if err := tc.HandshakeContext(t.Context()); err != nil {
			return nil, err
		}
		return tc.ConnectionState().PeerCertificates[0], nil
	}
	for _, name := range []string{ServerName, "localhost", "127.0.0.1", "::1", "hub.home.arpa", "192.0.2.7"} {
		c, err := look(name)
		if err != nil {
			t.Errorf("as %s: %v", name, err)
			continue
		}
		first = c
	}
	if _, err := look("hub.example"); err == nil {
		t.Error("the certificate holds a name that nobody gave")
	}
	if !slices.Equal(first.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("usages %v", first.ExtKeyUsage)
	}
	// Somebody without a certificate gets in, and is nobody.
	if _, err := h.who(t, &tls.Config{RootCAs: pool, ServerName: ServerName, Time: h.clock.now}); err == nil || !strings.Contains(err.Error(), ErrNoCertificate.Error()) {
		t.Errorf("without a certificate: %v", err)
	}
	if _, err := h.who(t, &tls.Config{RootCAs: pool, ServerName: ServerName, Time: h.clock.now, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	// Over 9 years there is always a certificate, another one after 40 days, and none that a browser would find too long.
	last := first
	const step = 14 * 24 * time.Hour
	for i := range 9 * 26 {
		h.clock.add(step)
		now := h.clock.now()
		c, err := look(ServerName)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if left := c.NotAfter.Sub(now); left < serverLife/3-step && left < ca.NotAfter.Sub(now)-step {
			t.Fatalf("step %d: only %v left", i, left)
		}
		if c.NotAfter.Sub(c.NotBefore) > 398*24*time.Hour || c.NotAfter.After(ca.NotAfter) || c.NotBefore.Before(ca.NotBefore) {
			t.Fatalf("step %d: valid from %v to %v", i, c.NotBefore, c.NotAfter)
		}
		last = c
	}
	if last.Equal(first) {
		t.Error("it was never renewed")
	}
}
