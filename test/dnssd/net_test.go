package dnssd

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// cable is the name of the interface at each end.
const cable = "wire0"

// A network is two namespaces with a cable between them: here is where the responder runs, there are others.
type network struct {
	t    testing.TB
	here string
	far  string
}

// newNetwork makes one. The end of the test takes it away.
func newNetwork(t testing.TB) *network {
	t.Helper()
	world.Need(t, "ip", "nsenter", "unshare", "avahi-daemon", "avahi-browse", "avahi-publish", "dbus-daemon")
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs to be root, to make network namespaces")
		}
		t.Skip("this test makes network namespaces, for which it would have to be root")
	}
	id := strings.ToLower(rand.Text()[:6])
	n := &network{t: t, here: "tb-" + id + "-a", far: "tb-" + id + "-b"}
	for _, ns := range []string{n.here, n.far} {
		n.ip("netns", "add", ns)
		t.Cleanup(func() { n.ip("netns", "del", ns) })
		n.ip("-n", ns, "link", "set", "lo", "up")
	}
	n.ip("link", "add", cable, "netns", n.here, "type", "veth", "peer", "name", cable, "netns", n.far)
	for i, ns := range []string{n.here, n.far} {
		n.ip("-n", ns, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", cable)
		n.ip("-n", ns, "addr", "add", fmt.Sprintf("fd00:db8::%d/64", i+1), "dev", cable, "nodad")
		n.ip("-n", ns, "link", "set", cable, "up")
	}
	// The kernel makes sure that link-local addresses are free before anybody can use them.
	world.Eventually(t, 10*time.Second, func() (bool, string) {
		for _, ns := range []string{n.here, n.far} {
			out, err := exec.Command("ip", "-n", ns, "-6", "addr", "show", "dev", cable, "scope", "link").Output()
			if err != nil || strings.Contains(string(out), "tentative") || !strings.Contains(string(out), "fe80") {
				return false, fmt.Sprintf("link-local addresses: %s %v", out, err)
			}
		}
		return true, ""
	})
	return n
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %q: %v: %s", args, err, text)
	}
}

// within gives a command that runs in a namespace.
func within(ctx context.Context, ns, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns, program}, args...)...)
}
