package twin

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxValueLen bounds a property's value, in bytes of its text form.
const MaxValueLen = 4 << 10

// Type is the type of a property's value.
type Type uint8

// The types of a value. KubeEdge's INT, FLOAT and DOUBLE, STRING, BOOLEAN map to these; BYTES and STREAM travel as
// strings.
const (
	TypeNone Type = iota
	Bool
	Int
	Float
	String
)

var typeNames = [...]string{"none", "bool", "int", "float", "string"}

func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "type(" + strconv.Itoa(int(t)) + ")"
}

// MarshalText encodes the type by name.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText decodes a type by name.
func (t *Type) UnmarshalText(b []byte) error {
	for i, n := range typeNames {
		if n == string(b) {
			*t = Type(i)
			return nil
		}
	}
	return &FieldError{Field: "type", Value: clip(string(b)), Want: "bool, int, float or string"}
}

// Value is a scalar of one of the four types. Values compare with ==. The zero Value means absent.
type Value struct {
	typ Type
	i   int64   // Int; Bool as 0 or 1
	f   float64 // Float, never NaN or infinite
	s   string  // String
}

// BoolValue makes a Bool.
func BoolValue(b bool) Value {
	v := Value{typ: Bool}
	if b {
		v.i = 1
	}
	return v
}

// IntValue makes an Int.
func IntValue(i int64) Value { return Value{typ: Int, i: i} }

// FloatValue makes a Float. NaN and infinities are not values: they give the absent Value.
func FloatValue(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	if f == 0 {
		f = 0 // -0 equals 0
	}
	return Value{typ: Float, f: f}
}

// StringValue makes a String.
func StringValue(s string) Value { return Value{typ: String, s: s} }

// Type tells the value's type, TypeNone for an absent one.
func (v Value) Type() Type { return v.typ }

// Absent reports whether v holds nothing.
func (v Value) Absent() bool { return v.typ == TypeNone }

// Bool gives a Bool's truth; false for other types.
func (v Value) Bool() bool { return v.typ == Bool && v.i == 1 }

// Int gives an Int; 0 for other types.
func (v Value) Int() int64 {
	if v.typ == Int {
		return v.i
	}
	return 0
}

// Number gives an Int or Float as float64; 0 for other types.
func (v Value) Number() float64 {
	switch v.typ {
	case Int:
		return float64(v.i)
	case Float:
		return v.f
	}
	return 0
}

// Text gives the form that values have on MQTT and in manifests; "" for an absent one.
func (v Value) Text() string {
	switch v.typ {
	case Bool:
		return strconv.FormatBool(v.i == 1)
	case Int:
		return strconv.FormatInt(v.i, 10)
	case Float:
		return strconv.FormatFloat(v.f, 'f', -1, 64)
	case String:
		return v.s
	}
	return ""
}

func (v Value) String() string {
	if v.typ == TypeNone {
		return "-"
	}
	return v.Text()
}

// ParseText reads a value of type t from its text form.
func ParseText(t Type, s string) (Value, error) {
	if len(s) > MaxValueLen {
		return Value{}, &FieldError{Field: "value", Value: clip(s), Want: fmt.Sprintf("at most %d bytes", MaxValueLen)}
	}
	switch t {
	case Bool:
		switch s {
		case "true":
			return BoolValue(true), nil
		case "false":
			return BoolValue(false), nil
		}
		return Value{}, &FieldError{Field: "value", Value: clip(s), Want: "true or false"}
	case Int:
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Value{}, &FieldError{Field: "value", Value: clip(s), Want: "a whole number of 64 bits"}
		}
		return IntValue(i), nil
	case Float:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || strings.ContainsAny(s, "xX_") || math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}, &FieldError{Field: "value", Value: clip(s), Want: "a finite number"}
		}
		return FloatValue(f), nil
	case String:
		if !utf8.ValidString(s) {
			return Value{}, &FieldError{Field: "value", Value: clip(strconv.QuoteToASCII(s)), Want: "UTF-8 text"}
		}
		return StringValue(s), nil
	}
	return Value{}, &FieldError{Field: "type", Value: t.String(), Want: "bool, int, float or string"}
}

// Pack gives the value with its type in one string: "b1", "i5", "f2.5", "sON"; "" if it is absent.
func (v Value) Pack() string {
	switch v.typ {
	case Bool:
		return "b" + strconv.FormatInt(v.i, 10)
	case Int:
		return "i" + strconv.FormatInt(v.i, 10)
	case Float:
		return "f" + strconv.FormatFloat(v.f, 'g', -1, 64)
	case String:
		return "s" + v.s
	case TypeNone:
	}
	return ""
}

// Unpack is the inverse of Pack.
func Unpack(s string) (Value, error) {
	if s == "" {
		return Value{}, nil
	}
	body := s[1:]
	switch s[0] {
	case 'b':
		if body == "0" || body == "1" {
			return BoolValue(body == "1"), nil
		}
	case 'i':
		return ParseText(Int, body)
	case 'f':
		return ParseText(Float, body)
	case 's':
		return ParseText(String, body)
	}
	return Value{}, &FieldError{Field: "value", Value: clip(s), Want: "a value with its type before it, as b1, i5, f2.5, sON"}
}

// maxExactInt is the largest integer that every JSON reader keeps exactly; larger ones travel as strings.
const maxExactInt = 1 << 53

// MarshalJSON encodes the value with its JSON type; null when absent. Integers beyond 2^53 become strings.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.typ {
	case Bool:
		return strconv.AppendBool(nil, v.i == 1), nil
	case Int:
		if v.i > maxExactInt || v.i < -maxExactInt {
			return []byte(`"` + strconv.FormatInt(v.i, 10) + `"`), nil
		}
		return strconv.AppendInt(nil, v.i, 10), nil
	case Float:
		return json.Marshal(v.f)
	case String:
		return json.Marshal(v.s)
	}
	return []byte("null"), nil
}

// ParseJSON reads a value of type t from one JSON value: true, 5, 2.5, "ON". Integers are also taken as strings, as
// those beyond 2^53 travel; null is refused.
func ParseJSON(t Type, raw []byte) (Value, error) {
	bad := func(want string) (Value, error) {
		return Value{}, &FieldError{Field: "value", Value: clip(string(raw)), Want: want}
	}
	if len(raw) > 6*MaxValueLen+2 { // every byte of the text as \u00xx
		return bad(fmt.Sprintf("at most %d bytes", MaxValueLen))
	}
	if !json.Valid(raw) { // Go's own numbers are more than JSON's: +5, 0x10, 1_000
		return bad("one JSON value")
	}
	switch t {
	case Bool:
		if s := string(raw); s == "true" || s == "false" {
			return BoolValue(s == "true"), nil
		}
		return bad("true or false")
	case Int:
		var s string
		if json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"' {
			return ParseText(Int, s)
		}
		if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return IntValue(i), nil
		}
		// 60.0 and 6e1 are whole numbers too.
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= maxExactInt {
			return IntValue(int64(f)), nil
		}
		return bad("a whole number")
	case Float:
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return FloatValue(f), nil
		}
		return bad("a finite number")
	case String:
		var s string
		if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
			return bad("a string")
		}
		return ParseText(String, s)
	}
	return bad("a property with a type")
}
