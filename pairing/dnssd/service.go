package dnssd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrTooMany is that of a service beyond the number that a responder takes, which is 64.
var ErrTooMany = errors.New("too many services")

// FieldError says that a value handed in cannot be taken: which field, what it was, and what was expected.
type FieldError struct {
	Field string
	Value string
	Want  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %q: expected %s", e.Field, e.Value, e.Want)
}

// Service is what is announced.
type Service struct {
	// Instance is what people see: UTF-8, 1 to 63 bytes (RFC 6763 section 4.1.1). Spaces, dots and umlauts are kept.
	Instance string
	// Type is the service and its protocol, as "_hap._tcp" (RFC 6763 section 7).
	Type string
	// Subtypes are found at <subtype>._sub.<type> (RFC 6763 section 7.1), as "_L840". At most 16.
	Subtypes []string
	// Port is where the service listens, 1 to 65535.
	Port uint16
	// TXT are "key=value" in this order (RFC 6763 section 6), each at most 255 bytes, together at most 1300.
	TXT []string
}

func (s *Service) check() error {
	if !plainLabel(s.Instance) {
		return &FieldError{"Instance", clip(s.Instance), "1 to 63 bytes of UTF-8 without control characters"}
	}
	name, proto, ok := strings.Cut(s.Type, ".")
	if !ok || proto != "_tcp" && proto != "_udp" || !serviceName(name) {
		return &FieldError{"Type", clip(s.Type), "_name._tcp or _name._udp, the name of 1 to 15 letters, digits and hyphens"}
	}
	if s.Port == 0 {
		return &FieldError{"Port", "0", "1 to 65535"}
	}
	if len(s.Subtypes) > maxSubtypes {
		return &FieldError{"Subtypes", strconv.Itoa(len(s.Subtypes)), fmt.Sprintf("at most %d", maxSubtypes)}
	}
	for _, sub := range s.Subtypes {
		if !plainLabel(sub) || strings.Contains(sub, ".") {
			return &FieldError{"Subtypes", clip(sub), "1 to 63 bytes without a dot"}
		}
	}
	return CheckTXT(s.TXT)
}

// CheckTXT says whether a TXT record can be announced. Its error is a *FieldError.
func CheckTXT(txt []string) error {
	total := 0
	for _, s := range txt {
		key, _, _ := strings.Cut(s, "=")
		// RFC 6763 section 6.4: printable US-ASCII, at least one character.
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return &FieldError{"TXT", clip(s), "key=value, the key of printable US-ASCII"}
		}
		if len(s) > 255 {
			return &FieldError{"TXT", clip(s), "at most 255 bytes each"}
		}
		total += 1 + len(s)
	}
	if total > maxTXT {
		return &FieldError{"TXT", fmt.Sprintf("%d bytes", total), fmt.Sprintf("at most %d bytes together", maxTXT)}
	}
	return nil
}

// plainLabel reports whether s can be a label that people read.
func plainLabel(s string) bool {
	return s != "" && len(s) <= maxLabel && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// serviceName reports whether s is "_" and a service name of RFC 6335 section 5.1, whose rule that it holds a letter is
// left to whoever registers it.
func serviceName(s string) bool {
	name, ok := strings.CutPrefix(s, "_")
	return ok && len(name) <= 15 && hostLabel(name)
}

// hostLabel reports whether s is a label of a host's name: letters, digits and inner hyphens (RFC 1123 section 2.1).
func hostLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// clip shortens s for a message. %q does the rest.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:runeEnd(s, most)] + "..."
}

// runeEnd gives the largest length of at most n bytes at which s can be cut between runes.
func runeEnd(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// numbered gives the nth choice for an instance's name (RFC 6763 appendix D), cut so that it fits a label.
func numbered(base string, n int) string {
	if n <= 1 {
		return base
	}
	tail := fmt.Sprintf(" (%d)", n)
	return base[:runeEnd(base, maxLabel-len(tail))] + tail
}

// numberedHost gives the nth choice for a host's name.
func numberedHost(base string, n int) string {
	if n <= 1 {
		return base
	}
	tail := "-" + strconv.Itoa(n)
	return base[:min(len(base), maxLabel-len(tail))] + tail
}
