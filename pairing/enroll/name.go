package enroll

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxNameLen bounds the name of a node, in bytes.
const MaxNameLen = 128

// CheckNode reports, as a [FieldError], a name that a node cannot have. A name has 1 to 128 bytes of UTF-8 without '/',
// '+', '#', spaces or control characters, because it stands in topics, paths and keys.
func CheckNode(name string) error {
	ok := name != "" && len(name) <= MaxNameLen && utf8.ValidString(name)
	for _, r := range name {
		ok = ok && r > ' ' && r != '/' && r != '+' && r != '#' && r != 0x7f && r != utf8.RuneError
	}
	if ok {
		return nil
	}
	return &FieldError{Field: "node", Value: clip(name), Want: "1 to 128 bytes without '/', '+', '#', spaces or control characters"}
}

// uriScheme and uriKind begin the URI of a node's certificate: twinbridge:node:NAME. What cannot stand in a URI is
// percent-encoded.
const (
	uriScheme = "twinbridge"
	uriKind   = "node:"
)

func nodeURI(name string) *url.URL {
	return &url.URL{Scheme: uriScheme, Opaque: uriKind + url.PathEscape(name)}
}

// nodeOf gives the name in a node's URI.
func nodeOf(u *url.URL) (string, bool) {
	escaped, ok := strings.CutPrefix(u.Opaque, uriKind)
	if !ok {
		return "", false
	}
	name, err := url.PathUnescape(escaped)
	if err != nil || CheckNode(name) != nil {
		return "", false
	}
	// There is one way to write each name, so that nothing else can pass for it.
	return name, u.String() == nodeURI(name).String()
}
