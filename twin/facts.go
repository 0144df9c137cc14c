package twin

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Report takes what a mapper says of a device. Known properties are taken, the names of unknown ones given; a value
// that is none of its property's is refused by a *FieldError, the others still count.
func (n *Node) Report(now Now, name Name, r Report) (unknown []string, err error) {
	n.begin(now)
	d, err := n.find(name)
	if err != nil {
		return nil, err
	}
	var bad []error
	names := slices.Sorted(maps.Keys(r.Props))
	known := names[:0:0]
	for _, p := range names {
		s, def := d.p(p)
		switch pr := r.Props[p]; {
		case s == nil:
			unknown = append(unknown, p)
		case pr.Error == "" && pr.Value.Type() != def.Type:
			bad = append(bad, &FieldError{Field: p, Value: clip(pr.Value.Text()), Want: "a value of type " + def.Type.String()})
		case pr.Error == "" && !def.reportable(pr.Value):
			bad = append(bad, def.Check(pr.Value))
		default:
			known = append(known, p)
		}
	}
	if len(known) == 0 {
		return unknown, errors.Join(bad...)
	}
	n.stats.Reports++
	d.echo = r.Echo
	n.heardFrom(d, r.Conn)
	n.cameOnline(d, "")
	n.take(d, r, known)
	n.arm(d)
	return unknown, errors.Join(bad...)
}

// reportable: a device may report what cannot be wished (a temperature out of the range for wishes), but not a word
// that is none of the property's, and nothing oversized.
func (p *Property) reportable(v Value) bool {
	return v.Type() != String || p.Check(v) == nil
}

// take works through the properties of a report. What it leads to happens once for the whole report: one wish of the
// device for all marked acts, one restore, one offer.
func (n *Node) take(d *device, r Report, names []string) {
	var acted, restored, again []string
	for _, name := range names {
		pr := r.Props[name]
		s, p := d.p(name)
		if pr.Error != "" {
			if w := d.pending(name); w != nil && w.offered && (pr.Wish == w.ID || pr.Wish == "" && !r.Echo) {
				n.troubled(d, w, pr.Error)
			}
			continue
		}
		first := s.first
		s.first = false
		if s.actual != pr.Value {
			s.actual = pr.Value
			n.touch(d)
		}
		s.actualAt = n.now.Wall
		if p.Access == ReadOnly {
			continue // nobody expects anything of it
		}
		w, equal := d.pending(name), p.Equal(pr.Value, s.expected)
		switch {
		case w == nil && (s.expected.Absent() || s.adopt):
			n.adopt(d, s, pr.Value)
		case equal && w == nil:
			s.settle = 0
		case equal:
			if n.showsWish(d, w, pr, r.Echo) {
				w.state[name] = shown
				n.settleWish(d, w)
			}
		case w == nil && first:
			restored = append(restored, name)
		case pr.Act && !d.def.Policy.Hold && !first && (pr.Wish == "" || w != nil && w.ID == pr.Wish):
			acted = append(acted, name) // what echoes an ended wish is never an act
		case w != nil:
			again = append(again, name)
		case pr.Wish != "":
			restored = append(restored, name) // an ended wish was carried out late
		case s.settle == 0:
			s.settle = n.now.Mono + max(d.def.Policy.Settle, 1)
		}
	}
	if len(acted) > 0 {
		n.act(d, acted)
	}
	if len(restored) > 0 && n.restore(d, restored...) {
		n.offer(d)
	}
	for _, name := range again {
		if w := d.pending(name); w != nil {
			n.reoffer(d, w)
			break // an offer carries everything pending
		}
	}
}

// adopt takes a report as expected: nobody's act.
func (n *Node) adopt(d *device, s *propState, v Value) {
	if s.expected == v {
		s.adopt, s.settle = false, 0
		n.touch(d)
		return
	}
	n.expect(d, s, v, FromRestore)
}

// showsWish reports whether an equal report ends the wait for w (rule 5, applied).
func (n *Node) showsWish(d *device, w *wish, pr PropReport, echo bool) bool {
	if !w.offered {
		return false
	}
	if echo {
		return pr.Wish == w.ID
	}
	return !w.risky || n.now.Mono >= w.offerAt+d.def.Policy.Settle
}

// act is a hand on the device: the values it now shows become expected, as a wish of origin device that is applied at
// once. What it took from a wish may still be carried out, so it is restored (rule 5, an ended wish).
func (n *Node) act(d *device, props []string) {
	rev := n.decide(d)
	n.seq++
	w := n.newWish(&Wish{ID: "device-" + n.opening + "-" + strconv.FormatUint(n.seq, 10), Origin: FromDevice, Values: map[string]Value{}})
	var over []string
	for _, name := range props {
		s, _ := d.p(name)
		if old := d.pending(name); old != nil {
			if old.busies() {
				over = append(over, name)
			}
			n.lose(d, old, name, w.ID)
		}
		w.Values[name] = s.actual
		w.order = append(w.order, name)
		w.state[name] = shown
		n.expect(d, s, s.actual, FromDevice)
	}
	w.rev, w.acceptRev = rev, rev
	n.stats.Acts++
	n.end(d, w, Applied, "")
	if len(over) > 0 && n.restore(d, over...) {
		n.offer(d)
	}
}

// State takes a mapper's word about a device: online, ok, offline, disconnected, unhealthy, error or unknown, in either
// case. Another word is a *FieldError.
func (n *Node) State(now Now, name Name, state, conn string) error {
	n.begin(now)
	d, err := n.find(name)
	if err != nil {
		return err
	}
	word := strings.ToLower(state)
	switch word {
	case "online", "ok", "unhealthy", "error", "offline", "disconnected", "unknown":
	default:
		return &FieldError{Field: "state", Value: clip(state), Want: "online, ok, offline, disconnected, unhealthy, error or unknown"}
	}
	n.stats.States++
	if !d.sentState {
		d.sentState = true
		n.touch(d)
	}
	newcomer := conn != "" && conn != d.conn
	n.heardFrom(d, conn)
	d.setText(n, word)
	switch word {
	case "offline", "disconnected":
		n.goOffline(d)
	case "unknown":
		if d.presence != Unknown {
			n.goOffline(d)
			d.presence, d.silentAt = Unknown, 0
		}
	case "online":
		if d.presence == Online && newcomer {
			d.presence = Unknown // counts as coming online
		}
		n.cameOnline(d, word)
	default:
		n.cameOnline(d, word)
	}
	n.arm(d)
	return nil
}

func (d *device) setText(n *Node, word string) {
	if d.text != word {
		d.text = word
		n.touch(d)
	}
}

func (n *Node) heardFrom(d *device, conn string) {
	d.conn, d.heard, d.lastSeen = conn, n.now.Mono, n.now.Wall
	if d.presence == Online || d.presence == Unknown {
		d.silentAt = 0
		if c := time.Duration(d.def.ReportCycle()); c > 0 {
			d.silentAt = n.now.Mono + max(10*time.Second, 3*c)
		}
	}
}

// cameOnline makes d online. If it was not, each property's next report is its first, and pending wishes are offered.
func (n *Node) cameOnline(d *device, word string) {
	d.lastOnline = n.now.Wall
	if d.presence == Online {
		return
	}
	d.presence = Online
	d.mapperAt = n.now.Mono
	if word == "" && (d.text == "offline" || d.text == "disconnected" || d.text == "unknown") {
		d.text = "online"
	}
	n.heardFrom(d, d.conn)
	n.touch(d)
	for i := range d.prop {
		d.prop[i].first = true
	}
	for _, w := range d.wishes {
		if w.dueLeft > 0 {
			w.dueAt, w.dueLeft = n.now.Mono+w.dueLeft, 0
		}
	}
	d.backoff, d.retryAt = 0, 0
	n.offer(d)
	n.retryTrouble(d)
}

// goOffline makes d offline: apply deadlines pause, settle times are forgotten.
func (n *Node) goOffline(d *device) {
	d.silentAt = 0
	if d.presence == Offline {
		return
	}
	d.presence = Offline
	n.touch(d)
	d.retryAt = 0
	for i := range d.prop {
		d.prop[i].settle, d.prop[i].first = 0, false
	}
	for _, w := range d.wishes {
		if w.dueAt != 0 {
			w.dueLeft, w.dueAt = max(w.dueAt-n.now.Mono, 1), 0
		}
	}
}

// ConnLost tells that a mapper's connection broke or its will was published: the devices it owns are offline.
func (n *Node) ConnLost(now Now, conn string) {
	n.begin(now)
	n.eachOwned(conn, func(d *device) {
		d.setText(n, "offline")
		n.goOffline(d)
		d.conn = ""
		n.arm(d)
	})
}

// ConnClosed tells of a clean disconnect: the devices have no owner, nobody goes offline.
func (n *Node) ConnClosed(now Now, conn string) {
	n.begin(now)
	n.eachOwned(conn, func(d *device) { d.conn = "" })
}

func (n *Node) eachOwned(conn string, do func(*device)) {
	if conn == "" {
		return
	}
	for _, name := range n.Names() {
		if d := n.devices[name]; d.conn == conn {
			do(d)
		}
	}
}
