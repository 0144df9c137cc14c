package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one figure. Each of its measures has a target or none; all of one row are shown in one cell, separated by
// slashes as the targets are.
type row struct {
	figure   string
	measures []measure
	peers    []string // what the others of the table do
}

// measure is one number of a row.
type measure struct {
	value  float64
	unit   string
	target float64 // 0: none
	atMost bool    // else at least
	exact  bool    // anything but the target is wrong, however slow the machine
}

func within(value float64, unit string, target float64) measure {
	return measure{value: value, unit: unit, target: target, atMost: true}
}

func atLeast(value float64, unit string, target float64) measure {
	return measure{value: value, unit: unit, target: target}
}

func exactly(value int, unit string, target int) measure {
	return measure{value: float64(value), unit: unit, target: float64(target), exact: true}
}

func plain(value float64, unit string) measure { return measure{value: value, unit: unit} }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (m *measure) hasTarget() bool { return m.exact || m.target != 0 }

func (m *measure) met() bool {
	switch {
	case !m.hasTarget():
		return true
	case m.exact:
		return m.value == m.target
	case m.atMost:
		return m.value <= m.target
	}
	return m.value >= m.target
}

// table gathers the rows in the order in which they are measured.
type table struct {
	others []string // whose figures stand beside ours; a stock edgecore if nil
	rows   []row
}

func (t *table) add(figure, peer string, measures ...measure) {
	t.rows = append(t.rows, row{figure, measures, []string{peer}})
}

// note adds a figure that could not be taken, and why.
func (t *table) note(figure, why string) { t.rows = append(t.rows, row{figure, nil, []string{why}}) }

// wrong gives the counts that are not what they have to be.
func (t *table) wrong() []error {
	var out []error
	for i := range t.rows {
		for _, m := range t.rows[i].measures {
			if m.exact && !m.met() {
				out = append(out, fmt.Errorf("%s: %s, expected %s", t.rows[i].figure, number(m.value), number(m.target)))
			}
		}
	}
	return out
}

func (t *table) markdown() string {
	var b strings.Builder
	others := t.others
	if others == nil {
		others = []string{"KubeEdge edgecore 1.23.1"}
	}
	fmt.Fprintf(&b, "| figure | twinbridge | target | | %s |\n|---|---|---|---%s|\n", strings.Join(others, " | "), strings.Repeat("|---", len(others)))
	for i := range t.rows {
		r := &t.rows[i]
		ours, targets, verdict := r.cells()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.figure, ours, targets, verdict, strings.Join(r.peers, " | "))
	}
	return b.String()
}

func (r *row) cells() (ours, targets, verdict string) {
	if len(r.measures) == 0 {
		return "not measured", "", ""
	}
	var have, want []string
	aimed, met := false, true
	for i := range r.measures {
		m := &r.measures[i]
		last := i == len(r.measures)-1 || r.measures[i+1].unit != m.unit
		have = append(have, withUnit(m.value, m.unit, last))
		if m.hasTarget() {
			want = append(want, withUnit(m.target, m.unit, last))
			aimed = true
		} else {
			want = append(want, "-")
		}
		met = met && m.met()
	}
	if !slices.ContainsFunc(want, func(s string) bool { return s != "-" }) {
		want = nil
	}
	switch {
	case !aimed:
	case met:
		verdict = "ok"
	default:
		verdict = "**missed**"
	}
	return strings.Join(have, " / "), strings.Join(want, " / "), verdict
}

func withUnit(v float64, unit string, show bool) string {
	if !show || unit == "" {
		return number(v)
	}
	return number(v) + " " + unit
}

// number shows three digits, more of whole numbers.
func number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return fmt.Sprintf("%d", int64(v))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// times are what the rounds of one measurement took.
type times []time.Duration

// p gives a percentile: the least time that so many of a hundred rounds did not exceed.
func (t times) p(percent int) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	i := (len(sorted)*percent + 99) / 100
	return sorted[max(i, 1)-1]
}

// median gives the middle one; of an even number the greater of the two.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
