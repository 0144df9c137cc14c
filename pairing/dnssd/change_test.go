package dnssd

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// texts gives the TXT records that were multicast since the mark, with their times.
func (w *wire) texts(mark int) (out []string, at []time.Duration) {
	for _, p := range w.since(mark) {
		for _, r := range slices.Concat(p.msg.Answer, p.msg.Extra) {
			if x, ok := r.(*dns.TXT); ok && !p.to.IsValid() {
				out, at = append(out, strings.Join(x.Txt, " ")), append(at, p.at)
			}
		}
	}
	return out, at
}

// TestFlap: 1, 0, 1 within a second ends with 1. Two values are more than a second apart, so that each replaces the
// former one in all caches (RFC 6762 section 10.2).
func TestFlap(t *testing.T) {
	for _, asked := range []bool{false, true} {
		w, n, c := settledLamp(t)
		set := func(sf int) { n.setTXT(w.now, c, []string{fmt.Sprintf("sf=%d", sf)}) }
		mark := len(w.sent)
		end := 0
		for i := range 20 {
			end = i % 2
			set(end)
			if asked {
				w.querier(n).say(ask(lampName, dns.TypeTXT, false))
			}
			w.run(130 * time.Millisecond)
		}
		w.run(10 * time.Second)
		got, at := w.texts(mark)
		if len(got) < 3 || got[len(got)-1] != fmt.Sprintf("sf=%d", end) || got[len(got)-2] != got[len(got)-1] {
			t.Errorf("announced %v", got)
		}
		for i := 1; i < len(got); i++ {
			if gap := at[i] - at[i-1]; gap < rateWindow || gap < announceGap && got[i] != got[i-1] && !asked {
				t.Errorf("%s %v after %s", got[i], gap, got[i-1])
			}
		}
		if len(got) > 6 {
			t.Errorf("%d announcements in 3 s", len(got))
		}
	}
}

// TestBurst: changes in one go are one announcement of one record, and its repetition.
func TestBurst(t *testing.T) {
	w, n, c := settledLamp(t)
	mark := len(w.sent)
	for i := range 100 {
		n.setTXT(w.now, c, []string{fmt.Sprintf("c#=%d", i)})
		w.run(100 * time.Microsecond)
	}
	n.setTXT(w.now, c, []string{"c#=99"}) // nothing new
	w.run(time.Minute)
	if got, _ := w.texts(mark); !slices.Equal(got, []string{"c#=99", "c#=99"}) {
		t.Errorf("announced %v", got)
	}
	for _, p := range w.since(mark) {
		if len(p.msg.Answer) != 1 || p.msg.Answer[0].Header().Class&cacheFlush == 0 {
			t.Errorf("announced %v", p.msg.String())
		}
	}
}

// TestChangeWhileProbing: the first announcement has the latest record.
func TestChangeWhileProbing(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	c := w.register(n, lamp())
	w.up(n)
	w.run(500 * time.Millisecond)
	n.setTXT(w.now, c, nil)
	w.run(time.Minute)
	if got, _ := w.texts(0); !slices.Equal(got, []string{"", ""}) {
		t.Errorf("announced %q", got)
	}
	mark := len(w.sent)
	w.querier(n).say(ask(lampName, dns.TypeTXT, true))
	w.run(time.Second)
	if got := w.since(mark); len(got) == 0 || got[0].msg.Answer[0].(*dns.TXT).Txt[0] != "" {
		t.Errorf("an empty record is answered with %v", got)
	}
}

// TestGoodbye: what is taken back, and what is not.
func TestGoodbye(t *testing.T) {
	w, n, c := settledLamp(t)
	s := lamp()
	s.Instance = "other"
	w.register(n, s)
	w.run(time.Minute)
	mark := len(w.sent)
	n.remove(w.now, c)
	n.remove(w.now, c)
	w.run(time.Minute)
	got := w.since(mark)
	if len(got) != 1 {
		t.Fatalf("%d packets", len(got))
	}
	var names []string
	for _, r := range got[0].msg.Answer {
		if r.Header().Ttl != 0 {
			t.Errorf("not a goodbye: %v", r)
		}
		if p, ok := r.(*dns.PTR); ok && !strings.HasPrefix(p.Ptr, "K") {
			t.Errorf("a goodbye for another's: %v", r)
		}
		names = append(names, dns.TypeToString[r.Header().Rrtype])
	}
	if want := []string{"PTR", "PTR", "SRV", "TXT"}; !slices.Equal(names, want) {
		t.Errorf("taken back: %v, want %v", names, want)
	}
	// Its name answers no more, and can be had again.
	mark = len(w.sent)
	w.querier(n).say(ask(lampName, dns.TypeANY, false))
	w.run(time.Second)
	if len(w.sent) != mark {
		t.Error("a service that is gone answers")
	}
	w.register(n, lamp())
	w.run(time.Second)
	mark = len(w.sent)
	n.goodbyes(w.now)
	w.run(time.Minute)
	for _, p := range w.since(mark) {
		for _, r := range p.msg.Answer {
			if _, ok := r.(*dns.A); ok || r.Header().Ttl != 0 {
				t.Errorf("at the end: %v", r)
			}
		}
	}
	if len(w.sent) == mark {
		t.Error("no goodbye at the end")
	}
}

// TestCloseWhileProbing: nobody knows it, so nothing is taken back.
func TestCloseWhileProbing(t *testing.T) {
	w := newWire(t)
	n := w.add("host", "10.0.0.1")
	c := w.register(n, lamp())
	w.up(n)
	w.run(700 * time.Millisecond)
	n.remove(w.now, c)
	w.run(time.Minute)
	for _, p := range w.since(0) {
		for _, r := range p.msg.Answer {
			if r.Header().Rrtype != dns.TypeA || r.Header().Ttl == 0 {
				t.Errorf("sent %v", r)
			}
		}
	}
}

// TestAddresses: one that is new, one that is gone, all of a family gone.
func TestAddresses(t *testing.T) {
	w, n, _ := settledLamp(t)
	key := linkKey{1, ipv4}
	set := func(addrs ...string) []seen {
		mark := len(w.sent)
		info := n.infos()[0]
		info.key, info.addrs = key, nil
		for _, a := range addrs {
			info.addrs = append(info.addrs, netip.MustParseAddr(a))
		}
		n.setLinks(w.now, []linkInfo{info}, nil)
		w.run(10 * time.Second)
		return w.since(mark)
	}
	tests := []struct {
		addrs []string
		want  []string
	}{
		{[]string{"10.0.0.1", "fd00::1"}, []string{"A", "AAAA"}},
		{[]string{"10.0.0.1", "10.0.0.7", "fd00::1"}, []string{"A", "AAAA"}},
		{[]string{"10.0.0.7", "fd00::1"}, []string{"A", "AAAA"}},
		{[]string{"10.0.0.7"}, []string{"A", "AAAA-"}},
		{[]string{"10.0.0.7"}, nil},
	}
	for _, tt := range tests {
		var rrs []dns.RR
		got := set(tt.addrs...)
		for _, p := range got {
			rrs = append(rrs, p.msg.Answer...)
			for _, r := range p.msg.Answer {
				if r.Header().Ttl > 0 && r.Header().Class&cacheFlush == 0 {
					t.Errorf("%v", r)
				}
			}
		}
		if !slices.Equal(kinds(rrs), tt.want) {
			t.Errorf("with %v: announced %v, want %v", tt.addrs, kinds(rrs), tt.want)
		}
		if tt.want == nil {
			continue
		}
		var last []string
		for _, r := range got[len(got)-1].msg.Answer {
			switch r := r.(type) {
			case *dns.A:
				last = append(last, r.A.String())
			case *dns.AAAA:
				last = append(last, r.AAAA.String())
			}
		}
		if !slices.Equal(last, tt.addrs) {
			t.Errorf("announced %v, want %v", last, tt.addrs)
		}
	}
	if n.count.renames+n.count.conflicts != 0 {
		t.Errorf("conflicts: %+v", n.count)
	}
}

// TestSameInstanceTwice: a name can be registered once per type.
func TestSameInstanceTwice(t *testing.T) {
	_, n, _ := settledLamp(t)
	var fe *FieldError
	s := lamp()
	s.Instance = "KüCHE 1"
	if _, err := n.add(epoch, s); !errors.As(err, &fe) || fe.Field != "Instance" {
		t.Errorf("a second one of the name: %v", err)
	}
	s.Type = "_matter._tcp"
	if _, err := n.add(epoch, s); err != nil {
		t.Errorf("the name with another type: %v", err)
	}
}
