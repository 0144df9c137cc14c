package dnssd

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestStart holds the first seconds of a service against RFC 6762 sections 8.1 and 8.3.
func TestStart(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	w.register(n, lamp())
	w.up(n)
	w.run(time.Minute)
	const ms = time.Millisecond
	want := []struct {
		at time.Duration
		qu bool
	}{{125 * ms, true}, {375 * ms, false}, {625 * ms, false}, {875 * ms, false}, {1975 * ms, false}}
	got := w.since(0)
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i, p := range got {
		if p.at != want[i].at {
			t.Errorf("packet %d at %v, want %v", i, p.at, want[i].at)
		}
		if i >= probeCount {
			if !p.msg.Response || !p.msg.Authoritative || p.msg.Id != 0 {
				t.Errorf("packet %d is no announcement: %v", i, p.msg.MsgHdr)
			}
			continue
		}
		if p.msg.Response || len(p.msg.Question) != 2 || len(p.msg.Ns) != 3 {
			t.Fatalf("packet %d is no probe for two names: %v", i, p.msg.String())
		}
		for _, q := range p.msg.Question {
			if q.Qtype != dns.TypeANY || (q.Qclass&cacheFlush != 0) != want[i].qu {
				t.Errorf("probe %d asks %v", i, q)
			}
		}
		for _, r := range p.msg.Ns {
			if r.Header().Class != dns.ClassINET {
				t.Errorf("a proposal of class %x", r.Header().Class)
			}
		}
	}
	unique := map[uint16]bool{dns.TypeSRV: true, dns.TypeTXT: true, dns.TypeA: true}
	ttl := map[uint16]uint32{dns.TypeSRV: 120, dns.TypeA: 120, dns.TypeTXT: 4500, dns.TypePTR: 4500}
	for _, r := range got[3].msg.Answer {
		h := r.Header()
		if (h.Class&cacheFlush != 0) != unique[h.Rrtype] || h.Ttl != ttl[h.Rrtype] {
			t.Errorf("announced %v", r)
		}
	}
	if k := kinds(got[3].msg.Answer); !slices.Equal(k, []string{"A", "PTR", "SRV", "TXT"}) || len(got[3].msg.Answer) != 6 {
		t.Errorf("announced %v, %d records", k, len(got[3].msg.Answer))
	}
}

// TestGolden holds the bytes of the first probe and the first announcement.
func TestGolden(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	w.register(n, Service{Instance: "A", Type: "_hap._tcp", Port: 0x1234, TXT: []string{"s=1"}})
	w.up(n)
	w.run(time.Second)
	want := []struct {
		packet int
		hex    string
	}{
		{0, "000000000002000000030000" + // two questions, three proposals
			"04686f7374056c6f63616c0000ff8001" + // host.local ANY, unicast wanted
			"0141045f686170045f746370c01100ff8001" + // A._hap._tcp
			"c00c0001000100000078" + "00040a000001" +
			"c01c0021000100000078" + "0012" + "000000001234" + "04686f7374056c6f63616c00" +
			"c01c00100001000011940004" + "03733d31"},
		{3, "000084000000000500000000" +
			"04686f7374056c6f63616c00" + "0001" + "8001" + "00000078" + "0004" + "0a000001" +
			"045f686170045f746370c011" + "000c" + "0001" + "00001194" + "0004" + "0141c026" +
			"c03c" + "0021" + "8001" + "00000078" + "0012" + "000000001234" + "04686f7374056c6f63616c00" +
			"c03c" + "0010" + "8001" + "00001194" + "0004" + "03733d31" +
			"095f7365727669636573075f646e732d7364045f756470c011" + "000c" + "0001" + "00001194" + "0002" + "c026"},
	}
	for _, tt := range want {
		if got := hex.EncodeToString(w.sent[tt.packet].data); got != tt.hex {
			t.Errorf("packet %d\n got %s\nwant %s", tt.packet, got, tt.hex)
		}
	}
}

// TestTenServices: they take as long as one.
func TestTenServices(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	w.up(n)
	for i := range 10 {
		s := lamp()
		s.Instance = fmt.Sprintf("lamp %d", i)
		s.TXT = []string{"id=" + string(make([]byte, 100))}
		w.register(n, s)
		w.run(10 * time.Millisecond)
	}
	w.run(900 * time.Millisecond)
	for _, c := range n.claims() {
		if s := n.order[0].stages[c]; !s.told {
			t.Errorf("%q is %v after one second", c.label(), s.phase)
		}
	}
	probes := 0
	for _, p := range w.since(0) {
		if !p.msg.Response {
			probes++
		}
	}
	if probes > 3*3 {
		t.Errorf("%d packets of probes", probes)
	}
}

// TestSecondLink: a later interface, or one that was down, is probed and announced on.
func TestSecondLink(t *testing.T) {
	w, n, _ := settledLamp(t)
	mark := len(w.sent)
	n.addrs[linkKey{2, ipv4}] = n.addrs[linkKey{1, ipv4}].Next()
	n.cable[linkKey{2, ipv4}] = 1
	w.up(n)
	w.run(time.Minute)
	for _, p := range w.since(mark) {
		if p.link.index != 2 {
			t.Errorf("a packet on link %v", p.link)
		}
		for _, r := range p.msg.Answer {
			if a, ok := r.(*dns.A); ok && a.A.String() != "10.0.0.2" {
				t.Errorf("announced %v", a)
			}
		}
	}
	if got := len(w.sent) - mark; got != 5 {
		t.Errorf("%d packets on the new link, want 5", got)
	}
	mark = len(w.sent)
	n.setLinks(w.now, n.infos(), map[int]bool{1: true})
	w.run(time.Minute)
	if got := len(w.sent) - mark; got != 5 || w.sent[mark].link.index != 1 {
		t.Errorf("%d packets after a link was down, want 5", got)
	}
	mark = len(w.sent)
	n.setLinks(w.now, n.infos(), nil)
	w.run(time.Minute)
	if got := len(w.sent) - mark; got != 0 {
		t.Errorf("%d packets after nothing changed", got)
	}
	if n.count.conflicts != 0 || n.count.renames != 0 {
		t.Errorf("conflicts with ourselves: %+v", n.count)
	}
}
