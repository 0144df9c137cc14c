package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/grandcat/zeroconf"
)

// maxSightings bounds what a browser remembers of one network.
const maxSightings = 512

// Browse asks for the instances of a service type, over IPv4 and IPv6 apart, on all interfaces that carry multicast, and
// listens until ctx ends. The browser shares no code with the responder of this program.
//
// It takes an answer only if the record with the address comes along (RFC 6763 clause 12.1), and of a name the first
// answer over each family: of two machines that have the same name at the same moment it shows one.
func Browse(ctx context.Context, service string) Sightings {
	var s Sightings
	var mu sync.Mutex
	var wg sync.WaitGroup
	look := func(traffic zeroconf.IPType, family string, failed *error) {
		wg.Go(func() {
			*failed = browse(ctx, service, traffic, func(e *zeroconf.ServiceEntry, after time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				if len(s.Found) < maxSightings {
					s.Found = append(s.Found, sighting(e, family, after))
				}
			})
		})
	}
	look(zeroconf.IPv4, "IPv4", &s.IPv4)
	look(zeroconf.IPv6, "IPv6", &s.IPv6)
	wg.Wait()
	return s
}

func browse(ctx context.Context, service string, traffic zeroconf.IPType, seen func(*zeroconf.ServiceEntry, time.Duration)) error {
	r, err := zeroconf.NewResolver(zeroconf.SelectIPTraffic(traffic))
	if err != nil {
		var op *net.OpError
		if !errors.As(err, &op) { // it lists all interfaces in Go's own words
			return errors.New("no interface with such an address carries multicast")
		}
		return err
	}
	entries := make(chan *zeroconf.ServiceEntry)
	start := time.Now()
	if err := r.Browse(ctx, service, "local.", entries); err != nil {
		return err
	}
	for e := range entries { // the browser closes it when ctx ends
		seen(e, time.Since(start))
	}
	return nil
}

func sighting(e *zeroconf.ServiceEntry, family string, after time.Duration) Sighting {
	s := Sighting{Instance: unescape(e.Instance), Host: e.HostName, Port: e.Port, Family: family, After: after}
	for _, t := range e.Text {
		s.TXT = append(s.TXT, unescape(t))
	}
	for _, list := range [][]net.IP{e.AddrIPv4, e.AddrIPv6} {
		for _, ip := range list {
			if a, ok := netip.AddrFromSlice(ip); ok {
				s.Addrs = append(s.Addrs, a.Unmap())
			}
		}
	}
	return s
}

// unescape undoes the escapes that a name or text has in a zone file: \X, and \DDD for a byte (RFC 1035 clause 5.1). The
// library hands both on as they stand there.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if n, ok := byteOf(s[i+1:]); ok {
			out = append(out, n)
			i += 3
		} else if i+1 < len(s) {
			i++
			out = append(out, s[i])
		}
	}
	return string(out)
}

// byteOf reads three digits of a byte.
func byteOf(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, d := range []byte(s[:3]) {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	return byte(n), n < 256
}
