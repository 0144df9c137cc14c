//go:build !linux

package dnssd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// listInterfaces asks the system for all interfaces and their addresses.
func listInterfaces() ([]netif, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	var out []netif
	for _, i := range list {
		n := netif{
			index: i.Index, name: i.Name,
			running:   i.Flags&net.FlagUp != 0 && i.Flags&net.FlagRunning != 0,
			multicast: i.Flags&net.FlagMulticast != 0,
			loopback:  i.Flags&net.FlagLoopback != 0,
			peer:      i.Flags&net.FlagPointToPoint != 0,
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has gone in the meantime
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && len(n.addrs) < 4*maxAddresses {
				n.addrs = append(n.addrs, ifaddr{prefix: p})
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// A monitor looks again every few seconds: nothing tells it of changes.
type monitor struct{ closed chan struct{} }

func newMonitor() (*monitor, error) { return &monitor{make(chan struct{})}, nil }

func (m *monitor) close() error {
	close(m.closed)
	return nil
}

// wait blocks for a few seconds. It ends with an error when the monitor is closed or ctx is done.
func (m *monitor) wait(ctx context.Context, _ time.Duration) (map[int]bool, error) {
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.closed:
		return nil, net.ErrClosed
	case <-t.C:
		return nil, nil
	}
}
