package dnssd

import (
	"cmp"
	"net/netip"
	"slices"
)

// A netif is an interface as the system describes it.
type netif struct {
	index     int
	name      string
	running   bool // up, with a carrier
	multicast bool
	loopback  bool
	peer      bool // point to point
	member    bool // part of a bridge or the like, which is an interface itself
	addrs     []ifaddr
}

// An ifaddr is an address of an interface that can be sent from.
type ifaddr struct {
	prefix    netip.Prefix // the address, not masked
	fleeting  bool         // temporary, for privacy (RFC 8981)
	forgoing  bool         // deprecated (RFC 4862)
	tentative bool         // not proven to be free yet, or proven not to be
}

// selectLinks decides on which links we are. want are the names of interfaces; without any, all those that have
// multicast and lead to others by themselves. explicit addresses stand for the interfaces' own.
func selectLinks(ifs []netif, want []string, explicit []netip.Addr) []linkInfo {
	var out []linkInfo
	for _, n := range ifs {
		named := slices.Contains(want, n.name)
		if !n.running || len(want) > 0 && !named {
			continue
		}
		// The loopback interface says that it has no multicast, but where somebody names it, it has.
		if !named && (!n.multicast || n.loopback || n.peer || n.member) || named && !n.multicast && !n.loopback {
			continue
		}
		usable := slices.DeleteFunc(slices.Clone(n.addrs), func(a ifaddr) bool {
			return a.tentative || !a.prefix.IsValid() || a.prefix.Addr().IsMulticast() || a.prefix.Addr().IsUnspecified()
		})
		slices.SortStableFunc(usable, func(a, b ifaddr) int { return cmp.Compare(a.rank(), b.rank()) })
		info := linkInfo{name: n.name}
		has := map[family]bool{}
		for _, a := range usable {
			addr := a.prefix.Addr()
			info.prefixes = append(info.prefixes, a.prefix.Masked())
			has[familyOf(addr)] = true
			if len(info.addrs) < maxAddresses {
				info.addrs = append(info.addrs, addr)
			}
		}
		if len(explicit) > 0 {
			info.addrs = explicit
		}
		for _, f := range []family{ipv4, ipv6} {
			if has[f] {
				info.key = linkKey{n.index, f}
				out = append(out, info)
			}
		}
	}
	return out
}

// rank orders addresses: those first that are good for longest and from farthest away.
func (a ifaddr) rank() int {
	r := 0
	if a.prefix.Addr().IsLinkLocalUnicast() {
		r += 4
	}
	if a.forgoing {
		r += 2
	}
	if a.fleeting {
		r++
	}
	return r
}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}
