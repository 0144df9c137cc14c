package enroll

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The paths that [Authority.Handler] serves, both by POST.
const (
	JoinPath  = "/v1/enroll/join"
	RenewPath = "/v1/enroll/renew"
)

// bodyTime is how long a client may take to send its body.
const bodyTime = 10 * time.Second

// answer is what a node gets. Issued is the hub's time: with the end of the certificate it tells how long the
// certificate lives, which a node whose clock is wrong could not know.
type answer struct {
	Certificate string    `json:"certificate"` // PEM
	Issued      time.Time `json:"issued"`
}

// problem is an answer that is no certificate (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Handler serves [JoinPath] and [RenewPath], over TLS only. Errors are answered as application/problem+json.
func (a *Authority) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	var do func(*http.Request, []byte) (*x509.Certificate, error)
	switch r.URL.Path {
	case JoinPath:
		do = a.join
	case RenewPath:
		do = a.renewal
	default:
		a.refuse(w, r, &statusError{http.StatusNotFound, errors.New("there is nothing here; known are " + JoinPath + " and " + RenewPath)})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		a.refuse(w, r, &statusError{http.StatusMethodNotAllowed, errors.New("only POST")})
		return
	}
	if r.TLS == nil {
		a.refuse(w, r, &statusError{http.StatusForbidden, errors.New("nodes join over TLS only")})
		return
	}
	cert, err := a.bodyAnd(w, r, do)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	body, err := json.Marshal(answer{Certificate: toPEM(pemCertificate, cert.Raw), Issued: a.clock.Time()})
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // who hung up asks again
}

// bodyAnd reads the body and hands it on.
func (a *Authority) bodyAnd(w http.ResponseWriter, r *http.Request, do func(*http.Request, []byte) (*x509.Certificate, error)) (*x509.Certificate, error) {
	// A server without deadlines, as in some tests, has none to set.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &statusError{http.StatusRequestEntityTooLarge, errors.New("the body has more than 16 KiB")}
	}
	if err != nil {
		return nil, &statusError{http.StatusBadRequest, fmt.Errorf("read body: %w", err)}
	}
	return do(r, body)
}

// join answers {node, secret, csr}.
func (a *Authority) join(r *http.Request, body []byte) (*x509.Certificate, error) {
	m, err := readFlat(body, []string{"node", "secret", "csr"}, nil)
	if err != nil {
		return nil, err
	}
	from := addressOf(r.RemoteAddr)
	if a.wrong.full(from) {
		return nil, errSlow
	}
	if err := CheckNode(m["node"]); err != nil {
		return nil, err
	}
	// Before the request is looked at, which costs more than the secret.
	secret, err := decode64(m["secret"])
	if err == nil {
		if _, _, ok := a.findToken(m["node"], secret); !ok {
			err = errSecret
		}
	}
	if err != nil {
		a.wrong.count(from)
		return nil, errSecret
	}
	req, err := parseCSR(m["csr"])
	if err != nil {
		return nil, err
	}
	if a.busy.fullAlone(m["node"]) {
		return nil, errSlow
	}
	a.busy.count(m["node"])
	cert, err := a.redeem(m["node"], secret, req)
	if err != nil {
		return nil, err
	}
	a.log.Info("node joined", "node", m["node"], "from", r.RemoteAddr, "end", cert.NotAfter)
	return cert, nil
}

// renewal answers {csr} of a client with a certificate, and {csr, certificate, signature} of one without, whose
// certificate TLS would refuse because it has expired.
func (a *Authority) renewal(r *http.Request, body []byte) (*x509.Certificate, error) {
	m, err := readFlat(body, []string{"csr"}, []string{"certificate", "signature"})
	if err != nil {
		return nil, err
	}
	from := addressOf(r.RemoteAddr)
	if a.wrong.full(from) {
		return nil, errSlow
	}
	req, err := parseCSR(m["csr"])
	if err != nil {
		return nil, err
	}
	var leaf *x509.Certificate
	var id identity
	if len(r.TLS.PeerCertificates) > 0 {
		if m["certificate"] != "" || m["signature"] != "" {
			return nil, &FieldError{Field: "certificate", Want: "no such key on a connection with a client certificate"}
		}
		leaf = r.TLS.PeerCertificates[0]
		id, err = a.check(leaf, 0)
	} else {
		leaf, id, err = a.proof(m, req)
	}
	if err != nil {
		if errors.Is(err, ErrForeign) || errors.Is(err, errProof) {
			a.wrong.count(from)
		}
		return nil, err
	}
	if a.busy.fullAlone(id.node) {
		return nil, errSlow
	}
	a.busy.count(id.node)
	cert, err := a.renew(id, leaf.NotAfter, req)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", id.node, err)
	}
	a.log.Info("certificate renewed", "node", id.node, "from", r.RemoteAddr, "end", cert.NotAfter)
	return cert, nil
}

// proof checks that the sender of a request has the key of a certificate, which may have expired within [Grace].
func (a *Authority) proof(m map[string]string, req request) (*x509.Certificate, identity, error) {
	if m["certificate"] == "" || m["signature"] == "" {
		return nil, identity{}, ErrNoCertificate
	}
	der, err := fromPEM("certificate", pemCertificate, m["certificate"])
	if err != nil {
		return nil, identity{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, identity{}, &FieldError{Field: "certificate", Want: "a certificate in DER"}
	}
	signature, err := decode64(m["signature"])
	if err != nil {
		return nil, identity{}, &FieldError{Field: "signature", Want: "base64url without padding"}
	}
	id, err := a.check(leaf, Grace)
	if err != nil {
		return nil, identity{}, err
	}
	if err := checkProof(leaf, req.der, signature); err != nil {
		return nil, identity{}, err
	}
	return leaf, id, nil
}

// errSlow is that of a client which asks too often.
var errSlow = errors.New("too many attempts; try again in a minute")

// statusError is an error whose status of HTTP is known.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// statusOf gives the status of an error.
func statusOf(err error) int {
	known := (*statusError)(nil)
	field := (*FieldError)(nil)
	switch {
	case errors.As(err, &known):
		return known.status
	case errors.As(err, &field):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errSyntax):
		return http.StatusBadRequest
	case errors.Is(err, errSlow):
		return http.StatusTooManyRequests
	case errors.Is(err, ErrNoCertificate):
		return http.StatusUnauthorized
	case errors.Is(err, errUsed), errors.Is(err, errOver):
		return http.StatusConflict
	case errors.Is(err, errSecret), errors.Is(err, errProof), errors.Is(err, ErrForeign), errors.Is(err, ErrExpired), errors.Is(err, ErrRevoked):
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable // the disk, the CA, too many nodes: it is the hub's side that has to change
}

// refuse answers an error.
func (a *Authority) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	a.log.Warn("enrolment refused", "path", clip(r.URL.Path), "from", r.RemoteAddr, "status", status, "error", err)
	p := problem{Title: http.StatusText(status), Status: status, Detail: err.Error()}
	if status == http.StatusServiceUnavailable && !errors.Is(err, ErrAuthorityExpired) && !errors.Is(err, ErrTooMany) {
		p.Detail = "the hub cannot store anything at present" // how its disk ails is not for everybody
	}
	body, err := json.Marshal(p)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who hung up is not told
}
