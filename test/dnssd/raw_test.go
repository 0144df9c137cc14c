package dnssd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"twinbridge/test/world"
)

// A listener is a socket in a namespace that sees packets as they are.
type listener struct {
	t    testing.TB
	p    *ipv4.PacketConn
	mu   sync.Mutex
	seen []sight
}

// A sight is a packet that was seen.
type sight struct {
	msg     dns.Msg
	src     netip.AddrPort
	ttl     int
	unicast bool
	size    int
}

// has reports whether an answer of a type has the text in it.
func (s *sight) has(text, rtype string) bool {
	for _, r := range s.msg.Answer {
		if dns.TypeToString[r.Header().Rrtype] == rtype && strings.Contains(strings.ToLower(r.String()), text) {
			return true
		}
	}
	return false
}

// listen opens port 5353 there, in the group; with another port it is a simple resolver's.
func (n *network) listen(ns, ifname string) *listener { return n.open(ns, ifname, 5353) }

func (n *network) open(ns, ifname string, port int) *listener {
	n.t.Helper()
	type opened struct {
		c   *ipv4.PacketConn
		err error
	}
	done := make(chan opened)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine, so that nobody else gets it as it is
		c, err := openThere(filepath.Join("/run/netns", ns), ifname, port)
		done <- opened{c, err}
	}()
	got := <-done
	if got.err != nil {
		n.t.Fatal(got.err)
	}
	l := &listener{t: n.t, p: got.c}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.read()
	}()
	n.t.Cleanup(func() { l.p.Close(); <-ended })
	return l
}

func openThere(path, ifname string, port int) (*ipv4.PacketConn, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
	}}
	pc, err := lc.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(pc)
	ifi, err := net.InterfaceByName(ifname)
	if err != nil {
		return nil, err
	}
	if port == 5353 {
		if err := p.JoinGroup(ifi, &net.UDPAddr{IP: group.IP}); err != nil {
			return nil, err
		}
	}
	if err := p.SetMulticastInterface(ifi); err != nil {
		return nil, err
	}
	if err := p.SetMulticastLoopback(false); err != nil {
		return nil, err
	}
	return p, p.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true)
}

var group = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}

func (l *listener) read() {
	b := make([]byte, 9000)
	for {
		n, cm, src, err := l.p.ReadFrom(b)
		if err != nil {
			return
		}
		s := sight{src: src.(*net.UDPAddr).AddrPort(), ttl: cm.TTL, unicast: !cm.Dst.IsMulticast(), size: n}
		if err := s.msg.Unpack(b[:n]); err != nil {
			l.t.Errorf("a packet that does not unpack: %v", err)
			continue
		}
		l.mu.Lock()
		l.seen = append(l.seen, s)
		l.mu.Unlock()
	}
}

func (l *listener) forget() {
	l.mu.Lock()
	l.seen = nil
	l.mu.Unlock()
}

// await waits for a packet, and forgets those up to it.
func (l *listener) await(what string, ok func(sight) bool) sight {
	l.t.Helper()
	var found sight
	world.Eventually(l.t, 10*time.Second, func() (bool, string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, s := range l.seen {
			if ok(s) {
				found, l.seen = s, l.seen[i+1:]
				return true, ""
			}
		}
		return false, "no sight of " + what
	})
	return found
}

// silent waits a while for a packet that must not come.
func (l *listener) silent(what string, bad func(sight) bool) {
	l.t.Helper()
	<-time.After(700 * time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.seen {
		if bad(s) {
			l.t.Errorf("%s: %v", what, s.msg.String())
		}
	}
	l.seen = nil
}

func (l *listener) say(m *dns.Msg, to net.Addr) {
	l.t.Helper()
	b, err := m.Pack()
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.p.WriteTo(b, nil, to); err != nil {
		l.t.Fatal(err)
	}
}

func ask(name string, rtype, class uint16) *dns.Msg {
	return &dns.Msg{Question: []dns.Question{{Name: name, Qtype: rtype, Qclass: class}}}
}

// TestDetails: the single questions of a client by hand.
func TestDetails(t *testing.T) {
	const wantsUnicast = dns.ClassINET | 1<<15
	n := newNetwork(t)
	l, legacy := n.listen(n.far, cable), n.open(n.far, cable, 0)
	p := n.start(n.here, "node")
	p.do(order{Do: "register", S: lamp()})
	first := l.await("a probe", func(s sight) bool { return !s.msg.Response && len(s.msg.Ns) > 0 })
	if first.ttl != 255 || first.src.Port() != 5353 {
		t.Errorf("TTL %d from %v", first.ttl, first.src)
	}
	for range 2 {
		s := l.await("an announcement", func(s sight) bool { return s.has("lampe", "SRV") })
		if s.ttl != 255 || !s.msg.Authoritative || s.msg.Id != 0 {
			t.Errorf("announced with TTL %d, %v", s.ttl, s.msg.MsgHdr)
		}
	}
	<-time.After(1100 * time.Millisecond) // so that nothing has been multicast within the last second
	l.forget()

	t.Run("subtype", func(t *testing.T) {
		l.say(ask("_L840._sub._hap._tcp.local.", dns.TypePTR, dns.ClassINET), group)
		s := l.await("the subtype", func(s sight) bool { return s.has("_l840._sub", "PTR") })
		if len(s.msg.Extra) < 4 || s.unicast {
			t.Errorf("answered %v", s.msg.String())
		}
	})
	t.Run("no such type", func(t *testing.T) {
		l.say(ask("node.local.", dns.TypeTXT, wantsUnicast), group)
		s := l.await("the types of the host", func(s sight) bool { return s.has("node.local.", "NSEC") && s.unicast })
		if got := s.msg.Answer[0].(*dns.NSEC).TypeBitMap; len(got) != 2 || got[0] != dns.TypeA || got[1] != dns.TypeAAAA {
			t.Errorf("types %v", got)
		}
	})
	t.Run("known", func(t *testing.T) {
		<-time.After(1100 * time.Millisecond)
		l.forget()
		m := ask("_hap._tcp.local.", dns.TypePTR, dns.ClassINET)
		m.Answer = []dns.RR{&dns.PTR{
			Hdr: dns.RR_Header{Name: "_hap._tcp.local.", Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 4400},
			Ptr: `K\195\188che\,\ Lampe\ 1\.2._hap._tcp.local.`,
		}}
		l.say(m, group)
		l.silent("what was known is answered", func(s sight) bool { return s.has("lampe", "PTR") })
	})
	t.Run("legacy", func(t *testing.T) {
		m := ask("_hap._tcp.local.", dns.TypePTR, dns.ClassINET)
		m.Id = 4711
		legacy.say(m, group)
		s := legacy.await("an answer to a simple resolver", func(s sight) bool { return s.has("lampe", "PTR") })
		if s.msg.Id != 4711 || len(s.msg.Question) != 1 || s.msg.Answer[0].Header().Ttl > 10 || !s.unicast {
			t.Errorf("answered %v", s.msg.String())
		}
	})
	t.Run("by unicast", func(t *testing.T) {
		l.forget()
		l.say(ask("node.local.", dns.TypeA, dns.ClassINET), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5353})
		s := l.await("an answer by unicast", func(s sight) bool { return s.has("192.0.2.1", "A") && s.unicast })
		if s.src.Addr() != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("answered from %v", s.src)
		}
	})
	t.Run("goodbye", func(t *testing.T) {
		l.forget()
		p.end()
		s := l.await("a goodbye", func(s sight) bool { return s.has("lampe", "PTR") && s.msg.Answer[0].Header().Ttl == 0 })
		for _, r := range s.msg.Answer {
			if r.Header().Rrtype == dns.TypeA || r.Header().Rrtype == dns.TypeAAAA || strings.HasPrefix(r.Header().Name, "_services") {
				t.Errorf("taken back: %v", r)
			}
		}
	})
}
