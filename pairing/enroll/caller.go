package enroll

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	dialTime = 10 * time.Second // for the connection, and again for TLS
	callTime = 30 * time.Second // for all of a call
)

// caller asks hubs for certificates. Nothing is sent before the hub has shown a certificate of its CA.
type caller struct {
	roots *x509.CertPool
	now   func() time.Time
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

func (c *caller) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    c.roots,
		ServerName: ServerName,
		Time:       c.now,
	}
}

// given is a certificate that a hub gave.
type given struct {
	leaf   *x509.Certificate
	issued time.Time // by the hub's clock
}

// post sends a message to one hub. cert is the client certificate; nil: none. What the hub refuses is a [RefusedError].
func (c *caller) post(ctx context.Context, hub, path string, message map[string]string, cert *tls.Certificate) (given, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	body, err := json.Marshal(message)
	if err != nil {
		return given{}, fmt.Errorf("write request: %w", err)
	}
	conf := c.tls()
	if cert != nil {
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	client := &http.Client{
		// No proxy, no redirect, no connection that stays: the message goes to this hub or nowhere.
		Transport: &http.Transport{
			TLSClientConfig:     conf,
			TLSHandshakeTimeout: dialTime,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, dialTime)
				defer cancel()
				return c.dial(ctx, network, address)
			},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxBody,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hub+path, bytes.NewReader(body))
	if err != nil {
		return given{}, fmt.Errorf("ask hub %s: %w", hub, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return given{}, explain(hub, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read from
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return given{}, fmt.Errorf("read answer of hub %s: %w", hub, err)
	}
	if resp.StatusCode != http.StatusOK {
		return given{}, &RefusedError{Hub: hub, Status: resp.StatusCode, Detail: detail(resp.StatusCode, text)}
	}
	g, err := parseAnswer(text)
	if err != nil {
		return given{}, fmt.Errorf("read answer of hub %s: %w", hub, err)
	}
	return g, nil
}

// explain says what a failed TLS handshake probably means.
func explain(hub string, err error) error {
	unknown := x509.UnknownAuthorityError{}
	invalid := x509.CertificateInvalidError{}
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("ask hub %s: it is another hub than the one of the token, nothing was sent: %w", hub, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("ask hub %s: its clock and this node's differ, nothing was sent: %w", hub, err)
	}
	return fmt.Errorf("ask hub %s: %w", hub, err)
}

// alert reports whether the hub ended a connection in TLS itself, as it does when it does not like the certificate.
func alert(err error) bool {
	op := (*net.OpError)(nil)
	return errors.As(err, &op) && op.Op == "remote error" // so crypto/tls names it
}

// detail gives what a hub said of a refusal.
func detail(status int, text []byte) string {
	var p problem
	if json.Unmarshal(text, &p) == nil && p.Detail != "" {
		if len(p.Detail) > 400 {
			p.Detail = p.Detail[:400]
		}
		return clean(p.Detail)
	}
	return http.StatusText(status)
}

// parseAnswer reads {certificate, issued}.
func parseAnswer(text []byte) (given, error) {
	m, err := readFlat(text, []string{"certificate", "issued"}, nil)
	if err != nil {
		return given{}, err
	}
	der, err := fromPEM("certificate", pemCertificate, m["certificate"])
	if err != nil {
		return given{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return given{}, &FieldError{Field: "certificate", Want: "a certificate in DER"}
	}
	issued, err := time.Parse(time.RFC3339Nano, m["issued"])
	if err != nil {
		return given{}, &FieldError{Field: "issued", Value: clip(m["issued"]), Want: "a time of RFC 3339"}
	}
	if life := leaf.NotAfter.Sub(issued); life <= 0 || life > caLife {
		return given{}, &FieldError{Field: "issued", Value: clip(m["issued"]), Want: "a time before the end of the certificate, by 10 years at most"}
	}
	return given{leaf: leaf, issued: issued.UTC()}, nil
}
