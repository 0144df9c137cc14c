package yamltree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseJSON reads one JSON value. Errors are of type *Error.
func ParseJSON(data []byte) (*Node, error) {
	if err := checkBytes(data); err != nil {
		return nil, err
	}
	data = trimBOM(data)
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &Error{lineAt(data, int(syntax.Offset)), "JSON: " + syntax.Error()}
		}
		return nil, &Error{1, "JSON: " + err.Error()}
	}
	r := jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	r.dec.UseNumber()
	return r.value(0)
}

type jsonReader struct {
	dec  *json.Decoder
	data []byte
	at   int // up to where lines are counted
	line int
}

// token gives the next token, and keeps the line at its end: no JSON token spans lines.
func (r *jsonReader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, &Error{r.line, "JSON: " + err.Error()}
	}
	end := int(r.dec.InputOffset())
	r.line += bytes.Count(r.data[r.at:end], []byte{'\n'})
	r.at = end
	return t, nil
}

func (r *jsonReader) value(depth int) (*Node, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	n := &Node{Line: r.line}
	switch t := t.(type) {
	case nil:
		n.Kind = Null
	case bool:
		n.Kind, n.Text = Bool, strconv.FormatBool(t)
	case json.Number:
		n.Kind, n.Text = Number, t.String()
	case string:
		n.Kind, n.Text = String, t
	case json.Delim:
		if depth >= MaxDepth {
			return nil, tooDeep(r.line)
		}
		if t == '{' {
			return r.object(n, depth)
		}
		return r.array(n, depth)
	}
	return n, n.seal()
}

func (r *jsonReader) object(n *Node, depth int) (*Node, error) {
	n.Kind = Map
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, &Error{r.line, "JSON: expected a key"}
		}
		p := Pair{Key: key, Line: r.line}
		if p.Value, err = r.value(depth + 1); err != nil {
			return nil, err
		}
		n.Pairs = append(n.Pairs, p)
	}
	if _, err := r.token(); err != nil {
		return nil, err
	}
	if err := n.unique(); err != nil {
		return nil, err
	}
	return n, n.seal()
}

func (r *jsonReader) array(n *Node, depth int) (*Node, error) {
	n.Kind = List
	for r.dec.More() {
		c, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, c)
	}
	if _, err := r.token(); err != nil {
		return nil, err
	}
	return n, n.seal()
}

// JSON gives the node as canonical JSON: no spaces, keys sorted, numbers in their shortest form, so that equal
// contents are equal bytes.
func (n *Node) JSON() []byte { return n.appendJSON(nil) }

func (n *Node) appendJSON(b []byte) []byte {
	switch n.Kind {
	case Bool:
		return append(b, n.Text...)
	case Number:
		return append(b, canonicalNumber(n.Text)...)
	case String:
		return appendText(b, n.Text)
	case Map:
		pairs := slices.Clone(n.Pairs)
		slices.SortFunc(pairs, func(x, y Pair) int { return strings.Compare(x.Key, y.Key) })
		b = append(b, '{')
		for i := range pairs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, pairs[i].Key), ':')
			b = pairs[i].Value.appendJSON(b)
		}
		return append(b, '}')
	case List:
		b = append(b, '[')
		for i, c := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = c.appendJSON(b)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// canonicalNumber writes whole numbers without fraction and exponent, however long, and others as Go's encoder does.
func canonicalNumber(s string) string {
	if _, err := strconv.ParseInt(s, 10, 64); err == nil && s != "-0" {
		return s
	}
	if _, err := strconv.ParseUint(s, 10, 64); err == nil {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s // beyond a float: as it was written
	}
	if f == 0 {
		return "0" // -0 too
	}
	if math.Abs(f) >= 1<<63 {
		return strconv.FormatFloat(f, 'e', -1, 64) // digits alone would look like a whole number that is too long
	}
	out, err := json.Marshal(f)
	if err != nil {
		return s
	}
	return string(out)
}

// appendText quotes as JSON does, leaving <, > and & alone.
func appendText(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(b, `""`...) // a string always encodes
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

func checkBytes(data []byte) error {
	if len(data) > MaxBytes {
		return &Error{1, fmt.Sprintf("%d bytes: expected at most %d", len(data), MaxBytes)}
	}
	if !utf8.Valid(data) {
		return &Error{invalidLine(data), "expected UTF-8 text"}
	}
	return nil
}

func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(max(offset, 0), len(data))], []byte{'\n'})
}
