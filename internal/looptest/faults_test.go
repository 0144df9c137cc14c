package looptest_test

import (
	"testing"

	"twinbridge/internal/planttest"
)

// faults is the table of planted faults of the loops and of what they hold together: each must be noticed within 300
// histories, by the check that it names.
var faults = []planttest.Fault{
	{"a wish is offered before it is on the hub's disk", "Durable", []planttest.Swap{{"twin/hublink.go", "if w.seq > h.durable {", "if false {"}}},
	{"a commit that failed counts", "Durable or Monotone", []planttest.Swap{{"cloud/registry/embedded/embedded.go", "r.Committed(batch, err)", "r.Committed(batch, nil)"}}},
	{"an outcome is not repeated after a cut", "Told or Converge", []planttest.Swap{{"twin/link.go", "out.Outcomes = toldOutcomes(d.cloud, in)", "out.Outcomes = toldOutcomes(d.cloud, func(rev uint64) bool { return in(rev) && rev > n.told })"}}},
	{"the end of an older session ends the newer one", "Converge or Told or Monotone", []planttest.Swap{{"twin/hublink.go", "if n == nil || n.session != session || session == \"\" {\n\t\treturn\n\t}\n\tn.session, n.ready", "if n == nil {\n\t\treturn\n\t}\n\tn.session, n.ready"}}},
	{"the hub forgets to wake a session", "Converge or Told", []planttest.Swap{{"cloud/devicecontroller/controller.go", "links.Wake(node)", "_ = node"}}},
	{"the node forgets to wake its session", "Converge or Told", []planttest.Swap{{"edge/edgehub/edgehub.go", "\t\t\t\tpump.Poke()\n", ""}}},
	{"a dead line is not noticed", "Converge or Told", []planttest.Swap{{"internal/wire/pump.go", "return p.c.SetReadDeadline(time.Now().Add(DeadAfter))", "return nil"}}},
	{"a wish that waited is taken like a live one", "HouseWins", []planttest.Swap{{"twin/cloudwish.go", `waited := c.Session == "" || c.Session != n.link.session`, "waited := false"}}},
	{"a registry that never retries", "Converge or Told", []planttest.Swap{{"cloud/registry/embedded/embedded.go", "retry.Reset(pause)", "retry.Stop()"}}},
}

// TestPlantedFaults shows that the checks bite.
func TestPlantedFaults(t *testing.T) {
	planttest.Histories(t, faults, "-runs", "300", "-test.timeout", "5m")
}
