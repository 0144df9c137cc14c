package dnssd

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"twinbridge/test/world"
)

// TestLinkAndAddress: the cable is pulled and put in again; an address comes. Nobody asks, so what is seen was announced.
func TestLinkAndAddress(t *testing.T) {
	n := newNetwork(t)
	l := n.listen(n.far, cable)
	p := n.start(n.here, "node")
	p.do(order{Do: "register", S: lamp()})
	l.await("an announcement", func(s sight) bool { return s.has(`lampe`, "SRV") })
	n.ip("-n", n.here, "addr", "add", "192.0.2.77/24", "dev", cable)
	l.await("the new address", func(s sight) bool { return s.has("192.0.2.77", "A") && s.has("192.0.2.1", "A") })
	n.ip("-n", n.here, "addr", "del", "192.0.2.77/24", "dev", cable)
	l.await("the former address", func(s sight) bool { return s.has("node", "A") && !s.has("192.0.2.77", "A") })

	n.ip("-n", n.here, "link", "set", cable, "down")
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		s := p.do(order{Do: "stats"}).Stats
		return len(s.Links) == 0, fmt.Sprintf("%+v", s.Links)
	})
	l.forget()
	n.ip("-n", n.here, "link", "set", cable, "up")
	l.await("an announcement after the link was down", func(s sight) bool { return s.has("lampe", "SRV") && s.has("192.0.2.1", "A") })

	// Down and up again faster than anybody looks.
	before := p.do(order{Do: "stats"}).Stats.Probes
	<-time.After(2 * time.Second)
	l.forget()
	n.ip("-n", n.here, "link", "set", cable, "down")
	n.ip("-n", n.here, "link", "set", cable, "up")
	l.await("an announcement after a short break", func(s sight) bool { return s.has("lampe", "SRV") })
	if after := p.do(order{Do: "stats"}).Stats.Probes; after <= before {
		t.Errorf("no probes after the break")
	}

	// The interface goes and another one comes.
	n.ip("-n", n.here, "link", "del", cable)
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		s := p.do(order{Do: "stats"}).Stats
		return len(s.Links) == 0, fmt.Sprintf("%+v", s.Links)
	})
	if s := p.do(order{Do: "stats"}).Stats; s.Conflicts+s.Renames != 0 {
		t.Errorf("conflicts with ourselves: %+v", s)
	}
}

// TestStart: of 20 starts none is announced before three probes had their 250 ms each (RFC 6762 8.1). How long it takes is
// measured by make bench.
func TestStart(t *testing.T) {
	n := newNetwork(t)
	p := n.start(n.here, "node")
	took := p.do(order{Do: "starts", N: 20}).Tooks
	slices.Sort(took)
	t.Logf("first announcement: median %v, 95%% %v, most %v", took[10], took[18], took[19])
	if took[0] < 750*time.Millisecond {
		t.Errorf("one was announced after %v", took[0])
	}
}

// TestTwoInterfaces on one network: what goes out of one comes in by the other, and is no conflict.
func TestTwoInterfaces(t *testing.T) {
	n := newNetwork(t)
	n.ip("link", "add", "wire1", "netns", n.here, "type", "veth", "peer", "name", "wire1", "netns", n.far)
	n.ip("-n", n.here, "addr", "add", "192.0.2.3/24", "dev", "wire1")
	n.ip("-n", n.far, "link", "add", "net0", "type", "bridge")
	n.ip("-n", n.far, "addr", "flush", "dev", cable)
	n.ip("-n", n.far, "addr", "add", "192.0.2.2/24", "dev", "net0")
	n.ip("-n", n.here, "link", "set", "wire1", "up")
	for _, dev := range []string{cable, "wire1"} {
		n.ip("-n", n.far, "link", "set", dev, "master", "net0")
		n.ip("-n", n.far, "link", "set", dev, "up")
	}
	n.ip("-n", n.far, "link", "set", "net0", "up")
	l := n.listen(n.far, "net0")
	p := n.start(n.here, "node")
	if r := p.do(order{Do: "register", S: lamp()}); r.Name != lampName {
		t.Errorf("name %q", r.Name)
	}
	for _, addr := range []string{"192.0.2.1", "192.0.2.3"} {
		s := l.await("the address "+addr, func(s sight) bool { return s.has(addr, "A") })
		if s.has("192.0.2.1", "A") && s.has("192.0.2.3", "A") {
			t.Errorf("addresses of two interfaces on one: %v", s.msg.String())
		}
	}
	p.do(order{Do: "txt", TXT: sf(0)})
	l.await("the change", func(s sight) bool { return s.has("sf=0", "TXT") })
	<-time.After(3 * time.Second)
	s := p.do(order{Do: "stats"}).Stats
	if s.Conflicts+s.Renames+s.LostProbes != 0 || s.Host != "node" || len(s.Links) != 4 {
		t.Errorf("conflicts with ourselves: %+v", s)
	}
	if s.Echoes == 0 {
		t.Error("nothing came back")
	}
}

// TestLoopback: where it is named, and has multicast, two programs of one machine see each other there. The second takes
// another name; it is not the unicast of the first that tells it, as both have port 5353 open.
func TestLoopback(t *testing.T) {
	n := newNetwork(t)
	n.ip("-n", n.here, "link", "set", "lo", "multicast", "on")
	n.ip("-n", n.here, "route", "add", "224.0.0.0/4", "dev", "lo")
	first := n.start(n.here, "first", role+"_INTERFACE=lo")
	first.do(order{Do: "register", S: lamp()})
	second := n.start(n.here, "second", role+"_INTERFACE=lo")
	s := lamp()
	s.Port++
	second.do(order{Do: "register", S: s})
	world.Eventually(t, 10*time.Second, func() (bool, string) {
		a, b := first.do(order{Do: "name"}).Name, second.do(order{Do: "name"}).Name
		return a == lampName && b == lampName+" (2)", fmt.Sprintf("%q and %q", a, b)
	})
}

// TestFlood: 1,200 packets per second that are none of our business. Of the time that they cost, a tenth goes into looking
// at them (BenchmarkForeign); the rest is the waking of the process, and grows with whatever else the machine does. The
// limit is a third of what Avahi needs for the same.
func TestFlood(t *testing.T) {
	n := newNetwork(t)
	l := n.listen(n.far, cable)
	p := n.start(n.here, "node")
	for i := range 5 {
		s := lamp()
		s.Instance = fmt.Sprintf("Lamp %d", i)
		p.do(order{Do: "register", S: s})
	}
	var packets []*dns.Msg
	for i := range 12 {
		m := &dns.Msg{Compress: true}
		m.Response = true
		for j := range 6 {
			name := fmt.Sprintf("device-%d-%d._googlecast._tcp.local.", i, j)
			for _, line := range []string{
				"_googlecast._tcp.local. 4500 IN PTR " + name, name + " 120 IN SRV 0 0 8009 device.local.", name + ` 4500 IN TXT "id=0123456789" "md=Some Model"`,
			} {
				rr, err := dns.NewRR(line)
				if err != nil {
					t.Fatal(err)
				}
				m.Answer = append(m.Answer, rr)
			}
		}
		packets = append(packets, m)
	}
	const seconds = 5
	before, used := p.do(order{Do: "stats"}).Stats.Foreign, p.cpu()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range seconds * 100 {
		<-tick.C
		for _, m := range packets {
			l.say(m, group)
		}
	}
	used = p.cpu() - used
	seen := p.do(order{Do: "stats"}).Stats.Foreign - before
	t.Logf("%d packets, %v of processor time", seen, used)
	if seen < seconds*1000 {
		t.Errorf("only %d packets came in", seen)
	}
	if limit := 900 * time.Millisecond * seconds / 10; used > limit {
		t.Errorf("%v of processor time in %d s, at most %v", used, seconds, limit)
	}
}

// cpu gives the processor time that the process has used, in steps of 10 ms (proc(5)).
func (p *node) cpu() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	var sum time.Duration
	for _, f := range strings.Fields(rest)[11:13] {
		v, err := strconv.Atoi(f)
		if err != nil {
			p.t.Fatal(err)
		}
		sum += time.Duration(v) * 10 * time.Millisecond
	}
	return sum
}
