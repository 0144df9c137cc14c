package tlv8

import (
	"errors"
	"fmt"
)

const (
	// MaxMessage bounds a message that [Parse] reads, in bytes.
	MaxMessage = 32 << 10
	// MaxItems bounds the items of a message, separators and all fragments counted.
	MaxItems = 512

	// Separator is the type of the item without a value that stands between two entries of a list.
	Separator = 0xFF

	maxFragment = 255 // bytes of value in one item
)

// ErrMessage is wrapped by the errors of a message that cannot be read.
var ErrMessage = errors.New("TLV8 message")

// Item is a type and its whole value.
type Item struct {
	Type  byte
	Value []byte // into the message, unless it came in fragments
}

// Items are those of a message, in its order.
type Items []Item

// Parse reads a whole message. It is an error if the message ends within an item, if a separator has a value, or if the
// message is over one of the bounds. The values point into b.
func Parse(b []byte) (Items, error) {
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMessage, len(b), MaxMessage)
	}
	n, err := check(b)
	if err != nil {
		return nil, err
	}
	items := make(Items, 0, n)
	for len(b) > 0 {
		typ, value, size := b[0], b[2:2+int(b[1])], 2+int(b[1])
		if end := joined(b); end > size {
			value, size = join(b[:end]), end
		}
		items = append(items, Item{typ, value})
		b = b[size:]
	}
	return items, nil
}

// check finds out whether a message is whole, and counts its fragments.
func check(b []byte) (n int, err error) {
	for at := 0; at < len(b); n++ {
		if n == MaxItems {
			return 0, fmt.Errorf("%w: more than %d items", ErrMessage, MaxItems)
		}
		if len(b)-at < 2 {
			return 0, fmt.Errorf("%w: ends after the type of an item, at byte %d", ErrMessage, at)
		}
		typ, size := b[at], int(b[at+1])
		if typ == Separator && size != 0 {
			return 0, fmt.Errorf("%w: a separator of length %d, at byte %d", ErrMessage, size, at)
		}
		if at += 2 + size; at > len(b) {
			return 0, fmt.Errorf("%w: ends %d bytes before the end of an item of type 0x%02X", ErrMessage, at-len(b), typ)
		}
	}
	return n, nil
}

// joined gives the length of the first value of b with all its fragments, heads included.
func joined(b []byte) int {
	at := 0
	for {
		size := int(b[at+1])
		next := at + 2 + size
		if size < maxFragment || next == len(b) || b[next] != b[at] {
			return next
		}
		at = next
	}
}

// join copies the fragments of one value together.
func join(b []byte) []byte {
	value := make([]byte, 0, len(b)-2*(len(b)/(maxFragment+2)))
	for len(b) > 0 {
		size := 2 + int(b[1])
		value = append(value, b[2:size]...)
		b = b[size:]
	}
	return value
}

// First gives the value of the first item of a type, and whether there is one.
func (items Items) First(typ byte) (value []byte, ok bool) {
	for _, i := range items {
		if i.Type == typ {
			return i.Value, true
		}
	}
	return nil, false
}

// Count gives the number of items of a type.
func (items Items) Count(typ byte) int {
	n := 0
	for _, i := range items {
		if i.Type == typ {
			n++
		}
	}
	return n
}

// Append adds a value of any length, in fragments if it is longer than 255 bytes. Between two values of one type that
// follow each other, use [AppendSeparator].
func Append(b []byte, typ byte, value []byte) []byte {
	for len(value) > maxFragment {
		b = append(b, typ, maxFragment)
		b = append(b, value[:maxFragment]...)
		value = value[maxFragment:]
	}
	b = append(b, typ, byte(len(value)))
	return append(b, value...)
}

// AppendByte adds a value of one byte.
func AppendByte(b []byte, typ, value byte) []byte {
	return append(b, typ, 1, value)
}

// AppendSeparator adds the item between two entries of a list.
func AppendSeparator(b []byte) []byte {
	return append(b, Separator, 0)
}
