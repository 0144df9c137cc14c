package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Status is the outcome of a check.
type Status string

// The outcomes. A check that saw several things has the worst of them, and Skipped only if it saw nothing at all.
const (
	Skipped Status = "skipped" // could not be looked at, or there is nothing to look at
	OK      Status = "ok"
	Warn    Status = "warn" // works, or may work; worth a look
	Fail    Status = "fail" // does not work
)

// worse orders the outcomes.
func (s Status) worse(t Status) bool {
	order := map[Status]int{Skipped: 0, OK: 1, Warn: 2, Fail: 3}
	return order[s] > order[t]
}

// Finding is what a check found.
type Finding struct {
	Status Status   `json:"status"`
	Seen   []string `json:"seen"`             // what was seen, a line for each thing
	Advice []string `json:"advice,omitempty"` // what to do, most likely cause first
}

// see adds a thing that was seen. The status becomes the worst so far; advice is kept once.
func (f *Finding) see(s Status, seen string, advice ...string) {
	if f.Status == "" || s.worse(f.Status) {
		f.Status = s
	}
	f.Seen = append(f.Seen, seen)
	for _, a := range advice {
		if !slices.Contains(f.Advice, a) {
			f.Advice = append(f.Advice, a)
		}
	}
}

// add adds another finding.
func (f *Finding) add(g Finding) {
	for i, seen := range g.Seen {
		if i == 0 {
			f.see(g.Status, seen, g.Advice...)
		} else if !slices.Contains(f.Seen, seen) {
			f.see(Skipped, seen)
		}
	}
}

// found makes a finding of one thing.
func found(s Status, seen string, advice ...string) Finding {
	var f Finding
	f.see(s, seen, advice...)
	return f
}

// Result is a finding under the name of its check.
type Result struct {
	Name string `json:"name"`
	Finding
}

// Check is one thing to look at.
type Check struct {
	Name string
	// Limit bounds the look; 0 means DefaultLimit.
	Limit time.Duration
	// Look looks. It returns soon after ctx ends, with what it saw until then.
	Look func(ctx context.Context) Finding
}

const (
	// DefaultLimit is how long a check may take.
	DefaultLimit = 5 * time.Second
	// grace is how long a check may take to say what it saw when its time is over.
	grace = time.Second
)

// Run runs all checks at the same time and gives their results in the order of the checks. It takes no longer than the
// longest limit and a second.
//
// A look that hangs in the kernel, as at a network disk whose server is gone, cannot be ended: it is told as a failure,
// and its goroutine stays until the kernel lets it go or the program ends.
func Run(ctx context.Context, checks []Check) []Result {
	results := make([]Result, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { results[i] = Result{Name: c.Name, Finding: c.run(ctx)} })
	}
	wg.Wait()
	return results
}

func (c Check) run(ctx context.Context) Finding {
	limit := c.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan Finding, 1)
	go func() { done <- c.Look(ctx) }()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
	}
	last := time.NewTimer(grace)
	defer last.Stop()
	select {
	case f := <-done:
		return f
	case <-last.C:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return found(Fail, fmt.Sprintf("no end after %v: something that was asked hangs", limit+grace),
			"look at the kernel's log (dmesg), and whether the data folder is on a network disk or a dying card")
	}
	return found(Skipped, "interrupted")
}

// Worst gives the worst status of some results; Skipped of none.
func Worst(results []Result) Status {
	worst := Skipped
	for _, r := range results {
		if r.Status.worse(worst) {
			worst = r.Status
		}
	}
	return worst
}
