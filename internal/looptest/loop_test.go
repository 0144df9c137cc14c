package looptest_test

import (
	"flag"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"twinbridge/internal/looptest"
)

var (
	runs = flag.Int("runs", 40, "histories to play")
	from = flag.Uint64("from", 1, "first seed")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHistories plays random histories over the real loops; a failing seed is printed with its trace.
func TestHistories(t *testing.T) {
	seen := map[string]int{}
	for seed := *from; seed < *from+uint64(*runs); seed++ {
		var r looptest.Result
		synctest.Test(t, func(*testing.T) { r = looptest.Run(seed) })
		for k, n := range r.Seen {
			seen[k] += n
		}
		if r.Fault != "" {
			t.Fatalf("%s\nagain: go test ./internal/looptest -run TestHistories -from %d -runs 1", r, seed)
		}
	}
	t.Logf("%d histories", *runs)
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%8d %s", seen[k], k)
	}
}
