package edgehub

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

// recorder is a node's twins that write down what a session does with them.
type recorder struct {
	calls     []string
	noHello   bool // the answer is not on disk yet
	decisions int  // how many there are to be told
	refusals  []twin.Refusal
	observed  int
}

func (r *recorder) note(format string, args ...any) {
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
}

func (r *recorder) LinkUp(h twin.HubHello)        { r.note("up %s", h.Session) }
func (r *recorder) LinkDown()                     { r.note("down") }
func (r *recorder) Hello() (twin.NodeHello, bool) { return twin.NodeHello{NodeStore: "N"}, !r.noHello }
func (r *recorder) Acked(rev uint64)              { r.note("acked %d", rev) }
func (r *recorder) OfferCloud(c twin.CloudWish)   { r.note("offer %s", c.ID) }
func (r *recorder) RefusedByHub(f twin.Refusal)   { r.note("refused %s", f.UID) }
func (r *recorder) DefineCloud(d twin.Definition) error {
	r.note("define %s", d.Device.UID)
	return errors.New("no")
}

func (r *recorder) Decisions() (twin.Decisions, bool) {
	r.decisions--
	return twin.Decisions{NodeStore: "N", Rev: 1}, r.decisions >= 0
}

func (r *recorder) Observations(int) (twin.Observations, bool) {
	r.observed--
	return twin.Observations{}, r.observed >= 0
}

func (r *recorder) Refusals() []twin.Refusal {
	out := r.refusals
	r.refusals = nil
	return out
}

type peer struct {
	t     *testing.T
	s     *Session
	flow  wire.Flow
	heard uint64
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
	return p.s.Take(parts[0])
}

func (p *peer) hear() (out string) {
	p.t.Helper()
	for range 1000 {
		b, ok, err := p.s.Next()
		if err != nil {
			p.t.Fatal(err)
		}
		if !ok {
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
		out += strings.TrimPrefix(fmt.Sprintf("%T ", m.Body), "*wire.")
	}
	p.t.Fatal("the session does not stop talking")
	return ""
}

func hello(session string) *wire.Hello {
	return &wire.Hello{Oldest: 1, Newest: 1, Hub: "H", Session: session}
}

// TestStates is the whole table of states and messages of the node's end. What ends a session changes nothing.
func TestStates(t *testing.T) {
	const foreign, first = "only nodes send", "expected the hub's hello first"
	offer := &wire.Offer{Wishes: []wire.Wish{{Device: lamp, UID: "u", Number: 1, ID: "w1", Origin: twin.FromCloud}, {Device: lamp, UID: "u", Number: 2, ID: "w2", Origin: twin.FromCloud}}}
	define := &wire.Define{Definitions: []wire.Definition{{Device: twin.Device{Name: lamp, UID: "u"}}}}
	refused := &wire.Refused{Definitions: []wire.Refusal{{Name: lamp, UID: "u"}}}
	for _, st := range []struct {
		name  string
		fresh bool
		enter func(r *recorder, p *peer)
	}{
		{"before the hello", true, func(*recorder, *peer) {}},
		{"after the hello, answer not on disk", false, func(r *recorder, p *peer) { r.noHello = true; _ = p.say(hello("S")); p.hear() }},
		{"greeted", false, func(_ *recorder, p *peer) { _ = p.say(hello("S")); p.hear() }},
		{"greeted again", false, func(_ *recorder, p *peer) { _ = p.say(hello("S")); p.hear(); _ = p.say(hello("S+")); p.hear() }},
	} {
		for _, m := range []struct {
			body wire.Body
			want string // once there was a hello
			any  bool   // also before it
		}{
			{hello("S2"), "up S2", true},
			{&wire.Got{}, "", true},
			{&wire.Ack{Rev: 7}, "acked 7", false},
			{define, "define u", false},
			{offer, "offer w1, offer w2", false},
			{refused, "refused u", false},
			{&wire.Answer{Version: 1, Store: "N"}, foreign, false},
			{&wire.Decisions{Store: "N"}, foreign, false},
			{&wire.Observations{}, foreign, false},
		} {
			t.Run(fmt.Sprintf("%s: %T", st.name, m.body), func(t *testing.T) {
				r := &recorder{}
				p := &peer{t: t, s: NewSession(r)}
				st.enter(r, p)
				before := len(r.calls)
				err := p.say(m.body)
				got := strings.Join(r.calls[before:], ", ")
				if err != nil {
					if got != "" || !errors.Is(err, wire.ErrMessage) {
						t.Errorf("refused by %v, and yet: %s", err, got)
					}
					got = err.Error()
				}
				want := m.want
				if st.fresh && !m.any {
					want = first
				}
				if want == "" && got != "" || !strings.Contains(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}

// TestVersions: the highest version that both know is taken; without one nothing is touched.
func TestVersions(t *testing.T) {
	for _, tc := range []struct {
		oldest, newest int
		ok             bool
	}{{1, 1, true}, {1, 9, true}, {2, 9, false}} {
		r := &recorder{}
		p := &peer{t: t, s: NewSession(r)}
		h := hello("S")
		h.Oldest, h.Newest = tc.oldest, tc.newest
		err := p.say(h)
		if tc.ok != (err == nil) || !tc.ok && !errors.Is(err, wire.ErrVersion) {
			t.Errorf("%d to %d: %v", tc.oldest, tc.newest, err)
		}
		if !tc.ok && len(r.calls) != 0 {
			t.Errorf("%d to %d: %v", tc.oldest, tc.newest, r.calls)
		}
	}
}

// TestTells: the answer comes first, once it is on disk, and again to each hello; then decisions, refusals and
// observations; and a hub that acknowledges nothing is told no more than the window.
func TestTells(t *testing.T) {
	r := &recorder{noHello: true, decisions: 1, observed: 2, refusals: make([]twin.Refusal, 1)}
	r.refusals[0] = twin.Refusal{Name: lamp, UID: "u"}
	p := &peer{t: t, s: NewSession(r)}
	if got := p.hear(); got != "" {
		t.Errorf("told before the hello: %s", got)
	}
	if err := p.say(hello("S")); err != nil {
		t.Fatal(err)
	}
	if got := p.hear(); got != "" || p.s.Up() {
		t.Errorf("told before the answer is on disk: %s", got)
	}
	r.noHello = false
	if got, want := p.hear(), "Answer Decisions Refused Observations Observations "; got != want || !p.s.Up() {
		t.Errorf("told %s, want %s", got, want)
	}
	r.decisions = 1
	if err := p.say(hello("S+")); err != nil {
		t.Fatal(err)
	}
	if got, want := p.hear(), "Answer Decisions "; got != want {
		t.Errorf("after another hello: told %s, want %s", got, want)
	}
	r.decisions = 1000
	if got := strings.Count(p.hear(), " "); got > wire.Window || r.decisions < 900 {
		t.Errorf("%d messages were said without an acknowledgement", got)
	}
	p.s.Close()
	if got := r.calls[len(r.calls)-1]; got != "down" {
		t.Errorf("the end: %q", got)
	}
}
