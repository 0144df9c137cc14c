package dnssd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listInterfaces asks the kernel for all interfaces and their addresses.
func listInterfaces() ([]netif, error) {
	links, err := dump(unix.RTM_GETLINK)
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	var out []netif
	at := map[int]int{}
	for i := range links {
		if n, ok := linkOf(&links[i]); ok && len(out) < maxInterfaces {
			at[n.index] = len(out)
			out = append(out, n)
		}
	}
	addrs, err := dump(unix.RTM_GETADDR)
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	for i := range addrs {
		index, a, ok := addrOf(&addrs[i])
		if !ok {
			continue
		}
		if j, ok := at[index]; ok && len(out[j].addrs) < 4*maxAddresses {
			out[j].addrs = append(out[j].addrs, a)
		}
	}
	return out, nil
}

// maxInterfaces is how many are looked at. A machine with many containers has hundreds.
const maxInterfaces = 4096

// native is the order of bytes in which the kernel speaks.
var native = binary.NativeEndian

func dump(kind int) ([]syscall.NetlinkMessage, error) {
	b, err := syscall.NetlinkRIB(kind, unix.AF_UNSPEC)
	if err != nil {
		return nil, os.NewSyscallError("netlink", err)
	}
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil, os.NewSyscallError("netlink", err)
	}
	return msgs, nil
}

// linkOf reads a message about an interface (struct ifinfomsg).
func linkOf(m *syscall.NetlinkMessage) (netif, bool) {
	if m.Header.Type != unix.RTM_NEWLINK && m.Header.Type != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
		return netif{}, false
	}
	if m.Data[0] != unix.AF_UNSPEC {
		return netif{}, false // a bridge on its ports
	}
	flags := native.Uint32(m.Data[8:])
	n := netif{
		index:     int(int32(native.Uint32(m.Data[4:]))),
		running:   m.Header.Type == unix.RTM_NEWLINK && flags&unix.IFF_UP != 0 && flags&unix.IFF_RUNNING != 0,
		multicast: flags&unix.IFF_MULTICAST != 0,
		loopback:  flags&unix.IFF_LOOPBACK != 0,
		peer:      flags&unix.IFF_POINTOPOINT != 0,
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return n, true
	}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFLA_IFNAME:
			n.name = unix.ByteSliceToString(a.Value)
		case unix.IFLA_MASTER:
			n.member = true
		}
	}
	return n, true
}

// addrOf reads a message about an address (struct ifaddrmsg).
func addrOf(m *syscall.NetlinkMessage) (int, ifaddr, bool) {
	if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
		return 0, ifaddr{}, false
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return 0, ifaddr{}, false
	}
	bits, flags := int(m.Data[1]), uint32(m.Data[2])
	index := int(native.Uint32(m.Data[4:]))
	var remote, own netip.Addr
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFA_ADDRESS: // of the peer, where there is one
			remote, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_LOCAL:
			own, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_FLAGS:
			if len(a.Value) >= 4 {
				flags = native.Uint32(a.Value)
			}
		}
	}
	if !own.IsValid() {
		own = remote
	}
	if !own.IsValid() {
		return 0, ifaddr{}, false
	}
	a := ifaddr{
		prefix:    netip.PrefixFrom(own, bits),
		fleeting:  own.Is6() && flags&unix.IFA_F_TEMPORARY != 0,
		forgoing:  flags&unix.IFA_F_DEPRECATED != 0,
		tentative: flags&unix.IFA_F_DADFAILED != 0 || flags&unix.IFA_F_TENTATIVE != 0 && flags&unix.IFA_F_OPTIMISTIC == 0,
	}
	return index, a, true
}

// A monitor hears of changes to links and addresses.
type monitor struct{ f *os.File }

func newMonitor() (*monitor, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open the watch on interfaces: %w", os.NewSyscallError("socket", err))
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open the watch on interfaces: %w", os.NewSyscallError("bind", err))
	}
	return &monitor{os.NewFile(uintptr(fd), "netlink")}, nil
}

func (m *monitor) close() error { return m.f.Close() }

// wait blocks until something changed, then for settle, as changes come in crowds. It gives the interfaces that were
// down or gone in between. It ends with an error when the monitor is closed or ctx is done.
func (m *monitor) wait(ctx context.Context, settle time.Duration) (map[int]bool, error) {
	down := map[int]bool{}
	var until time.Time
	buf := make([]byte, 64<<10)
	for {
		if err := m.f.SetReadDeadline(until); err != nil {
			return nil, err
		}
		n, err := m.f.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return down, nil
		case errors.Is(err, unix.ENOBUFS):
			// The kernel had more to tell than it could keep: the whole state is read in any case.
		case err != nil:
			return nil, fmt.Errorf("watch the interfaces: %w", err)
		default:
			noteDown(down, buf[:n])
		}
		if until.IsZero() {
			until = time.Now().Add(settle)
		}
	}
}

// noteDown enters the interfaces of which messages say that they do not work.
func noteDown(down map[int]bool, b []byte) {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return
	}
	for i := range msgs {
		if n, ok := linkOf(&msgs[i]); ok && !n.running && len(down) < maxInterfaces {
			down[n.index] = true
		}
	}
}
