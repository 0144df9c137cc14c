package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"twinbridge/edge/doctor"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/store"
	"twinbridge/pairing/enroll"
)

// health asks the node how it is, and the kernel which process that is.
func (d *patient) health(ctx context.Context) (doctor.Health, error) {
	pid, err := listening(ctx, d.sock)
	if err != nil {
		return doctor.Health{}, err
	}
	c := deviceapi.NewSocketClient(d.sock)
	defer c.Close()
	h, err := c.Health(ctx)
	if err != nil {
		return doctor.Health{}, err
	}
	out := doctor.Health{Node: h.Node, Version: h.Version, Uptime: h.Uptime, Trouble: h.Trouble, Hub: h.Hub, PID: pid}
	if h.Devices != nil && h.Online != nil {
		out.Devices, out.Online = *h.Devices, *h.Online
	}
	return out, nil
}

// listening gives the process behind a unix socket, ErrNotRunning if nobody listens there.
func listening(ctx context.Context, socket string) (int, error) {
	if _, err := os.Lstat(socket); errors.Is(err, os.ErrPermission) {
		return 0, err
	}
	c, err := doctor.SystemDial(ctx, "unix", socket)
	if errors.Is(err, os.ErrPermission) || err != nil && ctx.Err() != nil {
		return 0, err
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", doctor.ErrNotRunning, err)
	}
	return doctor.PeerPID(c), c.Close()
}

// lastWritten gives the time of the last decision on disk, by the clock of then.
func (d *patient) lastWritten() time.Time {
	info, err := doctor.Stat(filepath.Join(d.o.Data, storeName))
	if err != nil {
		return time.Time{}
	}
	return info.Modified
}

// checkStoreFile reads a store without opening it.
func checkStoreFile(path string) error {
	_, err := store.Peek(path, membershipBucket)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: %w", doctor.ErrInUse, err)
	}
	return err
}

// broker tells how the node speaks to its broker.
func (d *patient) broker() doctor.Broker {
	m := d.o.Config.ForMapper()
	b := doctor.Broker{URL: m.Broker, Own: d.o.Config.MQTT.Broker == "", User: m.User, Password: m.Password, Dial: doctor.SystemDial, Now: time.Now}
	if b.Own {
		if _, port, err := net.SplitHostPort(d.o.Config.MQTT.Listen); err != nil || port == "0" {
			b.URL = ""
		} else {
			b.URL = d.o.Config.MQTT.scheme() + reachable(d.o.Config.MQTT.Listen)
		}
	}
	b.TLS, b.Err = m.tls()
	return b
}

// certificates lists those that the node shows.
func (d *patient) certificates() []doctor.Certificate {
	list := []doctor.Certificate{{Name: "membership of the hub", Read: d.memberCertificate, Cure: "start the node while its hub is reached: it renews; after 30 days without, join again with a new token"}}
	m := &d.o.Config.MQTT
	for _, c := range []struct{ key, path string }{{"mqtt.certificate", m.Certificate}, {"mqtt.ca", m.CA}} {
		if c.path == "" {
			continue
		}
		list = append(list, doctor.Certificate{Name: c.key, Cure: "put a new one at " + c.path + ", and start the node again", Read: func() ([]*x509.Certificate, error) {
			text, err := readPEM(c.key, c.path)
			if err != nil {
				return nil, err
			}
			return parsePEM(c.path, text)
		}})
	}
	return list
}

// parsePEM reads the certificates of a file.
func parsePEM(path string, text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("read %s: no certificate (PEM) in it", path)
	}
	return list, nil
}

// member gives the addresses of the hub, and how TLS is spoken with it. While the node runs its store is its own, and the
// addresses are those that it names in its trouble, or that the configuration does.
func (d *patient) member(ctx context.Context) ([]string, *tls.Config, error) {
	if h, err := d.node.Health(ctx); err == nil {
		if len(d.o.Hubs) > 0 {
			return d.o.Hubs, nil, nil
		}
		return hubInWords(h.Hub), nil, nil
	}
	m, err := d.membership()
	if m == nil || err != nil {
		return nil, nil, err
	}
	if len(d.o.Hubs) > 0 {
		return d.o.Hubs, m.TLS(), nil
	}
	return m.Hubs(), m.TLS(), nil
}

// membership reads the membership of a node that does not run; nil if it has joined no hub.
func (d *patient) membership() (*enroll.Member, error) {
	records, err := store.Peek(filepath.Join(d.o.Data, storeName), membershipBucket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("%w: %w", doctor.ErrInUse, err)
	case err != nil:
		return nil, err
	}
	m, err := enroll.OpenMember(peeked(records), enroll.MemberConfig{Built: d.o.Built})
	if errors.Is(err, enroll.ErrNotJoined) {
		return nil, nil
	}
	return m, err
}

// memberCertificate gives the certificate that the node shows to its hub.
func (d *patient) memberCertificate() ([]*x509.Certificate, error) {
	m, err := d.membership()
	if m == nil || err != nil {
		return nil, err
	}
	cert, err := m.TLS().GetClientCertificate(nil)
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{cert.Leaf}, nil
}

// hubInWords finds the address in what the link says when it cannot reach its hub.
func hubInWords(state string) []string {
	_, rest, ok := strings.Cut(state, "connect to hub ")
	if !ok {
		return nil
	}
	address, _, _ := strings.Cut(rest, ": ")
	return []string{address}
}

// peeked is a membership that can be read only.
type peeked []store.Record

// Get implements [enroll.Store].
func (k peeked) Get(key string) ([]byte, bool, error) {
	for _, r := range k {
		if r.Key == key {
			return r.Data, true, nil
		}
	}
	return nil, false, nil
}

// List implements [enroll.Store].
func (k peeked) List(prefix string) (out []enroll.Record, err error) {
	for _, r := range k {
		if strings.HasPrefix(r.Key, prefix) {
			out = append(out, enroll.Record(r))
		}
	}
	return out, nil
}

// Commit implements [enroll.Store]: it refuses.
func (peeked) Commit(...enroll.Change) error { return errors.ErrUnsupported }
