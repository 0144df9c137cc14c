package twin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of a device's labels, in bytes. They are those of Kubernetes, save for the number.
const (
	MaxLabels     = 64
	maxLabelName  = 63  // a value, and a key behind its prefix
	maxLabelWhere = 253 // the prefix of a key
)

// CheckLabels reports the first label that cannot be taken: a key is a name, or prefix/name with a DNS name as its prefix,
// of at most 317 bytes; a value is empty or as a name is, of at most 63. The *FieldError has the key as its field.
func CheckLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return &FieldError{Field: "labels", Value: fmt.Sprint(len(labels)), Want: fmt.Sprintf("at most %d", MaxLabels)}
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if err := CheckLabel(key, labels[key]); err != nil {
			return err
		}
	}
	return nil
}

// CheckLabel checks one label; see [CheckLabels].
func CheckLabel(key, value string) error {
	where, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		name = key
	}
	if !labelWord(name, true) || prefixed && !labelPrefix(where) {
		return &FieldError{Field: "label", Value: clip(key), Want: "a key of at most 63 letters, digits, '-', '_', '.' between letters or digits, perhaps with a DNS name and '/' before it"}
	}
	if value != "" && !labelWord(value, true) {
		return &FieldError{Field: "label " + clip(key), Value: clip(value), Want: "nothing, or at most 63 letters, digits, '-', '_', '.' between letters or digits"}
	}
	return nil
}

func labelPrefix(s string) bool {
	if len(s) > maxLabelWhere {
		return false
	}
	for _, part := range strings.Split(s, ".") {
		if !labelWord(part, false) {
			return false
		}
	}
	return true
}

// labelWord reports whether s begins and ends with a letter or digit; between stand '-' and, in names, '_', '.' and
// capitals too.
func labelWord(s string, name bool) bool {
	if s == "" || len(s) > maxLabelName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', name && c >= 'A' && c <= 'Z':
		case i > 0 && i < len(s)-1 && (c == '-' || name && (c == '_' || c == '.')):
		default:
			return false
		}
	}
	return true
}
