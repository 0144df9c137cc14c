package simtest_test

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

// swap is one change of a source file of package twin; old must occur exactly once.
type swap struct{ file, old, new string }

// faults is the table of planted faults: each breaks one rule, and the check that must notice it within 2,000
// histories. A fault that another rule hides is planted with that rule off.
var faults = []struct {
	name  string
	check string
	swaps []swap
}{
	{"no dedupe of numbers (recognition by id off)", "Once or Told", []swap{
		{"cloudwish.go", "if c.Number <= d.dealt {", "if false {"},
		{"cloudwish.go", "if n.recognise(d, c) {", "if false {"},
	}},
	{"no recognition by id", "Once or Told", []swap{{"cloudwish.go", "if n.recognise(d, c) {", "if false {"}}},
	{"waited taken like live", "HouseWins", []swap{{"cloudwish.go", `waited := c.Session == "" || c.Session != n.link.session`, "waited := false"}}},
	{"an act of the house not marked", "HouseWins", []swap{{"node.go", "if o.House() {", "if false {"}}},
	{"going back counted as an act", "Explained", []swap{{"offer.go", "n.expect(d, s, s.actual, FromRestore)", "n.expect(d, s, s.actual, FromRestore)\n\t\ts.act = s.rev"}}},
	{"an older state taken by a view (session fence off)", "Monotone", []swap{
		{"hublearn.go", "s != nil && p.Rev > s.rev {", "s != nil {"},
		{"hublearn.go", "n := h.live(node, session)", "n := h.nodes[node]"},
	}},
	{"a hub's view of what is not on its disk", "Monotone", []swap{{"hubview.go", "if s.seq > h.durable {", "if false {"}}},
	{"decisions told before the commit", "Durable", []swap{{"link.go", "upto := n.tellable(since)", "upto := n.meta.Rev"}}},
	{"cloud wish offered before the commit", "Durable", []swap{
		{"offer.go", "return w.number == 0 || w.rev <= n.durable", "return true"},
		{"cloudwish.go", "\t\tn.accept(d, w)\n", "\t\tn.accept(d, w)\n\t\tn.offer(d)\n"},
	}},
	{"outcome forgotten after a cut", "Told or Converge", []swap{{"link.go", "out.Outcomes = toldOutcomes(d.cloud, in)", "out.Outcomes = toldOutcomes(d.cloud, func(rev uint64) bool { return in(rev) && rev > n.told })"}}},
	{"no new store id for an old disk", "Converge or Told", []swap{{"link.go", "!n.made(m.Rev, m.Opening) {", "false {"}}},
	{"no offer on a new store", "Kept", []swap{{"hubstores.go", "if p.Access == ReadOnly || s.expected.Absent() || p.Check(s.expected) != nil {", "if true {"}}},
	{"no-op that looks at expected only (settle times not looked at)", "NothingLost", []swap{
		{"ask.go", "s.settle != 0 || ", ""},
		{"ask.go", " || !p.Equal(s.actual, v)", ""},
	}},
	{"delta only where values differ", "Whole", []swap{{"view.go", "w.trouble, w.offered\n", "w.trouble, w.offered && !p.Def.Equal(s.actual, s.expected)\n"}}},
	{"no settle time", "Follow", []swap{{"facts.go", "n.now.Mono + max(d.def.Policy.Settle, 1)", "n.now.Mono + 1"}}},
	{"an unmarked report that supersedes", "Follow", []swap{{"facts.go", "case pr.Act && !d.def.Policy.Hold && !first &&", "case (pr.Act || w != nil) && !d.def.Policy.Hold && !first &&"}}},
	{"no restore after offline", "Follow", []swap{{"facts.go", "case w == nil && first:", "case false:"}}},
	{"a press restored at boot", "NoGhost", []swap{{"open.go", "s.adopt = true", "s.adopt = false"}}},
	{"half an atomic wish dropped", "Whole", []swap{{"ask.go", "\tw.state[prop] = lost\n", "\tfor k := range w.state {\n\t\tw.state[k] = lost\n\t}\n"}}},
	{"applied by a stale report", "Follow", []swap{{"facts.go", "return !w.risky || n.now.Mono >= w.offerAt+d.def.Policy.Settle", "return true"}}},
	{"no hand-over after an ended press", "Follow", []swap{{"offer.go", "\tif w.busies() {\n\t\tn.restore(d, own...)", "\tif w.busies() {"}}},
	{"the hub ending a sent wish by itself", "Told", []swap{{"hubask.go", "w.endsAt <= now.Mono && !w.sent {", "w.endsAt <= now.Mono {"}}},
	{"told although an older decision is hidden", "Converge", []swap{{"node.go", "if rev != 0 && rev <= max(n.durable, n.batch) {", "if false {"}}},
}

// histories is how many a fault may survive.
const histories = 2000

// TestPlantedFaults: every fault of the table is caught within 2,000 histories, by the check that the table names.
func TestPlantedFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("plants faults by building 22 programs")
	}
	twinDir, err := filepath.Abs("../../twin")
	if err != nil {
		t.Fatal(err)
	}
	room := make(chan struct{}, 2) // two builds at a time
	var wg sync.WaitGroup
	for _, f := range faults {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			out := plant(t, twinDir, t.TempDir(), f.swaps)
			if out == "" {
				t.Errorf("%s: survived 2,000 histories; %s must catch it", f.name, f.check)
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

// plant builds the simulation with changed sources and runs it. It gives the violation found, "" if there was none.
func plant(t *testing.T, twinDir, dir string, swaps []swap) string {
	t.Helper()
	replace := map[string]string{}
	for _, s := range swaps {
		path := filepath.Join(twinDir, s.file)
		from := path
		if changed, ok := replace[path]; ok {
			from = changed
		}
		src, err := os.ReadFile(from)
		if err != nil {
			t.Error(err)
			return "error"
		}
		if n := strings.Count(string(src), s.old); n != 1 {
			t.Errorf("%s: %q occurs %d times: the table is stale", s.file, s.old, n)
			return "error"
		}
		replace[path] = filepath.Join(dir, s.file)
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
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Error(err)
		return "error"
	}
	bin := filepath.Join(dir, "sim")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", file, "-o", bin, ".").CombinedOutput(); err != nil {
		t.Errorf("build with a fault: %v\n%s", err, out)
		return "error"
	}
	run := exec.CommandContext(t.Context(), bin, "-test.run", "^TestHistories$", "-seeds", strconv.Itoa(histories))
	out, err := run.CombinedOutput()
	if err == nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if _, text, ok := strings.Cut(line, "sim_test.go:"); ok {
			_, text, _ = strings.Cut(text, ": ")
			return strings.TrimSpace(text)
		}
	}
	return "error: " + string(out)
}
