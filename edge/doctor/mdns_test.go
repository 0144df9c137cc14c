package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func addrs(list ...string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, a := range list {
		out[i] = netip.MustParseAddr(a)
	}
	return out
}

var (
	bridge = Service{
		Type: "_hap._tcp", Instance: "Häuschen (1)", Port: 51827, Identity: "id",
		TXT: []Entry{{"id", "AA:BB:CC:DD:EE:FF"}, {"sf", "1"}, {"md", ""}},
	}
	sighted = Sighting{
		Instance: bridge.Instance, Host: "attic.local.", Port: 51827, Family: "IPv4", After: 40 * time.Millisecond,
		TXT: []string{"id=AA:BB:CC:DD:EE:FF", "sf=1", "md=bridge"}, Addrs: addrs("192.0.2.7", "fe80::1"),
	}
	here = addrs("127.0.0.1", "192.0.2.7", "fe80::1", "2001:db8::7")
)

func sightings(changes ...func(*Sighting)) []Sighting {
	out := make([]Sighting, len(changes))
	for i, change := range changes {
		out[i] = sighted
		out[i].TXT = slices.Clone(sighted.TXT)
		change(&out[i])
	}
	return out
}

func asIs(*Sighting) {}

// quietly is a network where everything can be reached.
func quietly(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	return a, b.Close()
}

func TestCheckServices(t *testing.T) {
	overIPv6 := func(s *Sighting) { s.Family = "IPv6" }
	elsewhere := func(s *Sighting) { s.Addrs, s.Host = addrs("192.0.2.99"), "cellar.local." }
	for name, tt := range map[string]struct {
		node *Node
		seen Sightings
		dial Dial
		udp  []Listener
		err  error
		want want
	}{
		"found":             {running(), Sightings{Found: sightings(asIs)}, quietly, nil, nil, want{OK, `"Häuschen (1)" found over IPv4 within 40ms, at 192.0.2.7, fe80::1 port 51827`, ""}},
		"found, hint":       {running(), Sightings{Found: sightings(asIs)}, quietly, nil, nil, want{OK, "dns-sd -B _hap._tcp", ""}},
		"connected":         {running(), Sightings{Found: sightings(asIs)}, quietly, nil, nil, want{OK, "192.0.2.7:51827 takes connections", ""}},
		"over both":         {running(), Sightings{Found: sightings(overIPv6, asIs)}, quietly, nil, nil, want{OK, "over IPv4 and IPv6", ""}},
		"others' too":       {running(), Sightings{Found: sightings(asIs, func(s *Sighting) { s.Instance, s.TXT = "TV", nil })}, quietly, nil, nil, want{OK, "found over IPv4", ""}},
		"no IPv6":           {running(), Sightings{Found: sightings(asIs), IPv6: errOther}, quietly, nil, nil, want{OK, "no look over IPv6", ""}},
		"no look at all":    {running(), Sightings{IPv4: errOther, IPv6: errOther}, quietly, nil, nil, want{Skipped, "no look over IPv4", ""}},
		"port not shared":   {running(), Sightings{IPv4: fmt.Errorf("x: %w", syscall.EADDRINUSE), IPv6: errOther}, quietly, nil, nil, want{Fail, "shares it with nobody", "stop it"}},
		"no addresses":      {running(), Sightings{}, quietly, nil, errOther, want{Skipped, "something else", ""}},
		"nothing":           {running(), Sightings{}, quietly, nil, nil, want{Fail, `no answer for "Häuschen (1)" within 3s`, "UDP port 5353 and TCP port 51827"}},
		"only others":       {running(), Sightings{Found: sightings(func(s *Sighting) { s.Instance, s.TXT = "TV", nil })}, quietly, nil, nil, want{Fail, "other instances of _hap._tcp: 1", "client isolation"}},
		"node is off":       {stopped(), Sightings{}, quietly, nil, nil, want{Fail, "no node runs", "start the node"}},
		"a copy elsewhere":  {stopped(), Sightings{Found: sightings(elsewhere)}, quietly, nil, nil, want{Fail, "this node's identity (id) is announced over IPv4 from 192.0.2.99 (cellar.local)", "copied card"}},
		"two of a kind":     {running(), Sightings{Found: sightings(asIs, func(s *Sighting) { elsewhere(s); s.Instance = "Häuschen (1) (2)" })}, quietly, nil, nil, want{Fail, "identity", "stop one"}},
		"name elsewhere":    {running(), Sightings{Found: sightings(func(s *Sighting) { elsewhere(s); s.TXT[0] = "id=00:00:00:00:00:01" })}, quietly, nil, nil, want{Fail, `the name "Häuschen (1)" is announced`, "start the node again"}},
		"renamed":           {running(), Sightings{Found: sightings(func(s *Sighting) { s.Instance += " (2)" })}, quietly, nil, nil, want{Warn, `its name is to be "Häuschen (1)"`, "another name"}},
		"slow":              {running(), Sightings{Found: sightings(func(s *Sighting) { s.After = 2 * time.Second })}, quietly, nil, nil, want{Warn, "that is slow", "Wi-Fi"}},
		"another port":      {running(), Sightings{Found: sightings(func(s *Sighting) { s.Port = 1 })}, quietly, nil, nil, want{Fail, "port 1, not 51827", "start the node again"}},
		"old TXT":           {running(), Sightings{Found: sightings(func(s *Sighting) { s.TXT[1] = "sf=0" })}, quietly, nil, nil, want{Fail, "sf=0, not 1", "flight mode"}},
		"TXT is missing":    {running(), Sightings{Found: sightings(func(s *Sighting) { s.TXT = s.TXT[:2] })}, quietly, nil, nil, want{Fail, "without md", "start the node again"}},
		"case of keys":      {running(), Sightings{Found: sightings(func(s *Sighting) { s.TXT[1] = "SF=1" })}, quietly, nil, nil, want{OK, "found over IPv4", ""}},
		"no connection":     {running(), Sightings{Found: sightings(asIs)}, failing(syscall.ECONNREFUSED), nil, nil, want{Fail, "no connection to 192.0.2.7:51827", "firewall"}},
		"an old address":    {running(), Sightings{Found: sightings(func(s *Sighting) { s.Addrs = append(slices.Clone(s.Addrs), addrs("192.0.2.70")...) })}, quietly, nil, nil, want{Fail, "192.0.2.70, which is not this machine's", "start the node again"}},
		"link-local only":   {running(), Sightings{Found: sightings(func(s *Sighting) { s.Addrs = addrs("fe80::1") })}, quietly, nil, nil, want{Warn, "link-local addresses alone", "interfaces"}},
		"avahi beside":      {running(), Sightings{Found: sightings(asIs)}, quietly, []Listener{{netip.MustParseAddrPort("0.0.0.0:5353"), 3, "avahi-daemon"}}, nil, want{OK, "shared with avahi-daemon, which is fine", ""}},
		"another UDP port ": {running(), Sightings{Found: sightings(asIs)}, quietly, []Listener{{netip.MustParseAddrPort("0.0.0.0:53"), 3, "dnsmasq"}}, nil, want{OK, "found", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				check := CheckServices(tt.node, announced(bridge), MDNSProbes{
					Browse: func(ctx context.Context, service string) Sightings {
						if end, ok := ctx.Deadline(); service != "_hap._tcp" || !ok || time.Until(end) != listenTime {
							t.Errorf("browsing for %s until %v", service, end)
						}
						<-ctx.Done()
						return tt.seen
					},
					Dial:      tt.dial,
					Addresses: func() ([]netip.Addr, error) { return here, tt.err },
					Listeners: func(string) ([]Listener, error) { return tt.udp, nil },
				})
				tt.want.check(t, look(t, check))
			})
		})
	}
}

// announced is a node that announces these.
func announced(list ...Service) func(context.Context) (Announced, error) {
	return func(context.Context) (Announced, error) { return Announced{Services: list}, nil }
}

func TestNothingAnnounced(t *testing.T) {
	nothing := func(context.Context) (Announced, error) { return Announced{Why: "there is no bridge"}, nil }
	want{Skipped, "nothing is announced: there is no bridge", ""}.check(t, look(t, CheckServices(running(), nothing, MDNSProbes{})))
	unknown := func(context.Context) (Announced, error) { return Announced{}, errOther }
	want{Skipped, "something else", ""}.check(t, look(t, CheckServices(running(), unknown, MDNSProbes{})))
}

// TestSeveralServices: they are looked for at the same time, and the worst counts.
func TestSeveralServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := bridge
		second.Instance, second.TXT = "second", nil
		start := time.Now()
		f := look(t, CheckServices(running(), announced(bridge, second), MDNSProbes{
			Browse: func(ctx context.Context, _ string) Sightings {
				<-ctx.Done()
				return Sightings{Found: sightings(asIs)}
			},
			Dial: quietly, Addresses: func() ([]netip.Addr, error) { return here, nil }, Listeners: func(string) ([]Listener, error) { return nil, nil },
		}))
		want{Fail, `"Häuschen (1)" found`, "avahi-browse"}.check(t, f)
		want{Fail, `no answer for "second"`, ""}.check(t, f)
		if took := time.Since(start); took != listenTime {
			t.Errorf("it took %v, want %v", took, listenTime)
		}
		f = look(t, CheckServices(running(), announced(slices.Repeat([]Service{bridge}, 20)...), MDNSProbes{
			Browse: func(context.Context, string) Sightings { return Sightings{Found: sightings(asIs)} },
			Dial:   quietly, Addresses: func() ([]netip.Addr, error) { return here, nil }, Listeners: func(string) ([]Listener, error) { return nil, nil },
		}))
		want{OK, "12 further services", ""}.check(t, f)
	})
}

// TestDialsAreBounded: an announcement with hundreds of addresses does not make hundreds of connections, and addresses
// that swallow everything cost the time of one.
func TestDialsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many []netip.Addr
		for i := range 200 {
			many = append(many, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		}
		var mu sync.Mutex
		dialled := 0
		s := sightings(func(s *Sighting) { s.Addrs = append(slices.Clone(s.Addrs), many...) })
		start := time.Now()
		f := look(t, CheckServices(running(), announced(bridge), MDNSProbes{
			Browse: func(context.Context, string) Sightings { return Sightings{Found: s} },
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				mu.Lock()
				dialled++
				mu.Unlock()
				<-ctx.Done()
				return nil, ctx.Err()
			},
			Addresses: func() ([]netip.Addr, error) { return append(slices.Clone(here), many...), nil },
			Listeners: func(string) ([]Listener, error) { return nil, errors.ErrUnsupported },
		}))
		want{Fail, "no connection", "firewall"}.check(t, f)
		if took := time.Since(start); dialled != maxDials || took != connectTime {
			t.Errorf("%d connections in %v, want %d in %v", dialled, took, maxDials, connectTime)
		}
	})
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", `My\ lamp`: "My lamp", `H\195\164uschen\ \(1\)`: "Häuschen (1)", `a\.b`: "a.b", `\\`: `\`, `end\`: "end", `\30`: "30", `\999`: "999", "": "",
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add(`H\195\164uschen\ \(1\)`)
	f.Add(`\`)
	f.Add(`\25`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := unescape(s); len(got) > len(s) {
			t.Errorf("%q became longer: %q", s, got)
		}
	})
}
