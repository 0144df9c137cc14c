package doctor

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// inside names the file that tells TestInside what to do, and takes what it saw.
const inside = "DOCTOR_INSIDE"

// task is what TestInside is told.
type task struct {
	Services []Service
	Listen   string // address that takes connections meanwhile
	Results  []Result
}

// TestInside is the other half of TestAvahi: it runs in a network namespace and looks there, with nothing but the real
// probes. By itself it does nothing.
func TestInside(t *testing.T) {
	path := os.Getenv(inside)
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var todo task
	if err := json.Unmarshal(text, &todo); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", todo.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	checks := []Check{CheckInterfaces(Interfaces)}
	for _, s := range todo.Services {
		checks = append(checks, CheckServices(running(), announced(s), MDNSProbes{Browse: Browse, Dial: SystemDial, Addresses: Addresses, Listeners: Listeners}))
	}
	todo.Results = Run(t.Context(), checks)
	if text, err = json.Marshal(todo); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// place is a machine of the test: a network namespace.
type place struct {
	t    *testing.T
	name string
}

// newPlaces makes two machines on one cable.
func newPlaces(t *testing.T) (attic, cellar *place) {
	t.Helper()
	for _, tool := range []string{"ip", "unshare", "dbus-daemon", "avahi-daemon", "avahi-publish-service"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v; make unit installs it", err)
			}
			t.Skipf("%v; make unit installs it", err)
		}
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs to be root, to make network namespaces")
		}
		t.Skip("this test makes network namespaces, for which it would have to be root")
	}
	id := strings.ToLower(rand.Text()[:6])
	attic, cellar = &place{t, "tb-" + id + "-attic"}, &place{t, "tb-" + id + "-cellar"}
	for _, p := range []*place{attic, cellar} {
		ip(t, "netns", "add", p.name)
		t.Cleanup(func() { ip(t, "netns", "del", p.name) })
		ip(t, "-n", p.name, "link", "set", "lo", "up")
	}
	ip(t, "link", "add", "house", "netns", attic.name, "type", "veth", "peer", "name", "house", "netns", cellar.name)
	for i, p := range []*place{attic, cellar} {
		ip(t, "-n", p.name, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "house")
		ip(t, "-n", p.name, "addr", "add", fmt.Sprintf("fd00::%d/64", i+1), "dev", "house", "nodad")
		ip(t, "-n", p.name, "link", "set", "house", "up")
	}
	return attic, cellar
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v: %s", args, err, text)
	}
}

// publish announces a service by Avahi until the test ends. All that it starts is in a process namespace that ends with
// its first process.
func (p *place) publish(instance string, port int, txt ...string) {
	p.t.Helper()
	conf := filepath.Join(p.t.TempDir(), "avahi.conf")
	name := p.name[strings.LastIndex(p.name, "-")+1:]
	if err := os.WriteFile(conf, []byte("[server]\nhost-name="+name+"\nuse-ipv4=yes\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	const script = `set -e
conf=$1; shift
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus
dbus-daemon --system --fork --nopidfile
avahi-daemon -f "$conf" --no-drop-root --no-chroot --no-rlimits -D
exec avahi-publish-service "$@"`
	args := append([]string{"netns", "exec", p.name, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", conf, instance, "_hap._tcp", fmt.Sprint(port)}, txt...)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "ip", args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	up := make(chan bool, 1)
	read := make(chan string, 1)
	go func() {
		var all strings.Builder
		for s := bufio.NewScanner(io.LimitReader(out, 1<<16)); s.Scan(); {
			all.WriteString(s.Text() + "\n")
			if strings.HasPrefix(s.Text(), "Established") {
				up <- true
			}
		}
		read <- all.String()
		close(up)
	}()
	p.t.Cleanup(func() {
		cancel()
		said := <-read
		if _ = cmd.Wait(); p.t.Failed() {
			p.t.Logf("%s: %s", p.name, said)
		}
	})
	select {
	case ok := <-up:
		if !ok {
			p.t.Fatal("Avahi ends")
		}
	case <-time.After(30 * time.Second):
		p.t.Fatal("Avahi does not announce within 30 s")
	}
}

// look looks at services from within.
func (p *place) look(todo task) []Result {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "task")
	text, err := json.Marshal(todo)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", p.name, self, "-test.run=^TestInside$")
	cmd.Env = append(os.Environ(), inside+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("look inside: %v\n%s", err, out)
	}
	if text, err = os.ReadFile(path); err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &todo); err != nil {
		p.t.Fatal(err)
	}
	return todo.Results
}

// TestAvahi looks for what Avahi announces, on this machine and on another one.
func TestAvahi(t *testing.T) {
	attic, cellar := newPlaces(t)
	const name, port = "Häuschen (1)", 51827
	attic.publish(name, port, "id=AA:BB:CC:DD:EE:FF", "md=bridge", "sf=1")
	cellar.publish("copy", port, "id=11:22:33:44:55:66", "md=bridge", "sf=0")

	good := Service{Type: "_hap._tcp", Instance: name, Port: port, Identity: "id", TXT: []Entry{{"id", "AA:BB:CC:DD:EE:FF"}, {"md", ""}, {"sf", "1"}}}
	variant := func(change func(*Service)) Service {
		s := good
		s.TXT = append([]Entry(nil), good.TXT...)
		change(&s)
		return s
	}
	list := []Service{
		good,
		variant(func(s *Service) { s.TXT[2].Value = "0" }),
		variant(func(s *Service) { s.Port = 51828 }),
		variant(func(s *Service) { s.Instance, s.TXT = "nobody", nil }),
		variant(func(s *Service) { s.Instance, s.TXT = "copy", nil }),
		variant(func(s *Service) { s.TXT[0].Value = "11:22:33:44:55:66" }),
	}
	wants := []want{
		{OK, `"Häuschen (1)" found over IPv4 and IPv6 within`, ""},
		{Fail, "sf=1, not 0", "start the node again"},
		{Fail, "port 51827, not 51828", "start the node again"},
		{Fail, `no answer for "nobody"`, "avahi-browse -rtp _hap._tcp"},
		{Fail, `the name "copy" is announced`, "stop one of the two"},
		{Fail, "this node's identity (id) is announced", "copied card"},
	}
	results := attic.look(task{Services: list, Listen: ":51827"})
	if len(results) != 1+len(list) {
		t.Fatalf("%d results: %v", len(results), results)
	}
	want{OK, "house: 192.0.2.1, fd00::1", ""}.check(t, results[0].Finding)
	results = results[1:]
	for i, w := range wants {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w.check(t, results[i].Finding)
			t.Logf("%q", results[i].Seen)
		})
	}
	for _, seen := range []string{"at 192.0.2.1, fd00::1 port 51827", "192.0.2.1:51827 takes connections", "[fd00::1]:51827 takes connections", "shared with avahi-daemon, which is fine"} {
		want{OK, seen, ""}.check(t, results[0].Finding)
	}

	// Nobody listens on the port any more: found, and of no use.
	results = attic.look(task{Services: []Service{good}, Listen: "127.0.0.1:0"})
	want{Fail, "no connection to 192.0.2.1:51827", "firewall"}.check(t, results[1].Finding)
	t.Logf("%q", results[1].Seen)
}
