package message

import (
	"errors"
	"fmt"
	"net/http"
)

// Method is what a request wants done.
type Method uint8

// The methods of HomeKit. Any other is read as Other, so that who knows the paths answers 405.
const (
	Other Method = iota
	Get
	Put
	Post
)

func (m Method) String() string {
	switch m {
	case Get:
		return http.MethodGet
	case Put:
		return http.MethodPut
	case Post:
		return http.MethodPost
	default:
		return "other"
	}
}

// Request is one request. Its slices lie in the bytes that were parsed.
type Request struct {
	Method Method
	Path   []byte // begins with a slash; as it came, not decoded
	Query  []byte // what follows the question mark; as it came, not decoded
	Type   []byte // Content-Type as it came; nil if there is none
	Body   []byte
	Close  bool // the controller wants the connection closed after the response
}

// Limits bound a request, in bytes.
type Limits struct {
	Line   int // the first line
	Head   int // all lines before the body, the first too
	Fields int // number of header fields
	Body   int
}

// DefaultLimits are enough for a controller that asks for a few characteristics of 150 accessories at once.
var DefaultLimits = Limits{Line: 16 << 10, Head: 24 << 10, Fields: 64, Body: 64 << 10}

// ErrShort says that the bytes end before the request does: come again with more.
var ErrShort = errors.New("message: more bytes are needed")

// Error says why a request is refused, and with which status.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("message: %s (%d %s)", e.Reason, e.Status, reason(e.Status))
}

func refuse(status int, why string) error { return &Error{Status: status, Reason: why} }

func malformed(why string) error { return refuse(http.StatusBadRequest, why) }
