package enroll

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBody bounds a body of HTTP and a token, in bytes.
const maxBody = 16 << 10

// errSyntax is what is wrong with a text that is no JSON at all.
var errSyntax = errors.New("not valid JSON")

// readFlat reads a JSON object whose values are all strings; every message of this package is one. It refuses what two
// readers could understand differently or what nobody meant: a key twice, a key that is not known, in another case too,
// bytes that are not UTF-8, anything behind the object. Required keys have to be there and not empty.
func readFlat(b []byte, required, optional []string) (map[string]string, error) {
	if len(b) > maxBody {
		return nil, &FieldError{Field: "body", Want: "at most 16 KiB"}
	}
	if !utf8.Valid(b) {
		return nil, &FieldError{Field: "body", Want: "UTF-8 text"}
	}
	if !json.Valid(b) {
		return nil, errSyntax
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return nil, &FieldError{Field: "body", Value: clip(string(b)), Want: "a JSON object"}
	}
	known := slices.Concat(required, optional)
	m := make(map[string]string, len(known))
	for dec.More() {
		key, _, err := readString(dec)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(known, key) {
			return nil, &FieldError{Field: clip(key), Want: "no such key; known are " + strings.Join(known, ", ")}
		}
		if _, twice := m[key]; twice {
			return nil, &FieldError{Field: key, Want: "each key once"}
		}
		v, ok, err := readString(dec)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, &FieldError{Field: key, Want: "a JSON string"}
		}
		m[key] = v
	}
	for _, key := range required {
		if m[key] == "" {
			return nil, &FieldError{Field: key, Want: "a text; it is missing"}
		}
	}
	return m, nil
}

// readString reads a token; ok is false if it is no string.
func readString(dec *json.Decoder) (s string, ok bool, err error) {
	t, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errSyntax
		}
		return "", false, err
	}
	s, ok = t.(string)
	return s, ok, nil
}
