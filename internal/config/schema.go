package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A key is a field of a configuration struct, as it stands in the file.
type key struct {
	name  string
	doc   string
	index []int // for reflect.Value.FieldByIndex
}

// shape tells how a type stands in the file.
type shape uint8

const (
	unsupported shape = iota
	section           // a struct: a map of keys
	list
	table // a map
	duration
	texter // UnmarshalText
	scalar
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	textReader   = reflect.TypeFor[encoding.TextUnmarshaler]()
	textWriter   = reflect.TypeFor[encoding.TextMarshaler]()
)

func shapeOf(t reflect.Type) shape {
	switch {
	case t == durationType:
		return duration
	case reflect.PointerTo(t).Implements(textReader) && t.Implements(textWriter):
		return texter
	}
	switch t.Kind() {
	case reflect.Struct:
		return section
	case reflect.Slice:
		return list
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return table
		}
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return scalar
	default:
	}
	return unsupported
}

// keysOf lists the keys of a struct in their order. An error is a mistake in the program, not in a file.
func keysOf(t reflect.Type) ([]key, error) {
	var keys []key
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		inlined := f.Anonymous && tag == "" && shapeOf(f.Type) == section
		if tag == "-" || !f.IsExported() && !inlined {
			continue
		}
		if inlined {
			inner, err := keysOf(f.Type)
			if err != nil {
				return nil, err
			}
			for _, k := range inner {
				k.index = append([]int{i}, k.index...)
				keys = append(keys, k)
			}
			continue
		}
		if tag == "" || f.Tag.Get("doc") == "" {
			return nil, fmt.Errorf("config: %s.%s needs the tags yaml and doc", t, f.Name)
		}
		keys = append(keys, key{name: tag, doc: f.Tag.Get("doc"), index: f.Index})
	}
	for _, k := range keys {
		if seen[k.name] {
			return nil, fmt.Errorf("config: %s has the key %s twice", t, k.name)
		}
		seen[k.name] = true
	}
	return keys, nil
}
