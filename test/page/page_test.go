// Package page looks at the page for the browser as people do: in a real Chromium, on a phone's screen and on a desk's,
// served by the real binary, whose simulated lamps move when a switch is touched. What is done in the browser is written
// in checks.mjs, which speaks to Chromium through playwright-core; here the house is built around it.
//
// `make page` installs both. With PAGE_SHOTS=folder the pictures that are taken on the way stay there.
package page

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// need makes sure that the browser and what drives it are there. Where nobody promised that they are, the test is left
// out.
func need(t *testing.T) {
	t.Helper()
	var missing []string
	for _, p := range []string{"chromium", "node", "certutil"} {
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

// house is a running edge or hub, as checks.mjs is told of it.
type house struct {
	URL     string            `json:"url"`
	Code    string            `json:"code"`
	Socket  string            `json:"socket"`
	Pid     int               `json:"pid"`
	Shots   string            `json:"shots"`
	Browser string            `json:"browser"`
	Home    string            `json:"home"` // of the browser
	Kept    bool              `json:"kept"` // whether somebody wants the pictures
	Scene   string            `json:"scene"`
	Secure  string            `json:"secure,omitempty"`  // a hub's URL over TLS
	Keeper  string            `json:"keeper,omitempty"`  // who starts and kills the hub's nodes
	Folders map[string]string `json:"folders,omitempty"` // of the nodes' data
	Edge    *house            `json:"edge,omitempty"`    // one of them
}

// built is where the program under test lies, once the first test has built it.
var built world.Built

func TestMain(m *testing.M) { built.Main(m) }

// open starts an edge with these manifests.
func open(t *testing.T, program, manifests string) house {
	t.Helper()
	data := t.TempDir()
	fill(t, data, "cottage", manifests)
	return begin(t, program, "edge", data).house()
}

// fill writes the configuration of an edge and its manifests.
func fill(t *testing.T, data, node, manifests string) {
	t.Helper()
	files := map[string]string{
		"twinbridge.yaml": "node:\n  name: " + node + "\nhomekit:\n  listen: \"\"\nmqtt:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nlog:\n  level: error\n",
	}
	const most = 500 // documents in a file; more than 1000 are refused
	for docs := strings.Split(manifests, "---\n"); len(docs) > 0; docs = docs[min(most, len(docs)):] {
		files[fmt.Sprintf("devices/%d.yaml", len(docs))] = strings.Join(docs[:min(most, len(docs))], "---\n")
	}
	write(t, data, files)
}

// write writes files of a data folder.
func write(t *testing.T, data string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(data, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs the checks of a scene in the browser; each is a test of its own.
func run(t *testing.T, h house, scene string, limit time.Duration) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	h.Scene, h.Browser, h.Shots = scene, browser, os.Getenv("PAGE_SHOTS")
	if h.Home == "" {
		h.Home = t.TempDir()
	}
	h.Kept = h.Shots != ""
	if !h.Kept {
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
	run(t, open(t, built.Path(t), homeManifests()), "home", 4*time.Minute)
}

func TestMany(t *testing.T) {
	need(t)
	program := built.Path(t)
	for _, n := range []int{60, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			run(t, open(t, program, manyManifests(n)), fmt.Sprintf("many%d", n), 2*time.Minute)
		})
	}
}

// TestHostile: whatever devices are called and say stays text.
func TestHostile(t *testing.T) {
	need(t)
	run(t, open(t, built.Path(t), hostileManifests()), "hostile", 2*time.Minute)
}
