package yamltree

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// ParseYAML reads the documents of a YAML stream; empty ones are left out. Errors are of type *Error.
func ParseYAML(data []byte) ([]*Node, error) {
	if err := checkBytes(data); err != nil {
		return nil, err
	}
	chunks := split(trimBOM(data))
	if len(chunks) > MaxDocuments {
		return nil, &Error{chunks[MaxDocuments].line, fmt.Sprintf("more than %d documents in a file", MaxDocuments)}
	}
	var docs []*Node
	for _, c := range chunks {
		nodes, err := c.parse()
		if err != nil {
			return nil, err
		}
		docs = append(docs, nodes...)
	}
	if len(docs) > MaxDocuments {
		return nil, &Error{docs[MaxDocuments].Line, fmt.Sprintf("more than %d documents in a file", MaxDocuments)}
	}
	return docs, nil
}

// A chunk is the text of a document.
type chunk struct {
	text []byte
	line int // of its first byte in the file
}

// split cuts the stream at the lines that begin with "---", which no scalar can contain (YAML 1.2, 9.1.2), as the
// library's time grows with the square of the number of documents. Chunks without content are left out.
func split(data []byte) []chunk {
	var chunks []chunk
	cur, line := chunk{line: 1}, 0
	start, content := 0, false
	for at := 0; at < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := data[at:end]
		line++
		if isHeader(text) {
			if content {
				cur.text = data[start:at]
				chunks = append(chunks, cur)
			}
			cur, start, content = chunk{line: line}, at, false
			text = text[3:]
		}
		if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && t[0] != '#' && !(text[0] == '%' && !content) {
			content = true
		}
		at = end
	}
	if content {
		cur.text = data[start:]
		chunks = append(chunks, cur)
	}
	return chunks
}

func isHeader(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0)
}

func (c chunk) parse() (docs []*Node, err error) {
	// The library has panicked on malformed input before; one bad file must not take the process with it.
	defer func() {
		if p := recover(); p != nil {
			docs, err = nil, &Error{c.line, fmt.Sprintf("YAML: cannot be read (%v)", p)}
		}
	}()
	tokens := lexer.Tokenize(string(c.text))
	if err := guard(tokens, c.line); err != nil {
		return nil, err
	}
	// Keys that stand twice are found in the tree, where JSON's are found too.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, c.syntax(err)
	}
	for _, d := range file.Docs {
		if d == nil || d.Body == nil {
			continue
		}
		if _, comment := d.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		b := builder{offset: c.line - 1, anchors: map[string]*Node{}}
		n, err := b.build(d.Body, 0)
		if err != nil {
			return nil, err
		}
		if n.Kind != Null {
			docs = append(docs, n)
		}
	}
	return docs, nil
}

func (c chunk) syntax(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) {
		return &Error{c.line, "YAML: " + err.Error()}
	}
	line := c.line
	if t := e.GetToken(); t != nil && t.Position != nil {
		line += t.Position.Line - 1
	}
	return &Error{line, "YAML: " + e.GetMessage()}
}
