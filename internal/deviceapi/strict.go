package deviceapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"twinbridge/twin"
)

// MaxDepth bounds how deep JSON in a request may nest.
const MaxDepth = 32

// errSyntax is what is wrong with a body that is no JSON at all.
var errSyntax = errors.New("the body is not valid JSON")

// Decode reads a body for an operation of a side's own; see [BodyOf]. The known keys are named where one is unknown.
func Decode(b []byte, v any, known ...string) error { return decodeStrict(b, v, known...) }

// decodeStrict reads a JSON text into v. It refuses what two readers could understand differently or what nobody meant:
// a key twice in one object, a key that v has no field for, bytes that are not UTF-8, anything behind the value; and
// nesting beyond [MaxDepth]. The known keys are named where one is unknown.
func decodeStrict(b []byte, v any, known ...string) error {
	null, err := checkJSON(b)
	if err != nil {
		return err
	}
	if b = bytes.TrimSpace(b); b[0] != '{' {
		return &twin.FieldError{Field: "body", Value: clip(string(b)), Want: "a JSON object"}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err = dec.Decode(v)
	if err == nil && null != "" {
		return &twin.FieldError{Field: clip(null), Value: "null", Want: "a value, or the key left out"}
	}
	if err == nil {
		return nil
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return &twin.FieldError{Field: wrong.Field, Value: "a JSON " + wrong.Value, Want: "another type: " + wrong.Type.String()}
	}
	// The standard library has no type for this error.
	if key, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return &twin.FieldError{Field: clip(strings.Trim(key, `"`)), Value: "", Want: "no such key; known are " + strings.Join(known, ", ")}
	}
	if _, ok := asField(err); !ok {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}

// checkJSON reports the first thing that decodeStrict refuses, unknown keys apart, and gives the key of a null, if there is
// one outside of what belongs to a driver.
func checkJSON(b []byte) (null string, err error) {
	if !utf8.Valid(b) {
		return "", &twin.FieldError{Field: "body", Value: clip(string(bytes.ToValidUTF8(b, []byte("?")))), Want: "UTF-8 text"}
	}
	if !json.Valid(b) {
		return "", errSyntax
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	// One level for each open object or array; keys is nil for an array.
	type level struct {
		keys   map[string]bool
		isKey  bool
		key    string
		theirs bool // a driver's
	}
	var open []level
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return null, nil
		}
		if err != nil {
			return "", errSyntax
		}
		theirs := false
		if n := len(open); n > 0 && open[n-1].keys != nil && token != json.Delim('}') {
			top := &open[n-1]
			theirs = top.theirs || top.key == "config"
			if top.isKey {
				key, _ := token.(string)
				if top.keys[key] {
					return "", &twin.FieldError{Field: clip(key), Value: "the key stands here twice", Want: "each key once"}
				}
				top.keys[key], top.isKey, top.key = true, false, key
				continue
			}
			if top.isKey = true; token == nil && null == "" && !theirs {
				null = top.key
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{keys: map[string]bool{}, isKey: true, theirs: theirs})
		case json.Delim('['):
			open = append(open, level{theirs: theirs})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > MaxDepth {
			return "", &twin.FieldError{Field: "body", Value: "deeper nesting", Want: "at most 32 levels of objects and arrays"}
		}
	}
}
