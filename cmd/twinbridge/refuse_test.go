package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEdgeRefuses: what cannot work is told by the name of its key, and ends with 1.
func TestEdgeRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	tests := []struct {
		name, config string
		says         []string
	}{
		{"port taken", "mqtt:\n  listen: " + taken + "\n", []string{"mqtt.listen", taken, "twinbridge.yaml"}},
		{"metrics port taken", "mqtt:\n  listen: 127.0.0.1:0\nhomekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nmetrics:\n  listen: " + taken + "\n", []string{"metrics.listen", taken}},
		{"open to the network", "mqtt:\n  listen: 0.0.0.0:0\n", []string{"mqtt.listen", "127.0.0.1"}},
		{"page port taken", "mqtt:\n  listen: 127.0.0.1:0\nhomekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: " + taken + "\n", []string{"local.listen", taken, "twinbridge.yaml"}},
		{"page open to the network", "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 0.0.0.0:8090\n", []string{"local.listen", "0.0.0.0:8090", "loopback"}},
		{"page on all addresses", "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: :8090\n", []string{"local.listen", ":8090", "loopback"}},
		{"page of a name", "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: example.org:8090\n", []string{"local.listen", "example.org:8090", "loopback"}},
		{"page without a port", "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1\n", []string{"local.listen", "loopback"}},
		{"unknown key", "mqtt:\n  lisen: x\n", []string{"twinbridge.yaml:2", "lisen", "listen"}},
		{"unknown driver", "mapper:\n  drivers: [gpoi]\n", []string{"mapper.drivers", "gpoi", "gpio, rpio, sim"}},
		{"bad node", "node:\n  name: a/b\n", []string{"node.name", "a/b"}},
		{"bad level", "log:\n  level: loud\n", []string{"log.level", "loud", "debug"}},
		{"bad broker", "mqtt:\n  listen: 127.0.0.1:0\n  broker: http://x\nhomekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\n", []string{"mqtt.broker", "http://x"}},
		{"no such CA", "mqtt:\n  listen: 127.0.0.1:0\n  ca: /no/such/file\nhomekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\n", []string{"mqtt.ca", "/no/such/file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := t.TempDir()
			write(t, filepath.Join(data, "twinbridge.yaml"), tt.config)
			r := call(t, "", "edge", "--data", data)
			if r.code != 1 || r.out != "" {
				t.Errorf("%v; want exit 1", r)
			}
			for _, want := range tt.says {
				if !strings.Contains(r.err, want) {
					t.Errorf("%q does not say %q", r.err, want)
				}
			}
		})
	}
}

func TestSecondEdge(t *testing.T) {
	h := startEdge(t, folder(t, ""), "--demo")
	r := call(t, "", "edge", "--data", h.data)
	if r.code != 1 || !strings.Contains(r.err, h.data) || !strings.Contains(r.err, "another edge runs") {
		t.Errorf("%v; want exit 1 and the folder", r)
	}
	h.want(0, "applied", "device", "set", "lamp", "powerstatus=ON", "--wait", "5s")
}

// TestDataFolderOfOthers: a mistyped --data closes nothing that is not ours.
func TestDataFolderOfOthers(t *testing.T) {
	data := t.TempDir()
	write(t, filepath.Join(data, "letter.txt"), "not ours")
	if err := os.Chmod(data, 0o777); err != nil {
		t.Fatal(err)
	}
	r := call(t, "", "edge", "--data", data)
	if r.code != 1 || !strings.Contains(r.err, "--data") {
		t.Errorf("%v; want exit 1", r)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the folder is now %v, %v", info.Mode(), err)
	}
}

// TestConfigIsWritten: the first start explains every key, and the second one reads it.
func TestConfigIsWritten(t *testing.T) {
	data := filepath.Join(t.TempDir(), "deep", "folder")
	file := filepath.Join(t.TempDir(), "other.yaml")
	write(t, file, "mqtt:\n  listen: 127.0.0.1:0\nhomekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nmetrics:\n  listen: 127.0.0.1:0\n")
	h := startEdge(t, data, "--config", file)
	h.expect(`metrics http://127\.0\.0\.1:\d+/metrics`)
	h.stop()
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(data, "twinbridge.yaml")); err == nil {
		t.Error("with --config another configuration was written")
	}
	// A mapper writes it just so, and waits for its broker.
	own := t.TempDir()
	p := start(t, "mapper", "--data", own)
	p.expect(`mapper of node`)
	p.stop()
	text, err := os.ReadFile(filepath.Join(own, "twinbridge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"node:", "#name: ", "#listen: ", "#broker: ", "#enabled: true", "#drivers: ", "#folder: ", "#level: info"} {
		if !strings.Contains(string(text), key) {
			t.Errorf("%q is not explained in:\n%s", key, text)
		}
	}
}

// TestMapperProcess runs edge and mapper apart.
func TestMapperProcess(t *testing.T) {
	data := folder(t, noMapper+"node:\n  name: cellar\n")
	write(t, filepath.Join(data, "devices", "porch.yaml"), lampNamed("porch"))
	h := startEdge(t, data)
	own := t.TempDir()
	write(t, filepath.Join(own, "twinbridge.yaml"), fmt.Sprintf("node:\n  name: cellar\nmqtt:\n  broker: %s\n", h.mqtt))
	m := start(t, "mapper", "--data", own)
	eventually(t, "online", func() bool { return strings.Contains(h.cli("device", "list").out, "online") })
	h.want(0, "applied", "device", "set", "porch", "powerstatus=ON", "--wait", "5s")
	m.expect(`(?m)^lamp default/porch is ON$`)
	begun := time.Now()
	if code := m.stop(); code != 0 || time.Since(begun) > time.Second {
		t.Errorf("the end of the mapper took %v, exit %d", time.Since(begun), code)
	}
	eventually(t, "offline", func() bool { return strings.Contains(h.cli("device", "list").out, "offline") })
}

// TestUserAndPassword: with them set, nobody speaks to the broker without.
func TestUserAndPassword(t *testing.T) {
	data := folder(t, "  user: house\n  password: key under the mat\n")
	h := startEdge(t, data, "--demo")
	h.want(0, "applied", "device", "set", "lamp", "powerstatus=ON", "--wait", "5s") // our mapper names them
	own := t.TempDir()
	write(t, filepath.Join(own, "twinbridge.yaml"), fmt.Sprintf("mqtt:\n  broker: %s\n  user: house\n  password: wrong\n", h.mqtt))
	m := start(t, "mapper", "--data", own)
	eventually(t, "refused", func() bool { return strings.Contains(m.err.String(), "no connection to the MQTT broker") })
}
