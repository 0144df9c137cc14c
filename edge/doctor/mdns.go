package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Service is something that this node announces by multicast DNS (RFC 6762, RFC 6763).
type Service struct {
	Type     string // _hap._tcp
	Instance string // name of the instance, as people see it
	Port     int
	TXT      []Entry // what has to stand in the TXT record; more may
	// Identity is the key of the TXT entry whose value no other instance may have, as id for HomeKit; "": there is none.
	Identity string
}

// Entry is an entry of a TXT record, RFC 6763 clause 6.3. An empty value stands for any.
type Entry struct{ Key, Value string }

// Sighting is an instance that answered.
type Sighting struct {
	Instance string // without escapes
	Host     string
	Port     int
	TXT      []string // key=value
	Addrs    []netip.Addr
	Family   string        // IPv4 or IPv6: over which the answer came
	After    time.Duration // since the question
}

// Sightings are what a browser saw. Where it could not look over a family of addresses, the error says why.
type Sightings struct {
	Found      []Sighting
	IPv4, IPv6 error
}

// MDNSProbes look at what is announced.
type MDNSProbes struct {
	// Browse asks for the instances of a service type and listens until ctx ends.
	Browse    func(ctx context.Context, service string) Sightings
	Dial      Dial
	Addresses func() ([]netip.Addr, error) // of this machine
	Listeners func(network string) ([]Listener, error)
}

const (
	// listenTime is how long the browser listens: as long as people look at an empty list.
	listenTime = 3 * time.Second
	// slowAnswer is the time after which an answer is called slow; RFC 6762 clause 6 asks for 20 to 120 ms.
	slowAnswer = time.Second
	// connectTime bounds a connection to an announced address.
	connectTime = 1500 * time.Millisecond
	// maxDials bounds the announced addresses that are tried.
	maxDials = 16
	mdnsPort = 5353
)

// Announced is what a node announces. Without services, Why says the reason.
type Announced struct {
	Services []Service
	Why      string
}

// maxServices bounds the services that are looked for.
const maxServices = 8

// CheckServices looks for what the node announces. list is asked first; a running node may tell it more exactly than its
// configuration does.
func CheckServices(n *Node, list func(ctx context.Context) (Announced, error), p MDNSProbes) Check {
	return Check{Name: "mdns", Limit: askTime + listenTime + connectTime + time.Second, Look: func(ctx context.Context) Finding {
		all, err := list(ctx)
		switch {
		case err != nil:
			return found(Skipped, "what is announced cannot be told: "+err.Error())
		case len(all.Services) == 0:
			return found(Skipped, "nothing is announced: "+all.Why)
		}
		services := all.Services[:min(len(all.Services), maxServices)]
		findings := make([]Finding, len(services))
		var wg sync.WaitGroup
		for i, s := range services {
			wg.Go(func() { findings[i] = (&lookout{node: n, want: s, p: p}).look(ctx) })
		}
		wg.Wait()
		f := findings[0]
		for _, more := range findings[1:] {
			f.add(more)
		}
		if more := len(all.Services) - len(services); more > 0 {
			f.see(Skipped, fmt.Sprintf("%d further services", more))
		}
		return f
	}}
}
