package accessories

import (
	"math"
	"strings"

	"twinbridge/twin"
)

// fit finds how a property writes a trait; false if it cannot. told: the kind is told, so more is taken. turned: see name.
func fit(t Trait, p *twin.Property, told, turned bool) (codec, bool) {
	var c codec
	ok := false
	switch t {
	case Brightness, Saturation, FanSpeed, Position, TargetPosition, Humidity, BatteryLevel:
		c, ok = fitPercent(t, p, told)
	case ColourTemperature:
		c, ok = fitMired(p)
	case Hue:
		c, ok = fitHue(p)
	case Temperature, TargetTemperature:
		c, ok = fitTemperature(t, p)
	case Illuminance:
		c, ok = fitLux(p)
	default:
		return fitChoice(t, p, told, turned)
	}
	// A range may be that of all numbers, whose width is none.
	for _, x := range []float64{c.low, c.high, c.scale.to - c.scale.from} {
		ok = ok && finite(x)
	}
	return c, ok
}

// unit gives a property's unit as units are compared.
func unit(p *twin.Property) string {
	u := strings.ToLower(strings.TrimSpace(p.Unit))
	for _, sign := range []string{"°", "º", "degrees ", "degree ", "deg "} {
		u = strings.TrimPrefix(u, sign)
	}
	return strings.TrimSpace(u)
}

func is(u string, units ...string) bool {
	for _, x := range units {
		if u == x {
			return true
		}
	}
	return false
}

func numeric(p *twin.Property) bool { return p.Type == twin.Int || p.Type == twin.Float }

// fitChoice fits traits with few values: yes or no, and the states of thermostats, locks and doors.
func fitChoice(t Trait, p *twin.Property, told, turned bool) (codec, bool) {
	c := codec{yes: 1, no: 0, low: math.Inf(-1), high: math.Inf(1)}
	switch t {
	case DoorState, DoorTarget: // true is open, which is 0
		c.yes, c.no = DoorOpen, DoorClosed
	case Position, TargetPosition:
		c.yes, c.no, c.near = 100, 0, true
	case FanSpeed:
		c.near, c.floor = true, true
	}
	if turned {
		c.yes, c.no = c.no, c.yes
	}
	switch {
	case p.Type == twin.Bool:
		return c, true
	case p.Type == twin.Int && unit(p) == "" && binary(p):
		c.form = formInt
		return c, t != Mode
	case p.Type == twin.String:
		c.form = formWord
		values := map[float64]bool{}
		for _, text := range p.Enum {
			if v, ok := meaning(t, told, text); ok {
				c.words = append(c.words, word{text, v})
				values[v] = true
			}
		}
		return c, len(values) >= 2 && (t == Mode || values[c.yes] && values[c.no] || t == FanSpeed)
	}
	return c, false
}

// binary reports whether an Int is 0 or 1, as far as it says.
func binary(p *twin.Property) bool {
	return (p.Min == nil || *p.Min == 0) && (p.Max == nil || *p.Max == 1) && (p.Step == 0 || p.Step == 1)
}

// fitPercent fits what goes from 0 to 100 %. A range that ends at 100 is percent already; any other is stretched, as 0-255
// or 0-1. Of a range that begins above 0 the lowest value is 1 %, as it is not off.
func fitPercent(t Trait, p *twin.Property, told bool) (codec, bool) {
	switch {
	case t == FanSpeed && p.Type == twin.String, told && (t == Position || t == TargetPosition) && (p.Type == twin.String || p.Type == twin.Bool):
		c, ok := fitChoice(t, p, told, false)
		c.low, c.high = 0, 100
		return c, ok
	case !numeric(p):
		return codec{}, false
	case !is(unit(p), "", "%", "percent", "pct", "%rh", "% rh", "rh", "%rf"):
		return codec{}, false
	}
	c := codec{form: formLevel, low: 0, high: 100, bounded: true, grid: 1, scale: scale{0, 100, 0, 100}}
	c.floor = t == Brightness || t == FanSpeed
	if t == Humidity {
		c.grid = 0.1
	}
	if p.Min != nil && *p.Min < 0 {
		return codec{}, false
	}
	if p.Max == nil || *p.Max == 100 {
		return c, p.Min == nil || *p.Min < 100
	}
	from, to := base(p), topOf(p)
	if to <= from || p.Type == twin.Int && to == 1 && from == 0 {
		return codec{}, false // on and off
	}
	c.scale.from, c.scale.to = from, to
	if from > 0 && c.floor {
		c.scale.low = 1
	}
	return c, true
}

// fitMired fits colour temperature: mired or kelvin by unit, name or range.
func fitMired(p *twin.Property) (codec, bool) {
	if !numeric(p) {
		return codec{}, false
	}
	c := codec{form: formLevel, bounded: true, grid: 1, scale: scale{0, 1, 0, 1}}
	name := plain(p.Name)
	switch u := unit(p); {
	case is(u, "k", "kelvin"):
		c.form = formKelvin
	case is(u, "mired", "mireds", "mirek", "mireks"):
	case u != "":
		return codec{}, false
	case p.Max != nil && *p.Max > 1000, p.Max == nil && strings.Contains(name, "kelvin"):
		c.form = formKelvin
	case p.Max != nil && *p.Max > 100, p.Max == nil && strings.Contains(name, "mired"):
	default:
		return codec{}, false // percent from warm to cold, or no telling
	}
	if c.form == formKelvin {
		low, high := 2000.0, 6500.0
		if p.Min != nil && *p.Min > 0 {
			low = *p.Min
		}
		if p.Max != nil {
			high = topOf(p)
		}
		c.low, c.high = math.Ceil(kelvinMired/high), math.Floor(kelvinMired/low)
		return c, c.low < c.high
	}
	c.low, c.high = 153, 500 // as Home Assistant has it where nothing is said
	if p.Min != nil && *p.Min >= 1 {
		c.low = math.Ceil(*p.Min)
	}
	if p.Max != nil {
		c.high = math.Floor(*p.Max)
	}
	return c, c.low < c.high
}

// fitHue fits degrees, or a range that is stretched to them.
func fitHue(p *twin.Property) (codec, bool) {
	if !numeric(p) || !is(unit(p), "", "deg", "degree", "degrees") || p.Min != nil && *p.Min != 0 {
		return codec{}, false
	}
	c := codec{form: formLevel, low: 0, high: 360, bounded: true, grid: 1, scale: scale{0, 360, 0, 360}}
	if p.Max != nil && *p.Max != 360 && *p.Max != 359 {
		c.scale.to = topOf(p)
	}
	return c, c.scale.to > 0
}

// fitTemperature fits degrees Celsius, Fahrenheit or kelvin by unit; without one they are Celsius.
func fitTemperature(t Trait, p *twin.Property) (codec, bool) {
	if !numeric(p) {
		return codec{}, false
	}
	c := codec{form: formLevel, grid: 0.01, scale: scale{0, 100, 0, 100}}
	switch u := unit(p); {
	case is(u, "", "c", "cel", "celsius", "degc", "℃", "centigrade"):
	case is(u, "f", "fahrenheit", "degf", "℉"):
		c.scale = scale{32, 212, 0, 100}
	case is(u, "k", "kelvin"):
		c.scale = scale{273.15, 373.15, 0, 100}
	default:
		return codec{}, false
	}
	c.low, c.high = -100, 200
	if t == TargetTemperature {
		c.low, c.high = 10, 38 // HAP's range, where nothing is said
	}
	if p.Min != nil {
		c.low = round(c.scale.toTrait(*p.Min), c.grid)
	}
	if p.Max != nil {
		c.high = round(c.scale.toTrait(topOf(p)), c.grid)
	}
	return c, c.low < c.high
}

// fitLux fits illuminance.
func fitLux(p *twin.Property) (codec, bool) {
	if !numeric(p) {
		return codec{}, false
	}
	c := codec{form: formLevel, low: 0, high: 100_000, grid: 0.01, scale: scale{0, 1, 0, 1}}
	switch u := unit(p); {
	case is(u, "klx", "klux"):
		c.scale.high = 1000
	case !is(u, "", "lx", "lux"):
		return codec{}, false
	}
	if p.Max != nil {
		c.high = c.scale.toTrait(*p.Max)
	}
	return c, c.high > 0
}
