package haptest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	maxHead = 16 << 10 // bytes of a status line with its headers
	maxBody = 16 << 20 // of a body; a database of 150 accessories is about 200 KB
)

// errMessage: bytes that are no message; what comes behind them cannot be understood either.
var errMessage = errors.New("no message")

// Message is what an accessory sends: a response, or an event (HAP 6.8).
type Message struct {
	Event  bool // EVENT/1.0, else HTTP/1.1
	Status int  // 200, 204, 207, ...
	Reason string
	Body   []byte
	At     time.Time // when the last byte of it was read

	head []byte // the header lines
}

// Header gives the value of a header, "" if there is none.
func (m *Message) Header(name string) string { return string(header(m.head, name)) }

// whole makes the message independent of the buffer that it was read from.
func (m Message) whole() Message {
	both := make([]byte, 0, len(m.head)+len(m.Body))
	both = append(append(both, m.head...), m.Body...)
	m.head, m.Body = both[:len(m.head):len(m.head)], both[len(m.head):]
	return m
}

var (
	lineEnd = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
	http11  = []byte("HTTP/1.1 ")
	event10 = []byte("EVENT/1.0 ")
)

// parseMessage reads the first message of b and gives its length; errShort if it is not whole yet. Head and a body that
// is not chunked lie in b.
func parseMessage(b []byte) (m Message, n int, err error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		if len(b) > maxHead {
			return m, 0, fmt.Errorf("%w: a head of more than %d bytes", errMessage, maxHead)
		}
		if !begins(b) {
			return m, 0, fmt.Errorf("%w: it begins with %.40q", errMessage, b)
		}
		return m, 0, errShort
	}
	line, head, _ := bytes.Cut(b[:end+len(lineEnd)], lineEnd)
	if err := m.status(line); err != nil {
		return m, 0, err
	}
	m.head = head
	n = end + len(headEnd)
	chunked := bytes.EqualFold(header(head, "Transfer-Encoding"), []byte("chunked"))
	length := header(head, "Content-Length")
	switch {
	case m.Status == 204 || m.Status == 304 || m.Status/100 == 1: // RFC 9112, 6.3: none, whatever the headers say
		return m, n, nil
	case chunked:
		body, used, err := parseChunks(b[n:])
		if err != nil {
			return m, 0, err
		}
		m.Body = body
		return m, n + used, nil
	case len(length) == 0:
		return m, n, nil
	}
	size, err := strconv.ParseUint(string(length), 10, 32)
	if err != nil || size > maxBody {
		return m, 0, fmt.Errorf("%w: a body of %q bytes", errMessage, length)
	}
	if uint64(len(b)-n) < size {
		return m, 0, errShort
	}
	m.Body = b[n : n+int(size)]
	return m, n + int(size), nil
}

// begins reports whether b can be the beginning of a message.
func begins(b []byte) bool {
	for _, word := range [][]byte{http11, event10} {
		k := min(len(b), len(word))
		if bytes.Equal(b[:k], word[:k]) {
			return true
		}
	}
	return false
}

func (m *Message) status(line []byte) error {
	rest, http := bytes.CutPrefix(line, http11)
	if !http {
		if rest, m.Event = bytes.CutPrefix(line, event10); !m.Event {
			return fmt.Errorf("%w: status line %.80q", errMessage, line)
		}
	}
	code, reason, spaced := bytes.Cut(rest, []byte(" "))
	status, err := strconv.Atoi(string(code))
	if err != nil || len(code) != 3 || !spaced {
		return fmt.Errorf("%w: status line %.80q", errMessage, line)
	}
	m.Status = status
	switch {
	case string(reason) == "OK": // no allocation for the usual ones
		m.Reason = "OK"
	case string(reason) == "No Content":
		m.Reason = "No Content"
	default:
		m.Reason = string(reason)
	}
	return nil
}

func header(head []byte, name string) []byte {
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, lineEnd)
		if len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

// equalFold is bytes.EqualFold with a string of ASCII.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != s[i]|0x20 {
			return false
		}
	}
	return true
}

// parseChunks reads a chunked body (RFC 9112, 7.1).
func parseChunks(b []byte) (body []byte, n int, err error) {
	for {
		line, _, ok := bytes.Cut(b[n:], lineEnd)
		if !ok {
			if len(b)-n > maxHead {
				return nil, 0, fmt.Errorf("%w: a chunk's head of more than %d bytes", errMessage, maxHead)
			}
			return nil, 0, errShort
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 32)
		if err != nil || size > maxBody-uint64(len(body)) {
			return nil, 0, fmt.Errorf("%w: a chunk begins with %.40q", errMessage, line)
		}
		n += len(line) + len(lineEnd)
		if size == 0 {
			break
		}
		if uint64(len(b)-n) < size+uint64(len(lineEnd)) {
			return nil, 0, errShort
		}
		body = append(body, b[n:n+int(size)]...)
		n += int(size)
		if !bytes.HasPrefix(b[n:], lineEnd) {
			return nil, 0, fmt.Errorf("%w: a chunk ends with %.40q", errMessage, b[n:])
		}
		n += len(lineEnd)
	}
	for { // trailers
		line, _, ok := bytes.Cut(b[n:], lineEnd)
		if !ok {
			return nil, 0, errShort
		}
		n += len(line) + len(lineEnd)
		if len(line) == 0 {
			return body, n, nil
		}
	}
}
