package wire

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"twinbridge/twin"
)

// side is one end of a flow with something to say.
type side struct {
	flow  Flow
	say   int // bodies it wants to send
	out   [][]byte
	line  [][]byte // on their way to the other
	heard uint64
}

// next gives what the side sends now, as a session does.
func (s *side) next(t *testing.T, body Body) bool {
	t.Helper()
	if len(s.out) == 0 && s.say > 0 && s.flow.Room() {
		var err error
		if s.out, err = s.flow.Send(body); err != nil {
			t.Fatal(err)
		}
		s.say--
	}
	if len(s.out) > 0 {
		s.line = append(s.line, s.out[0])
		s.out = s.out[1:]
		return true
	}
	b, ok := s.flow.Acknowledge()
	if ok {
		s.line = append(s.line, b)
	}
	return ok
}

// TestFlowNeverStalls: two ends with random things to say, of one message or many, always get all of it over; and what
// is on its way never grows beyond the window and one body.
func TestFlowNeverStalls(t *testing.T) {
	large := OfferOf(nil)
	for range 30 {
		large.Wishes = append(large.Wishes, Wish{Device: lamp, UID: "u", ID: "w", Number: 1, Origin: twin.FromCloud, Values: map[string]Value{
			"p": {twin.StringValue(strings.Repeat("\x01", 4096))}, "q": {twin.StringValue(strings.Repeat("\x01", 4096))},
		}})
	}
	parts, err := Parts(1, 0, large)
	if err != nil || len(parts) < 6 {
		t.Fatal(len(parts), err)
	}
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ends := [2]*side{{say: rng.IntN(400)}, {say: rng.IntN(400)}}
		bodies := [2]Body{&Ack{Rev: 1}, &Ack{Rev: 2}}
		if seed == 0 {
			bodies[0], ends[0].say = large, 8
		}
		want := [2]uint64{}
		for moved := true; moved; {
			moved = false
			for range 50 { // anything may happen, in any order
				i := rng.IntN(2)
				if rng.IntN(2) == 0 {
					moved = ends[i].next(t, bodies[i]) || moved
				} else {
					moved = take(t, ends[i], ends[1-i]) || moved
				}
				if way := ends[i].flow.sent - ends[i].flow.came; way > Window+uint64(len(parts)) {
					t.Fatalf("seed %d: %d messages are on their way", seed, way)
				}
			}
			for i := range ends { // and everything that can happen does
				for ends[i].next(t, bodies[i]) {
					moved = true
				}
				for take(t, ends[i], ends[1-i]) {
					moved = true
				}
			}
		}
		for i, e := range ends {
			want[i] = e.flow.sent
			if e.say != 0 || len(e.out) != 0 || ends[1-i].heard != want[i] {
				t.Errorf("seed %d: end %d stalls with %d bodies unsaid; %d of %d messages came", seed, i, e.say, ends[1-i].heard, want[i])
			}
			if e.flow.sent-e.flow.came >= Window {
				t.Errorf("seed %d: end %d has no room in the end", seed, i)
			}
		}
	}
}

// take lets a message come to s from the other side.
func take(t *testing.T, s, other *side) bool {
	t.Helper()
	if len(other.line) == 0 {
		return false
	}
	m := numbers(other.line[0])
	if err := s.flow.Take(m); err != nil {
		t.Fatal(err)
	}
	other.line = other.line[1:]
	if m.N != 0 {
		s.heard++
	}
	return true
}

// numbers reads the numbers of a message alone: there are megabytes of them here.
func numbers(b []byte) (m Message) {
	head := string(b[:min(len(b), 64)])
	if _, err := fmt.Sscanf(head, `{"n":%d,"got":%d`, &m.N, &m.Got); err != nil && m.N == 0 {
		_, _ = fmt.Sscanf(head, `{"got":%d`, &m.Got) // one of the two is there
	}
	return m
}

// TestFlowWindow: after 64 messages that nobody acknowledged there is no room; each acknowledgement makes some.
func TestFlowWindow(t *testing.T) {
	var f Flow
	for i := range Window {
		if !f.Room() {
			t.Fatalf("no room after %d messages", i)
		}
		if _, err := f.Send(&Ack{}); err != nil {
			t.Fatal(err)
		}
	}
	if f.Room() {
		t.Errorf("there is room after %d messages", Window)
	}
	if err := f.Take(Message{Got: 1, Body: &Got{}}); err != nil || !f.Room() {
		t.Errorf("no room after an acknowledgement: %v", err)
	}
}

// TestFlowRefuses: numbers that are missing, again or never sent end the session, and count for nothing.
func TestFlowRefuses(t *testing.T) {
	ready := func() Flow { return Flow{sent: 5, came: 2, got: 7, told: 7} }
	for _, tc := range []struct {
		name   string
		n, got uint64
		want   string
	}{
		{"the next", 8, 2, ""},
		{"all acknowledged", 8, 5, ""},
		{"bare", 0, 4, ""},
		{"one is missing", 9, 2, "number 9: expected 8"},
		{"again", 7, 2, "number 7: expected 8"},
		{"from the beginning", 1, 2, "number 1: expected 8"},
		{"the last possible", 1<<64 - 1, 2, "expected 8"},
		{"acknowledges too much", 8, 6, "acknowledges 6: expected 2 to 5"},
		{"acknowledges less than before", 8, 1, "acknowledges 1: expected 2 to 5"},
		{"bare, too much", 0, 1<<64 - 1, "expected 2 to 5"},
	} {
		f := ready()
		err := f.Take(Message{N: tc.n, Got: tc.got, Body: &Ack{}})
		switch {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		case tc.want != "" && f.got != 7:
			t.Errorf("%s: counted as come", tc.name)
		}
	}
}
