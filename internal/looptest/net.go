package looptest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	rnd "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"twinbridge/cloud/cloudhub"
	"twinbridge/internal/linetest"
)

// network is what lies between the nodes and the hub.
type network struct {
	seed uint64
	ca   *x509.CertPool
	cert tls.Certificate

	mu       sync.Mutex
	dials    uint64
	listener *linetest.Listener // nil: the hub is down
	off      map[string]bool    // nodes that reach nothing
	lines    map[string][]*linetest.Line
	calm     bool // healed: new lines are good
}

// named is the hub's end of a line from a node. Who it is comes with the line here, as it does with a certificate.
type named struct {
	net.Conn
	node string
}

func newNetwork(seed uint64) (*network, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hub"}, DNSNames: []string{"hub"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1e5 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	n := &network{
		seed: seed, ca: x509.NewCertPool(), cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		off: map[string]bool{}, lines: map[string][]*linetest.Line{},
	}
	n.ca.AddCert(cert)
	return n, nil
}

// dial opens a line from a node to the hub.
func (n *network) dial(ctx context.Context, node string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	rng := rnd.New(rnd.NewPCG(n.seed, n.dials))
	l, calm := n.listener, n.calm
	if l == nil || n.off[node] {
		n.mu.Unlock()
		return nil, syscall.ECONNREFUSED
	}
	base, rough := time.Duration(rng.IntN(30))*time.Millisecond, !calm && rng.IntN(4) == 0
	a, b, line := linetest.New(func() time.Duration {
		if rough && rng.IntN(10) == 0 {
			return time.Duration(rng.IntN(4000)) * time.Millisecond
		}
		return base
	})
	if rough && rng.IntN(2) == 0 {
		line.Rate(4 << 10)
	}
	n.lines[node] = append(n.lines[node], line)
	n.mu.Unlock()
	if err := l.Hand(ctx, named{b, node}); err != nil {
		line.Cut()
		return nil, err
	}
	return a, nil
}

// each calls do for the lines of a node, of all nodes if it is "".
func (n *network) each(node string, do func(*linetest.Line)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, lines := range n.lines {
		if node != "" && name != node {
			continue
		}
		kept := lines[:0]
		for _, l := range lines {
			if !l.Over() {
				do(l)
				kept = append(kept, l)
			}
		}
		n.lines[name] = kept
	}
}

func (n *network) set(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
}

// server makes the hub's HTTP server.
func (n *network) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: nil,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if t, ok := c.(*tls.Conn); ok {
				if who, ok := t.NetConn().(named); ok {
					return context.WithValue(ctx, key{}, who.node)
				}
			}
			return ctx
		},
	}
}

type key struct{}

// identify is cloudhub.Config.Identify.
func identify(r *http.Request) (cloudhub.Identity, error) {
	node, ok := r.Context().Value(key{}).(string)
	if !ok {
		return cloudhub.Identity{}, errors.New("nobody")
	}
	return cloudhub.Identity{Node: node, Expires: time.Now().Add(1e5 * time.Hour)}, nil
}
