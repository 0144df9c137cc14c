package homekit

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"twinbridge/test/world"
)

// link is what a machine's only network interface is called.
const link = "eth0"

// network is a switch and the machines at it, each a namespace. Machines have link-local addresses beside those of addrs.
type network struct {
	t     testing.TB
	id    string
	parts []string
}

// newNetwork makes it. The end of the test takes it away.
func newNetwork(t testing.TB, parts ...string) *network {
	t.Helper()
	world.Need(t, "ip")
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs to be root, to make network namespaces")
		}
		t.Skip("this test makes network namespaces, for which it would have to be root")
	}
	n := &network{t: t, id: strings.ToLower(rand.Text()[:6]), parts: parts}
	n.namespace("switch")
	n.ip("-n", n.name("switch"), "link", "add", "switch", "up", "type", "bridge", "mcast_snooping", "0")
	for i, part := range parts {
		n.namespace(part)
		port := fmt.Sprintf("port%d", i)
		n.ip("link", "add", link, "netns", n.name(part), "type", "veth", "peer", "name", port, "netns", n.name("switch"))
		n.ip("-n", n.name("switch"), "link", "set", port, "master", "switch", "up")
		for _, addr := range n.addrs(part) {
			n.ip("-n", n.name(part), "addr", "add", addr+map[bool]string{false: "/24", true: "/64"}[strings.Contains(addr, ":")], "dev", link)
		}
		n.ip("-n", n.name(part), "link", "set", link, "up")
		n.ip("-n", n.name(part), "route", "add", "224.0.0.0/4", "dev", link)
	}
	for _, part := range parts {
		// The kernel takes up to a second to notice that a cable is in; then there is a link-local address.
		world.Eventually(t, patient, func() (bool, string) {
			text, err := exec.Command("ip", "-n", n.name(part), "-o", "-6", "addr", "show", "dev", link, "scope", "link", "up", "-tentative").CombinedOutput()
			return err == nil && strings.Contains(string(text), "inet6 fe80:"), fmt.Sprintf("%s has no link-local address: %s %v", part, text, err)
		})
	}
	return n
}

// namespace makes one. It does not wait a second for somebody else with the same IPv6 address.
func (n *network) namespace(part string) {
	n.t.Helper()
	n.ip("netns", "add", n.name(part))
	n.t.Cleanup(func() { n.ip("netns", "del", n.name(part)) })
	n.ip("-n", n.name(part), "link", "set", "lo", "up")
	for _, file := range []string{"all", "default"} {
		cmd := exec.Command("ip", "netns", "exec", n.name(part), "tee", "/proc/sys/net/ipv6/conf/"+file+"/accept_dad")
		cmd.Stdin = strings.NewReader("0")
		if text, err := cmd.CombinedOutput(); err != nil {
			n.t.Fatalf("switch duplicate address detection off: %v: %s", err, text)
		}
	}
}

// addrs are a machine's addresses: one set aside for documentation, one unique local.
func (n *network) addrs(part string) []string {
	for i, p := range n.parts {
		if p == part {
			return []string{fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("fd74:7769:6e00::%d", i+1)}
		}
	}
	n.t.Fatalf("there is no machine %s", part)
	return nil
}

func (n *network) name(part string) string { return "tb-" + n.id + "-" + part }

// inside gives what goes before a program of a machine.
func (n *network) inside(part string) []string {
	return []string{"ip", "netns", "exec", n.name(part)}
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %q: %v: %s", args, err, text)
	}
}
