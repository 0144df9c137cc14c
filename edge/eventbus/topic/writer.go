package topic

import (
	"strconv"
	"unicode/utf8"
)

// writer makes JSON by appending. What it is given is UTF-8; what is not becomes U+FFFD.
type writer struct{ b []byte }

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) num(n int64) { w.b = strconv.AppendInt(w.b, n, 10) }

// key writes the key of the next member, with the comma that it needs.
func (w *writer) key(k string) {
	w.comma()
	w.str(k)
	w.b = append(w.b, ':')
}

// comma separates members and elements.
func (w *writer) comma() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' && w.b[n-1] != ':' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) str(s string) {
	const hex = "0123456789abcdef"
	w.b = append(w.b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				w.b = append(w.b, s[from:i]...)
				w.b = utf8.AppendRune(w.b, utf8.RuneError)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		w.b = append(w.b, s[from:i]...)
		switch c {
		case '"', '\\':
			w.b = append(w.b, '\\', c)
		case '\n':
			w.b = append(w.b, '\\', 'n')
		case '\t':
			w.b = append(w.b, '\\', 't')
		default:
			w.b = append(w.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	w.b = append(w.b, s[from:]...)
	w.b = append(w.b, '"')
}

// head begins a message with what all of them carry.
func (w *writer) head(event string, timestamp int64) {
	w.raw(`{"event_id":`)
	w.str(event)
	w.raw(`,"timestamp":`)
	w.num(timestamp)
}
