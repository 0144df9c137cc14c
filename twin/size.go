package twin

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MaxDefinition bounds the JSON of a device and of its model together, in bytes: both travel in one message.
const MaxDefinition = 192 << 10

// maxConfigDepth bounds the nesting of a driver's configuration, in levels of objects and arrays.
const maxConfigDepth = 30

// checkSize reports a definition that cannot travel. It is asked where definitions are taken, not where they are read
// from the disk.
func checkSize(d *Device, m *DeviceModel) error {
	b, err := json.Marshal(Definition{Device: *d, Model: m})
	if err != nil {
		return fmt.Errorf("device %s: %w", d.Name, &FieldError{Field: "config", Value: clip(err.Error()), Want: "JSON"})
	}
	if !utf8.Valid(b) {
		return fmt.Errorf("device %s: %w", d.Name, &FieldError{Field: "config", Value: "other bytes", Want: "UTF-8 text"})
	}
	if size := len(b); size > MaxDefinition {
		return fmt.Errorf("device %s: %w", d.Name, &FieldError{
			Field: "definition", Value: fmt.Sprintf("%d bytes", size), Want: fmt.Sprintf("at most %d bytes of JSON with its model", MaxDefinition),
		})
	}
	configs := []json.RawMessage{d.Protocol.Config}
	for i := range d.Properties {
		configs = append(configs, d.Properties[i].Visitor.Config)
	}
	if m != nil {
		configs = append(configs, m.Protocol.Config)
		for i := range m.Properties {
			configs = append(configs, m.Properties[i].Visitor.Config)
		}
	}
	for _, c := range configs {
		if deeper(c, maxConfigDepth) {
			return fmt.Errorf("device %s: %w", d.Name, &FieldError{
				Field: "config", Value: clip(string(c)), Want: fmt.Sprintf("at most %d levels of objects and arrays", maxConfigDepth),
			})
		}
	}
	return nil
}

// deeper reports whether JSON is nested deeper than most levels.
func deeper(b []byte, most int) bool {
	depth, text, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
