// Package page looks at the page for the browser as people do: in a real Chromium, on a phone's screen and on a desk's,
// served by the real binary, whose simulated lamps move when a switch is touched. What is done in the browser is written
// in checks.mjs, which speaks to Chromium through playwright-core; here the house is built around it.
//
// `make page` installs both. With PAGE_SHOTS=folder the pictures that are taken on the way stay there.
package page

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need makes sure that the browser and what drives it are there. Where nobody promised that they are, the test is left
// out.
func need(t *testing.T) {
	t.Helper()
	var missing []string
	for _, p := range []string{"chromium", "node"} {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if _, err := os.Stat(filepath.Join("node_modules", "playwright-core", "package.json")); err != nil {
		missing = append(missing, "playwright-core")
	}
	if len(missing) == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %v", missing)
	}
	t.Skipf("this test needs %v (make page installs it)", missing)
}

// house is a running edge, as checks.mjs is told of it.
type house struct {
	URL     string `json:"url"`
	Code    string `json:"code"`
	Socket  string `json:"socket"`
	Pid     int    `json:"pid"`
	Shots   string `json:"shots"`
	Browser string `json:"browser"`
	Scene   string `json:"scene"`
}

// build builds the program under test.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "twinbridge")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./cmd/twinbridge")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program under test: %v\n%s", err, text)
	}
	return program
}

var banner = regexp.MustCompile(`^page (http://127\.0\.0\.1:\d+)/  \(code ([0-9A-Z]{4}-[0-9A-Z]{4})\)$`)

// open starts an edge with these manifests, and reads address and code as a person does.
func open(t *testing.T, program, manifests string) house {
	t.Helper()
	data := t.TempDir()
	files := map[string]string{
		"twinbridge.yaml": "node:\n  name: cottage\nmqtt:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nlog:\n  level: error\n",
	}
	const most = 500 // documents in a file; more than 1000 are refused
	for docs := strings.Split(manifests, "---\n"); len(docs) > 0; docs = docs[min(most, len(docs)):] {
		files[fmt.Sprintf("devices/%d.yaml", len(docs))] = strings.Join(docs[:min(most, len(docs))], "---\n")
	}
	for name, text := range files {
		path := filepath.Join(data, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "edge", "--data", data)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := house{Socket: filepath.Join(data, "edge.sock"), Pid: cmd.Process.Pid}
	ready := make(chan house, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := banner.FindStringSubmatch(lines.Text()); m != nil {
				h.URL, h.Code = m[1], m[2]
			}
			if strings.HasPrefix(lines.Text(), "ready: ") {
				ready <- h
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT) // a check may have left it stopped; gone is as good
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("the end of the edge: %v", err)
		}
	})
	select {
	case h = <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("the edge is not ready after 20 s")
	}
	if h.URL == "" {
		t.Fatal("the edge printed no page")
	}
	return h
}

// run runs the checks of a scene in the browser; each is a test of its own.
func run(t *testing.T, h house, scene string, limit time.Duration) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	h.Scene, h.Browser, h.Shots = scene, browser, os.Getenv("PAGE_SHOTS")
	if h.Shots == "" {
		h.Shots = t.TempDir()
	}
	told, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "checks.mjs")
	cmd.Env = append(os.Environ(), "HOUSE="+string(told))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	done := 0
	for line := range strings.Lines(string(out)) {
		var c struct{ Check, Failed, Note string }
		if json.Unmarshal([]byte(line), &c) != nil {
			t.Log(strings.TrimRight(line, "\n"))
			continue
		}
		done++
		t.Run(c.Check, func(t *testing.T) {
			if c.Note != "" {
				t.Log(c.Note)
			}
			if c.Failed != "" {
				t.Error(c.Failed)
			}
		})
	}
	if err != nil || done == 0 {
		t.Errorf("the checks of %s ended with %v after %d", scene, err, done)
	}
}

func TestHome(t *testing.T) {
	need(t)
	run(t, open(t, build(t), homeManifests()), "home", 4*time.Minute)
}

func TestMany(t *testing.T) {
	need(t)
	program := build(t)
	for _, n := range []int{60, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			run(t, open(t, program, manyManifests(n)), fmt.Sprintf("many%d", n), 2*time.Minute)
		})
	}
}

// TestHostile: whatever devices are called and say stays text.
func TestHostile(t *testing.T) {
	need(t)
	run(t, open(t, build(t), hostileManifests()), "hostile", 2*time.Minute)
}
