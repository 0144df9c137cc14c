package twin

import (
	"cmp"
	"strconv"
	"time"
)

// Timing of offers (rule 5).
const (
	firstBackoff = time.Second
	maxBackoff   = 60 * time.Second
	// offerGap is the least time between two offers that unequal reports call for, so that a mapper that answers each
	// delta with an unequal report cannot spin.
	offerGap = 20 * time.Millisecond
)

// Offer hands out again what is pending: somebody subscribed to the device's delta, or asked for its twin.
func (n *Node) Offer(now Now, name Name) error {
	n.begin(now)
	d, err := n.find(name)
	if err != nil {
		return err
	}
	n.offer(d)
	n.arm(d)
	return nil
}

// mayOffer reports whether w may go to the mapper: wishes of the house at once, those of the cloud once they are on
// disk (rule 1).
func (n *Node) mayOffer(w *wish) bool { return w.number == 0 || w.rev <= n.durable }

// offer makes a delta due that carries everything pending on d.
func (n *Node) offer(d *device) {
	due := false
	for _, w := range d.wishes {
		if !n.mayOffer(w) {
			continue
		}
		due = true
		if !w.offered {
			n.firstOffer(d, w)
		}
		for _, name := range w.order {
			if w.state[name] == open {
				s, _ := d.p(name)
				s.offerAt, s.offerID = n.now.Mono, w.ID
			}
		}
	}
	if !due {
		return
	}
	n.stats.Offers++
	d.offerSeq = n.stats.Offers // never goes back, also when a device of that name is created again
	n.changed[d.def.Name] = true
}

// firstOffer starts the wish's apply deadline, and settles whether an equal report could be a stale one: something else
// of these properties was offered less than the settle time ago, or the node or the mapper started then.
func (n *Node) firstOffer(d *device, w *wish) {
	t, settle := n.now.Mono, d.def.Policy.Settle
	w.offered, w.offerAt = true, t
	recent := func(at time.Duration) bool { return at != 0 && t-at < settle }
	w.risky = t-n.started < settle || recent(d.mapperAt)
	for _, name := range w.order {
		if s, _ := d.p(name); w.state[name] == open && s.offerID != w.ID && recent(s.offerAt) {
			w.risky = true
		}
	}
	if w.risky && !d.echo {
		w.againAt = t + settle // a mapper that reports on change only would leave it to the apply deadline
	}
	if d.presence == Offline {
		w.dueAt, w.dueLeft = 0, n.applyDeadline(d)
	} else {
		w.dueAt = t + n.applyDeadline(d)
	}
}

// applyDeadline is the device's, else its kind's, else the default (rule 2).
func (n *Node) applyDeadline(d *device) time.Duration {
	if told := d.def.Policy.ApplyDeadline; told != 0 {
		return told
	}
	if d.deadlineOf != d.def {
		d.deadlineOf, d.deadline = d.def, 0
		if n.cfg.Deadline != nil {
			d.deadline = n.cfg.Deadline(d.def)
		}
	}
	return cmp.Or(d.deadline, DefaultApplyDeadline)
}

// reoffer follows an unequal report: at once, but with back-off while in trouble, and never denser than offerGap.
func (n *Node) reoffer(d *device, w *wish) {
	if !w.offered || w.trouble != "" && d.retryAt > n.now.Mono {
		return
	}
	for _, name := range w.order {
		if w.state[name] != open {
			continue
		}
		s, _ := d.p(name)
		if due := s.offerAt + offerGap; s.offerID == w.ID && n.now.Mono < due {
			if d.retryAt == 0 || d.retryAt > due {
				d.retryAt = due
			}
			return
		}
	}
	if w.trouble != "" {
		n.backOff(d)
	}
	n.offer(d)
}

// restore opens an internal standing wish for what is expected of the properties; those that wait for something or
// were never wished are left out. The caller offers.
func (n *Node) restore(d *device, props ...string) bool {
	n.seq++
	w := &wish{Wish: Wish{
		ID: "restore-" + n.opening + "-" + strconv.FormatUint(n.seq, 10), Origin: FromRestore,
		Values: map[string]Value{},
	}, outcome: Pending, at: n.now.Wall, state: map[string]wishProp{}}
	for _, name := range props {
		s, p := d.p(name)
		if s == nil || s.expected.Absent() || p.Access == ReadOnly || d.pending(name) != nil {
			continue
		}
		s.settle = 0
		w.Values[name] = s.expected
		w.order = append(w.order, name)
		w.state[name] = open
	}
	if len(w.order) == 0 {
		return false
	}
	d.wishes = append(d.wishes, w)
	n.stats.Restores++
	n.touch(d)
	return true
}

// troubled notes that a pending wish ran into trouble: a press fails, a standing wish is retried with back-off.
func (n *Node) troubled(d *device, w *wish, reason string) {
	w.dueAt, w.dueLeft = 0, 0
	if w.Press() {
		n.undo(d, w, Failed, reason)
		return
	}
	if d.retryAt == 0 {
		n.backOff(d)
	}
	if reason = Clip(reason, maxTrouble); w.trouble != reason {
		w.trouble = reason
		n.touch(d)
	}
}

func (n *Node) backOff(d *device) {
	d.backoff = min(max(2*d.backoff, firstBackoff), maxBackoff)
	d.retryAt = n.now.Mono + d.backoff
}

// undo ends a press without effect: expected goes back to actual, which is nobody's act, and is handed over if the mapper
// may be half-way to the press, or to what the press took the property from (rule 5, an ended wish).
func (n *Node) undo(d *device, w *wish, o Outcome, reason string) {
	var own []string
	n.decide(d)
	for _, name := range w.order {
		if w.state[name] == lost {
			continue
		}
		s, _ := d.p(name)
		if s.rev != w.acceptRev && w.state[name] == shown {
			continue // the house went on since it was shown
		}
		n.expect(d, s, s.actual, FromRestore)
		own = append(own, name)
		w.state[name] = lost
	}
	n.end(d, w, o, reason)
	if w.busies() {
		n.restore(d, own...)
		n.offer(d) // also where nothing is put back: the others go without the press
	}
}
