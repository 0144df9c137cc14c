package dnssd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	ip4 "golang.org/x/net/ipv4"
	ip6 "golang.org/x/net/ipv6"
)

// The groups of multicast DNS (RFC 6762 section 3).
var (
	group4 = netip.MustParseAddr("224.0.0.251")
	group6 = netip.MustParseAddr("ff02::fb")
)

// A socket is the one of a family. It knows on which interface a packet came in, and sends on the one it is told.
type socket struct {
	family family
	udp    *net.UDPConn
	p4     *ip4.PacketConn
	p6     *ip6.PacketConn
}

// openSocket opens port 5353 of a family, beside others who have it open.
func openSocket(ctx context.Context, f family) (*socket, error) {
	network, addr := "udp4", "0.0.0.0:5353"
	if f == ipv6 {
		network, addr = "udp6", "[::]:5353"
	}
	lc := net.ListenConfig{Control: shareOptions}
	pc, err := lc.ListenPacket(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("open port 5353 for multicast DNS: %w", err)
	}
	s := &socket{family: f, udp: pc.(*net.UDPConn)}
	if err := s.options(); err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	return s, nil
}

// options sets the TTL that RFC 6762 section 11 asks for, and that others on the same machine hear us.
func (s *socket) options() error {
	var err error
	if s.family == ipv4 {
		s.p4 = ip4.NewPacketConn(s.udp)
		err = errors.Join(
			s.p4.SetControlMessage(ip4.FlagInterface|ip4.FlagDst, true), s.p4.SetMulticastTTL(255), s.p4.SetTTL(255),
			s.p4.SetMulticastLoopback(true),
		)
	} else {
		s.p6 = ip6.NewPacketConn(s.udp)
		err = errors.Join(
			s.p6.SetControlMessage(ip6.FlagInterface|ip6.FlagDst, true), s.p6.SetMulticastHopLimit(255), s.p6.SetHopLimit(255),
			s.p6.SetMulticastLoopback(true),
		)
	}
	if err != nil {
		return fmt.Errorf("set up the socket of IPv%d: %w", s.family, err)
	}
	return nil
}

func (s *socket) group() netip.Addr {
	if s.family == ipv4 {
		return group4
	}
	return group6
}

// join becomes a member of the group on an interface, leave ends that.
func (s *socket) join(index int) error {
	ifi, g := &net.Interface{Index: index}, &net.UDPAddr{IP: s.group().AsSlice()}
	if s.family == ipv4 {
		return s.p4.JoinGroup(ifi, g)
	}
	return s.p6.JoinGroup(ifi, g)
}

func (s *socket) leave(index int) error {
	ifi, g := &net.Interface{Index: index}, &net.UDPAddr{IP: s.group().AsSlice()}
	if s.family == ipv4 {
		return s.p4.LeaveGroup(ifi, g)
	}
	return s.p6.LeaveGroup(ifi, g)
}

// read gives the next packet, on which interface it came in, from whom and to which address.
func (s *socket) read(b, oob []byte) (n, index int, from sender, err error) {
	n, on, _, src, err := s.udp.ReadMsgUDPAddrPort(b, oob)
	if err != nil {
		return 0, 0, sender{}, err
	}
	from.src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
	var dst net.IP
	if s.family == ipv4 {
		var cm ip4.ControlMessage
		if err := cm.Parse(oob[:on]); err != nil {
			return n, 0, from, nil // of no interface that we know
		}
		index, dst = cm.IfIndex, cm.Dst
	} else {
		var cm ip6.ControlMessage
		if err := cm.Parse(oob[:on]); err != nil {
			return n, 0, from, nil
		}
		index, dst = cm.IfIndex, cm.Dst
	}
	if a, ok := netip.AddrFromSlice(dst); ok {
		from.dst = a.Unmap()
	}
	from.unicast = !from.dst.IsMulticast()
	return n, index, from, nil
}

// write sends a packet on its interface.
func (s *socket) write(p *packet) error {
	to := p.to
	if !to.IsValid() {
		to = netip.AddrPortFrom(s.group(), mdnsPort)
	}
	dst := &net.UDPAddr{IP: to.Addr().AsSlice(), Port: int(to.Port())}
	var err error
	if s.family == ipv4 {
		cm := &ip4.ControlMessage{IfIndex: p.link.index}
		if p.from.IsValid() {
			cm.Src = p.from.AsSlice()
		}
		_, err = s.p4.WriteTo(p.data, cm, dst)
	} else {
		cm := &ip6.ControlMessage{IfIndex: p.link.index}
		if p.from.IsValid() {
			cm.Src = p.from.AsSlice()
		}
		_, err = s.p6.WriteTo(p.data, cm, dst)
	}
	return err
}
