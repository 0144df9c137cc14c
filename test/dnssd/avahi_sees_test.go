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
