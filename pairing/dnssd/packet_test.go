package dnssd

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// samples are packets as they are on networks: ours, and those of others about our names.
func samples(t testing.TB) [][]byte {
	t.Helper()
	w := newWire(t)
	a, b := w.add("host", "10.0.0.1"), w.add("host", "10.0.0.2")
	w.register(a, lamp())
	s := lamp()
	s.Port++
	w.register(b, s)
	w.up(a)
	w.up(b)
	w.run(10 * time.Second)
	w.querier(a).say(ask("_hap._tcp.local.", dns.TypePTR, false))
	w.querier(a).say(ask(lampName, dns.TypeANY, true))
	w.run(time.Second)
	a.goodbyes(w.now)
	w.run(time.Second)
	var out [][]byte
	for _, p := range w.sent {
		out = append(out, p.data)
	}
	m := ask("_hap._tcp.local.", dns.TypePTR, true)
	m.Truncated = true
	m.Answer = []dns.RR{rr(t, "_hap._tcp.local. 4500 IN PTR "+lampName)}
	m.SetEdns0(1440, false)
	for _, m := range []*dns.Msg{m, ask("host.local.", dns.TypeAAAA, false), tell(t, lampName+" 120 IN SRV 0 0 1 other.local.")} {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// TestEveryPrefix: no beginning of a packet upsets anything, and none but the whole is taken for one.
func TestEveryPrefix(t *testing.T) {
	w, n, _ := settledLamp(t)
	for i, b := range samples(t) {
		for cut := range b {
			if _, err := parse(b[:cut], n.names); err == nil {
				t.Errorf("packet %d: its first %d of %d bytes were taken for a message", i, cut, len(b))
			}
			n.hear(w.now, linkKey{1, ipv4}, sender{src: netip.MustParseAddrPort("10.0.0.9:5353"), dst: group4}, b[:cut])
		}
		if _, err := parse(b, n.names); err != nil {
			t.Errorf("packet %d: %v", i, err)
		}
	}
}

// TestOddNames: loops and pointers that go forward or nowhere.
func TestOddNames(t *testing.T) {
	long := func(n int) string {
		s := ""
		for range n {
			s += "\x0fabcdefghijklmno"
		}
		return s + "\x00"
	}
	tests := []struct {
		what, msg string
		at        int
		want      string
		ok        bool
	}{
		{"root", "\x00", 0, "\x00", true},
		{"a label", "\x01A\x00", 0, "\x01a\x00", true},
		{"a pointer", "\x01A\x00\xc0\x00", 3, "\x01a\x00", true},
		{"a label and a pointer", "\x01A\x00\x01b\xc0\x00", 3, "\x01b\x01a\x00", true},
		{"longest", long(15) + "", 0, long(15), true},
		{"too long", long(16), 0, "", false},
		{"to itself", "\xc0\x00", 0, "", false},
		{"forward", "\xc0\x02\x00", 0, "", false},
		{"into itself", "\x01a\xc0\x00", 0, "", false},
		{"a ring of two", "\xc0\x02\xc0\x00", 2, "", false},
		{"no end", "\x01a", 0, "", false},
		{"half a label", "\x05ab", 0, "", false},
		{"half a pointer", "\x01a\x00\xc0", 3, "", false},
		{"an extended label", "\x41a\x00", 0, "", false},
		{"nowhere", "", 0, "", false},
	}
	for _, tt := range tests {
		var out [256]byte
		n, _, err := readName([]byte(tt.msg), tt.at, &out)
		if (err == nil) != tt.ok || tt.ok && string(out[:n]) != tt.want {
			t.Errorf("%s: %q, %v", tt.what, out[:n], err)
		}
	}
}

// FuzzPacket: whatever comes in, what goes out are packets, few of them, and the engine comes to rest.
func FuzzPacket(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b, uint16(mdnsPort), false)
		f.Add(b, uint16(40000), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, port uint16, unicast bool) {
		if len(b) > maxPacket {
			return
		}
		w, n, c := settledLamp(t)
		mark := len(w.sent)
		n.hear(w.now, linkKey{1, ipv4}, sender{src: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), port), dst: group4, unicast: unicast}, b)
		w.run(30 * time.Second)
		if got := len(w.since(mark)); got > 40 {
			t.Errorf("%d packets after one", got)
		}
		if c.label() == "" || n.order[0].stages[c].phase != settled {
			t.Errorf("%q is %v", c.label(), n.order[0].stages[c].phase)
		}
	})
}

// FuzzParse: what another codec takes for a message about our names is one for us as well.
func FuzzParse(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	_, n, _ := settledLamp(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b, n.names)
		if err != nil {
			return
		}
		var other dns.Msg
		if other.Unpack(b) != nil || other.Response {
			return
		}
		want := 0
		for _, q := range other.Question {
			var buf [256]byte
			if k, err := dns.PackDomainName(q.Name, buf[:], 0, nil, false); err == nil {
				var out [256]byte
				l, _, err := readName(buf[:k], 0, &out)
				if c := q.Qclass &^ cacheFlush; err == nil && (c == dns.ClassINET || c == dns.ClassANY) {
					if _, ok := n.names[string(out[:l])]; ok {
						want++
					}
				}
			}
		}
		if got := len(m.questions); got != min(want, maxQuestions) {
			t.Errorf("%d questions, the codec sees %d", got, want)
		}
	})
}

// foreignPackets are of a network with many devices: queries with known answers, and responses.
func foreignPackets(b *testing.B) [][]byte {
	var out [][]byte
	for i := range 100 {
		q := ask("_googlecast._tcp.local.", dns.TypePTR, false)
		r := &dns.Msg{Compress: true}
		r.Response = true
		for j := range 6 {
			name := fmt.Sprintf("device-%d-%d._googlecast._tcp.local.", i, j)
			q.Answer = append(q.Answer, rr(b, "_googlecast._tcp.local. 4500 IN PTR "+name))
			r.Answer = append(r.Answer, rr(b, "_googlecast._tcp.local. 4500 IN PTR "+name))
			r.Extra = append(r.Extra, rr(b, name+` 4500 IN TXT "id=1234567890" "md=Some Model" "fn=Room"`), rr(b, name+" 120 IN SRV 0 0 8009 device.local."))
		}
		q.Compress = true
		for _, m := range []*dns.Msg{q, r} {
			p, err := m.Pack()
			if err != nil {
				b.Fatal(err)
			}
			out = append(out, p)
		}
	}
	return out
}

// BenchmarkForeign: what a packet costs that is none of our business.
func BenchmarkForeign(b *testing.B) {
	_, n, _ := settledLamp(b)
	packets := foreignPackets(b)
	var w walker
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if v := n.names.sift(&w, packets[i%len(packets)], mdnsPort); v != foreign {
			b.Fatal(v)
		}
	}
}

// BenchmarkAnswer: what a query costs that is.
func BenchmarkAnswer(b *testing.B) {
	w, n, _ := settledLamp(b)
	q, err := ask("_hap._tcp.local.", dns.TypePTR, false).Pack()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.now = w.now.Add(2 * time.Second)
		n.hear(w.now, linkKey{1, ipv4}, sender{src: netip.MustParseAddrPort("10.0.0.9:5353"), dst: group4}, q)
		w.now = w.now.Add(time.Second)
		n.tick(w.now)
		if len(n.take()) != 1 {
			b.Fatal("no answer")
		}
	}
}
