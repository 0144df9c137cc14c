package dnssd

import "golang.org/x/sys/unix"

// ownGroups asks for packets to groups that this socket joined on that interface, and not to those that others joined.
// Older kernels do not know it for IPv6; packets from other interfaces are dropped later as well.
func ownGroups(fd int, network string) {
	if network == "udp6" {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
}
