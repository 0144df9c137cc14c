package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Interface is a network interface.
type Interface struct {
	Name         string
	Up           bool // switched on
	Carrier      bool // with a cable in, or Wi-Fi joined
	Multicast    bool
	Loopback     bool
	PointToPoint bool
	Addrs        []netip.Prefix
	IPv6Off      bool // switched off by sysctl
}

// prefixes of names that containers, guests and private networks give their interfaces: phones are not there.
var apart = []struct{ prefix, what string }{
	{"docker", "containers"},
	{"veth", "containers"},
	{"cni", "containers"},
	{"flannel", "containers"},
	{"cali", "containers"},
	{"podman", "containers"},
	{"lxcbr", "containers"},
	{"lxdbr", "containers"},
	{"virbr", "guests"},
	{"vnet", "guests"},
	{"tun", "a private network"},
	{"wg", "a private network"},
	{"tailscale", "a private network"},
	{"zt", "a private network"},
	{"ppp", "a private network"},
}

// side gives what an interface serves beside the house's network; "" if that is not known.
func (i *Interface) side() string {
	if id, ok := strings.CutPrefix(i.Name, "br-"); ok && len(id) == 12 && strings.Trim(id, "0123456789abcdef") == "" {
		return "containers" // as Docker names its networks
	}
	for _, a := range apart {
		if strings.HasPrefix(i.Name, a.prefix) {
			return a.what
		}
	}
	if i.PointToPoint {
		return "a private network"
	}
	return ""
}

// addresses gives those of one family that reach further than the cable.
func (i *Interface) addresses(v4 bool) (wide, linkLocal []netip.Addr) {
	for _, p := range i.Addrs {
		switch a := p.Addr(); {
		case a.Is4() != v4:
		case a.IsLinkLocalUnicast():
			linkLocal = append(linkLocal, a)
		default:
			wide = append(wide, a)
		}
	}
	return wide, linkLocal
}

// CheckInterfaces tells whether phones of the house can reach this machine by multicast, and by which addresses.
func CheckInterfaces(list func() ([]Interface, error)) Check {
	return Check{Name: "interfaces", Look: func(context.Context) Finding {
		all, err := list()
		if err != nil {
			return found(Skipped, "the network interfaces cannot be listed: "+err.Error())
		}
		var f Finding
		var house []*Interface
		for n := range all {
			i := &all[n]
			switch {
			case i.Loopback:
			case i.side() != "":
				if i.Up {
					f.see(OK, fmt.Sprintf("%s: for %s; phones are not there", i.Name, i.side()))
				}
			case i.judge(&f):
				house = append(house, i)
			}
		}
		if len(house) == 0 {
			f.see(Fail, "no interface reaches a network on which phones could be",
				"put the cable in, or join the Wi-Fi, and see that the machine gets an address (ip address)",
				"in a container: give it the host's network (--network host), as multicast does not pass a bridge of containers")
			return f
		}
		judgeSeveral(&f, house)
		return f
	}}
}

// judge tells whether an interface can carry mDNS.
func (i *Interface) judge(f *Finding) bool {
	v4, local4 := i.addresses(true)
	v6, local6 := i.addresses(false)
	all := slices.Concat(v4, local4, v6, local6)
	text := i.Name + ": " + join(all)
	switch {
	case !i.Up:
		if len(all) > 0 {
			f.see(Warn, i.Name+": switched off, with addresses", "ip link set "+i.Name+" up")
		}
		return false
	case !i.Carrier:
		f.see(OK, i.Name+": no cable, or Wi-Fi not joined")
		return false
	case len(all) == 0:
		f.see(Warn, i.Name+": has no address", "does a DHCP server answer there? See: journalctl -u NetworkManager -u dhcpcd -u systemd-networkd -e")
		return false
	case !i.Multicast:
		f.see(Warn, text+"; it carries no multicast, so nothing is found by it", "ip link set "+i.Name+" multicast on")
		return false
	case len(v4) == 0 && len(local4) > 0:
		f.see(Warn, text+"; only a self-given IPv4 address: no DHCP server answered", "see that phones and this machine are on the same network, with a router that gives addresses")
	case len(v4) == 0:
		f.see(Warn, text+"; no IPv4 address", "phones find it by IPv6 alone, which some routers and Wi-Fi access points do not carry: give it an IPv4 address (DHCP)")
	case i.IPv6Off:
		f.see(Warn, text+"; IPv6 is switched off", "HomeKit does without, Matter cannot: sysctl net.ipv6.conf."+i.Name+".disable_ipv6=0")
	case len(v6)+len(local6) == 0:
		f.see(Warn, text+"; no IPv6 address, not even a link-local one", "HomeKit does without, Matter cannot: see sysctl net.ipv6.conf.all.disable_ipv6, which should be 0")
	default:
		f.see(OK, text)
	}
	return true
}

// judgeSeveral says what it means to be in more than one network.
func judgeSeveral(f *Finding, house []*Interface) {
	if len(house) < 2 {
		return
	}
	var names []string
	seen := map[netip.Prefix]string{}
	same := ""
	for _, i := range house {
		names = append(names, i.Name)
		for _, p := range i.Addrs {
			if p.Addr().IsLinkLocalUnicast() {
				continue
			}
			if other, ok := seen[p.Masked()]; ok && other != i.Name {
				same = other + " and " + i.Name
			}
			seen[p.Masked()] = i.Name
		}
	}
	if same != "" {
		f.see(Warn, same+" are in the same network: answers may leave by the other one",
			"one is enough: switch the Wi-Fi off where the cable is in, or the other way round")
		return
	}
	f.see(OK, fmt.Sprintf("%s are in different networks; a phone finds the bridge by the one that it is in itself", strings.Join(names, ", ")))
}

func join(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.WithZone("").String()
	}
	return strings.Join(texts, ", ")
}
