package enroll

import (
	"errors"
	"fmt"
	"strings"
)

// What goes wrong in ways that a caller may want to tell apart.
var (
	// ErrNotJoined is that of a store in which no membership lies.
	ErrNotJoined = errors.New("this node has not joined a hub")
	// ErrJoined is that of a second join without MemberConfig.Again.
	ErrJoined = errors.New("this node has joined a hub already")
	// ErrNoCertificate is that of a connection whose peer showed no certificate, as browsers do.
	ErrNoCertificate = errors.New("no client certificate")
	// ErrForeign is that of a certificate which this hub did not make for a node.
	ErrForeign = errors.New("not the certificate of a node of this hub")
	// ErrExpired is that of a certificate whose time is over.
	ErrExpired = errors.New("the certificate has expired")
	// ErrRevoked is that of a certificate of a join which was revoked, or which a later join took over from.
	ErrRevoked = errors.New("the certificate is revoked")
	// ErrUnknownNode is that of a name without a record.
	ErrUnknownNode = errors.New("no node of this name has joined")
	// ErrTooMany is that of one thing more than the hub keeps: open tokens, or nodes.
	ErrTooMany = errors.New("too many")
	// ErrAuthorityExpired is that of a hub whose CA certificate is at its end.
	ErrAuthorityExpired = errors.New("the hub's CA certificate has expired")
)

// FieldError says that a value handed in cannot be taken: which field, what it was, and what was expected.
type FieldError struct {
	Field string
	Value string
	Want  string
}

func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: expected %s", e.Field, e.Want)
	}
	return fmt.Sprintf("%s: %q: expected %s", e.Field, e.Value, e.Want)
}

// RefusedError is a hub's answer that is not a certificate.
type RefusedError struct {
	Hub    string // its address
	Status int    // of HTTP
	Detail string // what the hub said
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("hub %s refused (status %d): %s", e.Hub, e.Status, e.Detail)
}

// final reports whether asking again, here or at another address, can change nothing.
func (e *RefusedError) final() bool {
	return e.Status >= 400 && e.Status < 500 && e.Status != 408 && e.Status != 429
}

// clip shortens s for a message, at a rune border, and takes out what could upset a terminal.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return clean(s)
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return clean(s[:cut]) + "..."
}

// clean takes out of s what could upset a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
