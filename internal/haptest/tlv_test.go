package haptest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var tlvVectors = []struct {
	name  string
	items []Item
	wire  string // hex
}{
	{"nothing", nil, ""},
	{"pair-setup M1", []Item{Byte(TypeState, 1), Byte(TypeMethod, 0)}, "060101000100"},
	{"separator", []Item{{TypeIdentifier, []byte("ab")}, {Type: TypeSeparator}, {TypeIdentifier, []byte("c")}}, "01026162ff00010163"},
	{"300 bytes", []Item{{TypePublicKey, bytes.Repeat([]byte{7}, 300)}}, "03ff" + strings.Repeat("07", 255) + "032d" + strings.Repeat("07", 45)},
	{"255 bytes and another type", []Item{{TypePublicKey, bytes.Repeat([]byte{7}, 255)}, Byte(TypeState, 3)}, "03ff" + strings.Repeat("07", 255) + "060103"},
	{"neighbours that are two", []Item{Byte(TypeState, 1), Byte(TypeState, 2)}, "060101060102"},
}

func TestTLVVectors(t *testing.T) {
	for _, tt := range tlvVectors {
		wire, err := hex.DecodeString(tt.wire)
		if err != nil {
			t.Fatal(err)
		}
		if got := EncodeTLV(tt.items...); !bytes.Equal(got, wire) {
			t.Errorf("%s: encoded %x, want %x", tt.name, got, wire)
		}
		got, n, err := DecodeTLV(wire)
		if err != nil || n != len(wire) || !equalItems(got, tt.items) {
			t.Errorf("%s: decoded %v, %d, %v", tt.name, got, n, err)
		}
	}
}

func equalItems(a, b []Item) bool {
	return slices.EqualFunc(a, b, func(x, y Item) bool { return x.Type == y.Type && bytes.Equal(x.Value, y.Value) })
}

func TestTLVPrefixes(t *testing.T) {
	wire := EncodeTLV(Byte(TypeState, 1), Item{TypeProof, make([]byte, 300)}, Item{Type: TypeSeparator})
	ends := []int{0, 3, 3 + 257, 3 + 257 + 47, len(wire)}
	for i := range wire {
		_, n, err := DecodeTLV(wire[:i])
		if whole := slices.Contains(ends, i); whole != (err == nil) {
			t.Errorf("%d bytes: %v", i, err)
		}
		if err != nil && !errors.Is(err, errTLV) || !slices.Contains(ends, n) || n > i {
			t.Errorf("%d bytes: %d read, %v", i, n, err)
		}
	}
}

func TestReplace(t *testing.T) {
	in := []Item{Byte(TypeState, 1), Byte(TypeMethod, 0)}
	if got, want := Replace(in, TypeMethod, []byte{1}), []Item{Byte(TypeState, 1), Byte(TypeMethod, 1)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if got, want := Replace(in, TypeState, nil), []Item{Byte(TypeMethod, 0)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestExpect(t *testing.T) {
	if err := expect([]Item{Byte(TypeState, 2)}, 2); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]Item{nil, {Byte(TypeState, 3)}, {{TypeState, []byte{2, 2}}}} {
		if err := expect(bad, 2); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	var r *RefusedError
	err := expect([]Item{Byte(TypeState, 4), Byte(TypeError, 7)}, 4)
	if !errors.As(err, &r) || r.Code != CodeBusy || r.State != 4 || !strings.Contains(err.Error(), "Busy") {
		t.Errorf("%v", err)
	}
	if got := Code(99).String(); got != "code 99" {
		t.Error(got)
	}
}

func FuzzDecodeTLV(f *testing.F) {
	for _, tt := range tlvVectors {
		wire, err := hex.DecodeString(tt.wire)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		items, n, err := DecodeTLV(b)
		if (err == nil) != (n == len(b)) {
			t.Fatalf("%d of %d bytes, %v", n, len(b), err)
		}
		// What was read comes out again in as few fragments as can be, and reads as the same unless two neighbours were
		// apart only by a fragment that was not full.
		again, _, err := DecodeTLV(EncodeTLV(items...))
		if err != nil || len(again) > len(items) {
			t.Fatalf("%v became %v, %v", items, again, err)
		}
	})
}
