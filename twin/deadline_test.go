package twin_test

import (
	"testing"
	"time"

	"twinbridge/twin"
)

// TestApplyDeadline: the device's own, else its kind's, else the default (rule 2); a new definition asks anew.
func TestApplyDeadline(t *testing.T) {
	now := twin.Now{Mono: time.Second}
	n, err := twin.OpenNode(twin.NodeConfig{Name: "attic", FileID: "f", NewID: func() string { return "id" }, Deadline: func(r *twin.Resolved) time.Duration {
		if r.Policy.Kind == "blind" {
			return time.Minute
		}
		return 0
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(now)
	name := twin.Name{Namespace: "default", Name: "d"}
	for i, tt := range []struct {
		notes map[string]string
		want  time.Duration
	}{
		{nil, twin.DefaultApplyDeadline},
		{map[string]string{"kind": "blind"}, time.Minute},
		{map[string]string{"kind": "blind", "apply-deadline": "3s"}, 3 * time.Second},
		{map[string]string{"kind": "lamp"}, twin.DefaultApplyDeadline},
	} {
		d := twin.Device{Name: name, Annotations: tt.notes, Properties: []twin.Property{{Name: "level", Type: twin.Int}}}
		if err := n.Apply(now, nil, []twin.Device{d}); err != nil {
			t.Fatal(err)
		}
		n.TakeBatch(false)
		if err := n.State(now, name, "online", "c"); err != nil {
			t.Fatal(err)
		}
		id := string(rune('a' + i))
		if _, err := n.Ask(now, name, twin.Wish{ID: id, Origin: twin.FromLocal, Values: map[string]twin.Value{"level": twin.IntValue(int64(i + 1))}}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after   time.Duration
			trouble bool
		}{{tt.want - time.Millisecond, false}, {tt.want, true}} {
			n.Tick(twin.Now{Mono: now.Mono + step.after})
			w, err := n.WishView(name, id)
			if err != nil || (w.Trouble != "") != step.trouble {
				t.Errorf("%v after %v: trouble %q, %v", tt.notes, step.after, w.Trouble, err)
			}
		}
		now.Mono += time.Hour
	}
}
