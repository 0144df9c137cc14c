package cloudhub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

// recorder is a holder of views that writes down what a session asks of it.
type recorder struct {
	calls   []string
	noHello bool // the hello is not on disk yet
	again   int  // how many answers make the hub take a new store id
	dealt   int  // numbers in the answer that came
	acks    []uint64
	defs    []twin.Definition
	refuse  []twin.Refusal
	offers  []twin.CloudWish
}

func (r *recorder) note(format string, args ...any) {
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
}

func (r *recorder) Connect(node string) string      { r.note("connect %s", node); return "S1" }
func (r *recorder) Disconnect(node, session string) { r.note("disconnect %s %s", node, session) }

func (r *recorder) Hello(_, session string) (twin.HubHello, bool) {
	return twin.HubHello{HubStore: "H", Session: session}, !r.noHello
}

func (r *recorder) NodeHello(_, session string, h twin.NodeHello) string {
	r.dealt = len(h.Dealt)
	r.note("hello %s", session)
	if r.again > 0 {
		r.again--
		return session + "+"
	}
	return ""
}

func (r *recorder) Learn(_, session string, _ twin.Decisions)      { r.note("learn %s", session) }
func (r *recorder) Observe(_, session string, _ twin.Observations) { r.note("observe %s", session) }
func (r *recorder) DefinitionRefused(_, session string, _ twin.Refusal) {
	r.note("refused %s", session)
}
func (r *recorder) Ack(string, string) (rev uint64, ok bool)            { return pop(&r.acks) }
func (r *recorder) Definitions(_, _ string, most int) []twin.Definition { return some(&r.defs, most) }

func (r *recorder) Refusals(string, string) []twin.Refusal { return some(&r.refuse, 99) }

func (r *recorder) Offers(_, _ string, most int) []twin.CloudWish { return some(&r.offers, most) }

func pop[T any](list *[]T) (one T, ok bool) {
	if len(*list) == 0 {
		return one, false
	}
	one, *list = (*list)[0], (*list)[1:]
	return one, true
}

func some[T any](list *[]T, most int) []T {
	n := min(most, len(*list))
	out := (*list)[:n]
	*list = (*list)[n:]
	return out
}

// peer is the other end of a session, which numbers what it says.
type peer struct {
	t     testing.TB
	s     wire.End
	flow  wire.Flow
	heard uint64
	got   []wire.Body
}

func (p *peer) say(body wire.Body) error {
	p.t.Helper()
	if _, bare := body.(*wire.Got); bare {
		b, err := wire.Encode(wire.Message{Got: p.heard, Body: body})
		if err != nil {
			p.t.Fatal(err)
		}
		return p.s.Take(b)
	}
	parts, err := p.flow.Send(body)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, b := range parts {
		if err := p.s.Take(b); err != nil {
			return err
		}
	}
	return nil
}

// hear takes all that the session has to say.
func (p *peer) hear() (out []wire.Body) {
	p.t.Helper()
	for range 1000 {
		b, ok, err := p.s.Next()
		if err != nil {
			p.t.Fatal(err)
		}
		if !ok {
			p.got = append(p.got, out...)
			return out
		}
		m, err := wire.Decode(b)
		if err == nil {
			err = p.flow.Take(m)
			p.heard = max(p.heard, m.N)
		}
		if err != nil {
			p.t.Fatal(err)
		}
		out = append(out, m.Body)
	}
	p.t.Fatal("the session does not stop talking")
	return nil
}

var answer = &wire.Answer{Version: 1, Store: "N"}

// states are those of the hub's end, and how one gets there.
var states = []struct {
	name  string
	enter func(r *recorder, p *peer)
}{
	{"hello not on disk", func(r *recorder, p *peer) { r.noHello = true; p.hear() }},
	{"hello said", func(_ *recorder, p *peer) { p.hear() }},
	{"half an answer", func(_ *recorder, p *peer) { p.hear(); _ = p.say(&wire.Answer{Version: 1, Store: "N", More: true}) }},
	{"ready", func(_ *recorder, p *peer) { p.hear(); _ = p.say(answer) }},
	{"renewed", func(r *recorder, p *peer) { r.again = 1; p.hear(); _ = p.say(answer) }},
	{"renewed, hello said", func(r *recorder, p *peer) { r.again = 1; p.hear(); _ = p.say(answer); p.hear() }},
	{"renewed and ready", func(r *recorder, p *peer) { r.again = 1; p.hear(); _ = p.say(answer); p.hear(); _ = p.say(answer) }},
}

// TestStates is the whole table of states and messages. What ends a session changes nothing.
func TestStates(t *testing.T) {
	const (
		early   = "before the hub's hello"
		first   = "expected the answer"
		second  = "a second answer"
		foreign = "only hubs send"
		nothing = "" // taken, and nobody is told
	)
	decisions, observations := &wire.Decisions{Store: "N"}, &wire.Observations{}
	refused := &wire.Refused{Definitions: []wire.Refusal{{Name: lamp, UID: "u"}}}
	in := func(session string) map[wire.Body]string {
		return map[wire.Body]string{decisions: "learn " + session, observations: "observe " + session, refused: "refused " + session}
	}
	for _, st := range states {
		for _, body := range []wire.Body{
			&wire.Hello{Oldest: 1, Newest: 1, Hub: "H", Session: "S"}, &wire.Ack{}, &wire.Define{}, &wire.Offer{}, &wire.Got{},
			answer, decisions, observations, refused,
		} {
			want := map[string]map[wire.Body]string{
				"hello not on disk":   {answer: early, decisions: first, observations: first, refused: first},
				"hello said":          {answer: "hello S1", decisions: first, observations: first, refused: first},
				"half an answer":      {answer: "hello S1", decisions: first, observations: first, refused: first},
				"ready":               in("S1"),
				"renewed":             {answer: early, decisions: nothing, observations: nothing, refused: nothing},
				"renewed, hello said": {answer: "hello S1+", decisions: nothing, observations: nothing, refused: nothing},
				"renewed and ready":   in("S1+"),
			}[st.name][body]
			switch body.(type) {
			case *wire.Hello, *wire.Ack, *wire.Define, *wire.Offer:
				want = foreign
			case *wire.Answer:
				if want == "" {
					want = second
				}
			}
			t.Run(fmt.Sprintf("%s: %T", st.name, body), func(t *testing.T) {
				r := &recorder{}
				p := &peer{t: t, s: NewSession("attic", r)}
				st.enter(r, p)
				before := len(r.calls)
				err := p.say(body)
				got := strings.Join(r.calls[before:], ", ")
				if err != nil {
					if got != "" {
						t.Errorf("refused by %v, and yet: %s", err, got)
					}
					if !errors.Is(err, wire.ErrMessage) {
						t.Errorf("the error is none of the message: %v", err)
					}
					got = err.Error()
				}
				if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}

// TestTwiceRenewed: a node that makes the hub take a new store id again and again only gets new sessions of its own; the
// hub says hello each time and goes on.
func TestTwiceRenewed(t *testing.T) {
	r := &recorder{again: 2}
	p := &peer{t: t, s: NewSession("attic", r)}
	var sessions []string
	for range 3 {
		for _, b := range p.hear() {
			sessions = append(sessions, b.(*wire.Hello).Session)
		}
		if err := p.say(answer); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"S1", "S1+", "S1++"}; !slices.Equal(sessions, want) {
		t.Errorf("sessions %v, want %v", sessions, want)
	}
	p.s.(*Session).Close()
	if got, want := r.calls[len(r.calls)-1], "disconnect attic S1++"; got != want {
		t.Errorf("the end: %q, want %q", got, want)
	}
}

// TestAnswers: versions, parts, and bounds of the node's answer.
func TestAnswers(t *testing.T) {
	many := func(n, from int) (out []wire.Dealt) {
		for i := range n {
			out = append(out, wire.Dealt{UID: fmt.Sprint(from + i), Number: 1, ID: "w"})
		}
		return out
	}
	for _, tc := range []struct {
		name  string
		parts []*wire.Answer
		want  string
		dealt int
	}{
		{"one part", []*wire.Answer{{Version: 1, Store: "N", Dealt: many(3, 0)}}, "", 3},
		{"three parts", []*wire.Answer{{Version: 1, Store: "N", Dealt: many(3, 0), More: true}, {Version: 1, Store: "N", Dealt: many(2, 3), More: true}, {Version: 1, Store: "N"}}, "", 5},
		{"all devices", []*wire.Answer{{Version: 1, Store: "N", Dealt: many(twin.MaxDevices/2, 0), More: true}, {Version: 1, Store: "N", Dealt: many(twin.MaxDevices/2, 10000)}}, "", twin.MaxDevices},
		{"one too many", []*wire.Answer{{Version: 1, Store: "N", Dealt: many(twin.MaxDevices/2, 0), More: true}, {Version: 1, Store: "N", Dealt: many(twin.MaxDevices/2+1, 10000)}}, "more than", 0},
		{"too many at once", []*wire.Answer{{Version: 1, Store: "N", Dealt: many(twin.MaxDevices+1, 0)}}, "more than", 0},
		{"of two stores", []*wire.Answer{{Version: 1, Store: "N", More: true}, {Version: 1, Store: "M"}}, "two stores", 0},
		{"older version", []*wire.Answer{{Version: 0, Store: "N"}}, "no common version", 0},
		{"newer version", []*wire.Answer{{Version: 2, Store: "N"}}, "answers with 2, this hub speaks 1 to 1", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &recorder{}
			p := &peer{t: t, s: NewSession("attic", r)}
			p.hear()
			var err error
			for _, a := range tc.parts {
				if err = p.say(a); err != nil {
					break
				}
			}
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if r.dealt != tc.dealt {
				t.Errorf("the holder got %d numbers, want %d", r.dealt, tc.dealt)
			}
		})
	}
}

// TestTells: in a session the hub tells acknowledgements, definitions, refusals, wishes, in that order; a node that
// does not acknowledge is told no more than the window.
func TestTells(t *testing.T) {
	r := &recorder{
		acks: []uint64{5}, defs: make([]twin.Definition, mostDefinitions+1), refuse: make([]twin.Refusal, 1), offers: make([]twin.CloudWish, 3*mostOffers),
	}
	for i := range r.defs {
		r.defs[i].Device = twin.Device{Name: lamp, UID: "u"}
	}
	for i := range r.offers {
		r.offers[i] = twin.CloudWish{Device: lamp, UID: "u", Number: uint64(i + 1), Wish: twin.Wish{ID: "w", Origin: twin.FromCloud}}
	}
	r.refuse[0] = twin.Refusal{Name: lamp, UID: "u"}
	p := &peer{t: t, s: NewSession("attic", r)}
	p.hear()
	if len(r.acks) == 0 {
		t.Error("something was told before the answer")
	}
	if err := p.say(answer); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, b := range p.hear() {
		got += fmt.Sprintf("%T ", b)
	}
	want := "*wire.Ack *wire.Define *wire.Define *wire.Refused *wire.Offer *wire.Offer *wire.Offer "
	if got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
	r.acks = make([]uint64, 1000)
	if n := len(p.hear()); n > wire.Window {
		t.Errorf("%d messages were said without an acknowledgement, want at most %d", n, wire.Window)
	}
	if len(r.acks) == 0 {
		t.Error("all was taken from the holder, though the node takes nothing")
	}
}

// TestNumbers: a message out of its number, or one that acknowledges what was never sent, ends the session untouched.
func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		m    wire.Message
		want string
	}{
		{wire.Message{N: 2, Body: answer}, "has number 2: expected 1"},
		{wire.Message{N: 1, Got: 2, Body: answer}, "acknowledges 2: expected 0 to 1"},
		{wire.Message{Got: 9, Body: &wire.Got{}}, "acknowledges 9"},
	} {
		r := &recorder{}
		s := NewSession("attic", r)
		if _, _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		b, err := wire.Encode(tc.m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Take(b); !errors.Is(err, wire.ErrMessage) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
		if len(r.calls) != 1 {
			t.Errorf("%v", r.calls)
		}
	}
}
