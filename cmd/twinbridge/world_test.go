package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain waits for what MQTT's library ends on its own time: whole nodes come and go here, and some of them while they
// still connect.
func TestMain(m *testing.M) {
	code := m.Run()
	err := goleak.Find()
	for end := time.Now().Add(15 * time.Second); err != nil && time.Now().Before(end); {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// buffer is what a command prints; it may be read while the command runs.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// result is what became of a command.
type result struct {
	code     int
	out, err string
}

func (r result) String() string { return fmt.Sprintf("exit %d\n%s%s", r.code, r.out, r.err) }

// call runs a command to its end.
func call(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	code := run(ctx, args, &terminal{in: strings.NewReader(stdin), out: &out, err: &errs, called: "twinbridge", started: time.Now()})
	return result{code, out.String(), errs.String()}
}

// process is a command that runs until it is stopped.
type process struct {
	t        *testing.T
	out, err buffer
	stop     func() int // gives the exit code
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, args, &terminal{in: strings.NewReader(""), out: &p.out, err: &p.err, called: "./bin/twinbridge", started: time.Now()})
	}()
	p.stop = sync.OnceValue(func() int {
		cancel()
		select {
		case code := <-done:
			return code
		case <-time.After(10 * time.Second):
			t.Errorf("%q does not end", args)
			return -1
		}
	})
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%q printed:\n%s%s", args, &p.out, &p.err)
		}
	})
	return p
}

// expect waits until something is printed.
func (p *process) expect(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var m []string
	eventually(p.t, pattern, func() bool {
		m = re.FindStringSubmatch(p.out.String())
		return m != nil
	})
	return m
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 10 s: %s", what)
		case <-tick.C:
		}
	}
}

// house is a running edge.
type house struct {
	*process
	data string
	mqtt string
}

// folder makes a data folder with a configuration that shares the machine with others.
func folder(t *testing.T, config string) string {
	t.Helper()
	data := t.TempDir()
	write(t, filepath.Join(data, "twinbridge.yaml"), "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nmqtt:\n  listen: 127.0.0.1:0\n"+config)
	return data
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startEdge(t *testing.T, data string, args ...string) *house {
	t.Helper()
	h := &house{process: start(t, append([]string{"edge", "--data", data}, args...)...), data: data}
	h.mqtt = h.expect(`(?m)^ready: mqtt (\S+),`)[1]
	return h
}

// cli runs a command on the house's data folder.
func (h *house) cli(args ...string) result {
	h.t.Helper()
	return call(h.t, "", append(args, "--data", h.data)...)
}

// want runs a command that has to end so, and say so.
func (h *house) want(code int, says string, args ...string) result {
	h.t.Helper()
	r := h.cli(args...)
	if r.code != code || !strings.Contains(r.out+r.err, says) {
		h.t.Errorf("%q: %v\nwant exit %d and %q", args, r, code, says)
	}
	return r
}

const noMapper = "mapper:\n  enabled: false\n"

const lamp = `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: lamp}
spec:
  protocol: sim
  properties:
    - {name: powerstatus, type: STRING, accessMode: ReadWrite}
    - {name: level, type: INT, accessMode: ReadWrite, minimum: "0", maximum: "100"}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: NAME}
spec:
  deviceModelRef: {name: lamp}
  protocol: {protocolName: sim}
  properties:
    - name: powerstatus
    - name: level
`

func lampNamed(name string) string { return strings.Replace(lamp, "NAME", name, 1) }
