package dnssd

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A wire joins engines under a clock of its own. What one sends comes to all others on the same cable, and back to
// itself, as a multicast socket with loopback does.
type wire struct {
	t     testing.TB
	now   time.Time
	nodes []*node
	sent  []sighting
	deaf  func(from, to *node) bool // packets that get lost
}

// A node is an engine with an address per link.
type node struct {
	*engine
	name  string
	addrs map[linkKey]netip.Addr
	cable map[linkKey]int
}

// A sighting is a packet that was sent.
type sighting struct {
	at   time.Duration // since the beginning
	node *node
	packet
}

func newWire(t testing.TB) *wire { return &wire{t: t, now: epoch} }

// fixed takes the middle of each range, so that times are known.
func fixed(least, most time.Duration) time.Duration { return (least + most) / 2 }

// add makes an engine with a link for each address, on cables 0, 0, ... unless cable says otherwise.
func (w *wire) add(host string, addrs ...string) *node {
	n := &node{engine: newEngine(host, fixed), name: host, addrs: map[linkKey]netip.Addr{}, cable: map[linkKey]int{}}
	for i, a := range addrs {
		n.addrs[linkKey{i + 1, ipv4}] = netip.MustParseAddr(a)
	}
	w.nodes = append(w.nodes, n)
	return n
}

// up gives the node its links.
func (w *wire) up(n *node) {
	n.setLinks(w.now, n.infos(), nil)
}

func (n *node) infos() []linkInfo {
	var out []linkInfo
	for k, a := range n.addrs {
		out = append(out, linkInfo{key: k, name: "eth", addrs: []netip.Addr{a}, prefixes: []netip.Prefix{netip.PrefixFrom(a, 24).Masked()}})
	}
	return out
}

func (w *wire) register(n *node, s Service) *claim {
	w.t.Helper()
	if err := s.check(); err != nil {
		w.t.Fatal(err)
	}
	c, err := n.add(w.now, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// run lets time pass.
func (w *wire) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 100_000 {
			w.t.Fatal("the engines find no rest")
		}
		w.deliver()
		next := end
		for _, n := range w.nodes {
			if at, ok := n.next(); ok && at.Before(next) {
				next = at
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		for _, n := range w.nodes {
			n.tick(w.now)
		}
		if !w.now.Before(end) {
			if !w.deliver() {
				return
			}
		}
	}
}

// deliver brings what is queued to where it belongs, and reports whether there was anything.
func (w *wire) deliver() bool {
	any := false
	for _, n := range w.nodes {
		for _, p := range n.take() {
			any = true
			w.sent = append(w.sent, sighting{w.now.Sub(epoch), n, p})
			w.carry(n, p)
		}
	}
	return any
}

func (w *wire) carry(n *node, p packet) {
	src := netip.AddrPortFrom(n.addrs[p.link], mdnsPort)
	for _, to := range w.nodes {
		for k, a := range to.addrs {
			if to.cable[k] != n.cable[p.link] || w.deaf != nil && w.deaf(n, to) {
				continue
			}
			switch {
			case !p.to.IsValid():
				to.hear(w.now, k, sender{src: src, dst: group4}, p.data)
			case p.to.Addr() == a:
				to.hear(w.now, k, sender{src: src, dst: a, unicast: true}, p.data)
			}
		}
	}
}

// hear does what reader and loop do with a packet.
func (n *node) hear(now time.Time, k linkKey, from sender, data []byte) verdict {
	var w walker
	v := n.names.sift(&w, data, from.src.Port())
	if v == ours {
		n.receive(now, k, from, data)
	}
	return v
}

// since gives what was sent after the mark, and unpacks it.
func (w *wire) since(mark int) []seen {
	w.t.Helper()
	var out []seen
	for _, s := range w.sent[mark:] {
		var m dns.Msg
		if err := m.Unpack(s.data); err != nil {
			w.t.Fatalf("a packet that does not unpack: %v", err)
		}
		if len(s.data) > packetLimit {
			w.t.Errorf("a packet of %d bytes", len(s.data))
		}
		out = append(out, seen{s, m})
	}
	return out
}

type seen struct {
	sighting
	msg dns.Msg
}

// kinds names the records of a section: type, first label, and TTL where it is 0.
func kinds(rrs []dns.RR) []string {
	var out []string
	for _, rr := range rrs {
		s := dns.TypeToString[rr.Header().Rrtype]
		if rr.Header().Ttl == 0 {
			s += "-"
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// A querier asks one node by hand.
type querier struct {
	w    *wire
	n    *node
	link linkKey
	src  netip.AddrPort
}

func (w *wire) querier(n *node) *querier {
	return &querier{w, n, linkKey{1, ipv4}, netip.MustParseAddrPort("10.0.0.99:5353")}
}

// say sends a message to the node by multicast.
func (q *querier) say(m *dns.Msg) verdict {
	q.w.t.Helper()
	b, err := m.Pack()
	if err != nil {
		q.w.t.Fatal(err)
	}
	return q.n.hear(q.w.now, q.link, sender{src: q.src, dst: group4}, b)
}

func ask(name string, rtype uint16, unicast bool) *dns.Msg {
	m := &dns.Msg{Question: []dns.Question{{Name: name, Qtype: rtype, Qclass: dns.ClassINET}}}
	if unicast {
		m.Question[0].Qclass |= cacheFlush
	}
	return m
}

// tell makes a response with these records.
func tell(t testing.TB, lines ...string) *dns.Msg {
	t.Helper()
	m := &dns.Msg{}
	m.Response, m.Authoritative = true, true
	for _, l := range lines {
		m.Answer = append(m.Answer, rr(t, l))
	}
	return m
}

func rr(t testing.TB, line string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(line)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lamp is a service for tests.
func lamp() Service {
	return Service{Instance: "Küche 1", Type: "_hap._tcp", Subtypes: []string{"_L840"}, Port: 51827, TXT: []string{"c#=1", "sf=1"}}
}

// settledLamp is a node with a service that has been announced long ago.
func settledLamp(t testing.TB) (*wire, *node, *claim) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	c := w.register(n, lamp())
	w.up(n)
	w.run(time.Hour)
	return w, n, c
}
