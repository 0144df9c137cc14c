package yamltree

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

var exponent = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)

// builder turns the library's tree into ours, resolving aliases. An alias shares the node that it names, so a bomb of
// aliases costs no memory; seal counts what it would be.
type builder struct {
	offset  int
	anchors map[string]*Node
}

func (b *builder) line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return b.offset + t.Position.Line
	}
	return b.offset + 1
}

func (b *builder) build(in ast.Node, depth int) (*Node, error) {
	if in == nil {
		return &Node{Line: b.offset + 1, size: 1}, nil
	}
	n := &Node{Line: b.line(in)}
	if depth > MaxDepth {
		return nil, tooDeep(n.Line)
	}
	switch in := in.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		n.Kind, n.Text = Bool, strconv.FormatBool(in.Value)
	case *ast.IntegerNode:
		if in.Value == nil {
			return nil, &Error{n.Line, fmt.Sprintf("number %s: expected at most 64 bits", clip(in.Token.Value))}
		}
		n.Kind, n.Text = Number, fmt.Sprint(in.Value)
	case *ast.FloatNode:
		if math.IsNaN(in.Value) || math.IsInf(in.Value, 0) {
			return nil, &Error{n.Line, fmt.Sprintf("number %s: expected a finite number", clip(in.Token.Value))}
		}
		n.Kind, n.Text = Number, strconv.FormatFloat(in.Value, 'g', -1, 64)
	case *ast.InfinityNode, *ast.NanNode:
		return nil, &Error{n.Line, "expected a finite number"}
	case *ast.StringNode:
		n.Kind, n.Text = String, in.Value
		// The library overlooks numbers with an exponent and no point, which YAML's core schema has.
		if in.Token.Type == token.StringType && exponent.MatchString(in.Value) {
			if f, err := strconv.ParseFloat(in.Value, 64); err == nil {
				n.Kind, n.Text = Number, strconv.FormatFloat(f, 'g', -1, 64)
			}
		}
	case *ast.LiteralNode:
		n.Kind, n.Text = String, in.Value.Value
	case *ast.SequenceNode:
		return b.list(n, in, depth)
	case *ast.MappingNode:
		return b.mapping(n, in.Values, depth)
	case *ast.MappingValueNode:
		return b.mapping(n, []*ast.MappingValueNode{in}, depth)
	case *ast.AnchorNode:
		v, err := b.build(in.Value, depth+1)
		if err != nil {
			return nil, err
		}
		b.anchors[nameOf(in.Name)] = v
		return v, nil
	case *ast.AliasNode:
		return b.alias(n.Line, in, depth)
	case *ast.TagNode:
		return b.tagged(n, in, depth)
	default:
		return nil, &Error{n.Line, fmt.Sprintf("YAML: %s is not understood here", in.Type())}
	}
	return n, n.seal()
}

func (b *builder) list(n *Node, in *ast.SequenceNode, depth int) (*Node, error) {
	n.Kind = List
	for _, v := range in.Values {
		c, err := b.build(v, depth+1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, c)
	}
	return n, n.seal()
}

func (b *builder) mapping(n *Node, values []*ast.MappingValueNode, depth int) (*Node, error) {
	n.Kind = Map
	var merges []*Node
	for _, mv := range values {
		v, err := b.build(mv.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if mv.Key.IsMergeKey() {
			merges = append(merges, v)
			continue
		}
		key, err := b.key(mv.Key)
		if err != nil {
			return nil, err
		}
		n.Pairs = append(n.Pairs, Pair{Key: key, Line: b.line(mv.Key), Value: v})
		if len(n.Pairs) == 1 {
			n.Line = b.line(mv.Key) // the library's own position is that of the first colon
		}
	}
	if err := n.unique(); err != nil {
		return nil, err
	}
	for _, m := range merges {
		if err := n.merge(m); err != nil {
			return nil, err
		}
	}
	return n, n.seal()
}

// merge adds the pairs of "<<" that the map does not have itself.
func (n *Node) merge(m *Node) error {
	from := []*Node{m}
	if m.Kind == List {
		from = m.Items
	}
	have := make(map[string]bool, len(n.Pairs))
	for i := range n.Pairs {
		have[n.Pairs[i].Key] = true
	}
	for _, f := range from {
		if f.Kind != Map {
			return &Error{f.Line, fmt.Sprintf("<<: %s: expected a map", f.Kind)}
		}
		for _, p := range f.Pairs {
			if !have[p.Key] {
				have[p.Key] = true
				n.Pairs = append(n.Pairs, p)
			}
		}
	}
	return nil
}

func (b *builder) key(in ast.MapKeyNode) (string, error) {
	var k ast.Node = in
	if q, ok := k.(*ast.MappingKeyNode); ok {
		k = q.Value
	}
	if k == nil {
		return "", &Error{b.line(in), "expected a text as key"}
	}
	n, err := b.build(k, 0)
	if err != nil {
		return "", err
	}
	if !n.Scalar() {
		return "", &Error{b.line(in), fmt.Sprintf("key: %s: expected a text", n.Kind)}
	}
	return n.Text, nil
}

func (b *builder) alias(line int, in *ast.AliasNode, depth int) (*Node, error) {
	name := nameOf(in.Value)
	v, ok := b.anchors[name]
	if !ok {
		return nil, &Error{line, fmt.Sprintf("alias *%s: no anchor of that name before it", clip(name))}
	}
	if depth+v.height > MaxDepth {
		return nil, tooDeep(line)
	}
	return v, nil
}

func (b *builder) tagged(n *Node, in *ast.TagNode, depth int) (*Node, error) {
	v, err := b.build(in.Value, depth+1)
	if err != nil {
		return nil, err
	}
	tag := in.Start.Value
	switch tag {
	case "!!str":
		if v.Kind == Bool || v.Kind == Number {
			return &Node{Kind: String, Text: in.Value.GetToken().Value, Line: v.Line, size: 1}, nil
		}
		return v, nil
	case "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
		return v, nil
	}
	return nil, &Error{n.Line, fmt.Sprintf("tag %s: expected none, or one of YAML's own types", clip(tag))}
}

func nameOf(n ast.Node) string {
	if n == nil {
		return ""
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}
