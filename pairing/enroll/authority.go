package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// DefaultLifetime is how long a node's certificate is good.
const DefaultLifetime = 30 * 24 * time.Hour

// Grace is how long a certificate that has expired can still be renewed, by a signature of its key.
const Grace = 30 * 24 * time.Hour

// AuthorityConfig is what the hub's side is told.
type AuthorityConfig struct {
	Now   func() time.Time // the system's clock; nil: time.Now
	Built time.Time        // when the program was built; it is never earlier than that. Zero: not known
	// Hosts are names and IP addresses under which people reach the hub, beside localhost. They stand in the hub's
	// certificate, for browsers; nodes do not need them. At most 64.
	Hosts    []string
	Log      *slog.Logger  // nil: silence
	Lifetime time.Duration // of a node's certificate, 1 minute to 1 year; 0: DefaultLifetime
}

// Authority is the hub's side. Its methods may be called by several goroutines at once.
type Authority struct {
	cfg    AuthorityConfig
	log    *slog.Logger
	store  Store
	ca     *signer
	clock  *clock
	server serverCert

	wrong *limiter // wrong secrets and proofs, by address
	busy  *limiter // certificates made, by node

	// deciding is held by who changes a record, until the change is on disk and in memory. Only for reading is mu enough,
	// so a slow disk does not hold up who only wants to know.
	deciding sync.Mutex
	mu       sync.RWMutex
	nodes    map[string]nodeRecord
	tokens   map[string]tokenRecord // by key in the store
	watchers []func(node string)
}

// caRecord is the CA as it is stored.
type caRecord struct {
	Version int    `json:"v"`
	Cert    []byte `json:"cert"` // DER
	Key     []byte `json:"key"`  // PKCS 8
}

// OpenAuthority reads the hub's side from the store. In an empty one it makes a CA, good for 10 years.
func OpenAuthority(store Store, cfg AuthorityConfig) (*Authority, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	a := &Authority{
		cfg: cfg, log: cfg.Log, store: store,
		nodes: map[string]nodeRecord{}, tokens: map[string]tokenRecord{},
	}
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	a.wrong, a.busy = newLimiter(a.clock.Time), newLimiter(a.clock.Time)
	a.server.renew = a.newServerCert
	if _, err := a.server.get(a.clock.Time()); err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	if left := a.ca.cert.NotAfter.Sub(a.clock.Time()); left < 365*24*time.Hour {
		a.log.Warn("the hub's CA certificate ends within a year; all nodes have to join again then", "end", a.ca.cert.NotAfter)
	}
	return a, nil
}

func (cfg *AuthorityConfig) complete() error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = DefaultLifetime
	}
	if cfg.Lifetime < time.Minute || cfg.Lifetime > 365*24*time.Hour {
		return &FieldError{Field: "lifetime", Value: cfg.Lifetime.String(), Want: "1 minute to 1 year"}
	}
	if len(cfg.Hosts) > 64 {
		return &FieldError{Field: "hosts", Want: "at most 64"}
	}
	for _, h := range cfg.Hosts {
		if net.ParseIP(h) == nil && !goodHost(h) {
			return &FieldError{Field: "hosts", Value: clip(h), Want: "a DNS name or an IP address, without a port"}
		}
	}
	return nil
}

// goodHost reports whether h can stand as a DNS name in a certificate.
func goodHost(h string) bool {
	if h == "" || len(h) > 253 {
		return false
	}
	for label := range strings.SplitSeq(h, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return false
			}
		}
	}
	return true
}

func (a *Authority) load() error {
	nodes, err := a.store.List(prefixNode)
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for _, r := range nodes {
		n, err := take[nodeRecord](r.Key, r.Data)
		if err != nil {
			return err
		}
		a.nodes[n.Name] = n
	}
	tokens, err := a.store.List(prefixToken)
	if err != nil {
		return fmt.Errorf("list tokens: %w", err)
	}
	for _, r := range tokens {
		t, err := take[tokenRecord](r.Key, r.Data)
		if err != nil {
			return err
		}
		a.tokens[r.Key] = t
	}
	saved, _, err := get[timeRecord](a.store, keyHubTime)
	if err != nil {
		return err
	}
	r, ok, err := get[caRecord](a.store, keyCA)
	switch {
	case err != nil:
		return err
	case !ok && len(a.nodes) > 0:
		return errors.New("there are records of nodes, but the CA that they trust is missing")
	case !ok:
		return a.create(saved.Time)
	}
	cert, err := x509.ParseCertificate(r.Cert)
	if err != nil {
		return fmt.Errorf("read CA certificate: %w", err)
	}
	key, err := parseKey(r.Key)
	if err != nil {
		return err
	}
	a.ca = &signer{cert: cert, key: key}
	a.clock = newClock(a.cfg.Now, saved.Time, a.cfg.Built, cert.NotBefore)
	return nil
}

// create makes the CA and stores it.
func (a *Authority) create(saved time.Time) error {
	a.clock = newClock(a.cfg.Now, saved, a.cfg.Built)
	ca, err := newSigner(a.clock.Time())
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return fmt.Errorf("write CA key: %w", err)
	}
	record, err := put(keyCA, caRecord{Version: version, Cert: ca.cert.Raw, Key: key})
	if err != nil {
		return err
	}
	if err := a.commit(record); err != nil {
		return fmt.Errorf("store CA: %w", err)
	}
	a.ca = ca
	a.log.Info("made the hub's certificate authority", "end", ca.cert.NotAfter)
	return nil
}

// commit makes changes durable, and the time with them.
func (a *Authority) commit(changes ...Change) error {
	mark, t, ok := a.clock.change(keyHubTime)
	if ok {
		changes = append(changes, mark)
	}
	if len(changes) == 0 {
		return nil
	}
	if err := a.store.Commit(changes...); err != nil {
		return err
	}
	if ok {
		a.clock.marked(t)
	}
	return nil
}

// CACertificate gives the CA certificate as PEM, for people who want to trust the hub's pages, and for nodes' tokens.
func (a *Authority) CACertificate() []byte {
	return []byte(toPEM(pemCertificate, a.ca.cert.Raw))
}

// ServerTLS gives what the hub's listener needs: TLS 1.3, a certificate that renews itself, and a look at the client's
// certificate if it has one. Whose it is, [Authority.Identify] says.
func (a *Authority) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.server.get(a.clock.Time()) },
		ClientAuth:     tls.VerifyClientCertIfGiven,
		ClientCAs:      a.ca.pool(),
		Time:           a.clock.Time,
		// A resumed session would carry a client certificate past its end.
		SessionTicketsDisabled: true,
	}
}

// Run saves the time and forgets expired tokens, once an hour, until ctx ends.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := a.tidy(); err != nil {
				a.log.Error("the time and the end of tokens could not be stored", "error", err)
			}
		}
	}
}
