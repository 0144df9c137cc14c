package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Dial opens a connection; that of [net.Dialer] is one.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Handshake speaks TLS on a connection.
func Handshake(ctx context.Context, c net.Conn, cfg *tls.Config) (*tls.Conn, error) {
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// unreachable says what an error of a connection attempt probably means.
func unreachable(err error, what string) []string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return []string{
			"the name cannot be resolved: check how it is spelt, and the name server (getent hosts NAME)",
			"names that end in .local need libnss-mdns on this machine; an IP address needs nothing",
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		return []string{
			"the machine is there, and nobody listens on that port: start " + what + ", or correct the port",
			what + " may listen on its own machine only (127.0.0.1): let it listen on its network address",
		}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return []string{"there is no way to that address: is the cable in, the Wi-Fi joined, the address still the right one?"}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return []string{
			"nothing comes back: a firewall in between or there drops it, or the machine is off",
			"is the address still the right one? It changes with DHCP unless it is reserved",
		}
	}
	return []string{"is " + what + " up, and its address right?"}
}

// tlsTrouble says what an error of a TLS handshake probably means. trust is how one names who is to be trusted.
func tlsTrouble(err error, now time.Time, trust string) []string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		text := fmt.Sprintf("its certificate is good from %s to %s, and this machine's clock says %s: ",
			day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter), now.UTC().Format("2006-01-02 15:04"))
		if now.Before(invalid.Cert.NotBefore) {
			return []string{text + "set the clock (see the check clock)"}
		}
		return []string{text + "renew the certificate there, unless the clock is wrong"}
	case errors.As(err, &unknown):
		return []string{"nobody who is trusted vouches for it: " + trust}
	case errors.As(err, &name):
		return []string{"the certificate is for another name: connect by a name that stands in it, or make one with this name"}
	case errors.As(err, &record):
		return []string{"that port does not speak TLS: correct the port, or the scheme of the address"}
	case alerted(err):
		return []string{notLiked}
	}
	return []string{"TLS does not come about; the other side's log may say more"}
}

const notLiked = "the other side ended TLS: it does not like the certificate that this side shows, or asks for one"

// alerted reports whether the other side ended a connection in TLS itself. With TLS 1.3 a certificate that it does not
// like shows only after the handshake.
func alerted(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" // so crypto/tls names it
}

// peerCertificate gives the certificate that the other side showed, from a handshake that failed.
func peerCertificate(err error) *x509.Certificate {
	var failed *tls.CertificateVerificationError
	if errors.As(err, &failed) && len(failed.UnverifiedCertificates) > 0 {
		return failed.UnverifiedCertificates[0]
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
