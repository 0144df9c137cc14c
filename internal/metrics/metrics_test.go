package metrics

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	r, err := New("v1")
	if err != nil {
		t.Fatal(err)
	}
	n := 0.0
	err = r.Add(func(emit func(Metric)) {
		n++
		emit(Metric{Name: "twinbridge_lamps", Help: "Lamps.", Value: 3})
		emit(Metric{Name: "twinbridge_wishes_total", Help: "Wishes.", Kind: Counter, Label: "outcome", Of: "applied", Value: n})
		emit(Metric{Name: "twinbridge_wishes_total", Help: "Wishes.", Kind: Counter, Label: "outcome", Of: "failed", Value: 0})
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func() string {
		w := httptest.NewRecorder()
		r.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 200 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	read()
	got := read()
	for _, want := range []string{
		"# TYPE twinbridge_lamps gauge\ntwinbridge_lamps 3\n",
		"# TYPE twinbridge_wishes_total counter\n" + `twinbridge_wishes_total{outcome="applied"} 2` + "\n" + `twinbridge_wishes_total{outcome="failed"} 0`,
		`twinbridge_build_info{version="v1"} 1`,
		"process_resident_memory_bytes ",
		"go_goroutines ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

// TestBadMetric: one metric that nobody can write does not take the others away.
func TestBadMetric(t *testing.T) {
	r, err := New("v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Add(func(emit func(Metric)) {
		emit(Metric{Name: "", Help: "Nameless.", Value: 1})
		emit(Metric{Name: "twinbridge_good", Help: "Good.", Value: 1})
	}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(w.Body.String(), "twinbridge_good 1") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
