package dnssd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/miekg/dns"
)

func TestServiceFields(t *testing.T) {
	long := strings.Repeat("x", 64)
	tests := []struct {
		field  string // "": good
		change func(s *Service)
	}{
		{"", func(*Service) {}},
		{"", func(s *Service) { s.Instance = strings.Repeat("ü", 31) + "." }},
		{"", func(s *Service) { s.Type, s.Subtypes = "_matterc._udp", []string{"_L3840", "_CM", "_V65521", "_T256"} }},
		{"", func(s *Service) { s.TXT = []string{"flag", "empty=", "bin=\x00\xff"} }},
		{"Instance", func(s *Service) { s.Instance = "" }},
		{"Instance", func(s *Service) { s.Instance = long }},
		{"Instance", func(s *Service) { s.Instance = "a\nb" }},
		{"Instance", func(s *Service) { s.Instance = "a\xff" }},
		{"Type", func(s *Service) { s.Type = "" }},
		{"Type", func(s *Service) { s.Type = "_hap._tcp.local" }},
		{"Type", func(s *Service) { s.Type = "hap._tcp" }},
		{"Type", func(s *Service) { s.Type = "_hap._sctp" }},
		{"Type", func(s *Service) { s.Type = "_sixteen-letters-._tcp" }},
		{"Port", func(s *Service) { s.Port = 0 }},
		{"Subtypes", func(s *Service) { s.Subtypes = []string{"a.b"} }},
		{"Subtypes", func(s *Service) { s.Subtypes = []string{""} }},
		{"Subtypes", func(s *Service) { s.Subtypes = slices.Repeat([]string{"_a"}, 17) }},
		{"TXT", func(s *Service) { s.TXT = []string{"=x"} }},
		{"TXT", func(s *Service) { s.TXT = []string{""} }},
		{"TXT", func(s *Service) { s.TXT = []string{"ü=1"} }},
		{"TXT", func(s *Service) { s.TXT = []string{"k=" + strings.Repeat("x", 254)} }},
		{"TXT", func(s *Service) { s.TXT = slices.Repeat([]string{"k=" + strings.Repeat("x", 200)}, 7) }},
	}
	for _, tt := range tests {
		s := lamp()
		tt.change(&s)
		err := s.check()
		var fe *FieldError
		if tt.field == "" && err != nil || tt.field != "" && (!errors.As(err, &fe) || fe.Field != tt.field) {
			t.Errorf("%+v: %v, want an error about %q", s, err, tt.field)
		}
	}
}

func TestConfigFields(t *testing.T) {
	tests := []struct {
		field string
		c     Config
	}{
		{"", Config{}},
		{"", Config{Host: "Lamp-1", Interfaces: []string{"eth0"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}},
		{"Host", Config{Host: "a.local"}},
		{"Host", Config{Host: "-a"}},
		{"Interfaces", Config{Interfaces: []string{""}}},
		{"Addresses", Config{Addresses: []netip.Addr{{}}}},
		{"Addresses", Config{Addresses: []netip.Addr{netip.MustParseAddr("224.0.0.1")}}},
		{"Addresses", Config{Addresses: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}}},
		{"Addresses", Config{Addresses: make([]netip.Addr, 17)}},
	}
	for _, tt := range tests {
		_, err := New(tt.c)
		var fe *FieldError
		if tt.field == "" && err != nil || tt.field != "" && (!errors.As(err, &fe) || fe.Field != tt.field) {
			t.Errorf("%+v: %v, want an error about %q", tt.c, err, tt.field)
		}
	}
}

func TestNumbered(t *testing.T) {
	tests := []struct {
		base string
		n    int
		want string
	}{
		{"Lamp", 1, "Lamp"},
		{"Lamp", 2, "Lamp (2)"},
		{strings.Repeat("x", 63), 10, strings.Repeat("x", 58) + " (10)"},
		{strings.Repeat("ü", 31), 2, strings.Repeat("ü", 29) + " (2)"},
	}
	for _, tt := range tests {
		got := numbered(tt.base, tt.n)
		if got != tt.want || len(got) > maxLabel || !utf8.ValidString(got) {
			t.Errorf("numbered(%q, %d) = %q, want %q", tt.base, tt.n, got, tt.want)
		}
	}
	if got := numberedHost(strings.Repeat("x", 63), 12); len(got) != 63 || !strings.HasSuffix(got, "x-12") {
		t.Errorf("host %q", got)
	}
}

// TestNames: what goes into the codec comes out as the same labels, and compares equal to what it was made of.
func TestNames(t *testing.T) {
	for _, label := range []string{"a", "Küche 1", "a.b", `back\slash`, "q\"uo'te;@()$", strings.Repeat("z", 63), "\x01\xff"} {
		name := fqdn(label, "_hap", "_tcp", local)
		buf := make([]byte, 256)
		n, err := dns.PackDomainName(name, buf, 0, nil, false)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if want := string([]byte{byte(len(label))}) + label; string(buf[:len(want)]) != want {
			t.Errorf("%q packs to %q", label, buf[:n])
		}
		var out [256]byte
		m, after, err := readName(buf[:n], 0, &out)
		if err != nil || after != n || string(out[:m]) != keyOf(label, "_HAP", "_tcp", local) {
			t.Errorf("%q is read as %q, %d, %v", label, out[:m], after, err)
		}
	}
}

func TestHostFrom(t *testing.T) {
	tests := []struct{ name, want string }{
		{"raspberrypi", "raspberrypi-"},
		{"Pi.example.org", "pi-"},
		{"", "twinbridge-"},
		{"---", "twinbridge-"},
		{"küche", "k-che-"},
		{strings.Repeat("a", 63), strings.Repeat("a", 40) + "-"},
	}
	for _, tt := range tests {
		got := hostFrom(tt.name, []byte("one"))
		if !strings.HasPrefix(got, tt.want) || len(got) != len(tt.want)+6 || !hostLabel(got) {
			t.Errorf("hostFrom(%q) = %q", tt.name, got)
		}
		if got != hostFrom(tt.name, []byte("one")) || got == hostFrom(tt.name, []byte("two")) {
			t.Errorf("%q is not stable, or not of one machine alone", got)
		}
	}
	if got := machineHost(); !hostLabel(got) {
		t.Errorf("this machine is %q", got)
	}
}

func TestSelectLinks(t *testing.T) {
	p := netip.MustParsePrefix
	eth := netif{
		index: 2, name: "eth0", running: true, multicast: true,
		addrs: []ifaddr{
			{prefix: p("fe80::1/64")},
			{prefix: p("fd00::9/64"), fleeting: true},
			{prefix: p("fd00::2/64"), tentative: true},
			{prefix: p("fd00::1/64")},
			{prefix: p("10.0.0.1/24")},
			{prefix: p("fd00::3/64"), forgoing: true},
		},
	}
	with := func(change func(n *netif)) netif {
		n := eth
		change(&n)
		return n
	}
	lo := netif{index: 1, name: "lo", running: true, loopback: true, addrs: []ifaddr{{prefix: p("127.0.0.1/8")}, {prefix: p("::1/128")}}}
	tests := []struct {
		what string
		ifs  []netif
		want []string
		fams []family
	}{
		{"one", []netif{lo, eth}, nil, []family{ipv4, ipv6}},
		{"named", []netif{lo, eth}, []string{"lo"}, []family{ipv4, ipv6}},
		{"named and not there", []netif{lo, eth}, []string{"eth7"}, nil},
		{"down", []netif{with(func(n *netif) { n.running = false })}, nil, nil},
		{"no multicast", []netif{with(func(n *netif) { n.multicast = false })}, nil, nil},
		{"no multicast, named", []netif{with(func(n *netif) { n.multicast = false })}, []string{"eth0"}, nil},
		{"point to point", []netif{with(func(n *netif) { n.peer = true })}, nil, nil},
		{"point to point, named", []netif{with(func(n *netif) { n.peer = true })}, []string{"eth0"}, []family{ipv4, ipv6}},
		{"in a bridge", []netif{with(func(n *netif) { n.member = true })}, nil, nil},
		{"no address", []netif{with(func(n *netif) { n.addrs = nil })}, nil, nil},
		{"IPv4 only", []netif{with(func(n *netif) { n.addrs = n.addrs[4:5] })}, nil, []family{ipv4}},
		{"not proven yet", []netif{with(func(n *netif) { n.addrs = n.addrs[2:3] })}, nil, nil},
	}
	for _, tt := range tests {
		var fams []family
		for _, l := range selectLinks(tt.ifs, tt.want, nil) {
			fams = append(fams, l.key.family)
		}
		if !slices.Equal(fams, tt.fams) {
			t.Errorf("%s: %v, want %v", tt.what, fams, tt.fams)
		}
	}
	var got []string
	for _, a := range selectLinks([]netif{eth}, nil, nil)[0].addrs {
		got = append(got, a.String())
	}
	if want := []string{"fd00::1", "10.0.0.1", "fd00::9", "fd00::3", "fe80::1"}; !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
	mine := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	l := selectLinks([]netif{eth}, nil, mine)[0]
	if !slices.Equal(l.addrs, mine) || len(l.prefixes) != 5 {
		t.Errorf("addresses %v, networks %v", l.addrs, l.prefixes)
	}
	many := with(func(n *netif) { n.addrs = slices.Repeat(n.addrs[4:5], 100) })
	if got := len(selectLinks([]netif{many}, nil, nil)[0].addrs); got != maxAddresses {
		t.Errorf("%d addresses", got)
	}
}
