package main

import (
	"strings"
	"testing"
	"time"
)

func TestInversions(t *testing.T) {
	tests := []struct {
		ids           []int
		n             int
		swapped, lost int
	}{
		{nil, 0, 0, 0},
		{[]int{0, 1, 2}, 3, 0, 0},
		{[]int{1, 0, 2}, 3, 1, 0},
		{[]int{2, 0, 1}, 3, 2, 0},
		{[]int{0, 2}, 3, 0, 1},
		{[]int{0, 0, 2}, 3, 0, 1},
		{nil, 2, 0, 2},
	}
	for _, tt := range tests {
		if swapped, lost := inversions(tt.ids, tt.n); swapped != tt.swapped || lost != tt.lost {
			t.Errorf("inversions(%v, %d) = %d, %d, want %d, %d", tt.ids, tt.n, swapped, lost, tt.swapped, tt.lost)
		}
	}
}

func TestPercentiles(t *testing.T) {
	var hundred times
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	tests := []struct {
		took    times
		percent int
		want    time.Duration
	}{
		{nil, 50, 0},
		{times{7}, 99, 7},
		{times{3, 1, 2}, 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	}
	for _, tt := range tests {
		if got := tt.took.p(tt.percent); got != tt.want {
			t.Errorf("p(%d) of %d times = %d, want %d", tt.percent, len(tt.took), got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	var b table
	b.add("time", "slow", within(1.5, "ms", 2), plain(12, "ms"))
	b.add("late", "", within(2.5, "ms", 2))
	b.add("rate", "", atLeast(4999, "/s", 5000))
	b.add("order", "", exactly(0, "", 0), exactly(1, "", 0))
	b.add("no target", "", plain(123.4, "µs"))
	b.note("other broker", "not here")
	got := b.markdown()
	for _, want := range []string{
		"| time | 1.50 / 12 ms | 2 / - | ok | slow |\n",
		"| late | 2.50 ms | 2 ms | **missed** |  |\n",
		"| rate | 4999 /s | 5000 /s | **missed** |  |\n",
		"| order | 0 / 1 | 0 / 0 | **missed** |  |\n",
		"| no target | 123 µs |  |  |  |\n",
		"| other broker | not measured |  |  | not here |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	// A late answer is told, a wrong count is an error.
	if errs := b.wrong(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "order") {
		t.Errorf("wrong: %v, want the order alone", errs)
	}
}

func TestProc(t *testing.T) {
	const disk = "  100 0 800 7   50 3 16 9 0 11 22\n"
	if n, err := writtenOf(disk); n != 16*512 || err != nil {
		t.Errorf("written: %d, %v, want 8192", n, err)
	}
	for _, bad := range []string{"", "1 2 3 4 5 6", "1 2 3 4 5 6 x"} {
		if n, err := writtenOf(bad); err == nil {
			t.Errorf("%q was read as %d", bad, n)
		}
	}
	if n, err := field([]byte("VmRSS:\t   1234 kB\n"), "VmRSS"); n != 1234 || err != nil {
		t.Errorf("VmRSS: %d, %v", n, err)
	}
	for _, bad := range []string{"", "VmRSS:\n", "VmRSS: many kB\n"} {
		if n, err := field([]byte(bad), "VmRSS"); err == nil {
			t.Errorf("%q was read as %d", bad, n)
		}
	}
	const stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 8 0 1"
	if d, err := cpuOf(stat); d != 2*time.Second || err != nil {
		t.Errorf("cpu: %v, %v, want 2s", d, err)
	}
	for _, bad := range []string{"", "42 (a) S 1 2", strings.Replace(stat, "150", "x", 1)} {
		if d, err := cpuOf(bad); err == nil {
			t.Errorf("%q was read as %v", bad, d)
		}
	}
}

func TestAnswers(t *testing.T) {
	for payload, good := range map[string]bool{
		`{"event_id":"7"}`:                         true,
		`{"event_id":"8"}`:                         false,
		`{"event_id":"7","code":400,"reason":"x"}`: false,
		`{`: false,
	} {
		if err := answers([]byte(payload), "7"); (err == nil) != good {
			t.Errorf("%s: %v, want good %t", payload, err, good)
		}
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(parts) {
		t.Errorf("all: %d, %v", len(all), err)
	}
	if two, err := choose("order,start"); err != nil || len(two) != 2 || two[0].name != "order" {
		t.Errorf("two: %v, %v", two, err)
	}
	if _, err := choose("order,nothing"); err == nil {
		t.Error("a part that does not exist was taken")
	}
}

func TestTableOfOthers(t *testing.T) {
	b := table{others: []string{"A 1", "B 2"}}
	b.rows = append(b.rows, row{"time", []measure{within(1, "ms", 2)}, []string{"3 ms", "not measured"}})
	want := "| figure | twinbridge | target | | A 1 | B 2 |\n|---|---|---|---|---|---|\n| time | 1 ms | 2 ms | ok | 3 ms | not measured |\n"
	if got := b.markdown(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHomeKitRows(t *testing.T) {
	// Nothing measured: no row makes a figure of it, the counts that have to be 0 least of all.
	for _, r := range hapRows() {
		if m := r.of(&hapFigures{}); len(m) > 0 {
			t.Errorf("%s: %v of nothing", r.figure, m)
		}
	}
	f := &hapFigures{firsts: tally{failures: 1, tried: 1000}}
	var b table
	for _, r := range hapRows() {
		b.rows = append(b.rows, row{figure: r.figure, measures: r.of(f)})
	}
	if errs := b.wrong(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "first requests") {
		t.Errorf("wrong: %v, want the first requests alone", errs)
	}
}

func TestAnnounces(t *testing.T) {
	packet := func(flags byte, names ...string) []byte {
		out := make([]byte, 12)
		out[2] = flags
		for _, n := range names {
			out = append(append(out, byte(len(n))), n...)
		}
		return out
	}
	for name, tt := range map[string]struct {
		packet []byte
		want   bool
	}{
		"announcement":    {packet(0x84, "bench-1 ABCD", "_hap", "_tcp"), true},
		"probe":           {packet(0, "bench-1 ABCD", "_hap", "_tcp"), false},
		"another":         {packet(0x84, "bench-2", "_hap", "_tcp"), false},
		"another service": {packet(0x84, "bench-1", "_ipp", "_tcp"), false},
		"nothing":         {nil, false},
	} {
		if got := announces(tt.packet, "bench-1"); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestColourHouse(t *testing.T) {
	text := colourHouse(3)["house.yaml"]
	if n := strings.Count(text, "kind: Device\n"); n != 3 {
		t.Errorf("%d lamps, want 3", n)
	}
}
