package dnssd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/pairing/dnssd"
	"twinbridge/test/world"
)

// How Avahi writes our name: not ASCII as decimal numbers.
const (
	lampName  = "Küche, Lampe 1.2"
	lampAvahi = `K\195\188che\044\032Lampe\0321\.2`
)

func lamp() dnssd.Service {
	return dnssd.Service{
		Instance: lampName, Type: "_hap._tcp", Subtypes: []string{"_L840"}, Port: 51827,
		TXT: []string{"c#=1", "id=AA:BB:CC:DD:EE:FF", "md=Lamp", "sf=1"},
	}
}

func sf(v int) []string { return []string{fmt.Sprintf("sf=%d", v)} }

// TestFound: by Avahi and by zeroconf, with everything; then its record changes, flaps, and the service goes.
func TestFound(t *testing.T) {
	n := newNetwork(t)
	a := n.avahi(n.far)
	p := n.start(n.here, "node")
	if r := p.do(order{Do: "register", S: lamp()}); r.Name != lampName {
		t.Errorf("name %q", r.Name)
	}
	for _, f := range a.await("_hap._tcp", lampAvahi, lamp().TXT...) {
		if f.port != "51827" || f.host != "node.local" {
			t.Errorf("found %+v", f)
		}
		if f.addr != "192.0.2.1" && f.addr != "fd00:db8::1" && !strings.HasPrefix(f.addr, "fe80::") {
			t.Errorf("an address that is not the interface's: %+v", f)
		}
	}
	found := n.zeroconf(n.far, "_hap._tcp")
	if len(found) != 1 {
		t.Fatalf("zeroconf found %d services", len(found))
	}
	e := found[0]
	if got := strings.ReplaceAll(e.Instance, `\`, ""); got != lampName && !strings.Contains(e.Instance, "Lampe") {
		t.Errorf("zeroconf says %q", e.Instance)
	}
	if !slices.Equal(e.Text, lamp().TXT) || e.Port != 51827 || e.HostName != "node.local." || len(e.AddrIPv4) != 1 || len(e.AddrIPv6) != 2 {
		t.Errorf("zeroconf found %+v", e)
	}
	if e.AddrIPv4 == nil || e.AddrIPv4[0].String() != "192.0.2.1" || !slices.ContainsFunc(e.AddrIPv6, func(ip net.IP) bool { return bytes.HasPrefix(ip, []byte{0xfd}) }) {
		t.Errorf("zeroconf found the addresses %v %v", e.AddrIPv4, e.AddrIPv6)
	}

	// A change, and then 1, 0, 1 within a second.
	p.do(order{Do: "txt", TXT: sf(0)})
	a.await("_hap._tcp", lampAvahi, sf(0)...)
	p.do(order{Do: "txt", TXT: sf(1)})
	a.await("_hap._tcp", lampAvahi, sf(1)...)
	for _, v := range []int{0, 1, 0, 1} {
		p.do(order{Do: "txt", TXT: sf(v)})
		<-time.After(300 * time.Millisecond)
	}
	a.await("_hap._tcp", lampAvahi, sf(1)...)
	<-time.After(4 * time.Second) // all announcements are over
	for _, f := range a.browse("_hap._tcp") {
		if !slices.Equal(f.txt, sf(1)) {
			t.Errorf("after the flapping Avahi holds %+v", f)
		}
	}

	// A second service goes by itself, and the first with its process.
	s := lamp()
	s.Instance = "Other"
	p.do(order{Do: "register", S: s})
	a.await("_hap._tcp", "Other", s.TXT...)
	p.do(order{Do: "close", ID: 1})
	a.gone("_hap._tcp", "Other")
	a.await("_hap._tcp", lampAvahi, sf(1)...)
	p.end()
	a.gone("_hap._tcp", lampAvahi)
}

// zeroconf asks with the other library.
func (n *network) zeroconf(ns, kind string) []*entry {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := within(ctx, ns, os.Args[0], kind)
	cmd.Env = append(os.Environ(), role+"=browser")
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("the browser: %v", err)
	}
	var found []*entry
	dec := json.NewDecoder(bytes.NewReader(out))
	for dec.More() {
		e := new(entry)
		if err := dec.Decode(e); err != nil {
			n.t.Fatal(err)
		}
		found = append(found, e)
	}
	return found
}

// TestConflict: Avahi has our name already.
func TestConflict(t *testing.T) {
	n := newNetwork(t)
	a := n.avahi(n.far)
	n.publish(a, lampName, "_hap._tcp", 1, "who=avahi")
	p := n.start(n.here, "node")
	p.do(order{Do: "register", S: lamp()})
	a.await("_hap._tcp", lampAvahi+`\032\0402\041`, lamp().TXT...)
	if r := p.do(order{Do: "name"}); r.Name != lampName+" (2)" {
		t.Errorf("name %q", r.Name)
	}
	for _, f := range a.browse("_hap._tcp") {
		if f.name == lampAvahi && f.port != "1" {
			t.Errorf("the name belongs to %+v", f)
		}
	}
}

// TestBesideAvahi: both on port 5353 of one machine. Avahi keeps its host's name, and each is found by its own machine
// and by another.
func TestBesideAvahi(t *testing.T) {
	n := newNetwork(t)
	own, far := n.avahi(n.here), n.avahi(n.far)
	n.publish(own, "Avahi's", "_hap._tcp", 1, "who=avahi")
	n.publish(own, lampName, "_hap._tcp", 2, "who=avahi")
	// Who has only just announced it does not answer a probe, but takes part in the conflict.
	far.await("_hap._tcp", lampAvahi, "who=avahi")
	<-time.After(2 * time.Second)
	p := n.start(n.here, "")
	p.do(order{Do: "register", S: lamp()})
	for _, a := range []*avahi{own, far} {
		for _, f := range a.await("_hap._tcp", lampAvahi+`\032\0402\041`, lamp().TXT...) {
			if f.host == "avahi-"+n.here+".local" {
				t.Errorf("our service stands at Avahi's host: %+v", f)
			}
		}
		a.await("_hap._tcp", `Avahi\039s`, "who=avahi")
	}
	if s := p.do(order{Do: "stats"}).Stats; s.Renames != 1 || s.Conflicts != 1 {
		t.Errorf("%d conflicts, %d new names, want one for the service: %+v", s.Conflicts, s.Renames, s)
	}
	p.end()
	for _, a := range []*avahi{own, far} {
		a.gone("_hap._tcp", lampAvahi+`\032\0402\041`)
		for _, f := range a.await("_hap._tcp", `Avahi\039s`, "who=avahi") {
			if f.addr == "" {
				t.Errorf("our goodbye took Avahi's address: %+v", f)
			}
		}
	}
}

// TestLinkAndAddress: the cable is pulled and put in again; an address comes. Nobody asks, so what is seen was announced.
func TestLinkAndAddress(t *testing.T) {
	n := newNetwork(t)
	l := n.listen(n.far)
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

// TestStart: 19 of 20 starts are announced within 1.1 s: 250 ms at most, then three times 250 ms (RFC 6762 8.1).
func TestStart(t *testing.T) {
	n := newNetwork(t)
	p := n.start(n.here, "node")
	took := p.do(order{Do: "starts", N: 20}).Tooks
	slices.Sort(took)
	t.Logf("first announcement: median %v, 95%% %v, most %v", took[10], took[18], took[19])
	if took[0] < 750*time.Millisecond || took[18] > 1100*time.Millisecond {
		t.Errorf("from %v to %v, of 20 the last but one %v", took[0], took[19], took[18])
	}
}
