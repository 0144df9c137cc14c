package simtest_test

import (
	"flag"
	"maps"
	"slices"
	"testing"

	"twinbridge/internal/simtest"
)

var (
	seeds = flag.Int("seeds", 2000, "histories to play")
	from  = flag.Uint64("from", 1, "first seed")
)

// TestHistories plays random histories; a failing seed is printed with its trace.
func TestHistories(t *testing.T) {
	seen := map[string]int{}
	steps := 0
	for s := *from; s < *from+uint64(*seeds); s++ {
		r := simtest.Run(s)
		steps += r.Steps
		for k, n := range r.Seen {
			seen[k] += n
		}
		if r.Fault != nil {
			t.Fatalf("%v\nreplay: go test ./internal/simtest -run TestHistories -from %d -seeds 1\n%s", r.Fault, s, r)
		}
	}
	t.Logf("%d histories, %d steps", *seeds, steps)
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%8d %s", seen[k], k)
	}
}
