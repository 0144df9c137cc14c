package yamltree

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// YAML writes the node as a block document of YAML that reads back to the same tree.
func (n *Node) YAML() []byte {
	e := encoder{}
	e.block(n, 0)
	return []byte(e.out.String())
}

type encoder struct{ out strings.Builder }

func (e *encoder) block(n *Node, indent int) {
	switch {
	case n.Kind == Map && len(n.Pairs) > 0:
		for i := range n.Pairs {
			if i > 0 {
				e.indent(indent)
			}
			e.out.WriteString(Quote(n.Pairs[i].Key) + ":")
			e.value(n.Pairs[i].Value, indent)
		}
	case n.Kind == List && len(n.Items) > 0:
		for i, c := range n.Items {
			if i > 0 {
				e.indent(indent)
			}
			e.out.WriteString("- ")
			e.block(c, indent+2)
		}
	default:
		e.out.WriteString(scalar(n) + "\n")
	}
}

// value writes what follows a key's colon.
func (e *encoder) value(n *Node, indent int) {
	if n.Kind == Map && len(n.Pairs) > 0 || n.Kind == List && len(n.Items) > 0 {
		e.out.WriteString("\n")
		e.indent(indent + 2)
		e.block(n, indent+2)
		return
	}
	e.out.WriteString(" " + scalar(n) + "\n")
}

func (e *encoder) indent(n int) { e.out.WriteString(strings.Repeat(" ", n)) }

func scalar(n *Node) string {
	switch n.Kind {
	case Null:
		return "null"
	case Map:
		return "{}"
	case List:
		return "[]"
	case String:
		return Quote(n.Text)
	}
	return n.Text
}

// Quote writes a text as a YAML scalar: plain where every reader, those of YAML 1.1 too, takes it as this very text,
// else in double quotes.
func Quote(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\x` + hex(r, 2))
		case r != ' ' && r <= 0xffff && !unicode.IsPrint(r):
			b.WriteString(`\u` + hex(r, 4))
		case !unicode.IsPrint(r):
			b.WriteString(`\U` + hex(r, 8))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hex(r rune, digits int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", digits-len(s)) + s
}

// quantity is a duration or a size with units, which no reader takes for a number.
var quantity = regexp.MustCompile(`^(([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+|[0-9]+[KMG]iB)$`)

// plain reports whether s may stand without quotes: letters, digits and a few marks, beginning with a letter or one of
// "/_" (or a quantity), and no word that some reader takes for a truth value or for nothing.
func plain(s string) bool {
	if s == "" || len(s) > 200 || !utf8.ValidString(s) {
		return false
	}
	if quantity.MatchString(s) {
		return true
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == '/':
		case i == 0:
			return false
		case r >= '0' && r <= '9', r == '.', r == '-', r == '+':
		case r == ':' && i+1 < len(s) && s[i+1] != ' ':
		case r == ' ' && i+1 < len(s) && s[i+1] != ' ' && s[i+1] != '#' && s[i-1] != ':':
		default:
			return false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return false
	}
	return true
}
