package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// swap is a change of one place in the sources.
type swap struct{ file, sound, faulty string }

// A disk that takes its time shows what was told before it was on it.
var (
	slowHubDisk  = swap{"cloud/registry/embedded/embedded.go", "\terr := r.file.Commit(changes...)", "\ttime.Sleep(100 * time.Millisecond)\n\terr := r.file.Commit(changes...)"}
	slowNodeDisk = swap{"edge/devicetwin/write.go", "\terr = h.file.Commit(changes...)", "\ttime.Sleep(100 * time.Millisecond)\n\terr = h.file.Commit(changes...)"}
)

// planted are faults that the storm has to find, each with promises of which one has to be broken.
var planted = []struct {
	name     string
	swaps    []swap
	only     string // the fault that shows it; "": all
	promises []string
	short    bool // shown in a short run too
}{
	{"the hub answers before it is on disk", []swap{
		slowHubDisk, {"twin/hubstore.go", "return v, s.WaitDurable(ctx, v.decided)\n}\n\n// WaitOutcome", "return v, nil\n}\n\n// WaitOutcome"},
	}, "hub killed", []string{"Durable", "Told"}, true},
	{"the node tells before it is on disk", []swap{
		slowNodeDisk, {"twin/link.go", "upto := n.tellable(since)", "upto := n.meta.Rev"},
	}, "node killed", []string{"Monotone", "Told", "Durable", "Converge", "Nothing lost"}, false},
	{"an outcome is not told again after a cut", []swap{
		{"twin/link.go", "out.Outcomes = toldOutcomes(d.cloud, in)", "out.Outcomes = toldOutcomes(d.cloud, func(rev uint64) bool { return in(rev) && rev > n.told })"},
	}, "link", []string{"Told", "Converge"}, false},
	{"a lamp that goes back by itself", []swap{
		{"edge/mapper/driver/sim/sim.go", "\td.set(v.name, s, values)\n\treturn nil", "\told := s.values\n\ttime.AfterFunc(4*time.Second, func() {\n\t\td.mu.Lock()\n\t\tdefer d.mu.Unlock()\n\t\td.set(v.name, s, old)\n\t})\n\td.set(v.name, s, values)\n\treturn nil"},
	}, "link", []string{"NoGhost", "Once"}, false},
	{"what waited is taken as if somebody asked just now", []swap{
		{"twin/cloudwish.go", `waited := c.Session == "" || c.Session != n.link.session`, "waited := false"},
	}, LinkRefused, []string{"House wins"}, false},
	{"a mapper's start is taken for a hand", []swap{
		{"twin/facts.go", "case w == nil && first:", "case false:"},
	}, "mapper killed", []string{"Follow"}, false},
}

// TestStormFinds: a program with a fault does not survive the storm.
func TestStormFinds(t *testing.T) {
	world.Need(t, "mosquitto_pub")
	for _, f := range planted {
		if !f.short && !long() {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			program := plant(t, f.swaps)
			var v *Verdict
			for range 4 { // a storm may miss
				s := newStorm(t, program, false)
				s.only, s.quick = f.only, true
				v, _ = s.play(8 * time.Second)
				t.Log(v)
				if i := slices.IndexFunc(v.Violations, func(x Violation) bool { return slices.Contains(f.promises, x.Promise) }); i >= 0 {
					t.Logf("found: %v", v.Violations[i])
					return
				}
			}
			t.Errorf("not found; want one of %v, got %v", f.promises, v.Violations)
		})
	}
}

// plant builds the program with changed sources.
func plant(t *testing.T, swaps []swap) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for i, s := range swaps {
		original, err := filepath.Abs(filepath.Join(world.Root(), s.file))
		if err != nil {
			t.Fatal(err)
		}
		from := original
		if changed, ok := replace[original]; ok {
			from = changed
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), s.sound); n != 1 {
			t.Fatalf("%s holds %q %d times: plant the fault where it belongs now", s.file, s.sound, n)
		}
		to := filepath.Join(dir, strings.Repeat("x", i+1)+".go")
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), s.sound, s.faulty, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[original] = to
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "twinbridge")
	if err := world.Build(t.Context(), world.Root(), program, "-overlay", overlay); err != nil {
		t.Fatal(err)
	}
	return program
}
