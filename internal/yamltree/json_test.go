package yamltree

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseJSON(t *testing.T) {
	n, err := ParseJSON([]byte("{\n \"b\": [1, 2.50, -0, 1e2, 123456789012345678901],\n \"a\": {\"x\": null, \"é\": \"<\\ud83d\\udca1>\"},\n\n \"c\": true\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(n.JSON()), `{"a":{"x":null,"é":"<💡>"},"b":[1,2.5,0,100,1.2345678901234568e+20],"c":true}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := n.Pairs[2].Line; got != 5 {
		t.Errorf("line of c = %d, want 5", got)
	}
	if got := n.Get("a").Get("nothing"); got != nil {
		t.Errorf("Get of an unknown key = %v", got)
	}
}

func TestJSONRefused(t *testing.T) {
	for _, c := range []struct {
		name, in string
		line     int
		want     string
	}{
		{"empty", "", 1, "JSON"},
		{"cut", "{\"a\":\n[1,\n", 3, "JSON"},
		{"trailing", "{}\n{}", 2, "JSON"},
		{"comma", "[1,\n]", 2, "JSON"},
		{"key twice", "{\"a\":1,\n\"a\":2}", 2, "stands twice"},
		{"deep", strings.Repeat("[", 33) + strings.Repeat("]", 33), 1, "levels"},
		{"far too deep", strings.Repeat("[", 500000), 1, "JSON"},
		{"not UTF-8", "\"\xff\"", 1, "UTF-8"},
		{"too many", "[" + strings.Repeat("1,", MaxNodes) + "1]", 1, "smaller document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseJSON([]byte(c.in))
			if err == nil {
				t.Fatal("taken, want an error")
			}
			line, msg := Positioned(err)
			if line != c.line || !strings.Contains(msg, c.want) {
				t.Errorf("got line %d, %q, want line %d, %q", line, msg, c.line, c.want)
			}
		})
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`{"a":[1,2.5,"x",null,true],"b":{"c":-1e-7}}`)
	f.Fuzz(func(t *testing.T, in string) {
		n, err := ParseJSON([]byte(in))
		if err != nil {
			return
		}
		out := n.JSON()
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		again, err := ParseJSON(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.JSON(); string(got) != string(out) {
			t.Fatalf("not canonical: %s, then %s", out, got)
		}
	})
}
