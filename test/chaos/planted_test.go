package chaos

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"twinbridge/internal/planttest"
	"twinbridge/test/world"
)

// A disk that takes its time shows what was told before it was on it.
var (
	slowHubDisk  = planttest.Swap{"cloud/registry/embedded/embedded.go", "\terr := r.file.Commit(changes...)", "\ttime.Sleep(100 * time.Millisecond)\n\terr := r.file.Commit(changes...)"}
	slowNodeDisk = planttest.Swap{"edge/devicetwin/write.go", "\terr = h.file.Commit(changes...)", "\ttime.Sleep(100 * time.Millisecond)\n\terr = h.file.Commit(changes...)"}
)

// planted are faults that the storm has to find, each with promises of which one has to be broken.
var planted = []struct {
	name     string
	swaps    []planttest.Swap
	only     string // the fault that shows it; "": all
	promises []string
	short    bool // shown in a short run too
}{
	{"the hub answers before it is on disk", []planttest.Swap{
		slowHubDisk, {"twin/hubstore.go", "return v, s.WaitDurable(ctx, v.decided)\n}\n\n// WaitOutcome", "return v, nil\n}\n\n// WaitOutcome"},
	}, "hub killed", []string{"Durable", "Told"}, true},
	{"the node tells before it is on disk", []planttest.Swap{
		slowNodeDisk, {"twin/link.go", "upto := n.tellable(since)", "upto := n.meta.Rev"},
	}, "node killed", []string{"Monotone", "Told", "Durable", "Converge", "Nothing lost"}, false},
	{"an outcome is not told again after a cut", []planttest.Swap{
		{"twin/link.go", "out.Outcomes = toldOutcomes(d.cloud, in)", "out.Outcomes = toldOutcomes(d.cloud, func(rev uint64) bool { return in(rev) && rev > n.told })"},
	}, "link", []string{"Told", "Converge"}, false},
	{"a lamp that goes back by itself", []planttest.Swap{
		{"edge/mapper/driver/sim/sim.go", "\td.set(v.name, s, values)\n\treturn nil", "\told := s.values\n\ttime.AfterFunc(4*time.Second, func() {\n\t\td.mu.Lock()\n\t\tdefer d.mu.Unlock()\n\t\td.set(v.name, s, old)\n\t})\n\td.set(v.name, s, values)\n\treturn nil"},
	}, "link", []string{"NoGhost", "Once"}, false},
	{"what waited is taken as if somebody asked just now", []planttest.Swap{
		{"twin/cloudwish.go", `waited := c.Session == "" || c.Session != n.link.session`, "waited := false"},
	}, LinkRefused, []string{"House wins"}, false},
	{"a mapper's start is taken for a hand", []planttest.Swap{
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
func plant(t *testing.T, swaps []planttest.Swap) string {
	t.Helper()
	dir := t.TempDir()
	overlay, err := planttest.Overlay(dir, swaps...)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "twinbridge")
	if err := world.Build(t.Context(), world.Root(), program, "-overlay", overlay); err != nil {
		t.Fatal(err)
	}
	return program
}
