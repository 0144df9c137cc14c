package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Margins for what is seen from outside: a line waits in a pipe, an answer on its way.
const (
	// late is how much later than it happened a thing may be seen.
	late = 2 * time.Second
	// settles is how long after a fault in the house its parts may take to find each other again.
	settles = 6 * time.Second
	// soon is how long a wish of the house may take while only the hub is away.
	soon = 5 * time.Second
)

// Violation is a promise that was not kept.
type Violation struct {
	Promise string // as in docs/twin.md, section 11
	Device  string
	At      time.Duration
	Text    string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: %s at %.3f: %s", v.Promise, v.Device, v.At.Seconds(), v.Text)
}

// Verdict is what a history says.
type Verdict struct {
	Told       int // wishes whose acceptance was promised
	Lost       int // of them, without an outcome
	Twice      int // of them, with two
	Forgotten  int // of them, so many wishes ago that their outcome need not be kept any more when it was asked for
	Stale      int // what lamps did after it was over
	Acts       int // what lamps did in all
	Applied    int // wishes told as applied
	Outages    int // wishes of the house while only the hub was away
	Waited     int // wishes at the hub that waited for the link while the house acted
	Violations []Violation
}

func (v *Verdict) String() string {
	return fmt.Sprintf("wishes told as accepted %d: lost %d, ended twice %d, asked for too late %d; actuations %d: stale %d; applied %d; of the house while the hub was away %d; waited while the house acted %d",
		v.Told, v.Lost, v.Twice, v.Forgotten, v.Acts, v.Stale, v.Applied, v.Outages, v.Waited)
}

func (v *Verdict) violated(promise, device string, at time.Duration, format string, args ...any) {
	v.Violations = append(v.Violations, Violation{promise, device, at, fmt.Sprintf(format, args...)})
}

// told is all that was said about one wish.
type told struct {
	id, device string
	side       string // where it was asked for
	value      int64
	from       time.Duration // of the call
	promised   time.Duration // when its acceptance was told so that it survives a crash; -1: never
	outcome    string        // that was told so that it survives a crash
	ended      time.Duration // when that was told first
}

// kept is how many wishes of a device are remembered at least after they ended (rule 2: 16).
const kept = 12

// unknown stands for the outcome of a wish that is not known any more.
const unknown = "unknown"

// span is when a device had to do with a wish: from when it was asked for until it was known to have ended.
type span struct{ from, to time.Duration }

// spans gives those of each device.
func spans(history []Entry) map[string][]span {
	ended := map[string]time.Duration{}
	for i := range history {
		if e := &history[i]; Ended(e.Outcome) {
			if _, ok := ended[e.Wish]; !ok {
				ended[e.Wish] = e.At
			}
		}
	}
	out := map[string][]span{}
	for i := range history {
		switch e := &history[i]; e.What {
		case Ask, MQTT, Hand:
			out[e.Device] = append(out[e.Device], span{e.From, max(e.At, ended[e.Wish])})
		}
	}
	return out
}

// among counts the spans that lie at least in part between two times.
func among(all []span, from, to time.Duration) (n int) {
	for _, s := range all {
		if s.to > from && s.from < to {
			n++
		}
	}
	return n
}

// Ended reports whether an outcome is one.
func Ended(outcome string) bool { return outcome != "" && outcome != "pending" }

// durable reports whether an answer is a promise: what the hub says always is, what the node says if it has a rev (rule 1).
func durable(e *Entry) bool { return e.Side == Hub || e.Rev != 0 }

// Check looks for promises that were not kept. The history has to end at rest, with a view of each device on both sides
// and a look at each wish that had not ended.
func Check(history []Entry) *Verdict {
	v := &Verdict{}
	wishes := checkWishes(v, history)
	checkLamps(v, history, wishes)
	checkHouse(v, history, wishes)
	checkViews(v, history)
	checkRest(v, history)
	checkOutages(v, history)
	return v
}

// checkWishes: Told, Durable. Each wish ends once, the same everywhere, and is there when it is asked for.
func checkWishes(v *Verdict, history []Entry) map[string]*told {
	wishes := map[string]*told{}
	busy := spans(history)
	var order []*told
	for i := range history {
		e := &history[i]
		if e.Wish == "" || e.What != Ask && e.What != Look {
			continue
		}
		w := wishes[e.Wish]
		if w == nil {
			w = &told{id: e.Wish, device: e.Device, side: e.Side, value: e.Value, from: e.From, promised: -1}
			wishes[e.Wish] = w
			order = append(order, w)
		}
		if e.What == Look && e.Status == 404 {
			// A wish that was superseded before it was sent is known at the hub only.
			if w.promised < 0 || w.promised > e.From || e.Side != w.side || w.outcome == unknown {
				continue
			}
			if among(busy[e.Device], w.from, e.At) >= kept {
				v.Forgotten++
				w.outcome = cmp.Or(w.outcome, unknown)
			} else {
				v.violated("Durable", e.Device, e.At, "wish %s was told as accepted at %.3f, and is unknown at the %s", w.id, w.promised.Seconds(), e.Side)
				v.Lost++
				w.outcome = unknown
			}
			continue
		}
		if !durable(e) || e.Outcome == "" {
			continue
		}
		if w.promised < 0 {
			w.promised = e.At
			v.Told++
		}
		if w.outcome == "" && Ended(e.Outcome) {
			w.outcome, w.ended = e.Outcome, e.At
			if e.Outcome == "applied" {
				v.Applied++
			}
			continue
		}
		// What began before the outcome was told may answer with what was before it.
		if w.outcome != "" && w.outcome != unknown && e.Outcome != w.outcome && (Ended(e.Outcome) || e.Side == w.side && e.From > w.ended) {
			v.violated("Told", e.Device, e.At, "wish %s was told as %s at %.3f, and now as %s", w.id, w.outcome, w.ended.Seconds(), e.Outcome)
			v.Twice++
		}
	}
	for _, w := range order {
		if w.promised >= 0 && w.outcome == "" {
			v.violated("Told", w.device, w.promised, "wish %s (%d) was told as accepted, and never ended", w.id, w.value)
			v.Lost++
		}
	}
	return wishes
}

// want is a value that somebody wanted of a device.
type want struct {
	from  time.Duration
	acted time.Duration // when the lamp first did it; -1: never
	wish  *told         // nil: by hand, by MQTT, or nothing was answered
}

// checkLamps: NoGhost, Nothing lost. What a lamp does was wanted, is not over, and what was told as done was done.
func checkLamps(v *Verdict, history []Entry, wishes map[string]*told) {
	wants := map[string]map[int64]*want{}
	of := func(device string) map[int64]*want {
		if wants[device] == nil {
			wants[device] = map[int64]*want{}
		}
		return wants[device]
	}
	for i := range history {
		switch e := &history[i]; e.What {
		case Ask, Hand, MQTT:
			of(e.Device)[e.Value] = &want{from: e.From, acted: -1, wish: wishes[e.Wish]}
		}
	}
	for i := range history {
		e := &history[i]
		if e.What != Lamp {
			continue
		}
		v.Acts++
		if e.Value == 0 {
			continue // what a lamp shows after a power cut
		}
		w := of(e.Device)[e.Value]
		if w == nil || e.At < w.from {
			v.violated("NoGhost", e.Device, e.At, "it did %d, which nobody had asked for", e.Value)
			v.Stale++
			continue
		}
		if s := w.wish; s != nil && Ended(s.outcome) && s.outcome != "applied" && s.outcome != unknown && e.At > s.ended+late {
			v.violated("Once", e.Device, e.At, "it did %d, though that wish was told as %s at %.3f", e.Value, s.outcome, s.ended.Seconds())
			v.Stale++
		}
		if w.acted < 0 {
			w.acted = e.At
			continue
		}
		for value, other := range of(e.Device) {
			o := other.wish
			if o != nil && o.outcome == "applied" && o.from > w.acted && e.At > o.ended+late {
				v.violated("NoGhost", e.Device, e.At, "it did %d again, though %d was asked for at %.3f and told as applied at %.3f",
					e.Value, value, o.from.Seconds(), o.ended.Seconds())
				v.Stale++
				break
			}
		}
	}
	for device, values := range wants {
		for value, w := range values {
			if s := w.wish; s != nil && s.outcome == "applied" && (w.acted < 0 || w.acted > s.ended+late) {
				v.violated("Nothing lost", device, s.ended, "wish %s (%d) was told as applied, and the lamp did not do it", s.id, value)
				v.Lost++
			}
		}
	}
}

// LinkRefused is the fault of which the hub knows at once: what is asked for there meanwhile waits.
const LinkRefused = "link refused"

// checkHouse: House wins. A wish that waited at the hub takes no effect over what the house did after it was asked for.
func checkHouse(v *Verdict, history []Entry, wishes map[string]*told) {
	const notices = 500 * time.Millisecond // within which the hub knows
	for i := range history {
		f := &history[i]
		if f.What != Fault || f.Text != LinkRefused {
			continue
		}
		acted := map[string]*told{} // by device: the last act of the house meanwhile
		for _, w := range wishes {
			meanwhile := w.side == Node && w.outcome == "applied" && w.from > f.From+notices && w.ended < f.At
			if meanwhile && (acted[w.device] == nil || acted[w.device].from < w.from) {
				acted[w.device] = w
			}
		}
		for _, w := range wishes {
			m := acted[w.device]
			if w.side != Hub || m == nil || w.from < f.From+notices || w.promised < 0 || w.promised > m.from {
				continue
			}
			v.Waited++
			if w.outcome == "applied" {
				v.violated("House wins", w.device, w.ended, "wish %s (%d) waited at the hub from %.3f, the house did %d at %.3f, and then it was applied",
					w.id, w.value, w.promised.Seconds(), m.value, m.ended.Seconds())
			}
		}
	}
}

// checkViews: Monotone, Follow. A rev means one thing for ever, a side never goes back, and nobody takes a mapper's start
// for a hand.
func checkViews(v *Verdict, history []Entry) {
	type side struct{ side, device string }
	last := map[side]*Entry{}
	means := map[uint64]*Entry{}
	for i := range history {
		e := &history[i]
		if e.What != View || e.Rev == 0 {
			continue
		}
		if was := means[e.Rev]; was != nil && (was.Device != e.Device || was.Value != e.Value) {
			v.violated("Monotone", e.Device, e.At, "rev %d is %d, and was %s %d at the %s", e.Rev, e.Value, was.Device, was.Value, was.Side)
		}
		means[e.Rev] = e
		key := side{e.Side, e.Device}
		was := last[key]
		if was != nil && was.At < e.From && e.Rev < was.Rev {
			v.violated("Monotone", e.Device, e.At, "the %s showed rev %d, and now %d", e.Side, was.Rev, e.Rev)
		}
		if was != nil && was.Value != 0 && e.Value == 0 {
			v.violated("Follow", e.Device, e.At, "expected went from %d to what a lamp shows after a power cut", was.Value)
		}
		if was == nil || e.Rev > was.Rev {
			last[key] = e
		}
	}
}

// checkRest: Converge. In the end both sides and the lamp agree.
func checkRest(v *Verdict, history []Entry) {
	type end struct{ hub, node, lamp *Entry }
	ends := map[string]*end{}
	for i := range history {
		e := &history[i]
		if e.What != View && e.What != Lamp {
			continue
		}
		if ends[e.Device] == nil {
			ends[e.Device] = &end{}
		}
		switch n := ends[e.Device]; {
		case e.What == Lamp:
			n.lamp = e
		case e.Side == Hub:
			n.hub = e
		case e.Side == Node:
			n.node = e
		}
	}
	for device, n := range ends {
		if n.hub == nil || n.node == nil || n.lamp == nil {
			v.violated("Converge", device, 0, "not seen on both sides, and at the lamp")
			continue
		}
		if n.hub.Value != n.node.Value || n.hub.Rev != n.node.Rev || n.node.Value != n.lamp.Value {
			v.violated("Converge", device, n.hub.At, "in the end the hub shows %d (rev %d), the node %d (rev %d), the lamp %d",
				n.hub.Value, n.hub.Rev, n.node.Value, n.node.Rev, n.lamp.Value)
		}
	}
}

// checkOutages: LocalFirst. The house does not notice that the hub is away.
func checkOutages(v *Verdict, history []Entry) {
	var away, home []*Entry
	for i := range history {
		e := &history[i]
		if e.What != Fault {
			continue
		}
		if AtHome(e.Text) {
			home = append(home, e)
		} else {
			away = append(away, e)
		}
	}
	for i := range history {
		e := &history[i]
		if e.What != Ask || e.Side != Node {
			continue
		}
		during := func(f *Entry) bool { return f.From <= e.From && e.From < f.At }
		near := func(f *Entry) bool { return f.From <= e.At && e.From < f.At+settles }
		if !slices.ContainsFunc(away, during) || slices.ContainsFunc(home, near) {
			continue
		}
		v.Outages++
		if e.At-e.From > soon || e.Status != 200 && e.Status != 409 {
			v.violated("LocalFirst", e.Device, e.At, "while the hub was away, wish %d of the house took %.1f s and was answered %d %s",
				e.Value, (e.At - e.From).Seconds(), e.Status, e.Text)
		}
	}
}

// AtHome reports whether a fault is one of the house's: of the node, its mapper or its broker.
func AtHome(fault string) bool {
	return strings.HasPrefix(fault, "node") || strings.HasPrefix(fault, "mapper") || strings.HasPrefix(fault, "broker")
}

// Around gives what a history says about a device around a moment.
func Around(history []Entry, v Violation) []Entry {
	const most = 60
	var out []Entry
	for _, e := range history {
		if (e.Device == v.Device || e.What == Fault) && e.At > v.At-4*time.Second && e.From < v.At+2*time.Second {
			out = append(out, e)
		}
	}
	return out[max(0, len(out)-most):]
}
