package topic

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string; want is said if none stands here.
func (r *reader) text(want string) (string, error) {
	if r.peek() != '"' {
		return "", r.bad(want)
	}
	start := r.i
	for i := start + 1; i < len(r.b); i++ {
		switch c := r.b[i]; {
		case c == '"':
			r.i = i + 1
			return string(r.b[start+1 : i]), nil
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			return "", r.bad("a string without control characters")
		}
	}
	return "", r.bad("a string that ends")
}

// escaped reads on from the first escape of a string.
func (r *reader) escaped(start, i int) (string, error) {
	out := append(make([]byte, 0, i-start+32), r.b[start+1:i]...)
	for i < len(r.b) {
		c := r.b[i]
		switch {
		case c == '"':
			r.i = i + 1
			return string(out), nil
		case c < ' ':
			return "", r.bad("a string without control characters")
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(r.b) {
			break
		}
		if r.b[i+1] == 'u' {
			u, n := unicodeEscape(r.b[i:])
			if n == 0 {
				return "", r.bad("a string with escapes of JSON")
			}
			out = utf8.AppendRune(out, u)
			i += n
			continue
		}
		k := strings.IndexByte(`"\/bfnrt`, r.b[i+1])
		if k < 0 {
			return "", r.bad("a string with escapes of JSON")
		}
		out = append(out, "\"\\/\b\f\n\r\t"[k])
		i += 2
	}
	return "", r.bad("a string that ends")
}

// unicodeEscape reads \uXXXX, or the two of them that make a surrogate pair; n is 0 if there is none. A surrogate alone
// gives U+FFFD, as in encoding/json.
func unicodeEscape(b []byte) (u rune, n int) {
	hex := func(b []byte) (rune, bool) {
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
		return rune(v), err == nil
	}
	u, ok := hex(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(u) {
		return u, 6
	}
	if low, ok := hex(b[6:]); ok {
		if pair := utf16.DecodeRune(u, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// number reads a number and gives its text.
func (r *reader) number() (string, error) {
	r.space()
	start, i := r.i, r.i
	digits := func() bool {
		from := i
		for i < len(r.b) && r.b[i] >= '0' && r.b[i] <= '9' {
			i++
		}
		return i > from
	}
	at := func(set string) bool { return i < len(r.b) && strings.IndexByte(set, r.b[i]) >= 0 }
	if at("-") {
		i++
	}
	if at("0") {
		i++
	} else if !digits() {
		return "", r.bad("a number")
	}
	if at(".") {
		if i++; !digits() {
			return "", r.bad("a number")
		}
	}
	if at("eE") {
		if i++; at("+-") {
			i++
		}
		if !digits() {
			return "", r.bad("a number")
		}
	}
	r.i = i
	return string(r.b[start:i]), nil
}

// keys remembers the keys of an object: a few in a list, more in a map.
type keys struct {
	few  []string
	many map[string]bool
}

func (k *keys) add(key string) bool {
	if k.many == nil {
		for _, s := range k.few {
			if s == key {
				return false
			}
		}
		if k.few = append(k.few, key); len(k.few) > 16 {
			k.many = make(map[string]bool, 64)
			for _, s := range k.few {
				k.many[s] = true
			}
		}
		return true
	}
	if k.many[key] {
		return false
	}
	k.many[key] = true
	return true
}
