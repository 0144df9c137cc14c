package simtest

import (
	"maps"
	"time"

	"twinbridge/twin"
)

// hubProc is the process of the hub.
type hubProc struct {
	w    *world
	hub  *twin.Hub // nil: down
	life int
	disk disk
	old  []disk
	busy bool
}

func (p *hubProc) start() {
	if p.hub != nil {
		return
	}
	h, err := twin.OpenHub(twin.HubConfig{NewID: p.w.newID}, p.w.now(), p.disk.records())
	if err != nil {
		p.w.fail("Durable", "the hub does not open: %v", err)
		return
	}
	p.hub, p.busy = h, false
	p.life++
	p.settle()
	life := p.life
	p.w.after(time.Second, func() { p.tick(life) })
}

func (p *hubProc) crash() {
	if p.hub == nil {
		return
	}
	p.w.book.hubDies()
	p.hub = nil
	p.life++
	for _, n := range p.w.nodes {
		if n.link != nil {
			n.link.hubGone()
		}
	}
}

func (p *hubProc) tick(life int) {
	if p.life != life {
		return
	}
	p.step(func(now twin.Now) { p.hub.Tick(now) })
	p.w.after(time.Second, func() { p.tick(life) })
}

func (p *hubProc) step(do func(twin.Now)) {
	if p.hub == nil || p.w.fault != nil {
		return
	}
	do(p.w.now())
	p.settle()
}

func (p *hubProc) settle() {
	p.w.book.hubViews()
	for _, n := range p.w.nodes {
		if n.link != nil {
			n.link.hubTalks()
		}
	}
	if p.busy {
		return
	}
	b, ok := p.hub.TakeBatch()
	if !ok {
		return
	}
	p.busy = true
	life, took := p.life, p.w.between(300*time.Microsecond, 4*time.Millisecond)
	if p.w.chance(3) && !p.w.quiet {
		took = p.w.between(0, time.Second)
	}
	p.w.after(took, func() {
		if p.life != life {
			return
		}
		p.busy = false
		p.disk.write(b.Records)
		p.step(func(twin.Now) { p.hub.Committed(b, nil) })
	})
}

func (p *hubProc) putBack(d disk) {
	p.disk = maps.Clone(d)
	p.w.book.hubDestroyed()
}
