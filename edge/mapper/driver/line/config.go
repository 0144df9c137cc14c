package line

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbridge/twin"
)

// Rest is the level that a line gets when it is requested, or when it is let go.
type Rest string

// The levels of powerup and exit. Last and Keep are the same wish seen from either end: leave it as it is.
const (
	Last Rest = "last"
	Keep Rest = "keep"
	Off  Rest = "off"
	On   Rest = "on"
)

// Bias is the pull resistor of an input line.
type Bias string

// The biases of an input. BiasAsIs leaves what the board set.
const (
	BiasAsIs Bias = ""
	BiasUp   Bias = "pull-up"
	BiasDown Bias = "pull-down"
	BiasNone Bias = "none"
)

// MaxDebounce bounds the debounce period of an input.
const MaxDebounce = time.Second

// Config says how one property hangs on a line: the visitor configuration of the GPIO drivers.
type Config struct {
	Line      Ref
	ActiveLow bool          // the low level is ON, as on most relay boards
	Powerup   Rest          // Last, Off or On
	Exit      Rest          // Keep, Off or On
	Bias      Bias          // inputs only
	Debounce  time.Duration // inputs only
}

// ParseConfig reads the visitor configuration of a property, a JSON object with the keys line, activeLow, powerup, exit,
// bias and debounce. Only line is required.
func ParseConfig(property string, raw []byte) (Config, error) {
	c := Config{Powerup: Last, Exit: Keep}
	field := func(key string) string { return "property " + property + ": visitor: " + key }
	obj, err := object(field, raw)
	if err != nil {
		return Config{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(obj)) {
		v := obj[key]
		bad := func(want string) (Config, error) {
			return Config{}, &twin.FieldError{Field: field(key), Value: clip(v), Want: want}
		}
		switch key {
		case "line":
			if c.Line, err = parseRef(v); err != nil {
				return bad(err.Error())
			}
		case "activeLow":
			if json.Unmarshal(v, &c.ActiveLow) != nil || string(v) == "null" {
				return bad("true or false")
			}
		case "powerup":
			if c.Powerup, err = parseRest(v, Last); err != nil {
				return bad("last, off or on")
			}
		case "exit":
			if c.Exit, err = parseRest(v, Keep); err != nil {
				return bad("keep, off or on")
			}
		case "bias":
			if json.Unmarshal(v, &c.Bias) != nil || c.Bias != BiasUp && c.Bias != BiasDown && c.Bias != BiasNone {
				return bad("pull-up, pull-down or none")
			}
		case "debounce":
			var s string
			if json.Unmarshal(v, &s) != nil {
				return bad("a duration up to 1s, as 10ms")
			}
			if c.Debounce, err = time.ParseDuration(s); err != nil || c.Debounce < 0 || c.Debounce > MaxDebounce {
				return bad("a duration up to 1s, as 10ms")
			}
		default:
			return bad("no such key; known are line, activeLow, powerup, exit, bias, debounce")
		}
	}
	if c.Line == (Ref{}) {
		return Config{}, &twin.FieldError{Field: field("line"), Value: "", Want: refForms}
	}
	return c, nil
}

// ParseChip reads the device-wide configuration of the GPIO drivers, a JSON object with the one key chip; "" if there
// is none.
func ParseChip(raw []byte) (string, error) {
	field := func(key string) string { return "protocol: " + key }
	obj, err := object(field, raw)
	if err != nil {
		return "", err
	}
	var chip string
	for key, v := range obj {
		if key != "chip" {
			return "", &twin.FieldError{Field: field(key), Value: clip(v), Want: "no such key; known is chip"}
		}
		if json.Unmarshal(v, &chip) != nil || chip == "" {
			return "", &twin.FieldError{Field: field(key), Value: clip(v), Want: "the label, the name or the path of a GPIO chip, as pinctrl-bcm2835"}
		}
	}
	return chip, nil
}

// Ref names a line: by its number on the chip, by its name, or by its pin of the header. Exactly one is set.
type Ref struct {
	number int // line number + 1
	pin    int
	name   string
}

const refForms = `a line number, a line name, or a header pin as "pin:11"`

// Number gives the line's number on its chip, if the Ref is one or can be made one without looking at a chip: false for
// a line name. header tells that it came from the header of a Raspberry Pi.
func (r Ref) Number() (n int, header, ok bool) {
	if r.pin != 0 {
		n, ok = HeaderLine(r.pin)
		return n, true, ok
	}
	return r.number - 1, false, r.number != 0
}

// Name gives the line's name, "" if it is not named.
func (r Ref) Name() string { return r.name }

func (r Ref) String() string {
	switch {
	case r.pin != 0:
		return "pin:" + strconv.Itoa(r.pin)
	case r.name != "":
		return r.name
	}
	return strconv.Itoa(r.number - 1)
}

// maxLine is the largest line number that is believed; the kernel allows 512 lines a chip on 64-bit machines.
const maxLine = 1023

func parseRef(raw []byte) (Ref, error) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw) // a number
	}
	if p, ok := strings.CutPrefix(s, "pin:"); ok {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 40 {
			return Ref{}, errors.New("a pin of the 40-pin header, as pin:11")
		}
		if _, ok := HeaderLine(n); !ok {
			return Ref{}, fmt.Errorf("a pin that carries a line; pin %d is supply or ground", n)
		}
		return Ref{pin: n}, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 || n > maxLine {
			return Ref{}, fmt.Errorf("a line number from 0 to %d", maxLine)
		}
		return Ref{number: n + 1}, nil
	}
	if s == "" || len(s) > 31 || raw[0] != '"' { // the kernel's names have 31 bytes
		return Ref{}, errors.New(refForms)
	}
	return Ref{name: s}, nil
}

// parseRest takes on and off as words, and as the booleans that YAML 1.1 readers make of them.
func parseRest(raw []byte, asIs Rest) (Rest, error) {
	var b bool
	if string(raw) != "null" && json.Unmarshal(raw, &b) == nil {
		if b {
			return On, nil
		}
		return Off, nil
	}
	var r Rest
	if json.Unmarshal(raw, &r) != nil || r != asIs && r != Off && r != On {
		return "", errors.New("no such level")
	}
	return r, nil
}

// object splits a JSON object into its members; nothing gives none.
func object(field func(string) string, raw []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	var obj map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(raw))
	err := dec.Decode(&obj)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return nil, &twin.FieldError{Field: field("configData"), Value: clip(raw), Want: "a JSON object"}
	}
	return obj, nil
}

func clip(raw []byte) string {
	if len(raw) > 80 {
		return string(raw[:80]) + "..."
	}
	return string(raw)
}
