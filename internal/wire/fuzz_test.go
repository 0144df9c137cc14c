package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// FuzzDecode: whatever is read can be written and is read again as the same; whatever is not gives an error of the link.
func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add([]byte(g.text))
	}
	f.Add([]byte(`{"n":1,"kind":"define","body":{"definitions":[{"device":{"name":"a","uid":"u","properties":[{"name":"p","type":"float","min":-1e300}]}}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		parts, err := Parts(max(m.N, 1), m.Got, m.Body)
		if m.N == 0 {
			parts = nil
		}
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		for _, p := range parts {
			if _, err := Decode(p); err != nil {
				t.Fatalf("a part cannot be read: %v\n%s", err, p)
			}
		}
		first, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(first) > MaxMessage {
			return // escaped otherwise it was shorter
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, first)
		}
		second, err := Encode(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\nfirst  %s\nsecond %s", err, first, second)
		}
		if again.N != m.N || again.Got != m.Got || reflect.TypeOf(again.Body) != reflect.TypeOf(m.Body) {
			t.Fatalf("read %+v, again %+v", m, again)
		}
	})
}
