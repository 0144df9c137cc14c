package dnssd

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestSimultaneousProbes: of two who begin together one wins, and only the other takes a new name (RFC 6762 8.2).
func TestSimultaneousProbes(t *testing.T) {
	w := newWire(t)
	a, b := w.add("a", "10.0.0.1"), w.add("b", "10.0.0.2")
	one, two := lamp(), lamp()
	two.Port++ // the greater data wins
	ca, cb := w.register(a, one), w.register(b, two)
	w.up(a)
	w.up(b)
	w.run(10 * time.Second)
	if ca.label() != "Küche 1 (2)" || cb.label() != "Küche 1" {
		t.Errorf("names %q and %q", ca.label(), cb.label())
	}
	if a.count.lostProbes == 0 || b.count.lostProbes != 0 || b.count.conflicts != 0 {
		t.Errorf("lost probes %d and %d, conflicts %d and %d", a.count.lostProbes, b.count.lostProbes, a.count.conflicts, b.count.conflicts)
	}
	for _, n := range []*node{a, b} {
		if !n.order[0].stages[n.services[0]].told {
			t.Errorf("%s has not announced", n.name)
		}
	}
}

// TestSameHost: two hosts of one name, one after the other and both together.
func TestSameHost(t *testing.T) {
	for _, late := range []time.Duration{0, 100 * time.Millisecond, 800 * time.Millisecond, time.Hour} {
		w := newWire(t)
		a, b := w.add("host", "10.0.0.1"), w.add("host", "10.0.0.2")
		s := lamp()
		s.Instance = "other"
		w.register(a, lamp())
		w.register(b, s)
		w.up(a)
		w.run(late)
		w.up(b)
		w.run(10 * time.Second)
		got := []string{a.host.label(), b.host.label()}
		slices.Sort(got)
		if !slices.Equal(got, []string{"host", "host-2"}) {
			t.Errorf("late by %v: hosts %q", late, got)
		}
		if late > time.Second && b.host.label() != "host-2" {
			t.Errorf("late by %v: the one who was there lost its name", late)
		}
		for _, n := range w.nodes {
			c := n.services[0]
			if srv := c.recs[2].rr.(*dns.SRV); srv.Target != n.host.label()+".local." {
				t.Errorf("the service stands at %s, the host is %s", srv.Target, n.host.label())
			}
			if got := n.order[0].stages[c]; got.phase != settled {
				t.Errorf("service %v", got.phase)
			}
		}
	}
}

// TestTakenName: who comes later takes the next free name, past our own services too.
func TestTakenName(t *testing.T) {
	w, _, _ := settledLamp(t)
	n := w.add("b", "10.0.0.2")
	two := lamp()
	two.Instance = "Küche 1 (2)"
	w.register(n, two)
	c := w.register(n, lamp())
	w.up(n)
	w.run(5 * time.Second)
	if got := c.label(); got != "Küche 1 (3)" {
		t.Errorf("name %q", got)
	}
	// The other's records stand where they were: no goodbye for a name that is another's.
	for _, p := range w.since(0) {
		for _, r := range p.msg.Answer {
			if r.Header().Ttl == 0 {
				t.Errorf("a goodbye: %v", r)
			}
		}
	}
}

// TestLateConflict: two networks with the same name are joined (RFC 6762 section 9).
func TestLateConflict(t *testing.T) {
	w := newWire(t)
	a, b := w.add("a", "10.0.0.1"), w.add("b", "10.0.0.2")
	apart := true
	w.deaf = func(from, to *node) bool { return apart && from != to }
	one, two := lamp(), lamp()
	two.Port++
	ca, cb := w.register(a, one), w.register(b, two)
	w.up(a)
	w.up(b)
	w.run(time.Hour)
	if ca.label() != cb.label() {
		t.Fatal("a conflict over no cable")
	}
	apart = false
	// Somebody asks; both answer, and see each other.
	q := w.querier(a)
	q.say(ask("K\\195\\188che\\0321._hap._tcp.local.", dns.TypeSRV, false))
	w.run(20 * time.Second)
	got := []string{ca.label(), cb.label()}
	slices.Sort(got)
	if !slices.Equal(got, []string{"Küche 1", "Küche 1 (2)"}) {
		t.Errorf("names %q", got)
	}
	if n := a.count.conflicts + b.count.conflicts; n > 4 {
		t.Errorf("%d conflicts until it was settled", n)
	}
}

// TestOurselves: what we sent comes in on a second interface of the same network, and by a reflector, and is no conflict.
func TestOurselves(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1", "10.0.0.2")
	c := w.register(n, lamp())
	w.up(n)
	reflect := func(mark int) {
		for _, p := range w.since(mark) {
			p.msg.Compress = false // other bytes, the same records
			b, err := p.msg.Pack()
			if err != nil {
				t.Fatal(err)
			}
			for k := range n.addrs {
				if k != p.link {
					n.hear(w.now, k, sender{src: netip.MustParseAddrPort("10.0.0.77:5353"), dst: group4}, b)
				}
			}
		}
	}
	for range 40 {
		mark := len(w.sent)
		w.run(100 * time.Millisecond)
		reflect(mark)
	}
	// An address less, and another TXT record, while the former ones are still on their way.
	mark := len(w.sent)
	w.run(time.Second)
	n.setTXT(w.now, c, []string{"c#=2"})
	delete(n.addrs, linkKey{2, ipv4})
	w.up(n)
	reflect(0)
	w.run(10 * time.Second)
	reflect(mark)
	w.run(10 * time.Second)
	if n.count.conflicts != 0 || n.count.renames != 0 || n.count.lostProbes != 0 {
		t.Errorf("conflicts with ourselves: %+v", n.count)
	}
	if n.count.echoes == 0 {
		t.Error("no echo was seen")
	}
}

// TestForeignRecords: what somebody else says under our name, after we have it.
func TestForeignRecords(t *testing.T) {
	const name = "K\\195\\188che\\0321._hap._tcp.local."
	tests := []struct {
		what, record        string
		conflicts, announce bool
	}{
		{"other data", name + " 120 IN SRV 0 0 1 other.local.", true, true},
		{"the same data", name + " 120 IN SRV 0 0 51827 host.local.", false, false},
		{"the same in capitals", strings.ToUpper(name) + " 120 IN SRV 0 0 51827 HOST.local.", false, false},
		{"the same, about to go", name + " 10 IN SRV 0 0 51827 host.local.", false, true},
		{"a goodbye for ours", name + " 0 IN SRV 0 0 51827 host.local.", false, true},
		{"a goodbye for the pointer", "_hap._tcp.local. 0 IN PTR " + name, false, true},
		{"a goodbye for another's", "_hap._tcp.local. 0 IN PTR other._hap._tcp.local.", false, false},
		{"a goodbye with other data", name + " 0 IN SRV 0 0 1 other.local.", false, false},
		{"a type that we do not have", name + " 120 IN HINFO a b", false, false},
		{"a statement about types", name + " 120 IN NSEC " + name + " SRV", false, false},
		{"another class", name + " 120 CH SRV 0 0 1 other.local.", false, false},
		{"another's address", "host.local. 120 IN A 10.0.0.9", true, true},
		{"another's address of IPv6", "host.local. 120 IN AAAA fd00::9", true, true},
		{"a shared pointer", "_hap._tcp.local. 4500 IN PTR other._hap._tcp.local.", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			w, n, c := settledLamp(t)
			mark := len(w.sent)
			w.querier(n).say(tell(t, tt.record))
			w.run(10 * time.Second)
			if (n.count.conflicts > 0) != tt.conflicts {
				t.Errorf("%d conflicts", n.count.conflicts)
			}
			if (len(w.sent) > mark) != tt.announce {
				t.Errorf("%d packets sent", len(w.sent)-mark)
			}
			// Nobody defends the name, so it stays ours.
			if c.label() != "Küche 1" || n.host.label() != "host" || n.order[0].stages[c].phase != settled {
				t.Errorf("%q at %q, %v", c.label(), n.host.label(), n.order[0].stages[c].phase)
			}
		})
	}
}

// TestStorm: somebody contests whatever we choose. After 15 conflicts there are 5 s between attempts (RFC 6762 8.1).
func TestStorm(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	c := w.register(n, lamp())
	w.up(n)
	for range 12_000 { // ten minutes
		w.run(50 * time.Millisecond)
		w.querier(n).say(tell(t, c.name+" 120 IN SRV 0 0 1 other.local."))
	}
	if got := n.count.renames; got < 15 || got > 15+600/5+15 {
		t.Errorf("%d names in ten minutes", got)
	}
	if len(c.label()) > maxLabel || len(n.former) > maxFormer {
		t.Errorf("label %q, %d former records", c.label(), len(n.former))
	}
}

// TestGoodbyeOnOtherInterfaces: after a conflict on one interface, the old name is taken back on the other.
func TestGoodbyeOnOtherInterfaces(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1", "10.0.0.2")
	n.cable[linkKey{2, ipv4}] = 1
	c := w.register(n, lamp())
	w.up(n)
	w.run(time.Hour)
	b := w.add("b", "10.0.0.3")
	s := lamp()
	s.Port++
	b.add(w.now, s)
	w.deaf = func(from, to *node) bool { return from == n && to == b } // so that it gets the name
	w.up(b)
	w.run(3 * time.Second)
	mark := len(w.sent)
	w.deaf = nil
	w.querier(n).say(ask(c.name, dns.TypeTXT, false))
	w.querier(b).say(ask(c.name, dns.TypeSRV, false))
	w.run(20 * time.Second)
	if c.label() != "Küche 1 (2)" && b.services[0].label() != "Küche 1 (2)" {
		t.Fatalf("names %q and %q", c.label(), b.services[0].label())
	}
	if c.label() == "Küche 1" {
		return
	}
	byes := 0
	for _, p := range w.since(mark) {
		for _, r := range p.msg.Answer {
			if r.Header().Ttl == 0 {
				byes++
				if p.link.index != 2 {
					t.Errorf("a goodbye where the name is another's: %v", r)
				}
			}
		}
	}
	if byes == 0 {
		t.Error("the old name stays on the other interface")
	}
}
