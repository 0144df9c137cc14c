package dnssd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const lampName = "K\\195\\188che\\0321._hap._tcp.local."

// TestAnswers asks a settled node everything.
func TestAnswers(t *testing.T) {
	all := []string{"A", "NSEC", "SRV", "TXT"}
	tests := []struct {
		name    string
		rtype   uint16
		answers []string
		extra   []string
		delayed bool
	}{
		{"_hap._tcp.local.", dns.TypePTR, []string{"PTR"}, all, true},
		{"_HAP._tcp.LOCAL.", dns.TypePTR, []string{"PTR"}, all, true},
		{"_hap._tcp.local.", dns.TypeANY, []string{"PTR"}, all, true},
		{"_L840._sub._hap._tcp.local.", dns.TypePTR, []string{"PTR"}, all, true},
		{"_services._dns-sd._udp.local.", dns.TypePTR, []string{"PTR"}, nil, true},
		{lampName, dns.TypeSRV, []string{"SRV"}, []string{"A", "NSEC", "TXT"}, false},
		{lampName, dns.TypeTXT, []string{"TXT"}, nil, false},
		{lampName, dns.TypeANY, []string{"SRV", "TXT"}, []string{"A", "NSEC"}, false},
		{lampName, dns.TypeA, []string{"NSEC"}, all, false},
		{"host.local.", dns.TypeA, []string{"A"}, []string{"NSEC"}, false},
		{"host.local.", dns.TypeAAAA, []string{"NSEC"}, []string{"A"}, false},
		{"host.local.", dns.TypeANY, []string{"A"}, []string{"NSEC"}, false},
		{"_hap._tcp.local.", dns.TypeSRV, nil, nil, false},
		{"_L1._sub._hap._tcp.local.", dns.TypePTR, nil, nil, false},
		{"_hap._udp.local.", dns.TypePTR, nil, nil, false},
		{"host2.local.", dns.TypeA, nil, nil, false},
		{"local.", dns.TypeANY, nil, nil, false},
		{".", dns.TypeANY, nil, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name+dns.TypeToString[tt.rtype], func(t *testing.T) {
			w, n, _ := settledLamp(t)
			mark, began := len(w.sent), w.now.Sub(epoch)
			w.querier(n).say(ask(tt.name, tt.rtype, false))
			n.tick(w.now)
			w.run(time.Second)
			got := w.since(mark)
			if tt.answers == nil {
				if len(got) != 0 {
					t.Errorf("answered %v", got[0].msg.String())
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d packets", len(got))
			}
			m, wait := got[0].msg, got[0].at-began
			if !slices.Equal(kinds(m.Answer), tt.answers) || !slices.Equal(kinds(m.Extra), tt.extra) {
				t.Errorf("answers %v with %v, want %v with %v", kinds(m.Answer), kinds(m.Extra), tt.answers, tt.extra)
			}
			if delayed := wait >= sharedWaitLeast && wait <= sharedWaitMost; delayed != tt.delayed || !delayed && wait != 0 {
				t.Errorf("after %v", wait)
			}
			if got[0].to.IsValid() || len(m.Question) != 0 || m.Id != 0 {
				t.Errorf("not as a multicast answer is: %v", m.String())
			}
		})
	}
}

// TestNSEC: which types a name has, in a record that ends the search (RFC 6762 6.1).
func TestNSEC(t *testing.T) {
	w, n, _ := settledLamp(t)
	mark := len(w.sent)
	w.querier(n).say(ask("host.local.", dns.TypeAAAA, false))
	w.querier(n).say(ask(lampName, dns.TypeAAAA, false))
	w.run(time.Second)
	got := w.since(mark)
	if len(got) != 2 {
		t.Fatalf("%d packets", len(got))
	}
	for i, want := range []string{
		"host.local.\t120\tCLASS32769\tNSEC\thost.local. A",
		lampName + "\t120\tCLASS32769\tNSEC\t" + lampName + " TXT SRV",
	} {
		if s := strings.ReplaceAll(got[i].msg.Answer[0].String(), `\ `, `\032`); s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}

// TestKnownAnswers: RFC 6762 section 7.1.
func TestKnownAnswers(t *testing.T) {
	tests := []struct {
		record string
		silent bool
	}{
		{"_hap._tcp.local. 4500 IN PTR " + lampName, true},
		{"_hap._tcp.local. 2250 IN PTR " + lampName, true},
		{"_HAP._TCP.local. 2250 IN PTR k\\195\\188CHE\\0321._hap._tcp.local.", true},
		{"_hap._tcp.local. 2249 IN PTR " + lampName, false},
		{"_hap._tcp.local. 4500 IN PTR other._hap._tcp.local.", false},
	}
	for _, tt := range tests {
		w, n, _ := settledLamp(t)
		mark := len(w.sent)
		m := ask("_hap._tcp.local.", dns.TypePTR, false)
		m.Answer = []dns.RR{rr(t, tt.record)}
		w.querier(n).say(m)
		w.run(time.Second)
		if silent := len(w.sent) == mark; silent != tt.silent {
			t.Errorf("%s: silent %v", tt.record, silent)
		}
	}
}

// TestKnownAnswersInSeveralPackets: RFC 6762 section 7.2.
func TestKnownAnswersInSeveralPackets(t *testing.T) {
	for _, tt := range []struct {
		rest   string
		src    string
		silent bool
	}{
		{"_hap._tcp.local. 4500 IN PTR " + lampName, "10.0.0.99:5353", true},
		{"_hap._tcp.local. 4500 IN PTR " + lampName, "10.0.0.98:5353", false}, // another's list
		{"_hap._tcp.local. 4500 IN PTR x._hap._tcp.local.", "10.0.0.99:5353", false},
	} {
		w, n, _ := settledLamp(t)
		mark, began := len(w.sent), w.now.Sub(epoch)
		m := ask("_hap._tcp.local.", dns.TypePTR, false)
		m.Truncated = true
		q := w.querier(n)
		q.say(m)
		w.run(100 * time.Millisecond)
		q.src = netip.MustParseAddrPort(tt.src)
		q.say(&dns.Msg{Answer: []dns.RR{rr(t, tt.rest)}})
		w.run(time.Second)
		if silent := len(w.sent) == mark; silent != tt.silent {
			t.Errorf("%s from %s: silent %v", tt.rest, tt.src, silent)
		}
		if !tt.silent {
			if wait := w.sent[mark].at - began; wait < heldWaitLeast || wait > heldWaitMost {
				t.Errorf("answered after %v", wait)
			}
		}
	}
	// A bound on those that wait: the others are answered at once.
	w, n, _ := settledLamp(t)
	for i := range 3 * maxHeld {
		q := w.querier(n)
		q.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}), mdnsPort)
		m := ask("_hap._tcp.local.", dns.TypePTR, false)
		m.Truncated = true
		q.say(m)
	}
	if got := len(n.order[0].held); got != maxHeld {
		t.Errorf("%d wait", got)
	}
}

// TestUnicastWanted: RFC 6762 section 5.4.
func TestUnicastWanted(t *testing.T) {
	w, n, _ := settledLamp(t)
	for _, tt := range []struct {
		name       string
		rtype      uint16
		wait       time.Duration
		directOnly bool
	}{
		{lampName, dns.TypeSRV, 0, false},                    // not multicast for an hour
		{lampName, dns.TypeSRV, 2 * time.Second, true},       // that was a moment ago
		{"_hap._tcp.local.", dns.TypePTR, 0, false},          // the same for a shared one
		{"_hap._tcp.local.", dns.TypePTR, time.Second, true}, //
		{lampName, dns.TypeSRV, 31 * time.Second, false},     // a quarter of its life later
	} {
		w.run(tt.wait)
		mark := len(w.sent)
		w.querier(n).say(ask(tt.name, tt.rtype, true))
		w.run(200 * time.Millisecond)
		got := w.since(mark)
		if len(got) == 0 || got[0].to != netip.MustParseAddrPort("10.0.0.99:5353") {
			t.Fatalf("%s: no answer by unicast: %v", tt.name, got)
		}
		if h := got[0].msg; h.Id != 0 || len(h.Question) != 0 || h.Answer[0].Header().Ttl < 120 {
			t.Errorf("%s: %v", tt.name, h.String())
		}
		if directOnly := len(got) == 1; directOnly != tt.directOnly {
			t.Errorf("%s: %d packets", tt.name, len(got))
		}
	}
}

// TestLegacy: those who ask from another port are no multicast DNS resolvers (RFC 6762 section 6.7).
func TestLegacy(t *testing.T) {
	w, n, _ := settledLamp(t)
	mark := len(w.sent)
	q := w.querier(n)
	q.src = netip.MustParseAddrPort("10.0.0.99:40000")
	m := ask("_HAP._tcp.local.", dns.TypePTR, false)
	m.Id = 4711
	q.say(m)
	q.say(ask("host.local.", dns.TypeAAAA, false)) // of which there is none
	w.run(time.Second)
	got := w.since(mark)
	if len(got) != 1 || got[0].to != q.src {
		t.Fatalf("%d packets: %v", len(got), got)
	}
	a := got[0].msg
	if a.Id != 4711 || len(a.Question) != 1 || a.Question[0] != m.Question[0] || !a.Response {
		t.Errorf("the question is not repeated: %v", a.String())
	}
	if !slices.Equal(kinds(a.Extra), []string{"A", "SRV", "TXT"}) {
		t.Errorf("with %v", kinds(a.Extra))
	}
	for _, r := range append(a.Answer, a.Extra...) {
		if r.Header().Ttl > ttlLegacy || r.Header().Class != dns.ClassINET {
			t.Errorf("%v", r)
		}
	}
}

// TestLateComer: who asks within a second after an answer, which it may not have heard, has its own as soon as that is
// allowed (RFC 6762 section 6), with everything that belongs to it.
func TestLateComer(t *testing.T) {
	w, n, _ := settledLamp(t)
	q := w.querier(n)
	q.say(ask("_hap._tcp.local.", dns.TypePTR, false))
	w.run(300 * time.Millisecond)
	mark, asked := len(w.sent), w.now.Sub(epoch)
	q.say(ask("_hap._tcp.local.", dns.TypePTR, false))
	w.run(10 * time.Second)
	got := w.since(mark)
	if len(got) != 1 {
		t.Fatalf("%d answers: %v", len(got), got)
	}
	if after := got[0].at - asked; after > rateWindow || after < 700*time.Millisecond {
		t.Errorf("answered after %v", after)
	}
	if !slices.Contains(kinds(got[0].msg.Answer), "PTR") || !slices.Contains(kinds(got[0].msg.Extra), "SRV") || !slices.Contains(kinds(got[0].msg.Extra), "A") {
		t.Errorf("answered %v with %v", kinds(got[0].msg.Answer), kinds(got[0].msg.Extra))
	}
}

// TestRate: one multicast per record and second, and one more for the last who asked; four for who probes; unicast has a
// budget.
func TestRate(t *testing.T) {
	w, n, c := settledLamp(t)
	q := w.querier(n)
	count := func(m *dns.Msg) int {
		mark := len(w.sent)
		for range 200 {
			q.say(m)
			w.run(50 * time.Millisecond)
		}
		w.run(10 * time.Second)
		return len(w.sent) - mark
	}
	if got := count(ask(lampName, dns.TypeSRV, false)); got != 11 {
		t.Errorf("%d answers in 10 s, want 11", got)
	}
	if got := count(ask("_hap._tcp.local.", dns.TypePTR, false)); got < 10 || got > 11 {
		t.Errorf("%d shared answers in 10 s, want 10 or 11", got)
	}
	probe := ask(lampName, dns.TypeANY, false)
	probe.Ns = []dns.RR{rr(t, lampName+" 120 IN SRV 0 0 1 other.local.")}
	if got := count(probe); got != 40 {
		t.Errorf("%d defences in 10 s, want 40", got)
	}
	if c.label() != "Küche 1" || n.count.lostProbes != 0 {
		t.Errorf("a probe of others took the name: %q", c.label())
	}
	w.run(time.Minute)
	mark := len(w.sent)
	for range 10_000 {
		q.say(ask(lampName, dns.TypeTXT, true))
	}
	w.run(time.Second)
	if got := len(w.sent) - mark; got > unicastBurst+2 || n.count.overLimit == 0 {
		t.Errorf("%d packets for 10,000 questions", got)
	}
}

// TestStrangers: what is not to be answered, or not by unicast (RFC 6762 sections 6, 11 and 18).
func TestStrangers(t *testing.T) {
	far := netip.MustParseAddrPort("8.8.8.8:5353")
	tests := []struct {
		what    string
		msg     func(m *dns.Msg)
		src     netip.AddrPort
		unicast bool
		sent    string // "", "multicast", "unicast"
	}{
		{"a neighbour", func(*dns.Msg) {}, netip.MustParseAddrPort("10.0.0.5:5353"), false, "multicast"},
		{"a neighbour, to us alone", func(*dns.Msg) {}, netip.MustParseAddrPort("10.0.0.5:5353"), true, "both"},
		{"from afar, by multicast", func(*dns.Msg) {}, far, false, "multicast"},
		{"from afar, wants unicast", func(m *dns.Msg) { m.Question[0].Qclass |= cacheFlush }, far, false, "multicast"},
		{"from afar, to us alone", func(*dns.Msg) {}, far, true, ""},
		{"from afar, another port", func(*dns.Msg) {}, netip.MustParseAddrPort("8.8.8.8:53"), false, ""},
		{"an opcode", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, netip.MustParseAddrPort("10.0.0.5:5353"), false, ""},
		{"a code of an error", func(m *dns.Msg) { m.Rcode = 3 }, netip.MustParseAddrPort("10.0.0.5:5353"), false, ""},
		{"another class", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, netip.MustParseAddrPort("10.0.0.5:5353"), false, ""},
		{"a response", func(m *dns.Msg) { m.Response = true }, netip.MustParseAddrPort("10.0.0.5:5353"), false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			w, n, _ := settledLamp(t)
			mark := len(w.sent)
			m := ask(lampName, dns.TypeSRV, false)
			tt.msg(m)
			b, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			dst := group4
			if tt.unicast {
				dst = netip.MustParseAddr("10.0.0.1")
			}
			n.hear(w.now, linkKey{1, ipv4}, sender{src: tt.src, dst: dst, unicast: tt.unicast}, b)
			w.run(time.Second)
			var got string
			for _, p := range w.since(mark) {
				kind := "multicast"
				if p.to.IsValid() {
					kind = "unicast"
					if p.from != netip.MustParseAddr("10.0.0.1") {
						t.Errorf("answered from %v", p.from)
					}
				}
				if got != "" {
					kind = "both"
				}
				got = kind
			}
			if got != tt.sent {
				t.Errorf("answered by %q, want %q", got, tt.sent)
			}
		})
	}
	// A response from another port or from afar to us alone is no conflict.
	w, n, _ := settledLamp(t)
	b, err := tell(t, lampName+" 120 IN SRV 0 0 1 other.local.").Pack()
	if err != nil {
		t.Fatal(err)
	}
	n.hear(w.now, linkKey{1, ipv4}, sender{src: netip.MustParseAddrPort("10.0.0.5:99"), dst: group4}, b)
	n.hear(w.now, linkKey{1, ipv4}, sender{src: far, dst: netip.MustParseAddr("10.0.0.1"), unicast: true}, b)
	n.hear(w.now, linkKey{7, ipv4}, sender{src: netip.MustParseAddrPort("10.0.0.5:5353"), dst: group4}, b)
	if n.count.conflicts != 0 || n.count.ignored != 2 {
		t.Errorf("%d conflicts, %d ignored", n.count.conflicts, n.count.ignored)
	}
}

// TestBigAnswers: what does not fit a packet goes into several, or is cut for those who are no resolvers.
func TestBigAnswers(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	txt := make([]string, 5)
	for i := range txt {
		txt[i] = fmt.Sprintf("k%d=%0240d", i, i)
	}
	for i := range maxServices {
		w.register(n, Service{Instance: fmt.Sprintf("a rather long name of a lamp, number %d", i), Type: "_hap._tcp", Port: 1, TXT: txt})
	}
	if _, err := n.add(w.now, lamp()); err != ErrTooMany {
		t.Errorf("one more: %v", err)
	}
	w.up(n)
	w.run(time.Hour)
	mark := len(w.sent)
	w.querier(n).say(ask("_hap._tcp.local.", dns.TypePTR, false))
	w.run(time.Second)
	ptrs := map[string]bool{}
	for _, p := range w.since(mark) { // looks at the sizes, too
		for _, r := range p.msg.Answer {
			ptrs[r.(*dns.PTR).Ptr] = true
		}
	}
	if len(ptrs) != maxServices {
		t.Errorf("%d services answered", len(ptrs))
	}
	mark = len(w.sent)
	q := w.querier(n)
	q.src = netip.MustParseAddrPort("10.0.0.99:40000")
	q.say(ask("_hap._tcp.local.", dns.TypePTR, false))
	w.run(time.Second)
	if got := w.since(mark); len(got) != 1 || !got[0].msg.Truncated {
		t.Errorf("%d packets, want one that says that there is more", len(got))
	}
}
