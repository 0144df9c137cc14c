package simtest

import (
	"time"

	"twinbridge/twin"
)

// session is one connection between a node and the hub, from the dial until both ends have noticed its end. Messages
// of a direction keep their order; when one is lost nothing of that direction arrives any more (they are numbered).
type session struct {
	w       *world
	node    *nodeProc
	id      string
	hubLife int
	dead    bool // cut: nothing arrives any more, save what was on its way
	lossy   bool
	toNode  direction
	toHub   direction
	opened  bool // the hub's hello of this id was sent
	greeted bool // NodeHello sent for the present hello
}

// direction is one way of a session.
type direction struct {
	last  time.Duration // arrival of the last message, to keep the order
	ended bool          // a message is missing: the rest is not taken
}

// most bounds what goes out in one go, so that the rest has to follow.
const most = 2

// dial opens a session if none is open and both ends are up.
func (w *world) dial(p *nodeProc) {
	if p.link != nil || p.node == nil || w.hub.hub == nil {
		return
	}
	s := &session{w: w, node: p, hubLife: w.hub.life}
	p.link = s
	w.log("%s dials", p.name)
	w.hub.step(func(now twin.Now) {
		s.id = w.hub.hub.Connect(now, p.name)
	})
}

// cut kills the session; either end notices in its own time.
func (s *session) cut() {
	if s.dead {
		return
	}
	s.dead = true
	s.w.log("%s: link cut", s.node.name)
	late := func() time.Duration { return s.w.between(0, 20*time.Second) }
	if s.w.quiet {
		late = func() time.Duration { return time.Millisecond }
	}
	s.w.after(late(), s.nodeNotices)
	s.w.after(late(), s.hubNotices)
}

func (s *session) nodeNotices() {
	p := s.node
	if p.link != s {
		return
	}
	p.link = nil
	p.step("link down", func(twin.Now) { p.node.LinkDown() })
	again := s.w.between(time.Second, 5*time.Second)
	if s.w.theme == links {
		again = s.w.between(time.Millisecond, time.Second)
	}
	s.w.after(again, func() { s.w.maybeDial(p) })
}

func (s *session) hubNotices() {
	if s.w.hub.life == s.hubLife {
		s.w.hub.step(func(now twin.Now) { s.w.hub.hub.Disconnect(now, s.node.name, s.id) })
	}
}

// nodeGone: the node's process died; the hub notices later.
func (s *session) nodeGone() {
	s.dead = true
	s.node.link = nil
	s.w.after(s.w.between(0, 20*time.Second), s.hubNotices)
}

// hubGone: the hub's process died; the node notices later.
func (s *session) hubGone() {
	s.dead = true
	s.w.after(s.w.between(0, 10*time.Second), s.nodeNotices)
}

// send lets a message arrive later, in order with the others of its direction.
func (s *session) send(dir *direction, arrive func()) {
	if s.dead {
		return
	}
	delay := s.w.between(200*time.Microsecond, 30*time.Millisecond)
	if s.w.chance(5) && !s.w.quiet || s.w.theme == links && s.w.chance(25) && !s.w.quiet {
		delay = s.w.between(0, 8*time.Second)
	}
	if s.lossy && s.w.chance(8) && !s.w.quiet {
		s.w.saw("message lost")
		s.cut()
		return
	}
	at := max(s.w.at+delay, dir.last)
	dir.last = at
	// What was on its way when the link was cut may still arrive, long after.
	s.w.after(at-s.w.at, func() {
		dir.ended = dir.ended || s.dead && !s.w.chance(60)
		if !dir.ended {
			arrive()
		}
	})
}

// hubTalks sends what the hub has to say.
func (s *session) hubTalks() {
	h := s.w.hub.hub
	if h == nil || s.dead || s.w.hub.life != s.hubLife {
		return
	}
	if !s.opened {
		hello, ok := h.Hello(s.node.name, s.id)
		if !ok {
			return // not on disk yet
		}
		s.opened = true
		s.send(&s.toNode, func() {
			if s.node.link == s {
				s.greeted = false
				s.node.step("hub hello", func(now twin.Now) { s.node.node.LinkUp(now, hello) })
			}
		})
		return
	}
	node := s.node.name
	if rev, ok := h.Ack(node, s.id); ok {
		s.toNodeDo("ack", func(now twin.Now, n *twin.Node) { n.Acked(now, rev) })
	}
	for _, d := range h.Definitions(node, s.id, most) {
		s.toNodeDo("definition "+d.Device.Name.Name, func(now twin.Now, n *twin.Node) {
			if err := n.DefineCloud(now, d); err != nil {
				s.w.log("%s refuses a definition: %v", node, err)
			}
		})
	}
	for _, c := range h.Offers(s.w.now(), node, s.id, most) {
		s.w.book.hubOffers(c)
		times := 1
		if s.w.chance(20) && !s.w.quiet {
			times = 2
			s.w.saw("offer twice")
		}
		for range times {
			s.toNodeDo("offer "+c.ID, func(now twin.Now, n *twin.Node) {
				if n.Session() == s.id {
					s.w.book.beforeOffer(s.node, c)
					n.OfferCloud(now, c)
					s.w.book.afterOffer(s.node, c)
				}
			})
		}
	}
}

func (s *session) toNodeDo(what string, do func(twin.Now, *twin.Node)) {
	s.send(&s.toNode, func() {
		if s.node.link == s && s.node.node != nil && s.node.node.Session() == s.id {
			s.node.step(what, func(now twin.Now) { do(now, s.node.node) })
		}
	})
}

// nodeTalks sends what the node has to say.
func (s *session) nodeTalks() {
	n := s.node.node
	if n == nil || s.dead || n.Session() == "" || n.Session() != s.id {
		return
	}
	if !s.greeted {
		hello, ok := n.Hello()
		if !ok {
			return
		}
		s.greeted = true
		s.toHubDo(func(now twin.Now, h *twin.Hub) {
			if again := h.NodeHello(now, s.node.name, s.id, hello); again != "" {
				s.w.saw("hub renewed")
				s.id, s.opened = again, false
				return
			}
			if !s.dead {
				s.w.book.hubGreeted(s.node, hello)
			}
		})
	}
	if d, ok := n.Decisions(); ok {
		s.w.book.told(s.node, d)
		id := s.id
		s.toHubDo(func(now twin.Now, h *twin.Hub) { h.Learn(now, s.node.name, id, d) })
	}
	if o, ok := n.Observations(most); ok {
		id := s.id
		s.toHubDo(func(now twin.Now, h *twin.Hub) { h.Observe(now, s.node.name, id, o) })
	}
}

func (s *session) toHubDo(do func(twin.Now, *twin.Hub)) {
	s.send(&s.toHub, func() {
		if s.w.hub.hub != nil && s.w.hub.life == s.hubLife {
			s.w.hub.step(func(now twin.Now) { do(now, s.w.hub.hub) })
		}
	})
}

// maybeDial dials again, unless the house is to stay cut off for a while.
func (w *world) maybeDial(p *nodeProc) {
	if p.link != nil {
		return
	}
	if w.hub.hub == nil || p.node == nil || !w.quiet && w.chance(25) {
		if !w.quiet {
			w.after(w.between(time.Second, 15*time.Second), func() { w.maybeDial(p) })
			return
		}
		w.after(time.Second, func() { w.maybeDial(p) })
		return
	}
	w.dial(p)
}
