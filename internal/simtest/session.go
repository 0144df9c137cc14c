package simtest

import (
	"strings"
	"time"

	"twinbridge/cloud/cloudhub"
	"twinbridge/edge/edgehub"
	"twinbridge/twin"
)

// session is one connection between a node and the hub, from the dial until both ends have noticed its end: the step
// machines of the product at both ends, and between them a line that delays, loses and cuts. Messages of a direction keep
// their order.
type session struct {
	w       *world
	node    *nodeProc
	hubLife int
	house   *edgehub.Session
	cloud   *cloudhub.Session
	dead    bool // cut: nothing arrives any more, save what was on its way
	lossy   bool
	lost    bool // a message was lost
	toNode  direction
	toHub   direction
}

// direction is one way of a session.
type direction struct {
	last  time.Duration // arrival of the last message, to keep the order
	ended bool          // the line broke before the next message
}

// dial opens a session if none is open and both ends are up.
func (w *world) dial(p *nodeProc) {
	if p.link != nil || p.node == nil || w.hub.hub == nil {
		return
	}
	s := &session{w: w, node: p, hubLife: w.hub.life}
	s.house = edgehub.NewSession(&nodeTwins{s})
	p.link = s
	w.log("%s dials", p.name)
	w.hub.step(func(twin.Now) { s.cloud = cloudhub.NewSession(p.name, &hubTwins{s}) })
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
	p.step("link down", func(twin.Now) { s.house.Close() })
	again := s.w.between(time.Second, 5*time.Second)
	if s.w.theme == links {
		again = s.w.between(time.Millisecond, time.Second)
	}
	s.w.after(again, func() { s.w.maybeDial(p) })
}

func (s *session) hubNotices() {
	if s.w.hub.life == s.hubLife {
		s.w.hub.step(func(twin.Now) { s.cloud.Close() })
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
		s.lost = true
		return // the next one has a number that is too high
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
	for s.w.hub.hub != nil && !s.dead && s.w.hub.life == s.hubLife && s.cloud != nil {
		b, ok, err := s.cloud.Next()
		if err != nil {
			s.w.fail("Bounded", "the hub has something to say to %s that no message holds: %v", s.node.name, err)
		}
		if err != nil || !ok {
			return
		}
		s.send(&s.toNode, func() {
			if s.node.link == s && s.node.node != nil {
				s.node.step("message of the hub", func(twin.Now) { s.took(s.house.Take(b)) })
			}
		})
	}
}

// nodeTalks sends what the node has to say.
func (s *session) nodeTalks() {
	for s.node.node != nil && s.node.link == s && !s.dead {
		b, ok, err := s.house.Next()
		if err != nil {
			s.w.fail("Bounded", "%s has something to say that no message holds: %v", s.node.name, err)
		}
		if err != nil || !ok {
			return
		}
		s.send(&s.toHub, func() {
			if s.w.hub.hub != nil && s.w.hub.life == s.hubLife {
				s.w.hub.step(func(twin.Now) { s.took(s.cloud.Take(b)) })
			}
		})
	}
}

// took looks at what an end thinks of a message. Only one that is missing may displease it.
func (s *session) took(err error) {
	switch {
	case err == nil:
	case s.lost && (strings.Contains(err.Error(), "number") || strings.Contains(err.Error(), "first")):
		s.cut()
	default:
		s.w.fail("Told", "a message that cannot be taken: %v", err)
	}
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
