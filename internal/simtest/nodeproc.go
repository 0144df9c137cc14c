package simtest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"twinbridge/twin"
)

var errDisk = errors.New("disk: input/output error")

// disk is what survives a crash.
type disk map[string][]byte

func (d disk) write(recs []twin.Record) {
	for _, r := range recs {
		if r.Data == nil {
			delete(d, r.Key)
		} else {
			d[r.Key] = r.Data
		}
	}
}

func (d disk) records() []twin.Record {
	var out []twin.Record
	for _, k := range slices.Sorted(maps.Keys(d)) {
		out = append(out, twin.Record{Key: k, Data: d[k]})
	}
	return out
}

// nodeProc is the process of one edge node: its state machine, its disk, its end of the link, its broker.
type nodeProc struct {
	w     *world
	name  string
	node  *twin.Node // nil: the process is down
	life  int        // counts processes, so that late events of a dead one are known
	disk  disk
	old   []disk // copies made at some time, to be put back
	aged  bool   // an old disk was put back once: it may remember another end of a wish that has ended since
	bad   bool   // the disk fails
	busy  bool   // a batch is under way
	wake  time.Duration
	link  *session
	views map[twin.Name]twin.View
	sent  map[twin.Name]uint64 // OfferSeq handed to the mapper
}

// start begins the process on whatever is on the disk.
func (p *nodeProc) start() {
	if p.node != nil {
		return
	}
	n, err := twin.OpenNode(twin.NodeConfig{Name: p.name, FileID: "file", NewID: p.w.newID}, p.disk.records())
	if err != nil {
		p.w.fail("Durable", "%s does not open: %v", p.name, err)
		return
	}
	p.node, p.busy, p.wake, p.link = n, false, 0, nil
	p.life++
	p.views, p.sent = map[twin.Name]twin.View{}, map[twin.Name]uint64{}
	p.w.book.nodeOpens(p)
	p.step("start", func(now twin.Now) { n.Start(now) })
	life := p.life
	p.w.after(5*time.Second, func() { p.flush(life) })
	for _, l := range p.w.lamps {
		l.nodeUp(p)
	}
}

// crash ends the process; what was not committed is gone.
func (p *nodeProc) crash() {
	if p.node == nil {
		return
	}
	p.w.book.nodeDies(p)
	p.node = nil
	p.life++
	if p.link != nil {
		p.link.nodeGone()
	}
	for _, l := range p.w.lamps {
		l.nodeDown(p)
	}
}

// step runs one step of the node and everything that follows from it at once.
func (p *nodeProc) step(what string, do func(twin.Now)) {
	if p.node == nil || p.w.fault != nil {
		return
	}
	do(p.w.now())
	p.settle(what)
}

// settle looks at what a step changed: views, deltas, disk, timers, link.
func (p *nodeProc) settle(what string) {
	p.look(what)
	p.commit(false)
	if at, ok := p.node.NextTimer(); ok && (p.wake == 0 || at < p.wake || p.wake <= p.w.at) {
		p.wake = at
		life := p.life
		p.w.after(at-p.w.at, func() {
			if p.life == life {
				p.wake = 0
				p.step("tick", func(now twin.Now) { p.node.Tick(now) })
			}
		})
	}
	if p.link != nil {
		p.link.nodeTalks()
	}
}

// look shows the book what changed, and hands deltas to the mappers. A message may hold several steps, so it is called
// after each.
func (p *nodeProc) look(what string) {
	p.w.book.nodeWishes(p, what)
	for _, name := range p.node.TakeChanged() {
		v, err := p.node.View(p.w.now(), name)
		if err != nil {
			delete(p.views, name)
			p.w.book.nodeLost(p, name)
			continue
		}
		before, had := p.views[name]
		p.views[name] = v
		p.w.book.nodeView(p, what, before, v, had)
		if v.OfferSeq > p.sent[name] {
			p.sent[name] = v.OfferSeq
			p.deliver(v)
		}
	}
}

// deliver hands a delta to the mapper that listens, if any.
func (p *nodeProc) deliver(v twin.View) {
	d := delta{}
	for i := range v.Props {
		if q := &v.Props[i]; q.Offered {
			d[q.Def.Name] = order{value: q.Expected, wish: q.Wish, until: 0}
			if q.Remaining > 0 {
				d[q.Def.Name] = order{value: q.Expected, wish: q.Wish, until: p.w.at + q.Remaining}
			}
		}
	}
	p.w.book.offered(p, v, d)
	if l := p.w.lamp(v.Device.Name); l != nil && len(d) > 0 {
		l.hear(p, d)
	}
}

// commit writes what is due, after the time a disk takes.
func (p *nodeProc) commit(lazy bool) {
	if p.busy || !lazy && !p.node.DecisionsDue() {
		return
	}
	b, ok := p.node.TakeBatch(lazy)
	if !ok {
		return
	}
	p.busy = true
	life, took := p.life, p.w.between(300*time.Microsecond, 3*time.Millisecond)
	if p.w.chance(3) && !p.w.quiet || p.w.theme == crashes && p.w.chance(25) && !p.w.quiet {
		took = p.w.between(0, 2*time.Second)
	}
	p.w.after(took, func() {
		if p.life != life {
			return
		}
		if p.bad { // the journal backs off before it tries again
			p.step("disk error", func(now twin.Now) { p.node.Committed(now, b, errDisk) })
			p.w.after(p.w.between(100*time.Millisecond, time.Second), func() {
				if p.life == life {
					p.busy = false
					p.step("retry", func(twin.Now) {})
				}
			})
			return
		}
		p.busy = false
		p.disk.write(b.Records)
		p.step("committed", func(now twin.Now) { p.node.Committed(now, b, nil) })
	})
}

func (p *nodeProc) flush(life int) {
	if p.life != life {
		return
	}
	p.commit(true)
	p.w.after(5*time.Second, func() { p.flush(life) })
}

// putBack replaces the disk by an old copy of itself; the process must be down.
func (p *nodeProc) putBack(d disk) {
	p.disk, p.aged = maps.Clone(d), p.aged || len(d) > 0
	p.w.book.nodeDestroyed(p)
}
