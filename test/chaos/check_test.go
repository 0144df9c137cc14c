package chaos

import (
	"testing"
	"time"
)

// at makes an entry that is seen at a second.
func at(second float64, e Entry) Entry {
	e.At = time.Duration(second * float64(time.Second))
	if e.From == 0 {
		e.From = e.At
	}
	if e.Device == "" && e.What != Fault {
		e.Device = "dim"
	}
	return e
}

// sound is a history in which all promises are kept: a wish at the hub and one at the house, a hand, a mapper that was
// killed and whose lamp is brought back, a wish that was superseded, and one told without a rev and lost in a crash.
func sound() []Entry {
	return []Entry{
		at(0.1, Entry{What: Lamp, Value: 0}),
		at(0.2, Entry{What: View, Side: Node, Value: 0, Rev: 1}),
		at(1.1, Entry{What: Lamp, Value: 7}),
		at(1.2, Entry{What: Ask, Side: Hub, Value: 7, From: time.Second, Wish: "w7", Outcome: "applied", Status: 200}),
		at(1.3, Entry{What: View, Side: Hub, Value: 7, Rev: 5}),
		at(1.4, Entry{What: View, Side: Node, Value: 7, Rev: 5}),
		at(2, Entry{What: Hand, Value: 8}),
		at(2.1, Entry{What: Lamp, Value: 8}),
		at(2.2, Entry{What: View, Side: Node, Value: 8, Rev: 6}),
		at(3.1, Entry{What: Lamp, Value: 9}),
		at(3.2, Entry{What: Ask, Side: Node, Value: 9, From: 3 * time.Second, Wish: "w9", Outcome: "applied", Rev: 7, Status: 200}),
		at(3.3, Entry{What: View, Side: Node, Value: 9, Rev: 7}),
		at(4, Entry{What: Ask, Side: Hub, Value: 10, Wish: "w10", Outcome: "pending", Status: 202}),
		at(4.5, Entry{What: Ask, Side: Node, Value: 11, Wish: "w11", Outcome: "pending", Status: 202}),
		at(5, Entry{What: Fault, Text: "node killed", From: 4600 * time.Millisecond}),
		at(5.5, Entry{What: Look, Side: Node, Value: 11, Wish: "w11", Status: 404}),
		at(6, Entry{What: Look, Side: Hub, Value: 10, Wish: "w10", Outcome: "superseded", Status: 200}),
		at(6.5, Entry{What: Lamp, Value: 0}),
		at(6.6, Entry{What: Lamp, Value: 9}),
		at(20, Entry{What: Fault, Text: "hub killed", From: 16 * time.Second}),
		at(17.1, Entry{What: Lamp, Value: 12}),
		at(17.2, Entry{What: Ask, Side: Node, Value: 12, From: 17 * time.Second, Wish: "w12", Outcome: "applied", Rev: 9, Status: 200}),
		at(30, Entry{What: View, Side: Hub, Value: 12, Rev: 9}),
		at(30, Entry{What: View, Side: Node, Value: 12, Rev: 9}),
	}
}

func TestSoundHistory(t *testing.T) {
	v := Check(sound())
	for _, x := range v.Violations {
		t.Errorf("nothing is wrong, but: %v", x)
	}
	if v.Told != 4 || v.Applied != 3 || v.Acts != 7 || v.Outages != 1 {
		t.Errorf("got %v", v)
	}
}

// TestHouseWins: what waited gives way to what the house did meanwhile, and to nothing else.
func TestHouseWins(t *testing.T) {
	for outcome, want := range map[string]int{"superseded": 0, "applied": 1} {
		h := append(sound()[:22],
			at(21, Entry{What: Ask, Side: Hub, Value: 20, From: 20900 * time.Millisecond, Wish: "w20", Outcome: "pending", Status: 202}),
			at(22.1, Entry{What: Lamp, Value: 21}),
			at(22.2, Entry{What: Ask, Side: Node, Value: 21, From: 22 * time.Second, Wish: "w21", Outcome: "applied", Rev: 10, Status: 200}),
			at(23, Entry{What: Fault, Text: LinkRefused, From: 20200 * time.Millisecond}))
		if outcome == "applied" {
			h = append(h, at(23.5, Entry{What: Lamp, Value: 20}))
		}
		last := int64(21)
		if outcome == "applied" {
			last = 20
		}
		h = append(h, at(24, Entry{What: Look, Side: Hub, Value: 20, Wish: "w20", Outcome: outcome, Status: 200}),
			at(30, Entry{What: View, Side: Hub, Value: last, Rev: 11}), at(30, Entry{What: View, Side: Node, Value: last, Rev: 11}))
		v := Check(h)
		if v.Waited != 1 || len(v.Violations) != want || want == 1 && v.Violations[0].Promise != "House wins" {
			t.Errorf("%s: %v, %v", outcome, v, v.Violations)
		}
	}
}

// TestForgotten: what need not be kept may be unknown.
func TestForgotten(t *testing.T) {
	for _, n := range []int{kept - 2, kept + 1} {
		h := sound()[:22]
		h = append(h, at(20.5, Entry{What: Ask, Side: Hub, Value: 20, Wish: "w20", Outcome: "pending", Status: 202}))
		for i := range n {
			h = append(h, at(21+float64(i)/100, Entry{What: MQTT, Value: int64(100 + i)}))
		}
		h = append(h, at(21.9, Entry{What: Lamp, Value: 20}), at(21.95, Entry{What: Lamp, Value: 12})) // when it was over is not known
		h = append(h, at(22, Entry{What: Look, Side: Hub, Value: 20, Wish: "w20", Status: 404}))
		v := Check(append(h, sound()[22:]...))
		lost := v.Lost == 1 && v.Forgotten == 0 && len(v.Violations) == 1
		if forgotten := v.Lost == 0 && v.Forgotten == 1 && len(v.Violations) == 0; n < kept && !lost || n > kept && !forgotten {
			t.Errorf("unknown after %d others: %v, %v", n, v, v.Violations)
		}
	}
}

// TestCheckBites adds one thing to the sound history, or changes one, and wants it found by name.
func TestCheckBites(t *testing.T) {
	replace := func(i int, e Entry) func([]Entry) []Entry {
		return func(h []Entry) []Entry { h[i] = e; return h }
	}
	before := func(e ...Entry) func([]Entry) []Entry { // before the last views
		return func(h []Entry) []Entry {
			n := len(h) - 2
			return append(append(append([]Entry{}, h[:n]...), e...), h[n:]...)
		}
	}
	without := func(i int) func([]Entry) []Entry {
		return func(h []Entry) []Entry { return append(append([]Entry{}, h[:i]...), h[i+1:]...) }
	}
	tests := []struct {
		name    string
		change  func([]Entry) []Entry
		promise string
		counts  func(*Verdict) int
	}{
		{"a wish without outcome", before(at(21, Entry{What: Ask, Side: Hub, Value: 20, Wish: "w20", Outcome: "pending", Status: 202})), "Told", func(v *Verdict) int { return v.Lost }},
		{"a wish that is unknown afterwards", before(
			at(21, Entry{What: Ask, Side: Hub, Value: 20, Wish: "w20", Outcome: "pending", Status: 202}),
			at(22, Entry{What: Look, Side: Hub, Value: 20, Wish: "w20", Status: 404})), "Durable", func(v *Verdict) int { return v.Lost }},
		{"a wish of the house, told with a rev, that is unknown afterwards", before(
			at(21, Entry{What: Ask, Side: Node, Value: 20, Wish: "w20", Outcome: "pending", Rev: 10, Status: 202}),
			at(22, Entry{What: Look, Side: Node, Value: 20, Wish: "w20", Status: 404})), "Durable", func(v *Verdict) int { return v.Lost }},
		{"another outcome at the node", before(at(21, Entry{What: Look, Side: Node, Value: 10, Wish: "w10", Outcome: "applied", Rev: 8, Status: 200})), "Told", func(v *Verdict) int { return v.Twice }},
		{"pending again", before(at(21, Entry{What: Look, Side: Hub, Value: 7, Wish: "w7", Outcome: "pending", Status: 200})), "Told", func(v *Verdict) int { return v.Twice }},
		{"a lamp that nobody asked", before(at(21, Entry{What: Lamp, Value: 99}), at(22, Entry{What: Lamp, Value: 12})), "NoGhost", func(v *Verdict) int { return v.Stale }},
		{"a lamp that did it before it was asked", replace(2, at(0.5, Entry{What: Lamp, Value: 7})), "NoGhost", func(v *Verdict) int { return v.Stale }},
		{"a lamp that did what had ended", before(at(21, Entry{What: Lamp, Value: 10}), at(22, Entry{What: Lamp, Value: 12})), "Once", func(v *Verdict) int { return v.Stale }},
		{"a lamp that went back to what was before", before(at(21, Entry{What: Lamp, Value: 7}), at(22, Entry{What: Lamp, Value: 12})), "NoGhost", func(v *Verdict) int { return v.Stale }},
		{"a lamp that went back to what a hand did before", before(at(21, Entry{What: Lamp, Value: 8}), at(22, Entry{What: Lamp, Value: 12})), "NoGhost", func(v *Verdict) int { return v.Stale }},
		{"applied, and not done", without(2), "Nothing lost", func(v *Verdict) int { return v.Lost }},
		{"the sides do not agree", replace(22, at(30, Entry{What: View, Side: Hub, Value: 9, Rev: 9})), "Converge", nil},
		{"the revs do not agree", replace(22, at(30, Entry{What: View, Side: Hub, Value: 12, Rev: 10})), "Converge", nil},
		{"the lamp does not agree", before(at(21, Entry{What: Lamp, Value: 0})), "Converge", nil},
		{"a side is not seen", without(22), "Converge", nil},
		{"a view goes back", before(at(21, Entry{What: View, Side: Hub, Value: 7, Rev: 4})), "Monotone", nil},
		{"a rev with two meanings", before(at(21, Entry{What: View, Side: Hub, Value: 8, Rev: 7})), "Monotone", nil},
		{"a mapper's start taken for a hand", before(at(21, Entry{What: View, Side: Node, Value: 0, Rev: 8})), "Follow", nil},
		{"the house waits for the hub", before(at(19, Entry{What: Ask, Side: Node, Value: 20, From: 17500 * time.Millisecond, Status: 202, Outcome: "pending"})), "LocalFirst", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.change(sound())
			if tt.name == "a view goes back" { // two views, the second older
				h = append(h[:len(h)-2:len(h)-2], at(20.9, Entry{What: View, Side: Hub, Value: 8, Rev: 6}), at(21.5, Entry{What: View, Side: Hub, Value: 7, Rev: 5}), h[len(h)-2], h[len(h)-1])
			}
			v := Check(h)
			found := false
			for _, x := range v.Violations {
				found = found || x.Promise == tt.promise
			}
			if !found {
				t.Errorf("not found; want %s, got %v", tt.promise, v.Violations)
			}
			if tt.counts != nil && tt.counts(v) == 0 {
				t.Errorf("found, and not counted: %v", v)
			}
		})
	}
}
