package simtest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"twinbridge/twin"
)

// Result is what a history ended with.
type Result struct {
	Seed  uint64
	Fault *Violation // nil: all promises held
	Trace []string   // what happened, a line each
	Steps int
	Seen  map[string]int // situations that came up, for coverage
}

// Violation is a broken promise: the check's name, and what was seen.
type Violation struct {
	Check string
	Text  string
}

func (v *Violation) Error() string { return v.Check + ": " + v.Text }

// world is one history.
type world struct {
	rng   *rand.Rand
	at    time.Duration
	wall  time.Time
	queue events
	seq   uint64
	ids   uint64

	hub     *hubProc
	nodes   []*nodeProc
	lamps   []*lamp
	book    *book // what was asked, told and seen; the checks
	trace   []string
	seen    map[string]int
	fault   *Violation
	steps   int
	tracing bool
	theme   theme
	quiet   bool // healed: no more random delays, faults or losses
}

// theme is what a history has more of.
type theme int

const (
	stores theme = iota + 1
	links
	crashes
)

type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) } // container/heap's interface
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// after schedules do.
func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, event{w.at + max(d, 0), w.seq, do})
}

// run works off events until the time given, or until a promise is broken.
func (w *world) run(until time.Duration) {
	for len(w.queue) > 0 && w.fault == nil && w.queue[0].at <= until {
		e := heap.Pop(&w.queue).(event)
		w.wall = w.wall.Add(e.at - w.at)
		w.at = e.at
		w.steps++
		e.do()
	}
	if w.fault == nil {
		w.wall = w.wall.Add(until - w.at)
		w.at = until
	}
}

func (w *world) now() twin.Now { return twin.Now{Mono: w.at, Wall: w.wall} }

func (w *world) newID() string {
	w.ids++
	return fmt.Sprintf("%s%d", string(rune('a'+w.rng.IntN(26))), w.ids)
}

// chance is true p times of 100.
func (w *world) chance(p int) bool { return w.rng.IntN(100) < p }

// between gives a duration from a to b.
func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

func (w *world) log(format string, args ...any) {
	if !w.tracing {
		return
	}
	w.trace = append(w.trace, fmt.Sprintf("%9.3fs ", w.at.Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) fail(check, format string, args ...any) {
	if w.fault == nil {
		w.fault = &Violation{Check: check, Text: fmt.Sprintf(format, args...)}
		w.log("VIOLATION %s: %s", check, w.fault.Text)
	}
}

func (w *world) saw(what string) { w.seen[what]++ }

// Run plays one history. One that breaks a promise is played again, with its trace.
func Run(seed uint64) Result {
	r := play(seed, false)
	if r.Fault != nil {
		r = play(seed, true)
	}
	return r
}

func play(seed uint64, tracing bool) Result {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0x7717)), at: time.Second, wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		seen: map[string]int{}, tracing: tracing,
	}
	w.book = newBook(w)
	w.theme = theme(w.rng.IntN(5))
	w.setup()
	w.live()
	w.heal()
	w.book.final()
	return Result{Seed: seed, Fault: w.fault, Trace: w.trace, Steps: w.steps, Seen: w.seen}
}

// String prints the history with its end.
func (r Result) String() string {
	return fmt.Sprintf("seed %d\n%s\n", r.Seed, strings.Join(r.Trace, "\n"))
}
