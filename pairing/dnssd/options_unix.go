//go:build unix

package dnssd

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// shareOptions let other programs of the machine have port 5353 open beside us (RFC 6762 section 15.1).
func shareOptions(network string, _ string, c syscall.RawConn) error {
	var err error
	ctrl := c.Control(func(fd uintptr) {
		for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.SOL_SOCKET, unix.SO_REUSEPORT}} {
			if err = unix.SetsockoptInt(int(fd), o[0], o[1], 1); err != nil {
				err = fmt.Errorf("share the port: %w", err)
				return
			}
		}
		if network == "udp6" {
			if err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
				err = fmt.Errorf("keep to IPv6: %w", err)
				return
			}
		}
		ownGroups(int(fd), network)
	})
	if ctrl != nil {
		return ctrl
	}
	return err
}
