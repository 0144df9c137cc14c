package tlv8

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func fill(n int, v byte) []byte { return bytes.Repeat([]byte{v}, n) }

// cat puts messages together.
func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var golden = []struct {
	name  string
	bytes []byte
	items Items
}{
	{"nothing", nil, nil},
	{"state", []byte{6, 1, 1}, Items{{6, []byte{1}}}},
	{"no value", []byte{3, 0}, Items{{3, nil}}},
	// The example of the specification, "TLV example 1": state 3, identifier hello.
	{"state and name", []byte("\x06\x01\x03\x01\x05hello"), Items{{6, []byte{3}}, {1, []byte("hello")}}},
	// "TLV example 2": 300 bytes in two fragments between two others.
	{
		"two fragments",
		cat([]byte{6, 1, 3, 9, 255}, fill(255, 'a'), []byte{9, 45}, fill(45, 'a'), []byte("\x01\x05hello")),
		Items{{6, []byte{3}}, {9, fill(300, 'a')}, {1, []byte("hello")}},
	},
	{"exactly one fragment", cat([]byte{9, 255}, fill(255, 'a')), Items{{9, fill(255, 'a')}}},
	{"exactly two fragments", cat([]byte{9, 255}, fill(255, 'a'), []byte{9, 255}, fill(255, 'b')), Items{{9, cat(fill(255, 'a'), fill(255, 'b'))}}},
	{"254 bytes are whole", cat([]byte{9, 254}, fill(254, 'a'), []byte{9, 1, 'b'}), Items{{9, fill(254, 'a')}, {9, []byte("b")}}},
	{"neighbours of two types", cat([]byte{9, 255}, fill(255, 'a'), []byte{8, 1, 'b'}), Items{{9, fill(255, 'a')}, {8, []byte("b")}}},
	{
		"not neighbours",
		cat([]byte{9, 255}, fill(255, 'a'), []byte{6, 0}, []byte{9, 1, 'b'}),
		Items{{9, fill(255, 'a')}, {6, nil}, {9, []byte("b")}},
	},
	{
		"a list", []byte("\x01\x01a\xFF\x00\x01\x01b"),
		Items{{1, []byte("a")}, {Separator, nil}, {1, []byte("b")}},
	},
	{
		"separated after a full fragment", cat([]byte{9, 255}, fill(255, 'a'), []byte{0xFF, 0, 9, 1, 'b'}),
		Items{{9, fill(255, 'a')}, {Separator, nil}, {9, []byte("b")}},
	},
}

func same(a, b Items) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type != b[i].Type || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

func encode(items Items) []byte {
	var b []byte
	for _, i := range items {
		if i.Type == Separator {
			b = AppendSeparator(b)
			continue
		}
		b = Append(b, i.Type, i.Value)
	}
	return b
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			got, err := Parse(g.bytes)
			if err != nil || !same(got, g.items) {
				t.Fatalf("read %v, %v; want %v", got, err, g.items)
			}
			if b := encode(g.items); !bytes.Equal(b, g.bytes) {
				t.Fatalf("wrote % x\nwant  % x", b, g.bytes)
			}
		})
	}
}

// Every prefix of a message is either the message without its last items or an error; nothing of it is made up.
func TestPrefixes(t *testing.T) {
	for _, g := range golden {
		for n := range len(g.bytes) {
			items, err := Parse(g.bytes[:n])
			if err != nil {
				if !errors.Is(err, ErrMessage) || items != nil {
					t.Fatalf("%s, %d bytes: %v, %v", g.name, n, items, err)
				}
				continue
			}
			if !bytes.Equal(encode(items), g.bytes[:n]) {
				t.Fatalf("%s, %d bytes: read %v", g.name, n, items)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []byte
		says  string
	}{
		{"type alone", []byte{6}, "after the type"},
		{"no value", []byte{6, 1}, "1 bytes before the end"},
		{"short value", []byte{6, 3, 1, 1}, "1 bytes before the end of an item of type 0x06"},
		{"second fragment cut", cat([]byte{9, 255}, fill(255, 'a'), []byte{9}), "after the type"},
		{"separator with a value", []byte{0xFF, 1, 0}, "a separator of length 1"},
		{"too many items", fill(2*MaxItems+2, 0), "more than 512 items"},
		{"too long", fill(MaxMessage+1, 0), "at most 32768"},
	} {
		items, err := Parse(c.bytes)
		if !errors.Is(err, ErrMessage) || items != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", c.name, items, err)
		}
	}
	if items, err := Parse(fill(2*MaxItems, 0)); err != nil || len(items) != MaxItems {
		t.Errorf("%d items: %v", MaxItems, err)
	}
}

func TestLengths(t *testing.T) {
	for n := range 1100 {
		value := make([]byte, n)
		for i := range value {
			value[i] = byte(i * 7)
		}
		b := AppendByte(nil, 6, 1)
		b = Append(b, 5, value)
		b = AppendByte(b, 6, 2)
		items, err := Parse(b)
		if err != nil || len(items) != 3 {
			t.Fatalf("%d bytes: %v, %v", n, items, err)
		}
		if got, ok := items.First(5); !ok || !bytes.Equal(got, value) {
			t.Fatalf("%d bytes came back as %d", n, len(got))
		}
		if first, _ := items.First(6); items.Count(6) != 2 || first[0] != 1 {
			t.Fatalf("state %v of %d", first, items.Count(6))
		}
	}
	if v, ok := (Items{}).First(1); ok || v != nil {
		t.Error("an item of nothing")
	}
}

// What a message makes the reader allocate is bounded by the message: its values once, and one head for each item.
func TestAllocation(t *testing.T) {
	whole := Append(nil, 5, fill(MaxMessage-2*130, 1))
	if n := testing.AllocsPerRun(10, func() {
		if _, err := Parse(whole); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations for one value", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(g.bytes)
	}
	f.Add([]byte{0xFF, 1, 0})
	f.Add(cat([]byte{9, 255}, fill(255, 'a'), []byte{9, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		size := 0
		for _, i := range items {
			size += len(i.Value)
		}
		if size > len(b) {
			t.Fatalf("%d bytes of values out of %d", size, len(b))
		}
		// The last fragment may be empty, which we do not write; all else comes back as it was.
		again, err := Parse(encode(items))
		if err != nil || !same(items, again) {
			t.Fatalf("read %v, again %v, %v", items, again, err)
		}
	})
}
