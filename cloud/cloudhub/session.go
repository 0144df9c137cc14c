package cloudhub

import (
	"errors"
	"fmt"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

// Twins is the holder of the views as a session needs it; the device controller gives it. The steps are those of
// [twin.Hub].
type Twins interface {
	Connect(node string) (session string)
	Disconnect(node, session string)
	Hello(node, session string) (twin.HubHello, bool)
	NodeHello(node, session string, h twin.NodeHello) (again string)
	Learn(node, session string, d twin.Decisions)
	Observe(node, session string, o twin.Observations)
	DefinitionRefused(node, session string, r twin.Refusal)
	Ack(node, session string) (uint64, bool)
	Definitions(node, session string, most int) []twin.Definition
	Refusals(node, session string) []twin.Refusal
	Offers(node, session string, most int) []twin.CloudWish
}

// Bounds of what is told in one go.
const (
	mostDefinitions = 32
	mostOffers      = 32
)

// errTwice: a node that makes the hub take a new store id twice in a connection is not telling the truth.
var errTwice = errors.New("a second answer to the hub's hello")

// Session is the hub's end of a session. It implements [wire.End].
type Session struct {
	node  string
	twins Twins
	id    string
	flow  wire.Flow
	out   [][]byte

	said    bool            // the hello of id is sent
	renewed bool            // it was sent before, with another id
	answer  *twin.NodeHello // parts of the node's answer that have come
	ready   bool            // the answer has come whole
}

// NewSession begins a session with a node, whose identity is proved. Close must end it.
func NewSession(node string, t Twins) *Session {
	return &Session{node: node, twins: t, id: t.Connect(node)}
}

// ID is the session's id.
func (s *Session) ID() string { return s.id }

// Take takes a message of the node.
func (s *Session) Take(b []byte) error {
	m, err := wire.Decode(b)
	if err != nil {
		return err
	}
	if err := s.flow.Take(m); err != nil {
		return err
	}
	switch body := m.Body.(type) {
	case *wire.Got:
		return nil
	case *wire.Answer:
		return s.greet(body)
	case *wire.Decisions:
		if s.ready {
			s.twins.Learn(s.node, s.id, body.Twin())
			return nil
		}
	case *wire.Observations:
		if s.ready {
			s.twins.Observe(s.node, s.id, body.Twin())
			return nil
		}
	case *wire.Refused:
		if s.ready {
			for _, r := range body.Definitions {
				s.twins.DefinitionRefused(s.node, s.id, twin.Refusal(r))
			}
			return nil
		}
	default:
		return fmt.Errorf("%w of a kind that only hubs send", wire.ErrMessage)
	}
	if !s.renewed {
		return fmt.Errorf("%w: expected the answer to the hub's hello first", wire.ErrMessage)
	}
	return nil // said before the node heard that the session begins again
}

// greet takes the node's answer, or a part of it.
func (s *Session) greet(a *wire.Answer) error {
	switch {
	case !s.said:
		return fmt.Errorf("%w: an answer before the hub's hello", wire.ErrMessage)
	case s.ready:
		return fmt.Errorf("%w: %w", wire.ErrMessage, errTwice)
	case a.Version < wire.Oldest || a.Version > wire.Newest:
		return fmt.Errorf("%w: the node answers with %d, this hub speaks %d to %d", wire.ErrVersion, a.Version, wire.Oldest, wire.Newest)
	}
	part := a.Twin()
	if s.answer == nil {
		s.answer = &part
	} else {
		if len(s.answer.Dealt)+len(part.Dealt) > twin.MaxDevices || s.answer.NodeStore != part.NodeStore {
			return fmt.Errorf("%w: an answer of more than %d devices, or of two stores", wire.ErrMessage, twin.MaxDevices)
		}
		s.answer.Dealt = append(s.answer.Dealt, part.Dealt...)
	}
	if a.More {
		return nil
	}
	whole := *s.answer
	s.answer = nil
	if again := s.twins.NodeHello(s.node, s.id, whole); again != "" {
		s.id, s.said, s.renewed = again, false, true
		return nil
	}
	s.ready = true
	return nil
}

// Next gives the next message for the node.
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

// gather asks the holder what there is to tell: a wish follows the definition of what it is about.
func (s *Session) gather() (err error) {
	if !s.said {
		h, ok := s.twins.Hello(s.node, s.id)
		if !ok {
			return nil
		}
		s.said = true
		s.out, err = s.flow.Send(wire.HelloOf(h))
		return err
	}
	if !s.ready {
		return nil
	}
	if rev, ok := s.twins.Ack(s.node, s.id); ok {
		s.out, err = s.flow.Send(&wire.Ack{Rev: rev})
		return err
	}
	if d := s.twins.Definitions(s.node, s.id, mostDefinitions); len(d) > 0 {
		s.out, err = s.flow.Send(wire.DefineOf(d))
		return err
	}
	if r := s.twins.Refusals(s.node, s.id); len(r) > 0 {
		s.out, err = s.flow.Send(wire.RefusedOf(r))
		return err
	}
	if w := s.twins.Offers(s.node, s.id, mostOffers); len(w) > 0 {
		s.out, err = s.flow.Send(wire.OfferOf(w))
	}
	return err
}

// Close ends the session.
func (s *Session) Close() { s.twins.Disconnect(s.node, s.id) }
