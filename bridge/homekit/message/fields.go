package message

import (
	"bytes"
	"net/http"
)

// fields is what the header says of the message itself.
type fields struct {
	count   int
	length  int // of the body; -1: not told
	huge    bool
	chunked bool // there is a Transfer-Encoding, whichever
	host    bool
	typed   bool
}

// field reads one line of the header (RFC 9112, 5).
func (r *Request) field(f *fields, text []byte) error {
	if text[0] == ' ' || text[0] == '\t' {
		return malformed("a folded header field") // RFC 9112, 5.2
	}
	colon := bytes.IndexByte(text, ':')
	if colon <= 0 || !isToken(text[:colon]) { // a space before the colon too: RFC 9112, 5.1
		return malformed("a header field without a proper name")
	}
	name, value := text[:colon], bytes.Trim(text[colon+1:], " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return malformed("a control character in a header field")
		}
	}
	switch {
	case isName(name, "content-length"):
		return f.contentLength(value)
	case isName(name, "transfer-encoding"):
		f.chunked = true
	case isName(name, "content-type"):
		if f.typed {
			return malformed("two fields Content-Type")
		}
		f.typed, r.Type = true, value
	case isName(name, "host"):
		if f.host {
			return malformed("two fields Host")
		}
		f.host = true
	case isName(name, "connection"):
		r.Close = r.Close || hasToken(value, "close")
	case isName(name, "expect"):
		// RFC 9110, 10.1.1: who is to wait for a 100 gets a final answer instead.
		return refuse(http.StatusExpectationFailed, "no expectation is met")
	}
	return nil
}

// contentLength takes one number. Two are refused even where they are equal: RFC 9112, 6.3 allows it.
func (f *fields) contentLength(value []byte) error {
	if f.length >= 0 {
		return malformed("two fields Content-Length")
	}
	if len(value) == 0 {
		return malformed("Content-Length is empty")
	}
	n := 0
	for _, c := range value {
		if !isDigit(c) {
			return malformed("Content-Length is not a number")
		}
		if len(value) <= maxLength {
			n = n*10 + int(c-'0')
		}
	}
	f.length, f.huge = n, len(value) > maxLength
	return nil
}

// body gives the length of the body.
func (f *fields) body(most int) (int, error) {
	switch {
	case f.chunked && f.length >= 0:
		return 0, malformed("both Content-Length and Transfer-Encoding")
	case f.chunked:
		// RFC 9112, 6.3: a server may ask for a length instead.
		return 0, refuse(http.StatusLengthRequired, "Transfer-Encoding instead of Content-Length")
	case f.huge || f.length > most:
		return 0, refuse(http.StatusRequestEntityTooLarge, "the body is too long")
	default:
		return max(f.length, 0), nil
	}
}

// hasToken reports whether one of the words between the commas is want, which is in small letters.
func hasToken(value []byte, want string) bool {
	for len(value) > 0 {
		var word []byte
		if comma := bytes.IndexByte(value, ','); comma >= 0 {
			word, value = value[:comma], value[comma+1:]
		} else {
			word, value = value, nil
		}
		if isName(bytes.Trim(word, " \t"), want) {
			return true
		}
	}
	return false
}
