package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lookout looks for one service.
type lookout struct {
	node  *Node
	want  Service
	p     MDNSProbes
	local []netip.Addr
}

func (l *lookout) look(ctx context.Context) Finding {
	_, running := l.node.Health(ctx)
	var err error
	if l.local, err = l.p.Addresses(); err != nil {
		return found(Skipped, "the addresses of this machine cannot be listed: "+err.Error())
	}
	listening, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	seen := l.p.Browse(listening, l.want.Type)
	var f Finding
	if done := l.families(&f, &seen); done {
		return f
	}
	ours, others := l.sort(seen.Found)
	switch {
	case len(ours) > 0:
		l.ours(ctx, &f, ours)
	case errors.Is(running, ErrNotRunning):
		f.see(Fail, "no node runs, so nothing is announced", "start the node first")
	case len(others) == 0:
		f.see(Fail, fmt.Sprintf("no answer for %q within %v, not even on this machine; other instances of %s: %d",
			l.want.Instance, listenTime, l.want.Type, len(seen.Found)), l.silent()...)
	}
	for i := range others {
		l.other(&f, &others[i])
	}
	l.neighbours(&f)
	if f.Status == OK {
		f.see(OK, "a firewall of this machine shows from outside only; from another machine: dns-sd -B "+l.want.Type+", or avahi-browse -rtp "+l.want.Type)
	}
	return f
}

// families tells over which families could not be looked; done if none is left.
func (l *lookout) families(f *Finding, s *Sightings) (done bool) {
	if s.IPv4 == nil && s.IPv6 == nil {
		return false
	}
	for _, t := range []struct {
		family string
		err    error
	}{{"IPv4", s.IPv4}, {"IPv6", s.IPv6}} {
		switch {
		case t.err == nil:
		case errors.Is(t.err, syscall.EADDRINUSE):
			f.see(Fail, fmt.Sprintf("UDP port %d (%s) is held by a program that shares it with nobody: %v", mdnsPort, t.family, t.err),
				fmt.Sprintf("stop it (ss -ulnp sport = :%d names it), or let it share the port; avahi-daemon does", mdnsPort))
		default:
			f.see(Skipped, "no look over "+t.family+": "+t.err.Error())
		}
	}
	return s.IPv4 != nil && s.IPv6 != nil
}

// sort parts what answered into what comes from here, and what has our name or identity and comes from elsewhere.
func (l *lookout) sort(all []Sighting) (ours, others []Sighting) {
	for _, s := range all {
		switch {
		case s.Instance != l.want.Instance && !l.same(&s):
		case slices.ContainsFunc(s.Addrs, func(a netip.Addr) bool { return hasAddr(l.local, a) }):
			ours = append(ours, s)
		default:
			others = merge(others, s)
		}
	}
	return ours, others
}

// merge adds a sighting to those of other machines; one that was seen over both families counts once.
func merge(list []Sighting, s Sighting) []Sighting {
	for i := range list {
		have := &list[i]
		if have.Instance == s.Instance && have.Host == s.Host {
			have.Family += " and " + s.Family
			have.Addrs = union(have.Addrs, s.Addrs)
			return list
		}
	}
	return append(list, s)
}

// union gives the addresses of both lists, each once.
func union(a, b []netip.Addr) []netip.Addr {
	all := slices.Concat(a, b)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// same reports whether a sighting has our identity.
func (l *lookout) same(s *Sighting) bool {
	want, ok := value(l.want.TXT, l.want.Identity)
	if !ok || want == "" {
		return false
	}
	have, ok := s.entry(l.want.Identity)
	return ok && strings.EqualFold(have, want)
}

func value(list []Entry, key string) (string, bool) {
	for _, e := range list {
		if strings.EqualFold(e.Key, key) {
			return e.Value, true
		}
	}
	return "", false
}

// entry gives the value of a TXT entry. Keys have no case, and the first of a key counts (RFC 6763 clause 6.4).
func (s *Sighting) entry(key string) (string, bool) {
	for _, t := range s.TXT {
		k, v, _ := strings.Cut(t, "=")
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}

// ours judges our own announcement.
func (l *lookout) ours(ctx context.Context, f *Finding, list []Sighting) {
	first := &list[0]
	var families []string
	var addrs []netip.Addr
	for i := range list {
		addrs = union(addrs, list[i].Addrs)
		if list[i].After < first.After {
			first = &list[i]
		}
		if !slices.Contains(families, list[i].Family) {
			families = append(families, list[i].Family)
		}
	}
	slices.Sort(families)
	took := first.After.Round(time.Millisecond)
	text := fmt.Sprintf("%q found over %s within %v, at %s port %d", first.Instance, strings.Join(families, " and "), took, join(addrs), first.Port)
	switch {
	case first.Instance != l.want.Instance:
		f.see(Warn, text+fmt.Sprintf("; its name is to be %q, which another device on the network has", l.want.Instance),
			"give one of the two another name; phones that are paired already do not mind")
	case first.After > slowAnswer:
		f.see(Warn, text+"; that is slow", "is this machine, or its Wi-Fi, under much load?")
	default:
		f.see(OK, text)
	}
	for i := range list {
		l.record(f, &list[i])
	}
	l.connect(ctx, f, list)
}

// record compares an announcement with what it has to be.
func (l *lookout) record(f *Finding, s *Sighting) {
	again := []string{
		"start the node again: it announces anew",
		"if only the phone sees old things: switch its flight mode on and off",
	}
	if s.Port != l.want.Port && l.want.Port != 0 {
		f.see(Fail, fmt.Sprintf("over %s: announced with port %d, not %d", s.Family, s.Port, l.want.Port), again...)
	}
	for _, e := range l.want.TXT {
		have, ok := s.entry(e.Key)
		switch {
		case !ok:
			f.see(Fail, fmt.Sprintf("over %s: announced without %s in its TXT record", s.Family, e.Key), again...)
		case e.Value != "" && have != e.Value:
			f.see(Fail, fmt.Sprintf("over %s: announced with %s=%s, not %s", s.Family, e.Key, have, e.Value), again...)
		}
	}
}

// connect connects to each announced address, as a phone would.
func (l *lookout) connect(ctx context.Context, f *Finding, list []Sighting) {
	var tried []netip.AddrPort
	wide := false
	for i := range list {
		for _, a := range list[i].Addrs {
			if a.IsLinkLocalUnicast() {
				continue // an IPv6 one needs the name of an interface, which no announcement has
			}
			wide = true
			at := netip.AddrPortFrom(a.Unmap(), uint16(list[i].Port))
			if !slices.Contains(tried, at) && len(tried) < maxDials {
				tried = append(tried, at)
			}
		}
	}
	if !wide {
		f.see(Warn, "announced with link-local addresses alone, which some controllers pass over", "see the check interfaces")
	}
	errs := make([]error, len(tried))
	var wg sync.WaitGroup
	for i, at := range tried {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			defer cancel()
			c, err := l.p.Dial(ctx, "tcp", at.String())
			if err == nil {
				err = c.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, at := range tried {
		switch {
		case !hasAddr(l.local, at.Addr()):
			f.see(Fail, fmt.Sprintf("announced with the address %s, which is not this machine's", at.Addr()),
				"it had it before: start the node again; phones try an address that is gone, and wait")
		case errs[i] != nil:
			f.see(Fail, fmt.Sprintf("announced, and no connection to %s: %v", at, errs[i]),
				"see the check of its port; a firewall may drop TCP port "+strconv.Itoa(int(at.Port())))
		default:
			f.see(OK, fmt.Sprintf("%s takes connections", at))
		}
	}
}

// other judges an announcement with our name or identity that has none of our addresses.
func (l *lookout) other(f *Finding, s *Sighting) {
	what := fmt.Sprintf("the name %q", s.Instance)
	if l.same(s) {
		what = fmt.Sprintf("this node's identity (%s)", l.want.Identity)
	}
	f.see(Fail, fmt.Sprintf("%s is announced over %s from %s (%s), where this machine is not", what, s.Family, join(s.Addrs), strings.TrimSuffix(s.Host, ".")),
		"another machine has a copy of this node's data, as by a copied card: stop one of the two",
		"or this machine's address has changed and the old one is announced still: start the node again")
}

// silent is what to do when nothing answers.
func (l *lookout) silent() []string {
	return []string{
		"see the check interfaces: an interface has to be up, with an address and multicast",
		"in a container: give it the host's network (--network host), as multicast does not pass a bridge of containers",
		fmt.Sprintf("let the firewall of this machine pass UDP port %d and TCP port %d in both directions", mdnsPort, l.want.Port),
		"look from another machine: dns-sd -B " + l.want.Type + ", or avahi-browse -rtp " + l.want.Type,
		"if it is found there and not by the phone: is the phone in the same network, not in a guest Wi-Fi, and is \"client isolation\" off at the access point?",
	}
}

// neighbours names other responders on this machine. They share the port.
func (l *lookout) neighbours(f *Finding) {
	all, err := l.p.Listeners("udp")
	if err != nil {
		return
	}
	var names []string
	for _, n := range all {
		if n.Addr.Port() == mdnsPort && n.PID != 0 && n.PID != os.Getpid() && !strings.HasPrefix(n.Program, "twinbridge") && !slices.Contains(names, n.Program) {
			names = append(names, n.Program)
		}
	}
	if len(names) > 0 {
		f.see(OK, fmt.Sprintf("UDP port %d is shared with %s, which is fine", mdnsPort, strings.Join(names, ", ")))
	}
}

// SystemDial opens connections by the system.
func SystemDial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
