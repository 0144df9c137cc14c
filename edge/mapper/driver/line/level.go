package line

import (
	"fmt"
	"strings"

	"twinbridge/twin"
)

// Switch maps a property's values to the two states of a line, on and off. A property may be a bool, an int that takes 0
// and 1, or a string whose enum has a word for each.
type Switch struct{ on, off twin.Value }

// words are what a string property may call on and off, in any case.
var words = [...]struct{ on, off string }{{"on", "off"}, {"true", "false"}, {"1", "0"}}

// SwitchOf finds the two values of a property.
func SwitchOf(p *twin.Property) (Switch, error) {
	switch p.Type {
	case twin.Bool:
		return Switch{twin.BoolValue(true), twin.BoolValue(false)}, nil
	case twin.Int:
		s := Switch{twin.IntValue(1), twin.IntValue(0)}
		if p.Check(s.on) != nil || p.Check(s.off) != nil {
			return Switch{}, &twin.FieldError{Field: "property " + p.Name, Value: "int", Want: "a range that holds 0 and 1"}
		}
		return s, nil
	case twin.String:
		if len(p.Enum) == 2 {
			for _, w := range words {
				for i := range 2 {
					if strings.EqualFold(p.Enum[i], w.on) && strings.EqualFold(p.Enum[1-i], w.off) {
						return Switch{twin.StringValue(p.Enum[i]), twin.StringValue(p.Enum[1-i])}, nil
					}
				}
			}
		}
		return Switch{}, &twin.FieldError{
			Field: "property " + p.Name, Value: strings.Join(p.Enum, ","),
			Want: "two words for a line, as the annotation " + twin.AnnotationPrefix + "enum." + p.Name + ": ON,OFF",
		}
	}
	return Switch{}, &twin.FieldError{
		Field: "property " + p.Name, Value: p.Type.String(),
		Want: "a bool, an int of 0 and 1, or a string of ON and OFF; a line has two levels",
	}
}

// On tells whether v is the value for on; an error if it is neither.
func (s Switch) On(v twin.Value) (bool, error) {
	switch v {
	case s.on:
		return true, nil
	case s.off:
		return false, nil
	}
	return false, fmt.Errorf("%q is neither %s nor %s", v.Text(), s.on, s.off)
}

// Value gives the value for on or off.
func (s Switch) Value(on bool) twin.Value {
	if on {
		return s.on
	}
	return s.off
}
