package twin

import (
	"fmt"
	"strings"
)

// DefaultNamespace is the namespace of a device that is named with a single level.
const DefaultNamespace = "default"

// MaxNameLen bounds a namespace and a name, in bytes.
const MaxNameLen = 128

// Name names a device, a model or anything else that lives in a namespace. It is what people see; [Device.UID] tells
// two creations of one name apart.
type Name struct {
	Namespace string
	Name      string
}

// ParseName reads "namespace/name" or "name", which means "default/name". It refuses empty and oversized parts, MQTT
// wildcards and separators, spaces and control characters.
func ParseName(s string) (Name, error) {
	ns, name, two := strings.Cut(s, "/")
	if !two {
		ns, name = DefaultNamespace, s
	}
	n := Name{Namespace: ns, Name: name}
	if err := n.Validate(); err != nil {
		return Name{}, err
	}
	return n, nil
}

// Validate reports the first part of n that cannot be used in a topic, a path or a key.
func (n Name) Validate() error {
	for _, p := range [2]struct{ field, v string }{{"namespace", n.Namespace}, {"name", n.Name}} {
		if err := checkLabel(p.field, p.v); err != nil {
			return err
		}
	}
	return nil
}

func checkLabel(field, v string) error {
	const want = "1 to 128 bytes without '/', '+', '#', spaces or control characters"
	if v == "" || len(v) > MaxNameLen {
		return &FieldError{Field: field, Value: clip(v), Want: want}
	}
	for _, r := range v {
		if r <= ' ' || r == '/' || r == '+' || r == '#' || r == 0x7f || r == 0xfffd {
			return &FieldError{Field: field, Value: clip(v), Want: want}
		}
	}
	return nil
}

// String gives "namespace/name".
func (n Name) String() string { return n.Namespace + "/" + n.Name }

// IsZero reports whether n names nothing.
func (n Name) IsZero() bool { return n == Name{} }

// Compare orders names by namespace, then name.
func (n Name) Compare(o Name) int {
	if c := strings.Compare(n.Namespace, o.Namespace); c != 0 {
		return c
	}
	return strings.Compare(n.Name, o.Name)
}

// MarshalText encodes n as "namespace/name".
func (n Name) MarshalText() ([]byte, error) {
	if n.IsZero() {
		return nil, nil
	}
	return []byte(n.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (n *Name) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*n = Name{}
		return nil
	}
	p, err := ParseName(string(b))
	if err != nil {
		return err
	}
	*n = p
	return nil
}

// FieldError says that a value handed in cannot be taken: which field, what it was, and what was expected.
type FieldError struct {
	Field string
	Value string
	Want  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %q: expected %s", e.Field, e.Value, e.Want)
}

// clip shortens s for an error message.
func clip(s string) string { return Clip(s, 80) }

// Clip shortens s to at most that many bytes and "...", at a rune border.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most] + "..."
}
