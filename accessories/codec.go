package accessories

import (
	"math"
	"strings"

	"twinbridge/twin"
)

// form is how a property writes a trait.
type form uint8

const (
	formBool   form = iota // true and false
	formInt                // 1 and 0
	formWord               // one of the property's enum
	formLevel              // a number on a straight scale
	formKelvin             // a number whose reciprocal is the trait: kelvin and mired
)

// word is a string that means a value of the trait.
type word struct {
	text  string
	value float64
}

// codec translates between one property and one trait.
type codec struct {
	form form
	// yes and no are the values for true and false, 1 and 0.
	yes, no float64
	words   []word // of each value, the first is the one that is written

	scale     scale
	grid      float64 // values of the trait are rounded to this; 0: not
	floor     bool    // a level above 0 stays above 0
	low, high float64 // what may be wished
	bounded   bool    // and what is read
	near      bool    // the nearest of the words or yes and no is taken for a wish between
}

// decode gives what a value of the property means; false if it means nothing.
func (c *codec) decode(v twin.Value) (float64, bool) {
	switch {
	case c.form == formBool && v.Type() == twin.Bool:
		return c.pick(v.Bool()), true
	case c.form == formInt && v.Type() == twin.Int:
		return c.pick(v.Int() != 0), true
	case c.form == formWord && v.Type() == twin.String:
		text := v.Text()
		for i := range c.words {
			if strings.EqualFold(c.words[i].text, text) {
				return c.words[i].value, true
			}
		}
	case c.form == formLevel && isNumber(v):
		x := c.scale.toTrait(v.Number())
		r := round(x, c.grid)
		if c.floor && r <= 0 && v.Number() > c.scale.from {
			r = c.grid
		}
		return c.bound(r), finite(r)
	case c.form == formKelvin && isNumber(v) && v.Number() > 0:
		r := round(kelvinMired/v.Number(), c.grid)
		return c.bound(r), finite(r)
	}
	return 0, false
}

// bound keeps to the trait's range what lies outside of it by rounding, or by a device that does not keep to its own.
func (c *codec) bound(x float64) float64 {
	if !c.bounded {
		return x
	}
	return math.Min(math.Max(x, c.low), c.high)
}

const kelvinMired = 1e6

func isNumber(v twin.Value) bool { return v.Type() == twin.Int || v.Type() == twin.Float }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func (c *codec) pick(yes bool) float64 {
	if yes {
		return c.yes
	}
	return c.no
}

// encode gives the property's value for a wish; false if the trait has no such value.
func (c *codec) encode(p *twin.Property, x float64) (twin.Value, bool) {
	if !finite(x) || x < c.low || x > c.high {
		return twin.Value{}, false
	}
	switch c.form {
	case formBool, formInt:
		yes := x == c.yes
		if c.near {
			yes = math.Abs(x-c.yes) <= math.Abs(x-c.no)
		} else if !yes && x != c.no {
			return twin.Value{}, false
		}
		if c.form == formBool {
			return twin.BoolValue(yes), true
		}
		if yes {
			return twin.IntValue(1), true
		}
		return twin.IntValue(0), true
	case formWord:
		best, away := -1, math.Inf(1)
		for i := range c.words {
			d := math.Abs(c.words[i].value - x)
			if !c.near && d != 0 || c.floor && x > 0 && c.words[i].value == 0 {
				continue
			}
			if d < away {
				best, away = i, d
			}
		}
		if best < 0 {
			return twin.Value{}, false
		}
		return twin.StringValue(c.words[best].text), true
	case formKelvin:
		return onStep(p, kelvinMired/x)
	}
	n := c.scale.toDevice(x)
	v, ok := onStep(p, n)
	if ok && c.floor && x > 0 && c.scale.low == 0 && v.Number() <= c.scale.from {
		return onStep(p, c.scale.from+stepOf(p))
	}
	return v, ok
}

// scale is a straight line between the device's numbers and the trait's.
type scale struct{ from, to, low, high float64 } // from is low, to is high

func (s scale) toTrait(d float64) float64 {
	return s.low + (d-s.from)*(s.high-s.low)/(s.to-s.from)
}

func (s scale) toDevice(x float64) float64 {
	return s.from + (x-s.low)*(s.to-s.from)/(s.high-s.low)
}

// round rounds to a multiple of grid.
func round(x, grid float64) float64 {
	if grid == 0 {
		return x
	}
	if grid < 1 {
		n := math.Round(1 / grid) // multiples of 0.1 are nearer to what people write as tenths
		return math.Round(x*n) / n
	}
	return math.Round(x/grid) * grid
}

// stepOf gives the distance of neighbouring values of a property; 0 for a Float without step.
func stepOf(p *twin.Property) float64 {
	if p.Type == twin.Int {
		return math.Max(1, p.Step)
	}
	return p.Step
}

// base is where the steps of a property count from.
func base(p *twin.Property) float64 {
	switch {
	case p.Min == nil:
		return 0
	case p.Type == twin.Int:
		return math.Ceil(*p.Min)
	}
	return *p.Min
}

// topOf gives the largest value of a property with a maximum.
func topOf(p *twin.Property) float64 {
	step, top := stepOf(p), *p.Max
	if step == 0 {
		return top
	}
	if p.Type == twin.Int {
		top = math.Floor(top)
	}
	return base(p) + math.Floor((top-base(p))/step+1e-9)*step
}

// exact bounds what rounds to an Int without loss.
const exact = 1 << 53

// onStep gives the property's value that is nearest to n.
func onStep(p *twin.Property, n float64) (twin.Value, bool) {
	if p.Min != nil {
		n = math.Max(n, base(p))
	}
	if p.Max != nil {
		n = math.Min(n, topOf(p))
	}
	if step := stepOf(p); step > 0 {
		n = base(p) + math.Round((n-base(p))/step)*step
		if p.Min == nil && p.Max != nil && n > *p.Max {
			n -= step
		}
	}
	if !finite(n) || math.Abs(n) > exact {
		return twin.Value{}, false
	}
	if p.Type == twin.Int {
		return twin.IntValue(int64(math.Round(n))), true
	}
	const digits = 1e6 // behind the point: more is noise of the arithmetic
	if r := math.Round(n*digits) / digits; math.Abs(n) < exact/digits && (p.Min == nil || r >= *p.Min) && (p.Max == nil || r <= *p.Max) {
		n = r
	}
	return twin.FloatValue(n), true
}
