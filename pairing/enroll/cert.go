package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"
)

// ServerName is the name in every hub's certificate. Nodes ask for it whatever the address is, as the hub's CA is what
// they trust.
const ServerName = "twinbridge-hub"

const (
	caLife     = 10 * 365 * 24 * time.Hour
	serverLife = 60 * 24 * time.Hour
	// serverSpan is how long the certificate of a server is valid in all, most of it in the past, for nodes whose clock
	// stands behind. Browsers refuse more than 398 days.
	serverSpan = 360 * 24 * time.Hour
)

// A serial number is the number of the join, 8 bytes, and 10 random bytes. That of the hub's own certificate is random
// only: its join is 0.
const (
	serialSize = 18
	joinSize   = 8
)

func newSerial(join int64) *big.Int {
	b := make([]byte, serialSize)
	_, _ = rand.Read(b[joinSize:]) // never fails (crypto/rand)
	binary.BigEndian.PutUint64(b, uint64(join))
	b[joinSize] |= 1 // never zero, which is no serial number
	return new(big.Int).SetBytes(b)
}

// joinOf gives the number of the join in a serial number; ok is false if there is none.
func joinOf(serial *big.Int) (join int64, ok bool) {
	if serial.Sign() <= 0 || serial.BitLen() > 8*serialSize {
		return 0, false
	}
	b := serial.FillBytes(make([]byte, serialSize))
	n := binary.BigEndian.Uint64(b)
	return int64(n), n > 0 && n < 1<<62
}

// signer is the CA.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newSigner makes a CA.
func newSigner(now time.Time) (*signer, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	t := &x509.Certificate{
		SerialNumber: newSerial(0),
		// Two hubs that a browser has met must not have a CA of the same name.
		Subject:               pkix.Name{Organization: []string{"twinbridge"}, CommonName: "twinbridge hub CA " + hex.EncodeToString(id[:])},
		NotBefore:             now.Truncate(time.Second),
		NotAfter:              now.Add(caLife).Truncate(time.Second),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read CA certificate: %w", err)
	}
	return &signer{cert: cert, key: key}, nil
}

func (s *signer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.cert)
	return p
}

// forNode makes a node's certificate. Nothing in it is of the node's choice but the key.
func (s *signer) forNode(name string, join int64, pub crypto.PublicKey, now time.Time, life time.Duration) (*x509.Certificate, error) {
	subject := pkix.Name{Organization: []string{"twinbridge"}, OrganizationalUnit: []string{"node"}}
	if len(name) <= 64 { // X.520 allows no more
		subject.CommonName = name
	}
	return s.sign(&x509.Certificate{
		SerialNumber: newSerial(join),
		Subject:      subject,
		URIs:         []*url.URL{nodeURI(name)},
		NotBefore:    s.cert.NotBefore,
		NotAfter:     now.Add(life),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, pub, now)
}

// forServer makes the hub's own certificate. It is made even when the CA has expired, so that people see why.
func (s *signer) forServer(hosts []string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	t := &x509.Certificate{
		SerialNumber: newSerial(0),
		Subject:      pkix.Name{Organization: []string{"twinbridge"}, CommonName: ServerName},
		NotAfter:     now.Add(serverLife),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range append([]string{ServerName, "localhost", "127.0.0.1", "::1"}, hosts...) {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if t.NotAfter.After(s.cert.NotAfter) {
		t.NotAfter = s.cert.NotAfter
	}
	t.NotBefore = t.NotAfter.Add(-serverSpan)
	return s.sign(t, pub, t.NotAfter.Add(-time.Second))
}

// sign completes and signs a certificate; it never outlives the CA.
func (s *signer) sign(t *x509.Certificate, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	if now.After(s.cert.NotAfter) {
		return nil, ErrAuthorityExpired
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.BasicConstraintsValid = true
	if t.NotBefore.Before(s.cert.NotBefore) {
		t.NotBefore = s.cert.NotBefore
	}
	if t.NotAfter.After(s.cert.NotAfter) {
		t.NotAfter = s.cert.NotAfter
	}
	t.NotBefore, t.NotAfter = t.NotBefore.Truncate(time.Second), t.NotAfter.Truncate(time.Second)
	der, err := x509.CreateCertificate(rand.Reader, t, s.cert, pub, s.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read signed certificate: %w", err)
	}
	return c, nil
}

// identity is what a node's certificate says.
type identity struct {
	node string
	join int64
}

// identityOf reads the name and the join out of a certificate that the CA signed.
func identityOf(c *x509.Certificate) (identity, error) {
	if c.IsCA || len(c.URIs) != 1 || c.URIs[0].Scheme != uriScheme {
		return identity{}, ErrForeign
	}
	node, ok := nodeOf(c.URIs[0])
	if !ok {
		return identity{}, ErrForeign
	}
	join, ok := joinOf(c.SerialNumber)
	if !ok {
		return identity{}, ErrForeign
	}
	return identity{node: node, join: join}, nil
}

// newKey makes a private key.
func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// parseKey reads a private key that was stored.
func parseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("read key: it cannot sign")
	}
	return s, nil
}

// keyHash names a public key.
func keyHash(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	h := sha256.Sum256(der)
	return h[:], nil
}

const (
	pemCertificate = "CERTIFICATE"
	pemRequest     = "CERTIFICATE REQUEST"
)

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// fromPEM reads a text that is one PEM block and nothing else.
func fromPEM(field, kind, text string) ([]byte, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != kind || len(block.Headers) > 0 || strings.TrimSpace(string(rest)) != "" ||
		!strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN") {
		return nil, &FieldError{Field: field, Want: "one PEM block " + kind + " and nothing else"}
	}
	return block.Bytes, nil
}
