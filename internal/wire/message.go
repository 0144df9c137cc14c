package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Versions of the protocol. The hub names the range that it speaks, the node picks the highest that it knows.
const (
	Oldest = 1
	Newest = 1
)

const (
	// Path is where a hub takes sessions.
	Path = "/v1/link"
	// Subprotocol is named in the WebSocket handshake.
	Subprotocol = "twinbridge.link"
	// MaxMessage bounds a message, in bytes.
	MaxMessage = 256 << 10
	// maxDepth bounds the nesting of a message, in levels of objects and arrays. Configurations of drivers are in it.
	maxDepth = 40
)

// Kinds of messages.
const (
	KindHello        = "hello"        // hub -> node
	KindAnswer       = "answer"       // node -> hub
	KindAck          = "ack"          // hub -> node
	KindDefine       = "define"       // hub -> node
	KindOffer        = "offer"        // hub -> node
	KindDecisions    = "decisions"    // node -> hub
	KindObservations = "observations" // node -> hub
	KindRefused      = "refused"      // both ways
	KindGot          = "got"          // both ways: nothing but the number of the last message that came
)

// Body is the content of a message: one of *Hello, *Answer, *Ack, *Define, *Offer, *Decisions, *Observations, *Refused,
// *Got.
type Body interface {
	kind() string
	// check reports what cannot be taken.
	check() error
	// halves parts a body that is too large for one message into two that are sent one after the other; false if it has
	// only one part.
	halves() (first, second Body, ok bool)
}

// Message is one message of a session.
type Message struct {
	N    uint64 // its number in its direction, from 1; 0 of a Got
	Got  uint64 // number of the last message that came from the other end
	Body Body
}

// ErrMessage is wrapped by errors of a message that cannot be taken. It ends the session.
var ErrMessage = errors.New("link message")

// ErrVersion is wrapped by the error of an end that finds no common version of the protocol.
var ErrVersion = errors.New("no common version of the protocol")

type envelope struct {
	N    uint64          `json:"n,omitempty"`
	Got  uint64          `json:"got,omitempty"`
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body,omitempty"`
}

// Encode gives the bytes of a message. They may be more than MaxMessage.
func Encode(m Message) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	e := struct {
		N    uint64 `json:"n,omitempty"`
		Got  uint64 `json:"got,omitempty"`
		Kind string `json:"kind"`
		Body Body   `json:"body,omitempty"`
	}{m.N, m.Got, m.Body.kind(), m.Body}
	if _, bare := m.Body.(*Got); bare {
		e.Body = nil
	}
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.Kind, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode reads a message. Unknown keys are left alone, so that later versions can say more; unknown kinds are refused.
func Decode(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return Message{}, fmt.Errorf("%w of %d bytes: at most %d", ErrMessage, len(b), MaxMessage)
	}
	if !utf8.Valid(b) {
		return Message{}, fmt.Errorf("%w is not UTF-8", ErrMessage)
	}
	if err := checkDepth(b); err != nil {
		return Message{}, err
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	m := Message{N: e.N, Got: e.Got, Body: newBody(e.Kind)}
	if m.Body == nil {
		return Message{}, fmt.Errorf("%w of unknown kind %.40q", ErrMessage, e.Kind)
	}
	_, bare := m.Body.(*Got)
	if bare != (m.N == 0) {
		return Message{}, fmt.Errorf("%w %s with number %d", ErrMessage, e.Kind, m.N)
	}
	if bare {
		return m, nil
	}
	if len(e.Body) == 0 || e.Body[0] != '{' {
		return Message{}, fmt.Errorf("%w %s without a body", ErrMessage, e.Kind)
	}
	if err := json.Unmarshal(e.Body, m.Body); err != nil {
		return Message{}, fmt.Errorf("%w %s: %w", ErrMessage, e.Kind, err)
	}
	if err := m.Body.check(); err != nil {
		return Message{}, fmt.Errorf("%w %s: %w", ErrMessage, e.Kind, err)
	}
	return m, nil
}

func newBody(kind string) Body {
	switch kind {
	case KindHello:
		return &Hello{}
	case KindAnswer:
		return &Answer{}
	case KindAck:
		return &Ack{}
	case KindDefine:
		return &Define{}
	case KindOffer:
		return &Offer{}
	case KindDecisions:
		return &Decisions{}
	case KindObservations:
		return &Observations{}
	case KindRefused:
		return &Refused{}
	case KindGot:
		return &Got{}
	}
	return nil
}

// checkDepth bounds the nesting before anything is built of it.
func checkDepth(b []byte) error {
	depth, text, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case text:
			escaped = c == '\\'
			text = c != '"'
		case c == '"':
			text = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w is nested deeper than %d levels", ErrMessage, maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Parts encodes a body into as many messages as it needs, with numbers from n on; got goes with each.
func Parts(n, got uint64, body Body) ([][]byte, error) {
	b, err := Encode(Message{N: n, Got: got, Body: body})
	if err != nil || len(b) <= MaxMessage {
		return [][]byte{b}, err
	}
	first, second, ok := body.halves()
	if !ok {
		return nil, fmt.Errorf("%w %s of %d bytes cannot be parted: at most %d", ErrMessage, body.kind(), len(b), MaxMessage)
	}
	out, err := Parts(n, got, first)
	if err != nil {
		return nil, err
	}
	rest, err := Parts(n+uint64(len(out)), got, second)
	return append(out, rest...), err
}
