package database

import (
	"bytes"
	"strings"
)

// maxDepth bounds how deep objects and arrays lie in one another, in what is skipped too.
const maxDepth = 16

// scanner reads one JSON text (RFC 8259) from front to back, in the caller's bytes and without a copy. Its methods tell
// whether what they read stood there; after a false the text is of no use.
type scanner struct {
	b     []byte
	i     int
	depth int
}

// peek gives the first byte of what comes next, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
		default:
			return s.b[s.i]
		}
	}
	return 0
}

// over reports whether nothing comes any more.
func (s *scanner) over() bool { return s.peek() == 0 && s.i == len(s.b) }

// take takes a byte if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

// word takes a literal if it comes next.
func (s *scanner) word(w string) bool {
	s.peek()
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// object reads an object; member reads the value of each key. Keys with escapes are refused: they could be ours, and nobody
// writes them so.
func (s *scanner) object(member func(key []byte) bool) bool {
	return s.nest('{', '}', func() bool {
		key := s.text()
		return key != nil && bytes.IndexByte(key, '\\') < 0 && s.take(':') && member(key[1:len(key)-1])
	})
}

// array reads an array; element reads each of its values.
func (s *scanner) array(element func() bool) bool { return s.nest('[', ']', element) }

func (s *scanner) nest(begin, end byte, part func() bool) bool {
	if s.depth == maxDepth || !s.take(begin) {
		return false
	}
	if s.take(end) {
		return true
	}
	s.depth++
	for part() {
		switch {
		case s.take(end):
			s.depth--
			return true
		case !s.take(','):
			return false
		}
	}
	return false
}

// skip reads any value.
func (s *scanner) skip() bool {
	switch s.peek() {
	case '{':
		return s.object(func([]byte) bool { return s.skip() })
	case '[':
		return s.array(s.skip)
	}
	return s.word("null") || s.scalar() != nil
}

// scalar reads a string, a number, true or false, and gives its bytes; nil if none stands there.
func (s *scanner) scalar() []byte {
	c, start := s.peek(), s.i
	switch {
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case s.word("true"), s.word("false"):
		return s.b[start:s.i]
	}
	return nil
}

// text reads a string and gives it with its quotes and escapes.
func (s *scanner) text() []byte {
	if s.peek() != '"' {
		return nil
	}
	start := s.i
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start:s.i]
		case c < ' ':
			return nil
		case c == '\\' && !s.escape():
			return nil
		}
	}
	return nil
}

// escape goes to the last byte of an escape.
func (s *scanner) escape() bool {
	s.i++
	if s.i == len(s.b) {
		return false
	}
	if s.b[s.i] != 'u' {
		return strings.IndexByte(`"\/bfnrt`, s.b[s.i]) >= 0
	}
	for range 4 {
		s.i++
		if s.i == len(s.b) || !isHex(s.b[s.i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// number reads a number.
func (s *scanner) number() []byte {
	start := s.i
	if s.b[s.i] == '-' {
		s.i++
	}
	switch zero := s.i < len(s.b) && s.b[s.i] == '0'; {
	case zero:
		s.i++
	case !s.digits():
		return nil
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		if s.i++; !s.digits() {
			return nil
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		if s.i++; s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return nil
		}
	}
	return s.b[start:s.i]
}

// digits reads one digit or more.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
