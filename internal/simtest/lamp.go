package simtest

import (
	"maps"
	"slices"
	"time"

	"twinbridge/twin"
)

// order is one property of a delta.
type order struct {
	value twin.Value
	wish  string
	until time.Duration // of a press
}

type delta map[string]order

// mapperKind is a habit of a mapper.
type mapperKind struct {
	echo  bool          // names wishes in its reports
	marks bool          // marks acts at the device
	cycle time.Duration // reports every cycle; 0: on change only
	state bool          // says online and offline
}

// lamp is one device as it really is, and a mapper for it at each node. Only the mapper of the node that has the device
// does anything.
type lamp struct {
	w       *world
	name    twin.Name
	kind    mapperKind
	hold    bool
	real    map[string]twin.Value
	past    map[string][]moment
	broken  bool
	mappers map[*nodeProc]*mapper
	slow    bool
}

// moment is a change of the real state.
type moment struct {
	at time.Duration
	v  twin.Value
	by *nodeProc // whose mapper drove it; nil: a hand
}

// mapper is the process that drives the lamp from one node.
type mapper struct {
	l    *lamp
	p    *nodeProc
	up   bool
	life int
	conn string        // "" : not connected
	back time.Duration // when it connected last
	last time.Duration
	want delta // waiting; the latest only
	busy bool
	told map[string]twin.Value // what it reported last
}

func (w *world) lamp(name twin.Name) *lamp {
	for _, l := range w.lamps {
		if l.name == name {
			return l
		}
	}
	return nil
}

// left reports whether a mapper that does not name wishes is gone from a node. If it left without a word the lamp still
// counts as online there, and by rule 5 what was last heard counts.
func (l *lamp) left(p *nodeProc) bool {
	m := l.mappers[p]
	return !l.kind.echo && (m == nil || m.conn == "")
}

// leftSince is left for whoever hears of it later: whether such a mapper of any node was gone at some time since then.
func (l *lamp) leftSince(at time.Duration) bool {
	return !l.kind.echo && slices.ContainsFunc(l.each(), func(m *mapper) bool { return m.conn == "" || m.back >= at })
}

// set changes the real state: by a node's mapper, or by a hand (nil). Every other mapper sees it as a hand.
func (l *lamp) set(prop string, v twin.Value, by *nodeProc) {
	if l.real[prop] == v {
		return
	}
	l.real[prop] = v
	l.past[prop] = append(l.past[prop], moment{l.w.at, v, by})
	for _, m := range l.each() {
		if m.p != by {
			m.notice()
		}
	}
}

// press is a hand on the lamp itself.
func (l *lamp) press(prop string, v twin.Value) {
	if l.broken || l.real[prop] == v {
		return
	}
	l.w.log("hand: %s %s=%s", l.name.Name, prop, v)
	l.set(prop, v, nil)
}

// notice reports what changed without the mapper's doing; one that names wishes does it between two orders only.
func (m *mapper) notice() {
	if m.conn == "" || m.busy && m.l.kind.echo {
		return
	}
	out := map[string]twin.PropReport{}
	for _, prop := range props {
		if v := m.l.real[prop]; m.told[prop] != v {
			out[prop] = twin.PropReport{Value: v, Act: m.l.kind.marks}
		}
	}
	if len(out) > 0 {
		m.report(out, "changed")
	}
}

func (l *lamp) each() []*mapper {
	var out []*mapper
	for _, p := range l.w.nodes {
		if m := l.mappers[p]; m != nil {
			out = append(out, m)
		}
	}
	return out
}

func (l *lamp) nodeUp(p *nodeProc) {
	if m := l.mappers[p]; m != nil && m.up {
		m.connectSoon()
	}
}

func (l *lamp) nodeDown(p *nodeProc) {
	if m := l.mappers[p]; m != nil {
		m.conn, m.want = "", nil
	}
}

// hear takes a delta from the broker; one that comes while it works waits, the latest only.
func (l *lamp) hear(p *nodeProc, d delta) {
	m := l.mappers[p]
	if m == nil || m.conn == "" {
		return
	}
	if l.w.chance(5) && !l.w.quiet {
		l.w.saw("delta lost")
		return
	}
	conn := m.conn
	l.w.after(l.w.between(50*time.Microsecond, 3*time.Millisecond), func() {
		if m.conn != conn {
			return
		}
		m.want = d
		m.work()
	})
}

func (m *mapper) start() {
	if m.up {
		return
	}
	m.up = true
	m.life++
	m.told = map[string]twin.Value{}
	m.connectSoon()
}

// appear: the node has got the device; its mapper opens it.
func (l *lamp) appear(p *nodeProc) {
	if m := l.mappers[p]; m != nil && m.up {
		m.conn, m.want, m.busy = "", nil, false
		m.life++
		m.connectSoon()
	}
}

func (m *mapper) stop(clean bool) {
	if !m.up {
		return
	}
	conn := m.conn
	m.up, m.conn, m.want, m.busy = false, "", nil, false
	m.life++
	m.l.w.log("mapper of %s at %s stops (clean %v)", m.l.name.Name, m.p.name, clean)
	if conn == "" {
		return
	}
	life, noticed := m.p.life, m.l.w.between(0, 2*time.Second) // of a broken connection
	if clean {
		noticed = m.l.w.between(0, 10*time.Millisecond) // before the next process can connect
	}
	m.l.w.after(noticed, func() {
		if m.p.life != life {
			return
		}
		if clean {
			if m.l.kind.state {
				m.p.step("offline", func(now twin.Now) { _ = m.p.node.State(now, m.l.name, "offline", conn) })
			}
			m.p.step("conn closed", func(now twin.Now) { m.p.node.ConnClosed(now, conn) })
		} else {
			m.p.step("conn lost", func(now twin.Now) { m.p.node.ConnLost(now, conn) })
		}
	})
}

// connectSoon connects to the node's broker, reads the lamp and says what it sees.
func (m *mapper) connectSoon() {
	life, nodeLife := m.life, m.p.life
	m.l.w.after(m.l.w.between(10*time.Millisecond, 800*time.Millisecond), func() {
		if m.life != life || m.p.life != nodeLife || m.p.node == nil || m.conn != "" {
			return
		}
		m.conn, m.back = "conn"+m.l.w.newID(), m.l.w.at
		m.busy = false
		m.last = m.l.w.at
		if m.l.kind.state {
			m.say("online")
		}
		m.reportAll("first read")
		conn := m.conn
		if m.l.kind.cycle > 0 {
			m.l.w.after(m.l.kind.cycle, func() { m.cycle(conn) })
		}
		m.p.step("subscribe", func(now twin.Now) { _ = m.p.node.Offer(now, m.l.name) })
	})
}

func (m *mapper) cycle(conn string) {
	if m.conn != conn {
		return
	}
	m.reportAll("cycle")
	next := m.l.kind.cycle
	if m.l.w.quiet {
		next = max(next, 2*time.Second) // nothing new is learned from a dense one
	}
	m.l.w.after(next, func() { m.cycle(conn) })
}

func (m *mapper) reportAll(why string) {
	all := map[string]twin.PropReport{}
	for _, prop := range props {
		all[prop] = twin.PropReport{Value: m.l.real[prop]}
	}
	m.report(all, why)
}

// arrive sends something to the node's broker; order is kept.
func (m *mapper) arrive(do func()) {
	conn := m.conn
	at := max(m.l.w.at+m.l.w.between(50*time.Microsecond, 5*time.Millisecond), m.last)
	m.last = at
	m.l.w.after(at-m.l.w.at, func() {
		if m.p.node != nil && (m.conn == conn) {
			do()
		}
	})
}

func (m *mapper) say(state string) {
	conn := m.conn
	m.arrive(func() {
		m.l.w.book.says(m.p, m.l, state, conn)
		m.p.step("state "+state, func(now twin.Now) { _ = m.p.node.State(now, m.l.name, state, conn) })
	})
}

func (m *mapper) report(props map[string]twin.PropReport, why string) {
	conn := m.conn
	for prop, r := range props {
		if r.Error == "" {
			m.told[prop] = r.Value
		}
	}
	m.arrive(func() {
		r := twin.Report{Props: props, Echo: m.l.kind.echo, Conn: conn}
		m.p.step("report", func(now twin.Now) {
			m.l.w.book.report(m.p, m.l, r, why)
			_, _ = m.p.node.Report(now, m.l.name, r)
		})
	})
}

// work carries out the latest delta: all of its properties together.
func (m *mapper) work() {
	if m.busy || len(m.want) == 0 || m.conn == "" {
		return
	}
	d := m.want
	m.want, m.busy = nil, true
	life, conn := m.life, m.conn
	took := m.l.w.between(2*time.Millisecond, 150*time.Millisecond)
	if m.l.slow && m.l.kind.echo && m.l.w.chance(30) { // one without echo must keep within the settle time
		took = m.l.w.between(100*time.Millisecond, 3*time.Second)
	}
	m.l.w.after(took, func() {
		if m.life != life || m.conn != conn {
			return
		}
		m.busy = false
		m.carryOut(d)
		m.work()
	})
}

func (m *mapper) carryOut(d delta) {
	out := map[string]twin.PropReport{}
	for _, prop := range slices.Sorted(maps.Keys(d)) {
		o := d[prop]
		if m.l.kind.echo && o.until != 0 && m.l.w.at >= o.until {
			continue // the press is over
		}
		if m.l.broken {
			if m.l.kind.echo {
				out[prop] = twin.PropReport{Wish: o.wish, Error: "the relay sticks"}
			} else {
				out[prop] = twin.PropReport{Value: m.l.real[prop]}
			}
			continue
		}
		m.l.w.book.drives(m.p, m.l, prop, o)
		m.l.set(prop, o.value, m.p)
		r := twin.PropReport{Value: o.value}
		if m.l.kind.echo {
			r.Wish = o.wish
		}
		out[prop] = r
	}
	if len(out) > 0 {
		m.report(out, "carried out")
	}
	m.notice()
}
