package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// home is a running edge.
type home struct {
	*process
	data       string // its folder
	host, port string // of its broker
	client     *api
}

func (h *home) socket() string { return filepath.Join(h.data, "edge.sock") }

func (h *home) api() *api { return h.client }

// cli runs a command on the spot, as somebody with a terminal on the same machine.
func (h *home) cli(args ...string) result {
	h.t.Helper()
	return command(h.t, binary, append(args, "--data", h.data)...)
}

// writeConfig writes the configuration that startEdge would write, with more lines in it.
func writeConfig(t *testing.T, data, text string) {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "twinbridge.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freePort is the configuration of an edge that shares the machine with others.
const freePort = "mqtt:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nhomekit:\n  listen: 127.0.0.1:0\n"

// startEdge starts an edge with its data in a folder, and waits until it says that it is ready.
func startEdge(t *testing.T, data string, args []string) *home {
	t.Helper()
	if _, err := os.Stat(filepath.Join(data, "twinbridge.yaml")); err != nil {
		writeConfig(t, data, freePort)
	}
	return readyEdge(start(t, binary, append([]string{"edge", "--data", data}, args...)...), data)
}

// readyEdge waits until a started edge says that it is ready.
func readyEdge(p *process, data string) *home {
	p.t.Helper()
	h := &home{process: p, data: data}
	m := h.expect(h.stdout, `(?m)^ready: .*mqtt ([0-9.]+):([0-9]+)`, 10*time.Second)
	h.host, h.port = m[1], m[2]
	h.client = newAPI(h.socket())
	p.t.Cleanup(h.client.http.CloseIdleConnections)
	return h
}
