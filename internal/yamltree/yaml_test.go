package yamltree

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseYAML(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"scalars", "a: 1\nb: 1.50\nc: ON\nd: true\ne: ~\nf: 'x'\ng: \"\\u00e9\"\n", `{"a":1,"b":1.5,"c":"ON","d":true,"e":null,"f":"x","g":"é"}`},
		{"numbers", "a: 0x10\nb: 0o17\nc: 1_000\nd: -5\ne: 18446744073709551615\nf: 1e3\n", `{"a":16,"b":15,"c":1000,"d":-5,"e":18446744073709551615,"f":1000}`},
		{"lists", "- a\n- [b, c]\n-\n  - d\n", `["a",["b","c"],["d"]]`},
		{"list at the key's column", "a:\n- x\n- y: 1\n  z: 2\n", `{"a":["x",{"y":1,"z":2}]}`},
		{"flow", "{a: {b: [1, {c: d}]}}", `{"a":{"b":[1,{"c":"d"}]}}`},
		{"block scalars", "a: |\n  x\n  y\nb: >-\n  x\n  y\n", `{"a":"x\ny\n","b":"x y"}`},
		{"keys of other types", "1: a\ntrue: b\n", `{"1":"a","true":"b"}`},
		{"question mark", "? a\n: b\n", `{"a":"b"}`},
		{"anchor and alias", "a: &x {k: v}\nb: *x\n", `{"a":{"k":"v"},"b":{"k":"v"}}`},
		{"merge", "a: &x {k: v, l: w}\nb:\n  <<: *x\n  k: own\n", `{"a":{"k":"v","l":"w"},"b":{"k":"own","l":"w"}}`},
		{"tag str", "a: !!str 012\nb: !!str true\n", `{"a":"012","b":"true"}`},
		{"nothing behind a comment", "a:\n  # b: 1\nc: 2\n", `{"a":null,"c":2}`},
		{"dashes in a scalar", "a: |\n  ---\n  x\nb: '---'\n", `{"a":"---\nx\n","b":"---"}`},
		{"line ends of DOS", "a: 1\r\nb:\r\n  c: x\r\n", `{"a":1,"b":{"c":"x"}}`},
		{"byte order mark", "\ufeffa: 1\n", `{"a":1}`},
		{"directive", "%YAML 1.2\n---\na: 1\n...\n", `{"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs, err := ParseYAML([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if len(docs) != 1 {
				t.Fatalf("got %d documents, want 1", len(docs))
			}
			if got := string(docs[0].JSON()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestDocumentsAndLines(t *testing.T) {
	const in = "# only a comment\n---\n\na: 1\nb: 2\n---\n---\n# nothing\n--- # third\nc:\n  d: 3\n"
	docs, err := ParseYAML([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 2 {
		t.Fatalf("got %d documents, want 2", len(docs))
	}
	got := fmt.Sprint(docs[0].Line, docs[0].Pairs[1].Line, docs[1].Line, docs[1].Get("c").Pairs[0].Line, docs[1].Get("c").Get("d").Line)
	if want := "4 5 10 11 11"; got != want {
		t.Errorf("lines %s, want %s", got, want)
	}
}

func TestYAMLRefused(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 8), c-1)
	}
	for _, c := range []struct {
		name, in string
		line     int
		want     string
	}{
		{"key twice", "a: 1\nb: 2\na: 3\n", 3, `key "a" stands twice, the first time in line 1`},
		{"key twice in flow", "x: {a: 1, a: 2}\n", 1, "stands twice"},
		{"broken", "a: 1\nb: [1, 2\nc: 3\n", 0, "YAML"},
		{"broken in the second document", "a: 1\n---\nb: 'x\n", 3, "YAML"},
		{"unknown alias", "a: *x\n", 1, "no anchor"},
		{"alias of itself", "a: &x [*x]\n", 1, "no anchor"},
		{"alias bomb", bomb, 6, "aliases counted"},
		{"too deep", strings.Repeat("[", 33) + strings.Repeat("]", 33), 1, "levels"},
		{"far too deep, flow", strings.Repeat("[", 20000), 1, "levels"},
		{"far too deep, maps in flow", strings.Repeat("{a: ", 10000), 1, "levels"},
		{"far too deep, one line", strings.Repeat("- ", 20000) + "a", 1, "levels"},
		{"far too deep, question marks", strings.Repeat("? ", 20000) + "a", 1, "levels"},
		{"far too many tags", strings.Repeat("!a ", 10000) + "x", 1, "levels"},
		{"deep by aliases", "a: &a " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\nb: " + strings.Repeat("[", 20) + "*a" + strings.Repeat("]", 20), 2, "levels"},
		{"too large", strings.Repeat("#", MaxBytes+1), 1, "at most"},
		{"too many documents", strings.Repeat("---\na: 1\n", MaxDocuments+1), 2001, "more than 1000 documents"},
		{"too many words", strings.Repeat("- a\n", maxTokens), 1, "smaller documents"},
		{"not UTF-8", "a: 1\nb: \xff\n", 2, "UTF-8"},
		{"infinite", "a: .inf\n", 1, "finite"},
		{"foreign tag", "a: !!binary aGk=\n", 1, "tag"},
		{"map as key", "? {a: b}\n: c\n", 2, "key"},
		{"merge of a text", "a: &x text\nb:\n  <<: *x\n", 1, "expected a map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			_, err := ParseYAML([]byte(c.in))
			if err == nil {
				t.Fatal("taken, want an error")
			}
			line, msg := Positioned(err)
			if c.line != 0 && line != c.line {
				t.Errorf("line %d, want %d (%s)", line, c.line, msg)
			}
			if !strings.Contains(msg, c.want) {
				t.Errorf("got %q, want it to contain %q", msg, c.want)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// deepest is as deep as is allowed.
func TestDepthAllowed(t *testing.T) {
	in := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if _, err := ParseYAML([]byte(in)); err != nil {
		t.Errorf("YAML: %v", err)
	}
	if _, err := ParseJSON([]byte(in)); err != nil {
		t.Errorf("JSON: %v", err)
	}
	var block strings.Builder
	for i := range MaxDepth {
		block.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	if _, err := ParseYAML([]byte(block.String())); err != nil {
		t.Errorf("block: %v", err)
	}
}

// TestEveryPrefix cuts a document at every byte: each prefix is read or refused, and nothing panics.
func TestEveryPrefix(t *testing.T) {
	const in = "a: &x {k: [1, 'two', \"thr\\u00e9e\"], l: |\n  text\n }\n---\nb:\n- ? q\n  : !!str 1\n- *x\n"
	for i := range len(in) {
		_, _ = ParseYAML([]byte(in[:i]))
	}
}

func TestQuoteReadsBack(t *testing.T) {
	for _, s := range []string{
		"", "a", "ON", "true", "null", "~", "12", "1.5", "-", "- a", "a: b", "a #b", "#", "a,b", "[x]", "*a", "&a", "!a", "%", "@", "`",
		"'", "\"", "\\", "a\nb", "\t", " a", "a ", "é", "日本", "\U0001F4A1", "\u2028", "\u0085", "\x00", "\x7f", "\ufeff", "a:b", "a:", ":", "?",
		"192.168.1.5:80", "opc.tcp://h:4840", "/dev/ttyS0", "0x10", "y", "Off", "<<", "=", "---", "...", "a  b", "a - b", "5s", "1h0m1.5s", "64KiB", "5", "1e3", strings.Repeat("x", 500),
	} {
		in := (&Node{Kind: Map}).Add("k", Text(s)).Add(s+"x", Text("v"))
		docs, err := ParseYAML(in.YAML())
		if err != nil || len(docs) != 1 {
			t.Errorf("%q: %v\n%s", s, err, in.YAML())
			continue
		}
		if got := docs[0].Get("k"); got.Kind != String || got.Text != s {
			t.Errorf("%q came back as %s %q from %s", s, got.Kind, got.Text, in.YAML())
		}
		if docs[0].Get(s+"x") == nil {
			t.Errorf("key %q did not come back from %s", s+"x", in.YAML())
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add("a: 1\nb: [x, {y: z}]\n---\n- *a\n")
	f.Add("a: &a [x]\nb: *a\n<<: {c: d}\n")
	f.Add("? |\n  k\n: !!str 1\n")
	f.Fuzz(func(t *testing.T, in string) {
		docs, err := ParseYAML([]byte(in))
		if err != nil {
			return
		}
		for _, d := range docs {
			want := string(d.JSON())
			again, err := ParseYAML(d.YAML())
			if err != nil || len(again) != 1 {
				t.Fatalf("%v: written as\n%s", err, d.YAML())
			}
			if got := string(again[0].JSON()); got != want {
				t.Fatalf("got %s, want %s, written as\n%s", got, want, d.YAML())
			}
			j, err := ParseJSON([]byte(want))
			if err != nil {
				t.Fatalf("%v: %s", err, want)
			}
			if got := string(j.JSON()); got != want {
				t.Fatalf("by way of JSON: got %s, want %s", got, want)
			}
		}
	})
}
