package edge

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"twinbridge/twin"
)

// maxPEM bounds a file of certificates or with a key, in bytes.
const maxPEM = 1 << 20

// clientTLS is how a broker elsewhere is spoken to: which certificates vouch for it, and what is shown to it. Without
// any of these files it is nil, which means the system's certificates and nothing to show.
func clientTLS(ca, certificate, key string) (*tls.Config, error) {
	if ca == "" && certificate == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := readPEM("mqtt.ca", ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("mqtt.ca: read %s: no certificate (PEM) in it", ca)
		}
	}
	if certificate != "" {
		pair, err := readPair(certificate, key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// serverTLS is how the broker in this process speaks; nil without a certificate: in clear.
func serverTLS(certificate, key string) (*tls.Config, error) {
	if certificate == "" {
		return nil, nil
	}
	pair, err := readPair(certificate, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// ownTLS is how the broker of this node is spoken to from the same machine: it has to show this very certificate. The
// address of the socket is none of its names, so one of these is asked for.
func ownTLS(certificate string) (*tls.Config, error) {
	text, err := readPEM("mqtt.certificate", certificate)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("mqtt.certificate: read %s: no certificate (PEM) in it", certificate)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("mqtt.certificate: read %s: %w", certificate, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(leaf)
	switch {
	case len(leaf.DNSNames) > 0:
		c.ServerName = strings.Replace(leaf.DNSNames[0], "*", "edge", 1)
	case len(leaf.IPAddresses) > 0:
		c.ServerName = leaf.IPAddresses[0].String()
	default:
		return nil, &twin.FieldError{Field: "mqtt.certificate", Value: certificate, Want: "a certificate with the name or address of this machine (subject alternative name)"}
	}
	return c, nil
}

// readPair reads a certificate and its key.
func readPair(certificate, key string) (tls.Certificate, error) {
	certText, err := readPEM("mqtt.certificate", certificate)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := checkSecret(key, "it is mqtt.key"); err != nil {
		return tls.Certificate{}, err
	}
	keyText, err := readPEM("mqtt.key", key)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("mqtt.certificate %s, mqtt.key %s: %w", certificate, key, err)
	}
	return pair, nil
}

func readPEM(name, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(text) > maxPEM {
		err = errors.New("longer than 1 MiB")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read %s: %w", name, path, err)
	}
	return text, nil
}

// checkSecret refuses a file with a secret that everybody on the machine may read.
func checkSecret(path, why string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at a file with a secret: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o006 != 0 {
		return fmt.Errorf("file %s: others may read or write it (mode %04o), and %s: chmod o= %s", path, mode, why, Quote(path))
	}
	return nil
}
