package twin

import (
	"fmt"
	"time"
)

// silenceAtStart is how long a device may say nothing after a start before it counts as offline (rule 8).
const silenceAtStart = 30 * time.Second

// NextTimer tells when Tick has something to do; false: nothing is due at any time.
func (n *Node) NextTimer() (at time.Duration, ok bool) {
	for _, d := range n.devices {
		if d.next != 0 && (!ok || d.next < at) {
			at, ok = d.next, true
		}
	}
	return at, ok
}

// Wake gives the earliest moment that was armed since it was last read; 0: none. A loop that sleeps until NextTimer
// learns from it that it has to look again.
func (n *Node) Wake() time.Duration {
	w := n.wake
	n.wake = 0
	return w
}

// arm computes the device's next timer.
func (n *Node) arm(d *device) {
	next := time.Duration(0)
	at := func(t time.Duration) {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	at(d.silentAt)
	at(d.retryAt)
	for i := range d.prop {
		at(d.prop[i].settle)
	}
	for _, w := range d.wishes {
		at(w.endsAt)
		at(w.dueAt)
		at(w.againAt)
	}
	if next != 0 && next != d.next && (n.wake == 0 || next < n.wake) {
		n.wake = next
	}
	d.next = next
}

// Tick runs what is due: settle times, ends of presses, apply deadlines, back-off, silence.
func (n *Node) Tick(now Now) {
	for _, name := range n.Names() {
		d := n.devices[name]
		if d.next == 0 || d.next > now.Mono {
			continue
		}
		n.begin(now)
		n.tickDevice(d)
		n.arm(d)
	}
}

func (n *Node) tickDevice(d *device) {
	t := n.now.Mono
	due := func(at time.Duration) bool { return at != 0 && at <= t }
	if due(d.silentAt) {
		n.goOffline(d)
		d.setText(n, "offline")
	}
	var over []*wish
	for _, w := range d.wishes {
		if due(w.endsAt) {
			over = append(over, w)
		}
	}
	for _, w := range over {
		n.undo(d, w, Expired, "not shown within "+w.ValidFor.String())
	}
	over = over[:0]
	for _, w := range d.wishes {
		if due(w.dueAt) {
			over = append(over, w)
		}
	}
	for _, w := range over {
		n.deadline(d, w)
	}
	again := false
	for _, w := range d.wishes {
		if due(w.againAt) {
			w.againAt, again = 0, true
		}
	}
	if again && d.presence == Online && !d.echo {
		n.offer(d)
	}
	n.tickSettle(d, due)
	if due(d.retryAt) {
		d.retryAt = 0
		n.retryTrouble(d)
		if d.presence != Offline {
			n.offer(d)
		}
	}
}

// retryTrouble arms the next retry if a wish is in trouble.
func (n *Node) retryTrouble(d *device) {
	for _, w := range d.wishes {
		if w.trouble != "" {
			n.backOff(d)
			return
		}
	}
}

// deadline: an online device without echo whose actual equals the wish counts as applied; else there is trouble.
func (n *Node) deadline(d *device, w *wish) {
	w.dueAt = 0
	if d.presence == Online && !d.echo {
		for _, name := range w.order {
			if s, p := d.p(name); w.state[name] == open && p.Equal(s.actual, w.Values[name]) {
				w.state[name] = shown
			}
		}
		n.settleWish(d, w)
		if w.outcome.Ended() || w.done() {
			return
		}
	}
	n.troubled(d, w, fmt.Sprintf("the device has not shown it within %s", n.applyDeadline(d)))
}

func (w *wish) done() bool {
	for _, s := range w.state {
		if s == open {
			return false
		}
	}
	return true
}

// tickSettle: a difference that lasted for the settle time is an act of the house, or is put back on a device that
// holds.
func (n *Node) tickSettle(d *device, due func(time.Duration) bool) {
	var props []string
	for i := range d.prop {
		s := &d.prop[i]
		if !due(s.settle) {
			continue
		}
		s.settle = 0
		if name := d.def.Props[i].Name; d.pending(name) == nil {
			props = append(props, name)
		}
	}
	switch {
	case len(props) == 0:
	case !d.def.Policy.Hold:
		n.act(d, props)
	case n.restore(d, props...):
		n.offer(d)
	}
}
