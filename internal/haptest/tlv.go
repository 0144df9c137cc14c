package haptest

import (
	"bytes"
	"errors"
	"fmt"
)

// Types of items in pairing messages (HAP 5.15, table 5-6).
const (
	TypeMethod        = 0x00
	TypeIdentifier    = 0x01
	TypeSalt          = 0x02
	TypePublicKey     = 0x03
	TypeProof         = 0x04
	TypeEncryptedData = 0x05
	TypeState         = 0x06
	TypeError         = 0x07
	TypeRetryDelay    = 0x08
	TypeSignature     = 0x0A
	TypePermissions   = 0x0B
	TypeFlags         = 0x13
	TypeSeparator     = 0xFF
)

// Methods of pairing messages (HAP 5.15, table 5-4).
const (
	MethodPairSetup         = 0
	MethodPairSetupWithAuth = 1
	MethodAddPairing        = 3
	MethodRemovePairing     = 4
	MethodListPairings      = 5
)

// fragment is how many bytes an item carries on the wire; a longer value is several items of one type (HAP 14.1.2).
const fragment = 255

// errTLV: bytes that are no TLV8.
var errTLV = errors.New("no TLV8")

// Item is one entry of a TLV8 message, of any length.
type Item struct {
	Type  byte
	Value []byte
}

// Byte is an item with a value of one byte, such as a state.
func Byte(typ, value byte) Item { return Item{typ, []byte{value}} }

// EncodeTLV gives a message as it is sent. Two neighbours of one type need a separator between them: the other side takes
// them for one if the first is a multiple of 255 bytes long.
func EncodeTLV(items ...Item) []byte {
	var out []byte
	for _, it := range items {
		v := it.Value
		for {
			n := min(len(v), fragment)
			out = append(out, it.Type, byte(n))
			out = append(out, v[:n]...)
			v = v[n:]
			if len(v) == 0 {
				break
			}
		}
	}
	return out
}

// DecodeTLV reads a whole message. Fragments are joined where they are neighbours and the one before is full. The length
// is that of what could be read; behind it is what the error is about.
func DecodeTLV(b []byte) (items []Item, n int, err error) {
	full := false
	for n < len(b) {
		if len(b)-n < 2 || len(b)-n-2 < int(b[n+1]) {
			return items, n, fmt.Errorf("%w: item 0x%02x is cut off", errTLV, b[n])
		}
		typ, size := b[n], int(b[n+1])
		v := b[n+2 : n+2+size]
		if last := len(items) - 1; full && items[last].Type == typ {
			items[last].Value = append(items[last].Value, v...)
		} else {
			items = append(items, Item{typ, bytes.Clone(v)})
		}
		full = size == fragment
		n += 2 + size
	}
	return items, n, nil
}

// Find gives the value of the first item of a type, nil if there is none.
func Find(items []Item, typ byte) []byte {
	for _, it := range items {
		if it.Type == typ {
			return it.Value
		}
	}
	return nil
}

// Replace gives the items with another value for a type; a nil value takes the item out.
func Replace(items []Item, typ byte, value []byte) []Item {
	var out []Item
	for _, it := range items {
		if it.Type == typ {
			if value == nil {
				continue
			}
			it.Value = value
		}
		out = append(out, it)
	}
	return out
}

// Code is the value of an error item (HAP 5.15, table 5-5).
type Code byte

// The codes of errors in pairing messages.
const (
	CodeUnknown        Code = 1
	CodeAuthentication Code = 2
	CodeBackoff        Code = 3
	CodeMaxPeers       Code = 4
	CodeMaxTries       Code = 5
	CodeUnavailable    Code = 6
	CodeBusy           Code = 7
)

func (c Code) String() string {
	names := [...]string{
		CodeUnknown: "Unknown", CodeAuthentication: "Authentication", CodeBackoff: "Backoff", CodeMaxPeers: "MaxPeers",
		CodeMaxTries: "MaxTries", CodeUnavailable: "Unavailable", CodeBusy: "Busy",
	}
	if int(c) < len(names) && names[c] != "" {
		return names[c]
	}
	return fmt.Sprintf("code %d", byte(c))
}

// RefusedError is an accessory's answer with an error item.
type RefusedError struct {
	State byte // of the message that carried it
	Code  Code
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the accessory refuses in M%d: %v", e.State, e.Code)
}

// expect holds an answer against the state that it has to have. An error item comes first: servers differ in the state
// that they put beside it.
func expect(items []Item, state byte) error {
	have := Find(items, TypeState)
	if e := Find(items, TypeError); len(e) > 0 {
		r := &RefusedError{Code: Code(e[0])}
		if len(have) > 0 {
			r.State = have[0]
		}
		return r
	}
	if len(have) != 1 || have[0] != state {
		return fmt.Errorf("the answer has state %x, expected %d", have, state)
	}
	return nil
}
