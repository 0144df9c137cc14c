package doctor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// Interfaces lists the network interfaces of this machine.
func Interfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	list := make([]Interface, 0, len(all))
	for _, i := range all {
		one := Interface{
			Name: i.Name, Up: i.Flags&net.FlagUp != 0, Carrier: i.Flags&net.FlagRunning != 0, Multicast: i.Flags&net.FlagMulticast != 0,
			Loopback: i.Flags&net.FlagLoopback != 0, PointToPoint: i.Flags&net.FlagPointToPoint != 0, IPv6Off: ipv6Off(i.Name),
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if p, ok := prefix(n); ok {
					one.Addrs = append(one.Addrs, p)
				}
			}
		}
		list = append(list, one)
	}
	return list, nil
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), ones), ok
}

// Addresses lists the addresses of this machine.
func Addresses() ([]netip.Addr, error) {
	all, err := Interfaces()
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, i := range all {
		for _, p := range i.Addrs {
			list = append(list, p.Addr())
		}
	}
	return list, nil
}

// Resolve gives the addresses of a host name.
func Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// listed is a line of /proc/net/tcp or udp: a socket that listens, and its inode.
type listed struct {
	addr  netip.AddrPort
	inode uint64
}

// States of a socket in /proc/net, include/net/tcp_states.h.
const (
	stateListen = 0x0A // of TCP
	stateClosed = 0x07 // of UDP: bound, with no peer
)

// maxListed bounds the sockets that are looked at.
const maxListed = 10_000

// parseSockets reads /proc/net/tcp, tcp6, udp or udp6 as far as it goes, and keeps the sockets in one state. Lines that
// are something else are passed over: a kernel may add to them.
func parseSockets(text []byte, state uint64) []listed {
	var list []listed
	s := bufio.NewScanner(bytes.NewReader(text))
	for s.Scan() && len(list) < maxListed {
		words := bytes.Fields(s.Bytes())
		if len(words) < 10 {
			continue
		}
		st, err := strconv.ParseUint(string(words[3]), 16, 8)
		inode, ierr := strconv.ParseUint(string(words[9]), 10, 64)
		addr, aerr := parseAddr(words[1])
		if err == nil && ierr == nil && aerr == nil && st == state {
			list = append(list, listed{addr, inode})
		}
	}
	return list
}

var errAddr = errors.New("no address of /proc/net")

// parseAddr reads an address as "0100007F:075B": words of 32 bits in this machine's order, then the port.
func parseAddr(b []byte) (netip.AddrPort, error) {
	host, port, ok := bytes.Cut(b, []byte(":"))
	if !ok || len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, errAddr
	}
	raw := make([]byte, len(host)/2)
	if _, err := hex.Decode(raw, host); err != nil {
		return netip.AddrPort{}, errAddr
	}
	p, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return netip.AddrPort{}, errAddr
	}
	if littleEndian {
		for word := range slices.Chunk(raw, 4) {
			slices.Reverse(word)
		}
	}
	a, _ := netip.AddrFromSlice(raw) // of 4 or 16 bytes
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
