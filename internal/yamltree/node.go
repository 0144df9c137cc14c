// Package yamltree reads YAML and JSON that people wrote into one small tree that knows its lines, so that who decodes
// it can refuse a mistake by naming file, line and key. Manifests and the configuration are read through it.
//
// It stands between the project and the YAML library for three reasons: input may come from strangers, so size, depth,
// aliases and the time of parsing are bounded before the library recurses into it; keys that stand twice are an error
// everywhere; and JSON is read by Go's own decoder, as it is not in every detail YAML.
//
// YAML is read as version 1.2: ON, off and yes are texts, not truths.
package yamltree

import (
	"errors"
	"fmt"
)

// Bounds of what is read.
const (
	MaxBytes     = 1 << 20 // of a whole file
	MaxDocuments = 1000    // in a file
	MaxDepth     = 32      // of maps and lists in each other
	MaxNodes     = 200_000 // of a document, aliases counted as often as they are used
	maxTokens    = 50_000  // of a document; the library needs quadratic time for maps with very many keys
)

// Kind tells what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	Bool
	Number
	String
	Map
	List
)

var kindNames = [...]string{"nothing", "a truth value", "a number", "a text", "a map", "a list"}

func (k Kind) String() string { return kindNames[k] }

// Node is one value of a document. Nodes may be shared where the document uses aliases, so they are never changed.
type Node struct {
	Kind Kind
	// Text is a scalar's value: true or false; a number as JSON writes it; a text's characters.
	Text string
	// Line counts from 1; 0 for nodes that were not read.
	Line  int
	Pairs []Pair  // of a Map, in the order of the document
	Items []*Node // of a List

	size, height int // nodes in the tree below, itself included; levels of maps and lists
}

// Pair is a key with its value in a map.
type Pair struct {
	Key   string
	Line  int // of the key
	Value *Node
}

// Get gives the value of a key, nil if the map does not have it.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return n.Pairs[i].Value
		}
	}
	return nil
}

// Scalar reports whether the node is a truth value, a number or a text.
func (n *Node) Scalar() bool { return n.Kind == Bool || n.Kind == Number || n.Kind == String }

// Error says what cannot be read, and in which line.
type Error struct {
	Line int
	Msg  string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Positioned gives the line and the message of an error of this package; line 0 for others.
func Positioned(err error) (line int, msg string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Line, e.Msg
	}
	return 0, err.Error()
}

// Text makes a text node.
func Text(s string) *Node { return &Node{Kind: String, Text: s} }

// Truth makes a truth value.
func Truth(b bool) *Node { return &Node{Kind: Bool, Text: fmt.Sprint(b)} }

// Int makes a number.
func Int(i int64) *Node { return &Node{Kind: Number, Text: fmt.Sprint(i)} }

// Add appends a pair to a map and gives the map.
func (n *Node) Add(key string, v *Node) *Node {
	n.Pairs = append(n.Pairs, Pair{Key: key, Value: v})
	return n
}

// seal computes size and height once the children are known, and refuses a tree beyond the bounds.
func (n *Node) seal() error {
	n.size, n.height = 1, 0
	for i := range n.Pairs {
		n.size += n.Pairs[i].Value.size
		n.height = max(n.height, n.Pairs[i].Value.height)
	}
	for _, c := range n.Items {
		n.size += c.size
		n.height = max(n.height, c.height)
	}
	if n.Kind == Map || n.Kind == List {
		n.height++
	}
	if n.size > MaxNodes {
		return &Error{n.Line, fmt.Sprintf("more than %d values, aliases counted: expected a smaller document", MaxNodes)}
	}
	if n.height > MaxDepth {
		return tooDeep(n.Line)
	}
	return nil
}

func tooDeep(line int) error {
	return &Error{line, fmt.Sprintf("more than %d levels of maps and lists in each other", MaxDepth)}
}

// unique refuses a map in which a key stands twice.
func (n *Node) unique() error {
	seen := make(map[string]int, len(n.Pairs))
	for i := range n.Pairs {
		p := &n.Pairs[i]
		if first, ok := seen[p.Key]; ok {
			return &Error{p.Line, fmt.Sprintf("key %q stands twice, the first time in line %d", clip(p.Key), first)}
		}
		seen[p.Key] = p.Line
	}
	return nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}
