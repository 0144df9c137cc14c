package simtest_test

import (
	"testing"

	"twinbridge/internal/planttest"
)

// faults is the table of planted faults: each breaks one rule, and the check that must notice it within 2,000
// histories. A fault that another rule hides is planted with that rule off.
var faults = []planttest.Fault{
	{"no dedupe of numbers (recognition by id off)", "Once or Told", []planttest.Swap{
		{"twin/cloudwish.go", "if c.Number <= d.dealt {", "if false {"},
		{"twin/cloudwish.go", "if n.recognise(d, c) {", "if false {"},
	}},
	{"no recognition by id", "Once or Told", []planttest.Swap{{"twin/cloudwish.go", "if n.recognise(d, c) {", "if false {"}}},
	{"waited taken like live", "HouseWins", []planttest.Swap{{"twin/cloudwish.go", `waited := c.Session == "" || c.Session != n.link.session`, "waited := false"}}},
	{"an act of the house not marked", "HouseWins", []planttest.Swap{{"twin/node.go", "if o.House() {", "if false {"}}},
	{"going back counted as an act", "Explained", []planttest.Swap{{"twin/offer.go", "n.expect(d, s, s.actual, FromRestore)", "n.expect(d, s, s.actual, FromRestore)\n\t\ts.act = s.rev"}}},
	{"an older state taken by a view (session fence off)", "Monotone", []planttest.Swap{
		{"twin/hublearn.go", "s != nil && p.Rev > s.rev {", "s != nil {"},
		{"twin/hublearn.go", "n := h.live(node, session)", "n := h.nodes[node]"},
	}},
	{"a hub's view of what is not on its disk", "Monotone", []planttest.Swap{{"twin/hubview.go", "if s.seq > h.durable {", "if false {"}}},
	{"decisions told before the commit", "Durable", []planttest.Swap{{"twin/link.go", "upto := n.tellable(since)", "upto := n.meta.Rev"}}},
	{"cloud wish offered before the commit", "Durable", []planttest.Swap{
		{"twin/offer.go", "return w.number == 0 || w.rev <= n.durable", "return true"},
		{"twin/cloudwish.go", "\t\tn.accept(d, w)\n", "\t\tn.accept(d, w)\n\t\tn.offer(d)\n"},
	}},
	{"outcome forgotten after a cut", "Told or Converge", []planttest.Swap{{"twin/link.go", "out.Outcomes = toldOutcomes(d.cloud, in)", "out.Outcomes = toldOutcomes(d.cloud, func(rev uint64) bool { return in(rev) && rev > n.told })"}}},
	{"no new store id for an old disk", "Converge or Told", []planttest.Swap{{"twin/link.go", "!n.made(m.Rev, m.Opening) {", "false {"}}},
	{"no offer on a new store", "Kept", []planttest.Swap{{"twin/hubstores.go", "if p.Access == ReadOnly || s.expected.Absent() || p.Check(s.expected) != nil {", "if true {"}}},
	{"no-op that looks at expected only (settle times not looked at)", "NothingLost", []planttest.Swap{
		{"twin/ask.go", "s.settle != 0 || ", ""},
		{"twin/ask.go", " || !p.Equal(s.actual, v)", ""},
	}},
	{"delta only where values differ", "Whole", []planttest.Swap{{"twin/view.go", "w.trouble, w.offered\n", "w.trouble, w.offered && !p.Def.Equal(s.actual, s.expected)\n"}}},
	{"no settle time", "Follow", []planttest.Swap{{"twin/facts.go", "n.now.Mono + max(d.def.Policy.Settle, 1)", "n.now.Mono + 1"}}},
	{"an unmarked report that supersedes", "Follow", []planttest.Swap{{"twin/facts.go", "case pr.Act && !d.def.Policy.Hold && !first &&", "case (pr.Act || w != nil) && !d.def.Policy.Hold && !first &&"}}},
	{"no restore after offline", "Follow", []planttest.Swap{{"twin/facts.go", "case w == nil && first:", "case false:"}}},
	{"a press restored at boot", "NoGhost", []planttest.Swap{{"twin/open.go", "s.adopt = true", "s.adopt = false"}}},
	{"half an atomic wish dropped", "Whole", []planttest.Swap{{"twin/ask.go", "\tw.state[prop] = lost\n", "\tfor k := range w.state {\n\t\tw.state[k] = lost\n\t}\n"}}},
	{"applied by a stale report", "Follow", []planttest.Swap{{"twin/facts.go", "return !w.risky || n.now.Mono >= w.offerAt+d.def.Policy.Settle", "return true"}}},
	{"no hand-over after an ended press", "Follow", []planttest.Swap{{"twin/offer.go", "\tif w.busies() {\n\t\tn.restore(d, own...)", "\tif w.busies() {"}}},
	{"the hub ending a sent wish by itself", "Told", []planttest.Swap{{"twin/hubask.go", "w.endsAt <= now.Mono && !w.sent {", "w.endsAt <= now.Mono {"}}},
	{"told although an older decision is hidden", "Converge", []planttest.Swap{{"twin/node.go", "if rev != 0 && rev <= max(n.durable, n.batch) {", "if false {"}}},
}

// TestPlantedFaults: every fault of the table is caught within 2,000 histories, by the check that the table names.
func TestPlantedFaults(t *testing.T) { planttest.Histories(t, faults, "-seeds", "2000") }
