package database

import (
	"math"
	"strconv"
)

// Value is a value of a characteristic. Values compare with ==; the zero Value is none.
type Value struct {
	kind kind
	num  float64
	text string
}

type kind uint8

const (
	none kind = iota
	truth
	whole
	real
	text
)

// Bool makes a value of format bool.
func Bool(b bool) Value {
	if b {
		return Value{kind: truth, num: 1}
	}
	return Value{kind: truth}
}

// Int makes a value of an integer format, exact up to 2^53.
func Int(i int64) Value { return Value{kind: whole, num: float64(i)} }

// Float makes a value of format float. What is not a number gives no value.
func Float(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: real, num: f}
}

// String makes a value of formats string, tlv8 and data (the latter two in base64).
func String(s string) Value { return Value{kind: text, text: s} }

// IsZero reports whether v is none.
func (v Value) IsZero() bool { return v.kind == none }

// Bool gives the truth of a bool.
func (v Value) Bool() bool { return v.num != 0 }

// Number gives the number of an integer or float; 0 and 1 of a bool.
func (v Value) Number() float64 { return v.num }

// Text gives the text of a string.
func (v Value) Text() string { return v.text }

// append writes v as JSON.
func (v Value) append(dst []byte) []byte {
	switch v.kind {
	case truth:
		return strconv.AppendBool(dst, v.num != 0)
	case whole:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case real:
		return strconv.AppendFloat(dst, v.num, 'f', -1, 64)
	case text:
		return appendString(dst, v.text)
	}
	return append(dst, "null"...)
}
