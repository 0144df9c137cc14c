package doctor

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunKeepsOrder: all run at the same time, and the results stand in the order of the checks.
func TestRunKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []Check
		for _, d := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
			checks = append(checks, Check{Name: d.String(), Look: func(context.Context) Finding {
				<-time.After(d)
				return found(OK, d.String())
			}})
		}
		start := time.Now()
		results := Run(t.Context(), checks)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it took %v; together they take 3s", took)
		}
		var names []string
		for _, r := range results {
			if r.Status != OK || r.Seen[0] != r.Name {
				t.Errorf("%v", r)
			}
			names = append(names, r.Name)
		}
		if want := []string{"3s", "1s", "2s"}; !slices.Equal(names, want) {
			t.Errorf("order %v, want %v", names, want)
		}
	})
}

// TestBound: a check that hears the end of its time still says what it saw, one that hangs does not hold the others up.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		start := time.Now()
		results := Run(t.Context(), []Check{
			{Name: "hears", Limit: 2 * time.Second, Look: func(ctx context.Context) Finding {
				<-ctx.Done()
				return found(Warn, "half of it", "wait")
			}},
			{Name: "default", Look: func(ctx context.Context) Finding {
				<-ctx.Done()
				return found(OK, time.Since(start).String())
			}},
			{Name: "hangs", Limit: 3 * time.Second, Look: func(context.Context) Finding {
				<-release
				return found(OK, "too late")
			}},
		})
		if took := time.Since(start); took != DefaultLimit {
			t.Errorf("it took %v, want %v", took, DefaultLimit)
		}
		want{Warn, "half of it", "wait"}.check(t, results[0].Finding)
		want{OK, DefaultLimit.String(), ""}.check(t, results[1].Finding)
		want{Fail, "no end after 4s", "dmesg"}.check(t, results[2].Finding)
		close(release)
	})
}

// TestInterrupted: Ctrl-C ends it, with what was seen.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		go func() {
			<-time.After(time.Second)
			cancel()
		}()
		start := time.Now()
		results := Run(ctx, []Check{{Name: "hangs", Look: func(context.Context) Finding {
			<-release
			return Finding{}
		}}})
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v, want 2s", took)
		}
		want{Skipped, "interrupted", ""}.check(t, results[0].Finding)
		close(release)
	})
}

// TestWorst: a finding and a list have the worst status of their parts.
func TestWorst(t *testing.T) {
	for _, tt := range []struct {
		parts []Status
		want  Status
	}{
		{nil, Skipped},
		{[]Status{Skipped, Skipped}, Skipped},
		{[]Status{Skipped, OK}, OK},
		{[]Status{OK, Warn, Skipped}, Warn},
		{[]Status{Warn, Fail, OK}, Fail},
	} {
		var f Finding
		var results []Result
		for _, s := range tt.parts {
			f.see(s, "x", "the same advice")
			results = append(results, Result{Finding: Finding{Status: s}})
		}
		if got := Worst(results); got != tt.want {
			t.Errorf("worst of %v: %s, want %s", tt.parts, got, tt.want)
		}
		if len(tt.parts) > 0 && (f.Status != tt.want || len(f.Seen) != len(tt.parts) || len(f.Advice) != 1) {
			t.Errorf("finding of %v: %+v", tt.parts, f)
		}
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(Result{"clock", found(Warn, "late", "set it")})
	if want := `{"name":"clock","status":"warn","seen":["late"],"advice":["set it"]}`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

// TestNodeAskedOnce: all checks share one answer, and a node that hangs is given up.
func TestNodeAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		n := NewNode(func(ctx context.Context) (Health, error) {
			asked.Add(1)
			<-ctx.Done()
			return Health{}, ctx.Err()
		})
		start := time.Now()
		results := Run(t.Context(), []Check{CheckNode(n, "edge.sock", "twinbridge edge"), CheckNode(n, "edge.sock", "twinbridge edge")})
		for _, r := range results {
			want{Fail, "does not answer as it should", "stop it and start it again"}.check(t, r.Finding)
		}
		if took := time.Since(start); took != askTime || asked.Load() != 1 {
			t.Errorf("asked %d times, %v; want once, %v", asked.Load(), took, askTime)
		}
	})
}
