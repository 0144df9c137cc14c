package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"twinbridge/internal/nearest"
	"twinbridge/internal/yamltree"
)

// maxErrors bounds the mistakes that are told of one file.
const maxErrors = 20

// Error is a mistake in a configuration file.
type Error struct {
	File  string
	Line  int    // from 1
	Key   string // as mqtt.listen; "" where the file as a whole is to blame
	Value string
	Want  string // what was expected
}

func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Want)
	}
	return fmt.Sprintf("%s:%d: %s: %q: expected %s", e.File, e.Line, e.Key, e.Value, e.Want)
}

// Load reads the file at path over the defaults that into, a pointer to a struct, holds. A file that does not exist is
// an error that wraps fs.ErrNotExist.
func Load(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	// One byte beyond the bound is enough for Read to refuse it.
	data, err := io.ReadAll(io.LimitReader(f, yamltree.MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return Read(path, data, into)
}

// Read decodes data over the defaults that into, a pointer to a struct, holds; name stands in errors. What the file
// does not say, or says nothing after the key, keeps its default; a list or a map in the file replaces the default one.
// The error joins up to 20 of *Error; then into is as it was.
func Read(name string, data []byte, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || shapeOf(v.Type().Elem()) != section {
		return fmt.Errorf("config: %T is not a pointer to a struct", into)
	}
	docs, err := yamltree.ParseYAML(data)
	if err != nil {
		line, msg := yamltree.Positioned(err)
		return &Error{File: name, Line: line, Want: msg}
	}
	if len(docs) > 1 {
		return &Error{File: name, Line: docs[1].Line, Want: "one document: this is a second one"}
	}
	d := decoder{file: name}
	fresh := reflect.New(v.Type().Elem()).Elem()
	fresh.Set(v.Elem())
	if len(docs) == 1 {
		d.section(docs[0], "", fresh)
	}
	if d.broken != nil {
		return d.broken
	}
	if len(d.errs) > 0 {
		return errors.Join(d.errs...)
	}
	v.Elem().Set(fresh)
	return nil
}

type decoder struct {
	file   string
	errs   []error
	broken error // a mistake in the program: a type that cannot be read
}

func (d *decoder) bad(line int, path, value, want string) {
	if r := []rune(value); len(r) > 60 {
		value = string(r[:60]) + "..."
	}
	if len(d.errs) < maxErrors {
		d.errs = append(d.errs, &Error{File: d.file, Line: line, Key: path, Value: value, Want: want})
	}
}

func (d *decoder) wrong(n *yamltree.Node, path, want string) {
	value := n.Text
	if !n.Scalar() {
		value = n.Kind.String()
	}
	if path == "" {
		path = "document"
	}
	d.bad(n.Line, path, value, want)
}

func (d *decoder) section(n *yamltree.Node, path string, v reflect.Value) {
	if n.Kind != yamltree.Map {
		d.wrong(n, path, "keys with values")
		return
	}
	keys, err := keysOf(v.Type())
	if err != nil {
		d.broken = err
		return
	}
	for _, p := range n.Pairs {
		at := p.Key
		if path != "" {
			at = path + "." + p.Key
		}
		found := false
		for _, k := range keys {
			if k.name == p.Key {
				d.value(p.Value, at, v.FieldByIndex(k.index))
				found = true
				break
			}
		}
		if !found {
			names := make([]string, len(keys))
			for i := range keys {
				names[i] = keys[i].name
			}
			d.bad(p.Line, at, p.Key, "a known key: "+nearest.Hint(p.Key, names))
		}
	}
}

func (d *decoder) value(n *yamltree.Node, path string, v reflect.Value) {
	if n.Kind == yamltree.Null {
		return
	}
	switch shapeOf(v.Type()) {
	case section:
		d.section(n, path, v)
	case list:
		if n.Kind != yamltree.List {
			d.wrong(n, path, "a list, as [a, b]")
			return
		}
		out := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
		for i, c := range n.Items {
			at := path + "[" + strconv.Itoa(i) + "]"
			if c.Kind == yamltree.Null {
				d.wrong(c, at, "a value")
				continue
			}
			d.value(c, at, out.Index(i))
		}
		v.Set(out)
	case table:
		if n.Kind != yamltree.Map {
			d.wrong(n, path, "names with values")
			return
		}
		out := reflect.MakeMapWithSize(v.Type(), len(n.Pairs))
		for _, p := range n.Pairs {
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(p.Value, path+"."+p.Key, e)
			out.SetMapIndex(reflect.ValueOf(p.Key).Convert(v.Type().Key()), e)
		}
		v.Set(out)
	case duration:
		t, err := time.ParseDuration(n.Text)
		if n.Kind != yamltree.String || err != nil {
			d.wrong(n, path, "a duration, as 5s, 2m or 1h30m")
			return
		}
		v.SetInt(int64(t))
	case texter:
		if !n.Scalar() {
			d.wrong(n, path, "one value")
			return
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Text)); err != nil {
			d.wrong(n, path, strings.TrimPrefix(err.Error(), "expected "))
		}
	case scalar:
		d.scalar(n, path, v)
	case unsupported:
		d.broken = fmt.Errorf("config: %s: a %s cannot be read", path, v.Type())
	}
}

func (d *decoder) scalar(n *yamltree.Node, path string, v reflect.Value) {
	t := v.Type()
	switch {
	case v.Kind() == reflect.String:
		if n.Kind != yamltree.String {
			d.wrong(n, path, "a text, in quotes where it could be taken for something else")
			return
		}
		v.SetString(n.Text)
	case v.Kind() == reflect.Bool:
		if n.Kind != yamltree.Bool {
			d.wrong(n, path, "true or false")
			return
		}
		v.SetBool(n.Text == "true")
	case v.CanInt():
		i, err := strconv.ParseInt(n.Text, 10, t.Bits())
		if n.Kind != yamltree.Number || err != nil {
			d.wrong(n, path, fmt.Sprintf("a whole number of %d bits", t.Bits()))
			return
		}
		v.SetInt(i)
	case v.CanUint():
		u, err := strconv.ParseUint(n.Text, 10, t.Bits())
		if n.Kind != yamltree.Number || err != nil {
			d.wrong(n, path, fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<t.Bits()-1))
			return
		}
		v.SetUint(u)
	default:
		f, err := strconv.ParseFloat(n.Text, t.Bits())
		if n.Kind != yamltree.Number || err != nil {
			d.wrong(n, path, "a number")
			return
		}
		v.SetFloat(f)
	}
}
