package dnssd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestRandom: nodes that want the same few names, come and go, lose packets and links; in the end each name is one node's
// alone, everything is announced with its latest record, and all is quiet.
func TestRandom(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomRun(t, seed) })
	}
}

func randomRun(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWire(t)
	loss := rng.IntN(3) * 10
	w.deaf = func(from, to *node) bool { return from != to && rng.IntN(100) < loss }
	for i := range 3 {
		addrs := []string{fmt.Sprintf("10.0.0.%d", 10+i)}
		if i == 2 {
			addrs = append(addrs, "10.0.0.99") // a second interface on the same network
		}
		n := w.add("host", addrs...)
		n.random = func(least, most time.Duration) time.Duration {
			return least + time.Duration(rng.Int64N(int64(most-least)+1))
		}
	}
	sf := map[*claim]string{}
	for range 60 {
		n := w.nodes[rng.IntN(len(w.nodes))]
		switch rng.IntN(6) {
		case 0, 1:
			s := lamp()
			s.Instance, s.Port = fmt.Sprintf("lamp %d", rng.IntN(2)), uint16(1+rng.IntN(60000))
			if c, err := n.add(w.now, s); err == nil {
				sf[c] = "c#=1"
			}
		case 2:
			if len(n.services) > 0 {
				c := n.services[rng.IntN(len(n.services))]
				delete(sf, c)
				n.remove(w.now, c)
			}
		case 3, 4:
			if len(n.services) > 0 {
				c := n.services[rng.IntN(len(n.services))]
				sf[c] = fmt.Sprintf("sf=%d", rng.IntN(2))
				n.setTXT(w.now, c, []string{sf[c]})
			}
		case 5:
			n.setLinks(w.now, n.infos(), map[int]bool{1: rng.IntN(2) == 0})
		}
		w.run(time.Duration(rng.IntN(800)) * time.Millisecond)
	}
	loss = 0
	for _, n := range w.nodes {
		w.up(n)
	}
	// A conflict that was lost on the way comes to light when everybody is asked.
	for range 5 {
		w.run(time.Minute)
		for _, n := range w.nodes {
			for _, c := range n.claims() {
				for _, o := range w.nodes {
					w.querier(o).say(ask(c.name, dns.TypeANY, false))
				}
			}
		}
	}
	w.run(time.Minute)
	owner := map[string]*node{}
	for _, n := range w.nodes {
		for _, c := range n.claims() {
			if o := owner[c.key]; o != nil {
				t.Errorf("%q belongs to two nodes", c.label())
			}
			owner[c.key] = n
			for _, l := range n.order {
				if s := l.stages[c]; s.phase != settled || !s.told {
					t.Errorf("%q is %v", c.label(), s.phase)
				}
			}
			if c.svc != nil && c.svc.TXT[0] != sf[c] {
				t.Errorf("%q has %v, want %s", c.label(), c.svc.TXT, sf[c])
			}
		}
	}
	// What was last said of each TXT record is what it is.
	last := map[string]string{}
	for _, p := range w.since(0) {
		for _, r := range append(p.msg.Answer, p.msg.Extra...) {
			if x, ok := r.(*dns.TXT); ok && r.Header().Ttl > 0 {
				last[r.Header().Name] = x.Txt[0]
			}
		}
	}
	for _, n := range w.nodes {
		for _, c := range n.services {
			labels := instanceLabels(c)
			name, _, err := dns.UnpackDomainName([]byte(keyOf(labels...)), 0)
			if err != nil {
				t.Fatal(err)
			}
			if last[name] != sf[c] {
				t.Errorf("%s was last announced with %q, is %q", name, last[name], sf[c])
			}
		}
	}
	mark := len(w.sent)
	w.run(time.Hour)
	if got := len(w.sent) - mark; got != 0 {
		t.Errorf("%d packets in an hour in which nothing happens", got)
	}
}
