package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"twinbridge/test/world"
)

// home is a running edge.
type home struct {
	*world.Process
	t          *testing.T
	data       string // its folder
	host, port string // of its broker
	api        *world.API
}

func (h *home) socket() string { return filepath.Join(h.data, "edge.sock") }

// cli runs a command on the spot, as somebody with a terminal on the same machine.
func (h *home) cli(args ...string) world.Result {
	h.t.Helper()
	return world.Command(h.t, "", built.Path(h.t), append(args, "--data", h.data)...)
}

// writeConfig writes the configuration that startEdge would write, with more lines in it.
func writeConfig(t *testing.T, data, text string) {
	t.Helper()
	world.WriteFile(t, filepath.Join(data, "twinbridge.yaml"), text)
}

func writeManifest(t *testing.T, data, name, text string) {
	t.Helper()
	world.WriteFile(t, filepath.Join(data, "devices", name), text)
}

// freePort is the configuration of an edge that shares the machine with others.
const freePort = "mqtt:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nhomekit:\n  listen: 127.0.0.1:0\n"

// startEdge starts an edge with its data in a folder, and waits until it says that it is ready.
func startEdge(t *testing.T, data string, args []string) *home {
	t.Helper()
	if _, err := os.Stat(filepath.Join(data, "twinbridge.yaml")); err != nil {
		writeConfig(t, data, freePort)
	}
	return readyEdge(t, world.Start(t, built.Path(t), append([]string{"edge", "--data", data}, args...)...), data)
}

// readyEdge waits until a started edge says that it is ready.
func readyEdge(t *testing.T, p *world.Process, data string) *home {
	t.Helper()
	h := &home{Process: p, t: t, data: data}
	m := h.Expect(h.Stdout, `(?m)^ready: .*mqtt ([0-9.]+):([0-9]+)`, 10*time.Second)
	h.host, h.port = m[1], m[2]
	h.api = world.NewSocketAPI(h.socket())
	h.api.HTTP.Timeout = 20 * time.Second
	t.Cleanup(h.api.Close)
	return h
}
