package config

import (
	"encoding"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbridge/internal/yamltree"
)

// width is where comments are broken.
const width = 100

// Write prints the file: every key with its explanation and default. What equals its default is commented out, so that
// a later version's better default is not held back; what differs stands there. values is of the same struct type as
// defaults, or nil for a file of defaults only. Comments have one space after their mark; commented keys have none,
// their further lines two or more.
func Write(w io.Writer, defaults, values any) error {
	def := reflect.Indirect(reflect.ValueOf(defaults))
	if !def.IsValid() || shapeOf(def.Type()) != section {
		return fmt.Errorf("config: %T is not a struct", defaults)
	}
	val := def
	if values != nil {
		val = reflect.Indirect(reflect.ValueOf(values))
		if !val.IsValid() || val.Type() != def.Type() {
			return fmt.Errorf("config: values are a %T, defaults a %T", values, defaults)
		}
	}
	p := printer{}
	if err := p.section("", def, val); err != nil {
		return err
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

type printer struct{ out strings.Builder }

func (p *printer) section(indent string, def, val reflect.Value) error {
	keys, err := keysOf(def.Type())
	if err != nil {
		return err
	}
	for i, k := range keys {
		if i > 0 && indent == "" {
			p.out.WriteByte('\n')
		}
		d, v := def.FieldByIndex(k.index), val.FieldByIndex(k.index)
		if shapeOf(d.Type()) == section {
			p.comment(indent, k.doc)
			p.out.WriteString(indent + k.name + ":\n")
			if err := p.section(indent+"  ", d, v); err != nil {
				return err
			}
			continue
		}
		if err := p.key(indent, k, d, v); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) key(indent string, k key, d, v reflect.Value) error {
	dn, err := nodeOf(d)
	if err != nil {
		return fmt.Errorf("config: %s: %w", k.name, err)
	}
	vn, err := nodeOf(v)
	if err != nil {
		return fmt.Errorf("config: %s: %w", k.name, err)
	}
	p.comment(indent, k.doc+" (default "+shown(dn)+")")
	if err := p.elements(indent, d.Type()); err != nil {
		return err
	}
	same := string(dn.JSON()) == string(vn.JSON())
	text := string((&yamltree.Node{Kind: yamltree.Map}).Add(k.name, vn).YAML())
	if vn.Kind == yamltree.List && flat(vn) {
		text = k.name + ": " + inline(vn) + "\n"
	}
	mark := ""
	if same {
		mark = "#"
	}
	for line := range strings.Lines(text) {
		p.out.WriteString(indent + mark + line)
	}
	return nil
}

// elements explains the keys that each item of a list of structs has.
func (p *printer) elements(indent string, t reflect.Type) error {
	if shapeOf(t) != list || shapeOf(t.Elem()) != section {
		return nil
	}
	keys, err := keysOf(t.Elem())
	if err != nil {
		return err
	}
	p.comment(indent, "Each item has:")
	for _, k := range keys {
		p.comment(indent, "- "+k.name+": "+k.doc)
	}
	return nil
}

// comment prints text in lines of at most width.
func (p *printer) comment(indent, text string) {
	line := indent + "#"
	for i, word := range strings.Fields(text) {
		if i > 0 && len(line)+1+len(word) > width {
			p.out.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	p.out.WriteString(line + "\n")
}

// shown is a default as a comment names it.
func shown(n *yamltree.Node) string {
	switch {
	case n.Kind == yamltree.String && n.Text == "", n.Kind != yamltree.String && !n.Scalar() && len(n.Items)+len(n.Pairs) == 0:
		return "none"
	case n.Scalar():
		return n.Text
	case flat(n):
		return inline(n)
	}
	return "as below"
}

func flat(n *yamltree.Node) bool {
	return n.Kind == yamltree.List && !slices.ContainsFunc(n.Items, func(c *yamltree.Node) bool { return !c.Scalar() })
}

func inline(n *yamltree.Node) string {
	parts := make([]string, len(n.Items))
	for i, c := range n.Items {
		parts[i] = c.Text
		if c.Kind == yamltree.String {
			parts[i] = yamltree.Quote(c.Text)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// nodeOf gives a value as it stands in the file.
func nodeOf(v reflect.Value) (*yamltree.Node, error) {
	switch shapeOf(v.Type()) {
	case duration:
		return yamltree.Text(durationText(time.Duration(v.Int()))), nil
	case texter:
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return nil, err
		}
		return yamltree.Text(string(b)), nil
	case list:
		n := &yamltree.Node{Kind: yamltree.List}
		for i := range v.Len() {
			c, err := nodeOf(v.Index(i))
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, c)
		}
		return n, nil
	case table:
		n := &yamltree.Node{Kind: yamltree.Map}
		values := map[string]reflect.Value{}
		for _, k := range v.MapKeys() {
			values[k.String()] = v.MapIndex(k)
		}
		for _, k := range slices.Sorted(maps.Keys(values)) {
			c, err := nodeOf(values[k])
			if err != nil {
				return nil, err
			}
			n.Add(k, c)
		}
		return n, nil
	case section:
		keys, err := keysOf(v.Type())
		if err != nil {
			return nil, err
		}
		n := &yamltree.Node{Kind: yamltree.Map}
		for _, k := range keys {
			c, err := nodeOf(v.FieldByIndex(k.index))
			if err != nil {
				return nil, err
			}
			n.Add(k.name, c)
		}
		return n, nil
	case scalar:
		return scalarNode(v), nil
	case unsupported:
	}
	return nil, fmt.Errorf("a %s cannot be written", v.Type())
}

func scalarNode(v reflect.Value) *yamltree.Node {
	switch {
	case v.Kind() == reflect.String:
		return yamltree.Text(v.String())
	case v.Kind() == reflect.Bool:
		return yamltree.Truth(v.Bool())
	case v.CanInt():
		return yamltree.Int(v.Int())
	case v.CanUint():
		return &yamltree.Node{Kind: yamltree.Number, Text: strconv.FormatUint(v.Uint(), 10)}
	}
	return &yamltree.Node{Kind: yamltree.Number, Text: strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())}
}

// durationText leaves out the zeros of "1h0m0s".
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
