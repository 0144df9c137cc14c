package message

import (
	"bytes"
	"net/http"
)

// maxMethod is the longest name of a method, and maxLength the most digits of a length, that are looked at.
const (
	maxMethod = 16
	maxLength = 10
)

// Parse reads the request at the beginning of b, which has n bytes there. With [ErrShort], n is how many bytes b must
// have at least before it is worth coming again. Any other error is an [*Error], found as early as it can be told.
func Parse(b []byte, limits Limits) (r Request, n int, err error) {
	if len(b) == 0 {
		return Request{}, 1, ErrShort
	}
	at := 0
	if b[0] == '\r' { // RFC 9112, 2.2: one empty line before a request is skipped
		if len(b) == 1 {
			return Request{}, 2, ErrShort
		}
		if b[1] != '\n' {
			return Request{}, 0, malformed("a carriage return without a line feed")
		}
		at = 2
	}
	first, at, err := line(b, at, limits.Line, refuseLine)
	if err != nil {
		return Request{}, need(err, len(b)), err
	}
	if err := r.first(first); err != nil {
		return Request{}, 0, err
	}
	f := fields{length: -1}
	for {
		var field []byte
		field, at, err = line(b, at, limits.Head-at, refuseHead)
		if err != nil {
			return Request{}, need(err, len(b)), err
		}
		if len(field) == 0 {
			break
		}
		if f.count++; f.count > limits.Fields {
			return Request{}, 0, refuse(http.StatusRequestHeaderFieldsTooLarge, "too many header fields")
		}
		if err := r.field(&f, field); err != nil {
			return Request{}, 0, err
		}
	}
	length, err := f.body(limits.Body)
	if err != nil {
		return Request{}, 0, err
	}
	if len(b)-at < length {
		return Request{}, at + length, ErrShort
	}
	if length > 0 {
		r.Body = b[at : at+length : at+length]
	}
	return r, at + length, nil
}

func need(err error, have int) int {
	if err == ErrShort { //nolint:errorlint // it is our own, never wrapped
		return have + 1
	}
	return 0
}

func refuseLine() error { return refuse(http.StatusRequestURITooLong, "the first line is too long") }

func refuseHead() error {
	return refuse(http.StatusRequestHeaderFieldsTooLarge, "the header is too long")
}

// line gives the line that begins at b[at], without its end, and where the next one begins. It ends with CR LF; neither
// is anywhere else. What is longer than most bytes with its end is refused before its end is seen.
func line(b []byte, at, most int, tooLong func() error) ([]byte, int, error) {
	rest := b[at:]
	seen := rest[:min(len(rest), max(most, 0))]
	end := bytes.IndexByte(seen, '\n')
	if end < 0 {
		if cr := bytes.IndexByte(seen, '\r'); cr >= 0 && cr < len(seen)-1 {
			return nil, 0, malformed("a carriage return without a line feed")
		}
		if len(rest) >= most {
			return nil, 0, tooLong()
		}
		return nil, 0, ErrShort
	}
	if end == 0 || seen[end-1] != '\r' {
		return nil, 0, malformed("a line feed without a carriage return")
	}
	text := seen[:end-1]
	if bytes.IndexByte(text, '\r') >= 0 {
		return nil, 0, malformed("a carriage return without a line feed")
	}
	return text, at + end + 1, nil
}

// first reads the first line: method, target and version with one space between (RFC 9112, 3).
func (r *Request) first(text []byte) error {
	space := bytes.IndexByte(text, ' ')
	if space <= 0 || space > maxMethod || !isToken(text[:space]) {
		return malformed("the first line has no method")
	}
	switch string(text[:space]) {
	case http.MethodGet:
		r.Method = Get
	case http.MethodPut:
		r.Method = Put
	case http.MethodPost:
		r.Method = Post
	}
	text = text[space+1:]
	space = bytes.IndexByte(text, ' ')
	if space < 0 {
		return malformed("the first line has no version")
	}
	target, version := text[:space], text[space+1:]
	if err := r.target(target); err != nil {
		return err
	}
	switch {
	case string(version) == "HTTP/1.1":
		return nil
	case isVersion(version):
		return refuse(http.StatusHTTPVersionNotSupported, "not HTTP/1.1")
	default:
		return malformed("the first line has no version")
	}
}

// target takes a path with a query. The other forms of RFC 9112, 3.2 are for proxies.
func (r *Request) target(text []byte) error {
	if len(text) == 0 || text[0] != '/' {
		return malformed("the target is not a path")
	}
	for i, c := range text {
		switch {
		case c == '%':
			if len(text) < i+3 || !isHex(text[i+1]) || !isHex(text[i+2]) {
				return malformed("a percent sign without two hexadecimal digits in the target")
			}
		case !targetBytes[c]:
			return malformed("a character that must not be in a target")
		}
	}
	r.Path = text
	if q := bytes.IndexByte(text, '?'); q >= 0 {
		r.Path, r.Query = text[:q:q], text[q+1:]
	}
	return nil
}

// isVersion reports whether text has the shape of a version of HTTP.
func isVersion(text []byte) bool {
	return len(text) == len("HTTP/1.1") && string(text[:5]) == "HTTP/" && isDigit(text[5]) && text[6] == '.' && isDigit(text[7])
}
