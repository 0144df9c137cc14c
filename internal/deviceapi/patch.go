package deviceapi

import (
	"maps"
	"slices"
	"strings"
	"time"

	"twinbridge/twin"
)

// Patch is the body of a PATCH of expected: a wish.
type Patch struct {
	Expected map[string]Scalar `json:"expected" minProperties:"1" doc:"Properties and the values that they are to take; all or none"`
	ValidFor string            `json:"validFor,omitempty" example:"5m" doc:"Makes it a press: it ends after this time if it was not applied, and expected goes back. At most 24h"`
	Insist   bool              `json:"insist,omitempty" doc:"Takes effect though somebody in the house acted while the wish was on its way"`
}

// DecodePatch reads the body of a PATCH of expected. Errors name the field; nothing is checked against a device yet.
func DecodePatch(b []byte) (Patch, error) {
	var p Patch
	err := decodeStrict(b, &p, "expected", "validFor", "insist")
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return Patch{}, err
	}
	return p, nil
}

// check reports what is wrong whatever device it is for.
func (p *Patch) check() error {
	if len(p.Expected) == 0 {
		return &twin.FieldError{Field: "expected", Value: "", Want: `at least one property, as {"expected":{"powerstatus":"ON"}}`}
	}
	if len(p.Expected) > twin.MaxProperties {
		return &twin.FieldError{Field: "expected", Value: "more properties", Want: "at most 256"}
	}
	_, err := p.validFor()
	return err
}

func (p *Patch) validFor() (time.Duration, error) {
	if p.ValidFor == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(p.ValidFor)
	if err != nil || d <= 0 || d > twin.MaxValidFor {
		return 0, &twin.FieldError{Field: "validFor", Value: clip(p.ValidFor), Want: "a duration up to 24h, as 30s or 5m"}
	}
	return d, nil
}

// wish makes a wish of p for a device: every value becomes one of its property's type.
func (p *Patch) wish(d *twin.Resolved) (twin.Wish, error) {
	validFor, err := p.validFor()
	if err != nil {
		return twin.Wish{}, err
	}
	w := twin.Wish{Values: make(map[string]twin.Value, len(p.Expected)), ValidFor: validFor, Insist: p.Insist}
	for _, name := range slices.Sorted(maps.Keys(p.Expected)) {
		prop := d.Property(name)
		if prop == nil {
			return twin.Wish{}, &twin.FieldError{Field: "property", Value: clip(name), Want: "one of " + d.PropertyNames()}
		}
		v, err := twin.ParseJSON(prop.Type, p.Expected[name])
		if err == nil {
			err = prop.Check(v)
		}
		if err != nil {
			return twin.Wish{}, &twin.FieldError{Field: name, Value: clip(p.Expected[name].Text()), Want: wanted(err, prop)}
		}
		w.Values[name] = v
	}
	return w, nil
}

// wanted says what a property takes, in the most useful words: its words if it has some.
func wanted(err error, p *twin.Property) string {
	if len(p.Enum) > 0 {
		return "one of " + strings.Join(p.Enum, ", ")
	}
	if field, ok := asField(err); ok {
		return field.Want
	}
	return "a value of type " + p.Type.String()
}
