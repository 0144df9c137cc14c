package enroll

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// MemberConfig is what the node's side is told.
type MemberConfig struct {
	Now   func() time.Time // the system's clock; nil: time.Now
	Built time.Time        // when the program was built; it is never earlier than that. Zero: not known
	Log   *slog.Logger     // nil: silence
	Again bool             // Join: leave the hub of before, if there is one
	// Renewed is called after each renewal. It must not block. nil: nobody wants to know.
	Renewed func()
	// Dial makes connections to hubs; nil: the system's network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (cfg *MemberConfig) complete() {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
}

// Member is the node's side: a node that has joined a hub. Its methods may be called by several goroutines at once.
type Member struct {
	cfg   MemberConfig
	log   *slog.Logger
	store Store
	clock *clock
	roots *x509.CertPool
	state atomic.Pointer[membership]
}

// memberRecord is a membership as it is stored.
type memberRecord struct {
	Version  int       `json:"v"`
	Name     string    `json:"name"`
	Hubs     []string  `json:"hubs"`
	CAs      [][]byte  `json:"cas"`      // DER; a bundle, so that a hub can have an old and a new CA one day
	Key      []byte    `json:"key"`      // PKCS 8
	Cert     []byte    `json:"cert"`     // DER
	Received time.Time `json:"received"` // by this node's clock
	Issued   time.Time `json:"issued"`   // by the hub's clock
}

// nextRecord is a key for which a certificate has been, or will be, asked. It is stored first, so that after a lost
// answer the same key asks again.
type nextRecord struct {
	Version int    `json:"v"`
	For     string `json:"for"`
	Key     []byte `json:"key"` // PKCS 8
}

// membership is a memberRecord in use. It does not change.
type membership struct {
	record  memberRecord
	leaf    *x509.Certificate
	cert    *tls.Certificate
	cas     []*x509.Certificate
	renewAt float64 // share of the life after which to renew
}

// OpenMember reads a membership. The error is ErrNotJoined, or that of the store.
func OpenMember(store Store, cfg MemberConfig) (*Member, error) {
	cfg.complete()
	r, ok, err := get[memberRecord](store, keyMember)
	if err != nil {
		return nil, fmt.Errorf("open membership: %w", err)
	}
	if !ok {
		return nil, ErrNotJoined
	}
	s, err := r.open()
	if err != nil {
		return nil, fmt.Errorf("open membership: %w", err)
	}
	saved, _, err := get[timeRecord](store, keyMemberTime)
	if err != nil {
		return nil, fmt.Errorf("open membership: %w", err)
	}
	m := &Member{cfg: cfg, log: cfg.Log, store: store, roots: x509.NewCertPool()}
	passed := []time.Time{cfg.Built}
	for _, c := range s.cas {
		m.roots.AddCert(c)
		passed = append(passed, c.NotBefore)
	}
	m.clock = newClock(cfg.Now, saved.Time, passed...)
	if m.clock.unset() {
		// All that is known of the time that it was off is what the hub said last. A node with a clock does not listen to
		// it: a hub whose clock is wrong for a day would put it wrong for ever.
		m.clock = newClock(cfg.Now, saved.Time, append(passed, r.Issued)...)
	}
	m.state.Store(s)
	return m, nil
}

// open makes a membership usable.
func (r memberRecord) open() (*membership, error) {
	s := &membership{record: r, renewAt: share()}
	for _, der := range r.CAs {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("read CA certificate: %w", err)
		}
		s.cas = append(s.cas, c)
	}
	key, err := parseKey(r.Key)
	if err != nil {
		return nil, err
	}
	if s.leaf, err = x509.ParseCertificate(r.Cert); err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	s.cert = &tls.Certificate{Certificate: [][]byte{r.Cert}, PrivateKey: key, Leaf: s.leaf}
	return s, nil
}

// Name gives the name under which the node has joined.
func (m *Member) Name() string { return m.state.Load().record.Name }

// Hubs gives the addresses of the hub, as https://host:port.
func (m *Member) Hubs() []string { return slices.Clone(m.state.Load().record.Hubs) }

// Expires gives the end of the certificate.
func (m *Member) Expires() time.Time { return m.state.Load().leaf.NotAfter }

// TLS gives what a connection to the hub needs. It stays good over renewals: each handshake uses the certificate of that
// moment.
func (m *Member) TLS() *tls.Config {
	c := m.caller().tls()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return m.state.Load().cert, nil }
	return c
}

func (m *Member) caller() *caller {
	return &caller{roots: m.roots, now: m.clock.Time, dial: m.cfg.Dial}
}

// nextKey gives the key that asks for a certificate: the one stored for the same purpose, or a new one, stored first.
func nextKey(store Store, purpose string) (crypto.Signer, []byte, error) {
	r, ok, err := get[nextRecord](store, keyNext)
	if err != nil {
		return nil, nil, err
	}
	if ok && r.For == purpose {
		key, err := parseKey(r.Key)
		return key, r.Key, err
	}
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("write key: %w", err)
	}
	ch, err := put(keyNext, nextRecord{Version: version, For: purpose, Key: der})
	if err != nil {
		return nil, nil, err
	}
	if err := store.Commit(ch); err != nil {
		return nil, nil, fmt.Errorf("store key: %w", err)
	}
	return key, der, nil
}

// checkGiven checks a certificate that a hub gave: it is for this key and this name, and of a CA that the node trusts.
func checkGiven(leaf *x509.Certificate, roots *x509.CertPool, key crypto.Signer, name string) error {
	// At its own end it is valid whatever this node's clock says.
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: leaf.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return fmt.Errorf("the hub gave a certificate that cannot be used: %w", err)
	}
	if id, err := identityOf(leaf); err != nil || id.node != name {
		return fmt.Errorf("the hub gave a certificate of another name than %s", name)
	}
	got, err := keyHash(leaf.PublicKey)
	if err != nil {
		return err
	}
	want, err := keyHash(key.Public())
	if err != nil {
		return err
	}
	if string(got) != string(want) {
		return errors.New("the hub gave a certificate for another key")
	}
	return nil
}
