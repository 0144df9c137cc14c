package homekit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"twinbridge/test/world"
)

// avahi is Debian's mDNS browser on a machine of its own.
type avahi struct {
	*world.Process
	t     testing.TB
	in    *os.File
	looks int
}

// conf keeps it to its link, and quiet.
const conf = `[server]
host-name=observer
use-ipv4=yes
use-ipv6=yes
allow-interfaces=` + link + `
[publish]
disable-publishing=yes
`

// newAvahi starts it.
func newAvahi(t testing.TB, n *network, part string) *avahi {
	t.Helper()
	world.Need(t, "avahi-daemon", "avahi-browse", "dbus-daemon", "unshare")
	file := filepath.Join(t.TempDir(), "avahi.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a := &avahi{t: t, in: writes}
	words := append(n.inside(part), "unshare", "-m", "sh", "avahi.sh", file)
	a.Process = world.StartTalk(t, reads, world.NewOutput(), words[0], words[1:]...)
	t.Cleanup(func() { writes.Close() })
	reads.Close()
	return a
}

// begun waits until it looks.
func (a *avahi) begun() {
	a.t.Helper()
	a.Expect(a.Stdout, `(?m)^ready$`, world.StartTime)
}

// look gives what it sees now, one service for each family.
func (a *avahi) look() []service {
	a.t.Helper()
	a.looks++
	if _, err := fmt.Fprintln(a.in, a.looks); err != nil {
		a.t.Fatal(err)
	}
	seen := a.Expect(a.Stdout, fmt.Sprintf(`(?s)\nbegin %d\n(.*)end %d\n`, a.looks, a.looks), patient)[1]
	var found []service
	for line := range strings.Lines(seen) {
		// =;eth0;IPv4;name;_hap._tcp;local;host;address;port;"key=value" ...
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ";", 10)
		if len(f) < 10 || f[0] != "=" {
			continue
		}
		s := service{Name: unescape(f[3]), Addresses: []string{f[7]}, TXT: map[string]string{}}
		s.Port, _ = strconv.Atoi(f[8])
		for _, pair := range strings.Split(strings.Trim(f[9], `"`), `" "`) {
			key, value, _ := strings.Cut(pair, "=")
			s.TXT[key] = value
		}
		s.ID = s.TXT["id"]
		found = append(found, s)
	}
	return found
}

// unescape undoes \DDD and \C, which Avahi makes of what is special in a name of the DNS.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if n, err := strconv.Atoi(s[i+1 : min(i+4, len(s))]); err == nil && i+4 <= len(s) {
			b.WriteByte(byte(n))
			i += 3
			continue
		}
		b.WriteByte(s[i+1])
		i++
	}
	return b.String()
}

// sees waits until each family shows the accessory with a status flag.
func (a *avahi) sees(t testing.TB, id, sf string) []service {
	t.Helper()
	var found []service
	world.Eventually(t, patient, func() (bool, string) {
		found = nil
		all := a.look()
		for _, s := range all {
			if s.ID == id {
				found = append(found, s)
			}
		}
		for _, s := range found {
			if s.TXT["sf"] != sf {
				return false, fmt.Sprintf("Avahi: %+v", all)
			}
		}
		return len(found) > 0, fmt.Sprintf("Avahi: %+v", all)
	})
	return found
}
