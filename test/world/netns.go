package world

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Addresses in the namespaces: of those set aside for documentation, so that they are nobody's.
const (
	hubHost    = "192.0.2.1"
	nodeHost   = "198.51.100.1"
	mapperHost = "198.51.100.2"
)

// networks are three namespaces: hub and edge on one wire, edge and mapper on another.
type networks struct {
	t  testing.TB
	id string
}

// unique gives a word that nobody else has.
func unique() string { return strings.ToLower(rand.Text()[:10]) }

// newNetworks makes them. The end of the test takes them away.
func newNetworks(t testing.TB) *networks {
	t.Helper()
	Need(t, "ip")
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs to be root, to make network namespaces")
		}
		t.Skip("this test makes network namespaces, for which it would have to be root")
	}
	n := &networks{t: t, id: unique()[:6]}
	parts := []string{"hub", "edge", "mapper"}
	for _, part := range parts {
		n.ip("netns", "add", n.name(part))
		t.Cleanup(func() { n.ip("netns", "del", n.name(part)) })
		n.ip("-n", n.name(part), "link", "set", "lo", "up")
	}
	n.wire("hub", "edge", hubHost+"/30", "192.0.2.2/30")
	n.wire("edge", "mapper", nodeHost+"/30", mapperHost+"/30")
	return n
}

// wire lays a cable between two parts; each end is named after the other part.
func (n *networks) wire(a, b, addrA, addrB string) {
	n.t.Helper()
	n.ip("link", "add", "to-"+b, "netns", n.name(a), "type", "veth", "peer", "name", "to-"+a, "netns", n.name(b))
	for _, end := range []struct{ part, dev, addr string }{{a, "to-" + b, addrA}, {b, "to-" + a, addrB}} {
		n.ip("-n", n.name(end.part), "addr", "add", end.addr, "dev", end.dev)
		n.ip("-n", n.name(end.part), "link", "set", end.dev, "up")
	}
}

func (n *networks) name(part string) string { return "tb-" + n.id + "-" + part }

func (n *networks) ip(args ...string) {
	n.t.Helper()
	if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %q: %v: %s", args, err, text)
	}
}

// Cable pulls the cable between hub and node out, or puts it in again. Only networks of their own have one.
func (w *World) Cable(in bool) {
	w.t.Helper()
	state := "down"
	if in {
		state = "up"
	}
	w.net.ip("-n", w.net.name("edge"), "link", "set", "to-hub", state)
}

// dial opens connections from within a part's network.
func (n *networks) dial(part string) Dial {
	path := filepath.Join("/run/netns", n.name(part))
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		type opened struct {
			c   net.Conn
			err error
		}
		done := make(chan opened)
		go func() {
			lockThread()
			c, err := func() (net.Conn, error) {
				f, err := os.Open(path)
				if err != nil {
					return nil, err
				}
				defer f.Close()
				if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
					return nil, err
				}
				var d net.Dialer
				return d.DialContext(ctx, network, addr)
			}()
			done <- opened{c, err}
		}()
		got := <-done
		return got.c, got.err
	}
}

// lockThread keeps the thread to this goroutine; it ends with it, so that nobody else gets it as it is.
func lockThread() { runtime.LockOSThread() }
