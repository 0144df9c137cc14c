package manifest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbridge/internal/nearest"
	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

// reader decodes the trees of one file. It goes on after a mistake, so that all of them are told at once.
type reader struct {
	file    string
	set     Set
	errs    []error
	models  map[twin.Name]int // lines
	devices map[twin.Name]int
	docs    int
}

// A field decodes the value of one key; path is where it stands, as spec.properties[2].type.
type field func(n *yamltree.Node, path string)

type fields map[string]field

func (r *reader) fail(line int, err error) {
	if len(r.errs) < maxErrors {
		r.errs = append(r.errs, &Error{File: r.file, Line: line, Err: err})
	}
}

func (r *reader) bad(line int, path, value, want string) {
	if len(value) > 80 {
		value = strings.ToValidUTF8(value[:80], "") + "..."
	}
	r.fail(line, &twin.FieldError{Field: path, Value: value, Want: want})
}

// wrong says that a value is of another kind than it should be.
func (r *reader) wrong(n *yamltree.Node, path, want string) {
	value := n.Text
	if !n.Scalar() {
		value = n.Kind.String()
	}
	r.bad(n.Line, path, value, want)
}

func (r *reader) source(line int) string { return r.file + ":" + strconv.Itoa(line) }

// object decodes a map key by key. A nil field is known and of no interest; nothing at all counts as an empty map, as
// an empty line after "spec:" means.
func (r *reader) object(n *yamltree.Node, path string, known fields) {
	if n.Kind == yamltree.Null {
		return
	}
	if n.Kind != yamltree.Map {
		r.wrong(n, path, "a map")
		return
	}
	for i := range n.Pairs {
		p := &n.Pairs[i]
		f, ok := known[p.Key]
		if !ok {
			names := make([]string, 0, len(known))
			for k := range known {
				names = append(names, k)
			}
			slices.Sort(names)
			r.bad(p.Line, at(path, p.Key), p.Key, "a known field: "+nearest.Hint(p.Key, names))
			continue
		}
		if f != nil {
			f(p.Value, at(path, p.Key))
		}
	}
}

func at(path, key string) string {
	if path == "" {
		return key
	}
	if len(key) > 80 {
		key = strings.ToValidUTF8(key[:80], "") + "..."
	}
	return path + "." + key
}

// each decodes the items of a list.
func (r *reader) each(f field) field {
	return func(n *yamltree.Node, path string) {
		switch n.Kind {
		case yamltree.Null:
		case yamltree.List:
			for i, c := range n.Items {
				f(c, path+"["+strconv.Itoa(i)+"]")
			}
		default:
			r.wrong(n, path, "a list")
		}
	}
}

func (r *reader) text(dst *string) field {
	return func(n *yamltree.Node, path string) {
		switch n.Kind {
		case yamltree.Null:
		case yamltree.String:
			*dst = n.Text
		default:
			r.wrong(n, path, "a text, in quotes where it could be taken for something else")
		}
	}
}

// value takes a property's value: a text, as KubeEdge has it, or what was meant by a value without quotes.
func (r *reader) value(dst *string) field {
	return func(n *yamltree.Node, path string) {
		switch {
		case n.Kind == yamltree.Null:
		case n.Scalar():
			*dst = n.Text
		default:
			r.wrong(n, path, "one value")
		}
	}
}

func (r *reader) truth(dst *bool) field {
	return func(n *yamltree.Node, path string) {
		switch n.Kind {
		case yamltree.Null:
		case yamltree.Bool:
			*dst = n.Text == "true"
		default:
			r.wrong(n, path, "true or false")
		}
	}
}

// number takes a finite number, written as such or as a text; an empty text is none.
func (r *reader) number(dst **float64) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind == yamltree.Null || n.Kind == yamltree.String && n.Text == "" {
			return
		}
		f, err := strconv.ParseFloat(n.Text, 64)
		if n.Kind != yamltree.Number && n.Kind != yamltree.String || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.wrong(n, path, "a number")
			return
		}
		*dst = &f
	}
}

// cycle takes a reporting or collecting cycle. The resource says nanoseconds; KubeEdge's mapper framework has come to
// take the number for milliseconds, and newer examples are written so. A cycle below a millisecond makes no sense for a
// device, so numbers below a million are milliseconds.
func (r *reader) cycle(dst *time.Duration) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind == yamltree.Null {
			return
		}
		f, err := strconv.ParseFloat(n.Text, 64)
		if n.Kind != yamltree.Number || err != nil || f != math.Trunc(f) || f < -1 || f >= 1<<63 {
			r.wrong(n, path, "a whole number of nanoseconds, 0 or more")
			return
		}
		f = max(f, 0) // some mappers' examples write -1 for none
		d := time.Duration(f)
		if d < time.Millisecond {
			d *= time.Millisecond
		}
		*dst = d
	}
}

// config takes a driver's own map as canonical JSON; an empty one is none.
func (r *reader) config(dst *json.RawMessage) field {
	return func(n *yamltree.Node, path string) {
		switch {
		case n.Kind == yamltree.Null:
		case n.Kind != yamltree.Map:
			r.wrong(n, path, "a map")
		case len(n.Pairs) > 0:
			*dst = n.JSON()
		}
	}
}

// unused accepts what KubeEdge knows and nothing here uses, and notes it.
func (r *reader) unused(why string) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Null {
			r.note(n.Line, path+": accepted and not used"+why)
		}
	}
}

func (r *reader) note(line int, text string) {
	if len(r.set.Notes) < maxNotes {
		r.set.Notes = append(r.set.Notes, Note{Source: r.source(line), Text: text})
	}
}

// required reports an empty field that has to be there.
func (r *reader) required(line int, path, value, want string) bool {
	if value != "" {
		return true
	}
	r.bad(line, path, "", want)
	return false
}

// once reports a name that stands twice in a list.
func (r *reader) once(seen map[string]bool, line int, path, name string) bool {
	if seen[name] {
		r.bad(line, path, name, "each property once")
		return false
	}
	seen[name] = true
	return true
}

func (r *reader) tooMany(line int, path string, n int) {
	r.bad(line, path, strconv.Itoa(n), fmt.Sprintf("at most %d", twin.MaxProperties))
}
