package twin

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Access tells who may change a property.
type Access uint8

// ReadWrite properties take wishes; ReadOnly ones are only reported.
const (
	ReadWrite Access = iota
	ReadOnly
)

func (a Access) String() string {
	if a == ReadOnly {
		return "ReadOnly"
	}
	return "ReadWrite"
}

// MarshalText encodes the access as KubeEdge writes it.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText decodes ReadWrite or ReadOnly.
func (a *Access) UnmarshalText(b []byte) error {
	switch string(b) {
	case "ReadWrite", "":
		*a = ReadWrite
	case "ReadOnly":
		*a = ReadOnly
	default:
		return &FieldError{Field: "accessMode", Value: clip(string(b)), Want: "ReadWrite or ReadOnly"}
	}
	return nil
}

// Visitor tells a mapper's driver where a property lies in its device. Config is the driver's own JSON object.
type Visitor struct {
	Protocol string          `json:"protocol,omitempty"`
	Config   json.RawMessage `json:"config,omitempty"`
}

// Property describes one property of a device: its type, who may change it, and which values it takes.
type Property struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Type        Type     `json:"type"`
	Access      Access   `json:"access,omitempty"`
	Unit        string   `json:"unit,omitempty"`
	Min         *float64 `json:"min,omitempty"`
	Max         *float64 `json:"max,omitempty"`
	Step        float64  `json:"step,omitempty"` // 0: any value in range
	// Tolerance is the difference between two numbers that still counts as equal.
	Tolerance float64  `json:"tolerance,omitempty"`
	Enum      []string `json:"enum,omitempty"` // empty: any string

	Visitor       Visitor       `json:"visitor,omitzero"`
	CollectCycle  time.Duration `json:"collectCycle,omitempty"` // how often a mapper reads; 0: its own choice
	ReportCycle   time.Duration `json:"reportCycle,omitempty"`  // how often a mapper promises to report; 0: no promise
	ReportToCloud bool          `json:"reportToCloud,omitempty"`
}

// Validate reports the first thing in the definition that contradicts itself.
func (p *Property) Validate() error {
	if err := checkLabel("property", p.Name); err != nil {
		return err
	}
	field := func(f string) string { return "property " + p.Name + ": " + f }
	if p.Type < Bool || p.Type > String {
		return &FieldError{Field: field("type"), Value: p.Type.String(), Want: "bool, int, float or string"}
	}
	for _, n := range []struct {
		name string
		v    *float64
	}{{"min", p.Min}, {"max", p.Max}, {"step", &p.Step}, {"tolerance", &p.Tolerance}} {
		if n.v == nil {
			continue
		}
		if math.IsNaN(*n.v) || math.IsInf(*n.v, 0) {
			return &FieldError{Field: field(n.name), Value: fmt.Sprint(*n.v), Want: "a finite number"}
		}
		if (n.name == "step" || n.name == "tolerance") && *n.v < 0 {
			return &FieldError{Field: field(n.name), Value: fmt.Sprint(*n.v), Want: "0 or more"}
		}
	}
	if p.Type == Int && p.Step > 0 { // counted from min
		if !whole(p.Step) && !whole(1/p.Step) {
			return &FieldError{Field: field("step"), Value: fmt.Sprint(p.Step), Want: "a whole number, as the property is an int"}
		}
		if p.Min != nil && !whole(*p.Min) {
			return &FieldError{Field: field("min"), Value: fmt.Sprint(*p.Min), Want: "a whole number, as the property is an int with a step"}
		}
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		return &FieldError{Field: field("min"), Value: fmt.Sprint(*p.Min), Want: fmt.Sprintf("at most max, %v", *p.Max)}
	}
	if len(p.Enum) > 0 && p.Type != String {
		return &FieldError{Field: field("enum"), Value: strings.Join(p.Enum, ","), Want: "a property of type string"}
	}
	if p.CollectCycle < 0 || p.ReportCycle < 0 {
		return &FieldError{Field: field("cycle"), Value: min(p.CollectCycle, p.ReportCycle).String(), Want: "0 or more"}
	}
	return nil
}

func whole(x float64) bool { return x == math.Trunc(x) }

// Check reports why v is no value of p: wrong type, out of range, off the step, not in the enum, too long.
func (p *Property) Check(v Value) error {
	bad := func(want string) error { return &FieldError{Field: p.Name, Value: clip(v.Text()), Want: want} }
	if v.typ != p.Type {
		return bad("a value of type " + p.Type.String())
	}
	switch p.Type {
	case Int, Float:
		n := v.Number()
		if p.Min != nil && n < *p.Min || p.Max != nil && n > *p.Max {
			return bad(p.rangeText())
		}
		if p.Step > 0 {
			base := 0.0
			if p.Min != nil {
				base = *p.Min
			}
			k := (n - base) / p.Step
			if math.Abs(k-math.Round(k)) > 1e-6 {
				return bad("a multiple of " + num(p.Step) + " from " + num(base))
			}
		}
	case String:
		if len(v.s) > MaxValueLen {
			return bad(fmt.Sprintf("at most %d bytes", MaxValueLen))
		}
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, v.s) {
			return bad("one of " + strings.Join(p.Enum, ", "))
		}
	}
	return nil
}

// Parse reads a value of p from its text form and checks it.
func (p *Property) Parse(s string) (Value, error) { return p.checked(ParseText(p.Type, s)) }

// ParseJSON reads a value of p from one JSON value and checks it.
func (p *Property) ParseJSON(raw []byte) (Value, error) { return p.checked(ParseJSON(p.Type, raw)) }

func (p *Property) checked(v Value, err error) (Value, error) {
	if err != nil {
		if fe, ok := err.(*FieldError); ok { //nolint:errorlint // made a line above, never wrapped
			fe.Field = p.Name
			if len(p.Enum) > 0 {
				fe.Want = "one of " + strings.Join(p.Enum, ", ")
			}
		}
		return Value{}, err
	}
	return v, p.Check(v)
}

// Equal reports whether a and b count as the same: equal within the tolerance.
func (p *Property) Equal(a, b Value) bool {
	if a == b {
		return true
	}
	if p.Tolerance > 0 && a.typ == p.Type && b.typ == p.Type && (p.Type == Int || p.Type == Float) {
		return math.Abs(a.Number()-b.Number()) <= p.Tolerance
	}
	return false
}

func (p *Property) rangeText() string {
	switch {
	case p.Min != nil && p.Max != nil:
		return "a number from " + num(*p.Min) + " to " + num(*p.Max)
	case p.Min != nil:
		return "a number of at least " + num(*p.Min)
	default:
		return "a number of at most " + num(*p.Max)
	}
}

func num(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
