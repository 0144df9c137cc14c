package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Kinds of entries.
const (
	Ask   = "ask"   // a wish was asked for, with its answer
	Look  = "look"  // a wish was read
	View  = "view"  // a device was read
	Lamp  = "lamp"  // the lamp did something: the mapper printed it
	Hand  = "hand"  // a hand on the switch
	MQTT  = "mqtt"  // a wish by MQTT, which is not answered
	Fault = "fault" // something was killed or cut, from From until At
)

// Sides that answer.
const (
	Hub  = "hub"
	Node = "node"
)

// Entry is one thing that was seen.
type Entry struct {
	What   string        `json:"what"`
	Side   string        `json:"side,omitempty"`
	Device string        `json:"device,omitempty"`
	From   time.Duration `json:"from"` // when the call began; of what is no call: when it was seen
	At     time.Duration `json:"at"`   // when the answer was there
	Value  int64         `json:"value"`
	Wish   string        `json:"wish,omitempty"`
	// Outcome and Rev are as answered: no outcome means that nothing was told. Of a view, Rev is that of Value, the
	// expected one.
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Rev     uint64 `json:"rev,omitempty"`
	Status  int    `json:"status,omitempty"`
	Origin  string `json:"origin,omitempty"`
	Text    string `json:"text,omitempty"` // of a fault: what; of an error: why
}

func (e Entry) String() string {
	s := fmt.Sprintf("%9.3f %-5s %-4s %-6s", e.At.Seconds(), e.What, e.Side, e.Device)
	if e.From != e.At {
		s += fmt.Sprintf(" since %.3f", e.From.Seconds())
	}
	if e.What != Fault {
		s += fmt.Sprintf(" %d", e.Value)
	}
	if e.Wish != "" {
		s += fmt.Sprintf(" wish %.6s", e.Wish)
	}
	if e.Status != 0 {
		s += fmt.Sprintf(" status %d", e.Status)
	}
	for _, t := range []string{e.Outcome, e.Origin, e.Reason, e.Text} {
		if t != "" {
			s += " " + t
		}
	}
	if e.Rev != 0 {
		s += fmt.Sprintf(" rev %d", e.Rev)
	}
	return s
}

// History collects entries from many goroutines.
type History struct {
	start time.Time

	mu      sync.Mutex
	entries []Entry
}

// NewHistory begins one now.
func NewHistory() *History { return &History{start: time.Now()} }

// Now is the time since the beginning.
func (h *History) Now() time.Duration { return time.Since(h.start) }

// Add notes what was seen now; From is filled in if it is zero.
func (h *History) Add(e Entry) {
	h.add(e, h.Now())
}

func (h *History) add(e Entry, at time.Duration) {
	e.At = at
	if e.From == 0 {
		e.From = at
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = append(h.entries, e)
}

// Entries gives what was seen, in the order of the times.
func (h *History) Entries() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Clone(h.entries)
	slices.SortStableFunc(out, func(a, b Entry) int { return int(a.At - b.At) })
	return out
}

// Keep writes a history to a new file of its own, a line for each entry, and gives its path.
func Keep(entries []Entry) (path string, err error) {
	f, err := os.CreateTemp("", "twinbridge-history-*.jsonl")
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return "", err
		}
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}
