package doctor

import (
	"net/netip"
	"testing"
)

// iface makes an interface that works, with these addresses.
func iface(name string, prefixes ...string) Interface {
	i := Interface{Name: name, Up: true, Carrier: true, Multicast: true}
	for _, p := range prefixes {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(p))
	}
	return i
}

func changed(i Interface, change func(*Interface)) Interface {
	change(&i)
	return i
}

func TestCheckInterfaces(t *testing.T) {
	eth := iface("eth0", "192.0.2.7/24", "fe80::1/64")
	wifi := iface("wlan0", "192.0.2.8/24", "fe80::2/64")
	lo := changed(iface("lo", "127.0.0.1/8", "::1/128"), func(i *Interface) { i.Loopback, i.Multicast = true, false })
	for name, tt := range map[string]struct {
		list []Interface
		want want
	}{
		"one":             {[]Interface{lo, eth}, want{OK, "eth0: 192.0.2.7, fe80::1", ""}},
		"none":            {[]Interface{lo}, want{Fail, "no interface reaches", "--network host"}},
		"down":            {[]Interface{changed(iface("eth0"), func(i *Interface) { i.Up = false })}, want{Fail, "no interface reaches", "cable"}},
		"down, addresses": {[]Interface{changed(eth, func(i *Interface) { i.Up = false }), wifi}, want{Warn, "switched off, with addresses", "ip link set eth0 up"}},
		"no cable":        {[]Interface{changed(iface("eth0"), func(i *Interface) { i.Carrier = false }), wifi}, want{OK, "no cable", ""}},
		"no address":      {[]Interface{iface("eth0")}, want{Fail, "has no address", "DHCP"}},
		"no multicast":    {[]Interface{changed(eth, func(i *Interface) { i.Multicast = false })}, want{Fail, "carries no multicast", "multicast on"}},
		"self-given":      {[]Interface{iface("eth0", "169.254.7.7/16", "fe80::1/64")}, want{Warn, "no DHCP server answered", "same network"}},
		"no IPv4":         {[]Interface{iface("eth0", "2001:db8::1/64", "fe80::1/64")}, want{Warn, "no IPv4 address", "DHCP"}},
		"no IPv6":         {[]Interface{iface("eth0", "192.0.2.7/24")}, want{Warn, "no IPv6 address", "Matter cannot"}},
		"IPv6 off":        {[]Interface{changed(iface("eth0", "192.0.2.7/24"), func(i *Interface) { i.IPv6Off = true })}, want{Warn, "IPv6 is switched off", "net.ipv6.conf.eth0.disable_ipv6=0"}},
		"same network":    {[]Interface{eth, wifi}, want{Warn, "eth0 and wlan0 are in the same network", "one is enough"}},
		"two networks":    {[]Interface{eth, iface("wlan0", "198.51.100.7/24", "fe80::2/64")}, want{OK, "are in different networks", ""}},
		"containers":      {[]Interface{eth, iface("docker0", "172.17.0.1/16"), iface("br-0123456789ab", "172.18.0.1/16")}, want{OK, "docker0: for containers", ""}},
		"only containers": {[]Interface{iface("docker0", "172.17.0.1/16")}, want{Fail, "no interface reaches", ""}},
		"private network": {[]Interface{eth, changed(iface("mynet", "10.0.0.1/32"), func(i *Interface) { i.PointToPoint = true })}, want{OK, "mynet: for a private network", ""}},
		"a real bridge":   {[]Interface{iface("br-lan", "192.0.2.7/24", "fe80::1/64")}, want{OK, "br-lan: 192.0.2.7", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckInterfaces(func() ([]Interface, error) { return tt.list, nil })))
		})
	}
	want{Skipped, "something else", ""}.check(t, look(t, CheckInterfaces(func() ([]Interface, error) { return nil, errOther })))
}

// TestInterfaces: the real ones; a machine has at least its loopback.
func TestInterfaces(t *testing.T) {
	all, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Loopback && i.Name != "" {
			return
		}
	}
	t.Errorf("no loopback in %+v", all)
}
