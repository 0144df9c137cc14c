package twin_test

import (
	"slices"
	"testing"

	"twinbridge/twin"
)

// A reader that never reads neither blocks nor grows the store.
func TestWatchCoalesces(t *testing.T) {
	s, _ := newStore(t, "lamp", "other")
	w := s.Watch()
	defer w.Close()
	w.Take()
	<-w.C()
	for i := range 100_000 {
		mustReport(t, s, shows([]string{"ON", "OFF"}[i%2], ""))
	}
	if got := len(w.C()); got != 1 {
		t.Errorf("tokens: got %d, want 1", got)
	}
	if got, want := w.Take(), []twin.Name{lampName}; !slices.Equal(got, want) {
		t.Errorf("changed: got %v, want %v", got, want)
	}
	if got := w.Take(); len(got) != 0 {
		t.Errorf("taken twice: %v", got)
	}
}

func TestWatchStartsWithEverything(t *testing.T) {
	s, _ := newStore(t, "b", "a", "lamp")
	w := s.Watch()
	defer w.Close()
	select {
	case <-w.C():
	default:
		t.Error("a new watch has no token")
	}
	want := []twin.Name{{Namespace: "default", Name: "a"}, {Namespace: "default", Name: "b"}, lampName}
	if got := w.Take(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWatchTellsWhatChanged(t *testing.T) {
	s, _ := newStore(t, "lamp", "other")
	w, closed := s.Watch(), s.Watch()
	defer w.Close()
	w.Take()
	closed.Take()
	closed.Close()
	closed.Close()
	for _, step := range []struct {
		what string
		do   func()
		want bool
	}{
		{"a wish", func() { mustAsk(t, s, power("w1", "ON")) }, true},
		{"reading", func() { _, _ = s.Device(lampName); s.Devices(); s.Stats() }, false},
		{"a refused wish", func() { _, _ = s.Ask(lampName, power("w2", "MAYBE")) }, false},
		{"a report", func() { mustReport(t, s, shows("ON", "w1")) }, true},
		{"an equal report", func() { mustReport(t, s, shows("ON", "")) }, false},
		{"a state", func() { _ = s.SetState(lampName, "offline", "c1") }, true},
		{"a state that was so", func() { _ = s.SetState(lampName, "offline", "c1") }, false},
		{"a deletion", func() { _ = s.Delete(lampName) }, true},
	} {
		step.do()
		if got := slices.Contains(w.Take(), lampName); got != step.want {
			t.Errorf("%s: changed: got %v, want %v", step.what, got, step.want)
		}
	}
	if got := closed.Take(); len(got) != 0 {
		t.Errorf("a closed watch goes on: %v", got)
	}
}

// Who shows revs is told again when a rev that was hidden is on disk; the others have seen all they need.
func TestWatchRevs(t *testing.T) {
	s, _ := newStore(t, "lamp", "other")
	commit := func() {
		t.Helper()
		b, ok := s.TakeBatch(true)
		if !ok {
			t.Fatal("nothing waits for the disk")
		}
		s.Committed(b, nil)
	}
	commit()
	plain, revs := s.Watch(), s.WatchRevs()
	defer plain.Close()
	defer revs.Close()
	plain.Take()
	revs.Take()
	mustAsk(t, s, power("w1", "ON"))
	for name, w := range map[string]*twin.Watch{"plain": plain, "revs": revs} {
		if got := w.Take(); !slices.Contains(got, lampName) {
			t.Errorf("%s: a wish changed %v", name, got)
		}
	}
	if v, _ := s.Device(lampName); v.Prop("power").Rev != 0 || !v.Hides(nil) {
		t.Errorf("before the commit: rev %d, hides %v", v.Prop("power").Rev, v.Hides(nil))
	}
	commit()
	if got := plain.Take(); len(got) != 0 {
		t.Errorf("who does not ask for revs hears of %v", got)
	}
	if got, want := revs.Take(), []twin.Name{lampName}; !slices.Equal(got, want) {
		t.Errorf("rev on disk: changed %v, want %v", got, want)
	}
	if v, _ := s.Device(lampName); v.Prop("power").Rev == 0 || v.Hides(nil) {
		t.Errorf("after the commit: rev %d, hides %v", v.Prop("power").Rev, v.Hides(nil))
	}
}
