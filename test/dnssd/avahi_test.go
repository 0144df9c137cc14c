package dnssd

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbridge/test/world"
)

// An avahi is a daemon in a namespace, with a message bus of its own.
type avahi struct {
	t   testing.TB
	bus int // the process whose namespaces it runs in
}

// avahi starts one.
func (n *network) avahi(ns string) *avahi {
	n.t.Helper()
	dir := n.t.TempDir()
	conf := filepath.Join(dir, "avahi.conf")
	text := "[server]\nhost-name=avahi-" + ns + "\nuse-ipv4=yes\nuse-ipv6=yes\nratelimit-interval-usec=0\n[wide-area]\nenable-wide-area=no\n[rlimits]\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	// Each program replaces the former one, so that the process is the message bus in the end.
	bus := within(context.Background(), ns, "unshare", "-m", "sh", "-c",
		"mount -t tmpfs tmpfs /run && mkdir -p /run/dbus && exec dbus-daemon --system --nofork --nopidfile")
	n.run(bus, nil)
	a := &avahi{t: n.t, bus: bus.Process.Pid}
	// The daemon has a /run of its own, which is seen through the process.
	socket := fmt.Sprintf("/proc/%d/root/run/dbus/system_bus_socket", a.bus)
	world.Eventually(n.t, 10*time.Second, func() (bool, string) {
		_, err := os.Stat(socket)
		return err == nil, fmt.Sprint(err)
	})
	started := make(chan struct{})
	n.run(a.command(context.Background(), "avahi-daemon", "-f", conf, "--no-drop-root", "--no-chroot", "--no-rlimits"), func(line string) {
		if strings.Contains(line, "Server startup complete") {
			close(started)
		}
	})
	select {
	case <-started:
	case <-time.After(20 * time.Second):
		n.t.Fatal("avahi-daemon does not start")
	}
	return a
}

// run starts a process that goes on until the end of the test.
func (n *network) run(cmd *exec.Cmd, line func(string)) {
	n.t.Helper()
	out, err := cmd.StderrPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := bufio.NewScanner(out)
		for s.Scan() {
			if line != nil {
				line(s.Text())
			}
		}
	}()
	n.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-read
		_ = cmd.Wait()
	})
}

// command gives one that runs where the daemon does.
func (a *avahi) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(a.bus), "-m", "-n", program}, args...)...)
}

// A find is a service as Avahi resolved it.
type find struct {
	family, name, host, addr, port string
	txt                            []string
}

// browse asks for what there is of a type now.
func (a *avahi) browse(kind string) []find {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := a.command(ctx, "avahi-browse", "--parsable", "--resolve", "--terminate", "--no-db-lookup", kind)
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("avahi-browse: %v", err)
	}
	var finds []find
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSpace(line), ";", 10)
		if len(f) < 10 || f[0] != "=" || f[1] != cable {
			continue
		}
		one := find{family: f[2], name: f[3], host: f[6], addr: f[7], port: f[8]}
		for _, s := range strings.Split(f[9], "\" \"") {
			one.txt = append(one.txt, strings.Trim(s, "\""))
		}
		slices.Sort(one.txt)
		finds = append(finds, one)
	}
	return finds
}

// await waits until Avahi finds a service in both families, with this TXT record.
func (a *avahi) await(kind, name string, txt ...string) []find {
	a.t.Helper()
	slices.Sort(txt)
	var good []find
	world.Eventually(a.t, 20*time.Second, func() (bool, string) {
		good = nil
		all := a.browse(kind)
		families := map[string]bool{}
		for _, f := range all {
			if f.name != name {
				continue
			}
			if !slices.Equal(f.txt, txt) {
				return false, fmt.Sprintf("want %q with %q, found %+v", name, txt, all)
			}
			families[f.family] = true
			good = append(good, f)
		}
		return len(families) == 2, fmt.Sprintf("want %q in both families, found %+v", name, all)
	})
	return good
}

// gone waits until Avahi finds nothing of the name any more.
func (a *avahi) gone(kind, name string) {
	a.t.Helper()
	world.Eventually(a.t, 20*time.Second, func() (bool, string) {
		all := a.browse(kind)
		return !slices.ContainsFunc(all, func(f find) bool { return f.name == name }), fmt.Sprintf("found %+v", all)
	})
}

// publish has Avahi announce a service.
func (n *network) publish(a *avahi, name, kind string, port int, txt ...string) {
	n.t.Helper()
	done := make(chan string, 10)
	args := append([]string{"--service", name, kind, strconv.Itoa(port)}, txt...)
	n.run(a.command(context.Background(), "avahi-publish", args...), func(line string) {
		if strings.Contains(line, "Established") {
			done <- line
		}
	})
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		n.t.Fatalf("avahi-publish has not established %q", name)
	}
}
