package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Port is an address that a process of ours is to listen on.
type Port struct {
	Key     string // of the configuration, for the advice
	Network string // tcp or udp
	Address string // host:port as it is configured; an empty host means all addresses
	// Optional says when nobody listens there though the process runs; "": somebody always has to.
	Optional string
	// Who is that process: "the node", "the hub".
	Who string
	// Process gives the process that is to listen, 0 if that cannot be told; ErrNotRunning if it does not run.
	Process func(ctx context.Context) (pid int, err error)
}

// Listener is a socket that is open on this machine. PID is 0 where the kernel does not say whose it is.
type Listener struct {
	Addr    netip.AddrPort
	PID     int
	Program string
}

func (l Listener) whose() string {
	if l.PID == 0 {
		return "a program of another user"
	}
	return fmt.Sprintf("%s (process %d)", l.Program, l.PID)
}

// PortProbes look at ports without taking any.
type PortProbes struct {
	Listeners func(network string) ([]Listener, error)
	// Addresses are those of this machine.
	Addresses func() ([]netip.Addr, error)
	// Resolve gives the addresses of a host name.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// LowPorts is the first port that needs no right; 0 if that does not matter.
	LowPorts func() int
}

// CheckPort tells whether an address is ours, somebody else's, or free.
func CheckPort(p Port, probes PortProbes) Check {
	return Check{Name: "port " + p.Key, Look: func(ctx context.Context) Finding {
		want, f := p.addresses(ctx, probes)
		if f != nil {
			return *f
		}
		all, err := probes.Listeners(p.Network)
		if err != nil {
			return found(Skipped, "the kernel does not tell who listens: "+err.Error())
		}
		pid, running := p.Process(ctx)
		var other *Listener
		for i, l := range all {
			if !clash(want, l.Addr) {
				continue
			}
			if running == nil && pid != 0 && l.PID == pid {
				return found(OK, fmt.Sprintf("%s %s: %s listens", p.Network, l.Addr, p.Who))
			}
			if other == nil {
				other = &all[i]
			}
		}
		if other != nil {
			return p.somebody(*other, pid, running)
		}
		return p.nobody(want, running, probes)
	}}
}

// somebody judges an address on which somebody listens who is not known to be ours.
func (p Port) somebody(l Listener, pid int, running error) Finding {
	at := fmt.Sprintf("%s %s: %s", p.Network, l.Addr, l.whose())
	taken := []string{
		"stop that program, or set " + p.Key + " to another port",
		"if it is another twinbridge, one of the two has to go",
	}
	switch {
	case running == nil && (pid == 0 || l.PID == 0):
		return found(OK, at+" listens, and "+p.Who+" runs; whether it is the same, only root can see")
	case running == nil:
		return found(Fail, at+" listens, not "+p.Who, taken...)
	case errors.Is(running, ErrNotRunning):
		return found(Fail, at+" has it", taken...)
	}
	return found(Warn, at+" listens; whether that is "+p.Who+" could not be asked", "run this as the user of "+p.Who+", or as root")
}

// nobody judges an address on which nobody listens.
func (p Port) nobody(want netip.AddrPort, running error, probes PortProbes) Finding {
	at := fmt.Sprintf("%s %s", p.Network, want)
	switch {
	case running == nil && p.Optional != "":
		return found(OK, at+": nobody listens; "+p.Optional)
	case running == nil:
		return found(Fail, at+": nobody listens, and "+p.Who+" runs",
			p.Who+" was started with another configuration: start it again, or name its file by --config")
	case !errors.Is(running, ErrNotRunning):
		return found(Skipped, at+": nobody listens; whether "+p.Who+" runs could not be asked")
	}
	if low := probes.LowPorts(); int(want.Port()) < low {
		return found(Fail, fmt.Sprintf("%s: free, but ports below %d need root", at, low), "set "+p.Key+" to a higher port")
	}
	if ip := want.Addr(); !ip.IsUnspecified() && !ip.IsLoopback() {
		have, err := probes.Addresses()
		if err == nil && !hasAddr(have, ip) {
			return found(Fail, fmt.Sprintf("%s: this machine has no address %s", at, ip),
				"the address of a machine may change: set "+p.Key+" to one that it has, or to :"+strconv.Itoa(int(want.Port()))+" for all of them")
		}
	}
	return found(OK, at+": free")
}

// addresses reads the address; else it gives the finding that it makes.
func (p Port) addresses(ctx context.Context, probes PortProbes) (netip.AddrPort, *Finding) {
	bad := func(s Status, seen string, advice ...string) (netip.AddrPort, *Finding) {
		f := found(s, seen, advice...)
		return netip.AddrPort{}, &f
	}
	if p.Address == "" {
		return bad(Skipped, "switched off")
	}
	host, text, err := net.SplitHostPort(p.Address)
	port, perr := net.LookupPort(p.Network, text)
	if err != nil || perr != nil {
		return bad(Fail, fmt.Sprintf("%q is no address", p.Address), "set "+p.Key+" to host:port")
	}
	if port == 0 {
		return bad(Skipped, "any free port is taken at each start; the line that begins with ready: says which")
	}
	ip := netip.IPv6Unspecified()
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			list, err := probes.Resolve(ctx, host)
			if err != nil || len(list) == 0 {
				return bad(Fail, fmt.Sprintf("%s: the name %q has no address: %v", p.Address, host, err), "set "+p.Key+" to an IP address")
			}
			ip = list[0]
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
}

// clash reports whether who wants an address finds it taken by the other one. A socket on :: has the port of IPv4 too.
func clash(want, have netip.AddrPort) bool {
	a, b := want.Addr(), have.Addr().Unmap()
	switch {
	case want.Port() != have.Port():
		return false
	case a == netip.IPv6Unspecified() || b == netip.IPv6Unspecified():
		return true
	case a.Is4() != b.Is4():
		return false
	}
	return a.IsUnspecified() || b.IsUnspecified() || a.WithZone("") == b.WithZone("")
}

func hasAddr(list []netip.Addr, a netip.Addr) bool {
	for _, have := range list {
		if have.Unmap().WithZone("") == a.Unmap().WithZone("") {
			return true
		}
	}
	return false
}
