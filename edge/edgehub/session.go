package edgehub

import (
	"fmt"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

// Twins are the node's twins as a session needs them; [twin.Store] is one. The steps are those of [twin.Node].
type Twins interface {
	LinkUp(h twin.HubHello)
	LinkDown()
	Hello() (twin.NodeHello, bool)
	Acked(rev uint64)
	DefineCloud(d twin.Definition) error
	OfferCloud(c twin.CloudWish)
	RefusedByHub(r twin.Refusal)
	Decisions() (twin.Decisions, bool)
	Observations(most int) (twin.Observations, bool)
	Refusals() []twin.Refusal
}

// mostObserved bounds the devices in one message of observations.
const mostObserved = 128

// Session is the node's end of a session. It implements [wire.End].
type Session struct {
	twins   Twins
	flow    wire.Flow
	out     [][]byte // encoded parts of what was told last
	version int      // of the protocol, 0 before the hub's hello
	greeted bool     // the answer to the present hello is sent
}

// NewSession begins a session. Close must end it.
func NewSession(t Twins) *Session { return &Session{twins: t} }

// Take takes a message of the hub.
func (s *Session) Take(b []byte) error {
	m, err := wire.Decode(b)
	if err != nil {
		return err
	}
	if err := s.flow.Take(m); err != nil {
		return err
	}
	if s.version == 0 {
		switch m.Body.(type) {
		case *wire.Hello, *wire.Got:
		default:
			return fmt.Errorf("%w: expected the hub's hello first", wire.ErrMessage)
		}
	}
	switch body := m.Body.(type) {
	case *wire.Hello:
		s.version = min(body.Newest, wire.Newest)
		if s.version < max(body.Oldest, wire.Oldest) {
			return fmt.Errorf("%w: the hub speaks %d to %d, this node %d to %d", wire.ErrVersion, body.Oldest, body.Newest, wire.Oldest, wire.Newest)
		}
		s.greeted = false
		s.twins.LinkUp(body.Twin())
	case *wire.Ack:
		s.twins.Acked(body.Rev)
	case *wire.Define:
		for i := range body.Definitions {
			// What is not taken is told to the hub with the refusals.
			_ = s.twins.DefineCloud(body.Definitions[i].Twin())
		}
	case *wire.Offer:
		for i := range body.Wishes {
			s.twins.OfferCloud(body.Wishes[i].Twin())
		}
	case *wire.Refused:
		for _, r := range body.Definitions {
			s.twins.RefusedByHub(twin.Refusal(r))
		}
	case *wire.Got:
	default:
		return fmt.Errorf("%w of a kind that only nodes send", wire.ErrMessage)
	}
	return nil
}

// Next gives the next message for the hub.
func (s *Session) Next() ([]byte, bool, error) {
	if len(s.out) == 0 && s.flow.Room() {
		if err := s.gather(); err != nil {
			return nil, false, err
		}
	}
	if len(s.out) > 0 {
		b := s.out[0]
		s.out = s.out[1:]
		return b, true, nil
	}
	b, ok := s.flow.Acknowledge()
	return b, ok, nil
}

// gather asks the twins what there is to tell. Decisions go before observations: a device that is new to the hub has to
// be defined first.
func (s *Session) gather() (err error) {
	if s.version == 0 {
		return nil
	}
	if !s.greeted {
		h, ok := s.twins.Hello()
		if !ok {
			return nil
		}
		s.greeted = true
		s.out, err = s.flow.Send(wire.AnswerOf(s.version, h))
		return err
	}
	if d, ok := s.twins.Decisions(); ok {
		s.out, err = s.flow.Send(wire.DecisionsOf(d))
		return err
	}
	if r := s.twins.Refusals(); len(r) > 0 {
		s.out, err = s.flow.Send(wire.RefusedOf(r))
		return err
	}
	if o, ok := s.twins.Observations(mostObserved); ok {
		s.out, err = s.flow.Send(wire.ObservationsOf(o))
	}
	return err
}

// Up reports whether the hellos are exchanged, as far as this end knows.
func (s *Session) Up() bool { return s.greeted }

// Close ends the session.
func (s *Session) Close() { s.twins.LinkDown() }
