package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
)

// request is what is taken from a CSR: its key, and its bytes for the proof.
type request struct {
	der []byte
	pub crypto.PublicKey
	key []byte // hash of pub
}

// parseCSR reads a certificate request and checks that its sender has the key. What else it asks for is not looked at:
// name, usages and life come from the hub's records.
func parseCSR(text string) (request, error) {
	der, err := fromPEM("csr", pemRequest, text)
	if err != nil {
		return request{}, err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return request{}, &FieldError{Field: "csr", Want: "a certificate request in DER"}
	}
	if !goodKey(csr.PublicKey) {
		return request{}, &FieldError{Field: "csr", Value: csr.PublicKeyAlgorithm.String(), Want: "a key of P-256, P-384 or Ed25519"}
	}
	if err := csr.CheckSignature(); err != nil {
		return request{}, &FieldError{Field: "csr", Want: "a signature of its own key"}
	}
	key, err := keyHash(csr.PublicKey)
	if err != nil {
		return request{}, err
	}
	return request{der: der, pub: csr.PublicKey, key: key}, nil
}

func goodKey(pub crypto.PublicKey) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() || k.Curve == elliptic.P384()
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize
	}
	return false
}

// makeCSR asks for a certificate for key. The name in it is for people who look.
func makeCSR(name string, key crypto.Signer) (der []byte, err error) {
	t := &x509.CertificateRequest{}
	if len(name) <= 64 {
		t.Subject = pkix.Name{CommonName: name}
	}
	der, err = x509.CreateCertificateRequest(rand.Reader, t, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// proofContext keeps a signature of a renewal from meaning anything else.
const proofContext = "twinbridge enroll renew 1\x00"

func proofText(csr []byte) []byte {
	h := sha256.Sum256(csr)
	return append([]byte(proofContext), h[:]...)
}

// signProof signs a request for renewal with the key of the certificate that is to be renewed.
func signProof(key crypto.Signer, csr []byte) ([]byte, error) {
	text := proofText(csr)
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		return key.Sign(rand.Reader, text, crypto.Hash(0))
	}
	h := sha256.Sum256(text)
	return key.Sign(rand.Reader, h[:], crypto.SHA256)
}

var errProof = errors.New("the signature is not one of the certificate's key over this request")

// checkProof checks what signProof made.
func checkProof(cert *x509.Certificate, csr, signature []byte) error {
	algorithm := x509.ECDSAWithSHA256
	if cert.PublicKeyAlgorithm == x509.Ed25519 {
		algorithm = x509.PureEd25519
	}
	if err := cert.CheckSignature(algorithm, proofText(csr), signature); err != nil {
		return errProof
	}
	return nil
}
