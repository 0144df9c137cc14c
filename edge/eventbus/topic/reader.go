package topic

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"twinbridge/twin"
)

// Bounds of a payload.
const (
	MaxPayload    = 64 << 10 // bytes
	MaxDepth      = 32
	MaxProperties = twin.MaxProperties
	MaxEventID    = 256 // bytes
)

// reader reads one JSON text from front to back and hands its parts to the caller, without building a tree. It knows
// where it is, for the errors.
type reader struct {
	b     []byte
	i     int
	depth int
	path  []string
}

// newReader makes a reader of a payload within the bounds.
func newReader(b []byte) (*reader, error) {
	if len(b) > MaxPayload {
		return nil, &twin.FieldError{Field: "payload", Value: strconv.Itoa(len(b)) + " bytes", Want: fmt.Sprintf("at most %d bytes", MaxPayload)}
	}
	if !utf8.Valid(b) {
		return nil, &twin.FieldError{Field: "payload", Value: clip(strconv.QuoteToASCII(string(b))), Want: "UTF-8 text"}
	}
	return &reader{b: b}, nil
}

// decode reads a payload that is one JSON object.
func decode(b []byte, field func(*reader, string) error) error {
	r, err := newReader(b)
	if err != nil {
		return err
	}
	if err := r.object(func(key string) error { return field(r, key) }); err != nil {
		return err
	}
	r.space()
	if r.i < len(r.b) {
		return r.bad("nothing after the JSON object")
	}
	return nil
}

// bad makes the error about what stands at the reader's place.
func (r *reader) bad(want string) error {
	rest := "end of the payload"
	if r.i < len(r.b) {
		rest = clip(string(r.b[r.i:]))
	}
	return &twin.FieldError{Field: clip(r.where()), Value: rest, Want: want}
}

// where gives the path of the field that is being read.
func (r *reader) where() string {
	if len(r.path) == 0 {
		return "payload"
	}
	return strings.Join(r.path, ".")
}

func (r *reader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

// peek gives the first byte of the next value, 0 at the end.
func (r *reader) peek() byte {
	r.space()
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

// word takes a literal if it stands here.
func (r *reader) word(w string) bool {
	r.space()
	if len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return false
	}
	r.i += len(w)
	return true
}

func (r *reader) null() bool { return r.word("null") }

// object reads an object and gives each key to field, which reads the value. A key may stand in it once only: two values
// for one thing have no meaning that sender and reader are sure to share.
func (r *reader) object(field func(key string) error) error {
	if r.peek() != '{' {
		return r.bad("a JSON object")
	}
	if r.depth >= MaxDepth {
		return r.bad(fmt.Sprintf("at most %d levels", MaxDepth))
	}
	r.depth++
	defer func() { r.depth-- }()
	r.i++
	if r.peek() == '}' {
		r.i++
		return nil
	}
	var seen keys
	for {
		r.space()
		at := r.i
		key, err := r.text("a key in quotes")
		if err != nil {
			return err
		}
		if !seen.add(key) {
			r.i = at
			return r.bad("each key once")
		}
		if r.peek() != ':' {
			return r.bad("':' after the key")
		}
		r.i++
		r.path = append(r.path, key)
		if err := field(key); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
		switch r.peek() {
		case ',':
			r.i++
		case '}':
			r.i++
			return nil
		default:
			return r.bad("',' or '}'")
		}
	}
}

// array reads an array and lets elem read each of its values.
func (r *reader) array(elem func(i int) error) error {
	if r.peek() != '[' {
		return r.bad("a JSON array")
	}
	if r.depth >= MaxDepth {
		return r.bad(fmt.Sprintf("at most %d levels", MaxDepth))
	}
	r.depth++
	defer func() { r.depth-- }()
	r.i++
	if r.peek() == ']' {
		r.i++
		return nil
	}
	for i := 0; ; i++ {
		if err := elem(i); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.i++
		case ']':
			r.i++
			return nil
		default:
			return r.bad("',' or ']'")
		}
	}
}

// skip reads over any value, checking its form.
func (r *reader) skip() error {
	switch c := r.peek(); {
	case c == '{':
		return r.object(func(string) error { return r.skip() })
	case c == '[':
		return r.array(func(int) error { return r.skip() })
	case c == '"':
		_, err := r.text("a string")
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := r.number()
		return err
	case r.word("true"), r.word("false"), r.null():
		return nil
	}
	return r.bad("a JSON value")
}

// millis reads a timestamp leniently: nobody orders anything by it. What is no whole number counts as 0.
func (r *reader) millis() (int64, error) {
	if c := r.peek(); c != '-' && (c < '0' || c > '9') {
		return 0, r.skip()
	}
	s, err := r.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, nil // a label in a form of its own
	}
	return v, nil
}

// whole reads a whole number that means something.
func (r *reader) whole() (int64, error) {
	at := r.i
	s, err := r.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.i = at
		return 0, r.bad("a whole number")
	}
	return v, nil
}

// truth reads true or false; null counts as false.
func (r *reader) truth() (bool, error) {
	switch {
	case r.word("true"):
		return true, nil
	case r.word("false"), r.null():
		return false, nil
	}
	return false, r.bad("true or false")
}

// optional reads a string; null counts as none.
func (r *reader) optional(want string) (s string, ok bool, err error) {
	if r.null() {
		return "", false, nil
	}
	s, err = r.text(want)
	return s, err == nil, err
}

// loose reads a string that is only a label; anything else counts as empty.
func (r *reader) loose() (string, error) {
	if r.peek() != '"' {
		return "", r.skip()
	}
	return r.text("a string")
}

// clip shortens s for an error message, at a rune border.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}

// Event finds the event id of a payload, also of one that is no JSON, so that who sent it can be told what was wrong. It
// gives "" if there is none.
func Event(payload []byte) string {
	b := payload
	for range 8 { // looks, at most: broken payloads may be made to be costly
		_, rest, found := bytes.Cut(b, []byte(`"event_id"`))
		if !found {
			return ""
		}
		b = rest
		r := &reader{b: rest[:min(len(rest), 6*MaxEventID+16)]}
		if r.peek() != ':' {
			continue
		}
		r.i++
		if s, err := r.text("a string"); err == nil && len(s) <= MaxEventID && utf8.ValidString(s) {
			return s
		}
	}
	return ""
}
