package deviceapi

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

// Scalar is a property's value as JSON text: a string, a number, true or false. It stays text because only the
// property's definition tells an integer of 64 bits from a float.
type Scalar []byte

// ScalarOf gives the JSON of a value.
func ScalarOf(v twin.Value) Scalar {
	b, err := v.MarshalJSON()
	if err != nil {
		return Scalar("null") // a Value holds finite numbers and UTF-8 only
	}
	return b
}

// Text is the value as MQTT and the command line write it.
func (s Scalar) Text() string {
	var text string
	if len(s) > 0 && s[0] == '"' && json.Unmarshal(s, &text) == nil {
		return text
	}
	return string(s)
}

// MarshalJSON gives the text itself.
func (s Scalar) MarshalJSON() ([]byte, error) {
	if len(s) == 0 {
		return []byte("null"), nil
	}
	return s, nil
}

// UnmarshalJSON takes a string, a number, true or false.
func (s *Scalar) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] == '{' || b[0] == '[' || b[0] == 'n' {
		return &twin.FieldError{Field: "value", Value: clip(string(b)), Want: "a string, a number, true or false"}
	}
	*s = bytes.Clone(b)
	return nil
}

// Schema describes the value for OpenAPI.
func (Scalar) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A value of the property's type",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}},
	}
}

// Object is a JSON object that belongs to somebody else, a driver.
type Object []byte

// MarshalJSON gives the text itself.
func (o Object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("{}"), nil
	}
	return o, nil
}

// UnmarshalJSON takes an object.
func (o *Object) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		return &twin.FieldError{Field: "config", Value: clip(string(b)), Want: "a JSON object"}
	}
	*o = bytes.Clone(b)
	return nil
}

// Schema describes the object for OpenAPI.
func (Object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Description: "The driver's own configuration", AdditionalProperties: true}
}

// clip shortens what is quoted in a message.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}
