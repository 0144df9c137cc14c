package looptest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// swap is one change of a source file, by its path from the root; old must occur exactly once.
type swap struct{ file, old, new string }

// faults is the table of planted faults of the loops and of what they hold together: each must be noticed within 300
// histories, by the check that it names.
var faults = []struct {
	name  string
	check string
	swaps []swap
}{
	{"a wish is offered before it is on the hub's disk", "Durable", []swap{{"twin/hublink.go", "if w.seq > h.durable {", "if false {"}}},
	{"a commit that failed counts", "Durable", []swap{{"cloud/registry/embedded/embedded.go", "r.Committed(batch, err)", "r.Committed(batch, nil)"}}},
	{"an outcome is not repeated after a cut", "Told or Converge", []swap{{"twin/link.go", "out.Outcomes = toldOutcomes(d.cloud, in)", "out.Outcomes = toldOutcomes(d.cloud, func(rev uint64) bool { return in(rev) && rev > n.told })"}}},
	{"the end of an older session ends the newer one", "Converge or Told or Monotone", []swap{{"twin/hublink.go", "if n == nil || n.session != session || session == \"\" {\n\t\treturn\n\t}\n\tn.session, n.ready", "if n == nil {\n\t\treturn\n\t}\n\tn.session, n.ready"}}},
	{"the hub forgets to wake a session", "Converge or Told", []swap{{"cloud/devicecontroller/controller.go", "links.Wake(node)", "_ = node"}}},
	{"the node forgets to wake its session", "Converge or Told", []swap{{"edge/edgehub/edgehub.go", "\t\t\t\tpump.Poke()\n", ""}}},
	{"a dead line is not noticed", "Converge or Told", []swap{{"internal/wire/pump.go", "return p.c.SetReadDeadline(time.Now().Add(DeadAfter))", "return nil"}}},
	{"a wish that waited is taken like a live one", "HouseWins", []swap{{"twin/cloudwish.go", `waited := c.Session == "" || c.Session != n.link.session`, "waited := false"}}},
	{"a registry that never retries", "Converge or Told", []swap{{"cloud/registry/embedded/embedded.go", "retry.Reset(pause)", "retry.Stop()"}}},
}

const histories = 300

// TestPlantedFaults shows that the checks bite.
func TestPlantedFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("plants faults by building 9 programs")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	room := make(chan struct{}, 2) // two builds at a time
	var wg sync.WaitGroup
	for _, f := range faults {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			out := plant(t, root, t.TempDir(), f.swaps)
			if out == "" {
				t.Errorf("%s: survived %d histories; %s must catch it", f.name, histories, f.check)
				return
			}
			if got, _, _ := strings.Cut(out, ":"); !slices.Contains(strings.Split(f.check, " or "), got) {
				t.Errorf("%s: caught by %s, the table names %s", f.name, out, f.check)
				return
			}
			t.Logf("%-52s %s", f.name, out)
		})
	}
	wg.Wait()
}

// plant builds the loops with changed sources and runs them. It gives what was found, "" if nothing was.
func plant(t *testing.T, root, dir string, swaps []swap) string {
	t.Helper()
	replace := map[string]string{}
	for i, s := range swaps {
		path := filepath.Join(root, filepath.FromSlash(s.file))
		src, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return "error"
		}
		if n := strings.Count(string(src), s.old); n != 1 {
			t.Errorf("%s: %q occurs %d times: the table is stale", s.file, s.old, n)
			return "error"
		}
		replace[path] = filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(replace[path], []byte(strings.Replace(string(src), s.old, s.new, 1)), 0o600); err != nil {
			t.Error(err)
			return "error"
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Error(err)
		return "error"
	}
	file, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "loops")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Error(err)
		return "error"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", file, "-o", bin, ".").CombinedOutput(); err != nil {
		t.Errorf("build with a fault: %v\n%s", err, out)
		return "error"
	}
	out, err := exec.CommandContext(t.Context(), bin, "-test.run", "^TestHistories$", "-test.timeout", "5m", "-runs", strconv.Itoa(histories)).CombinedOutput()
	if err == nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if _, text, ok := strings.Cut(line, "loop_test.go:"); ok {
			_, text, _ = strings.Cut(text, ": ")
			return strings.TrimSpace(text)
		}
	}
	return "error: " + string(out[:min(len(out), 2000)])
}
