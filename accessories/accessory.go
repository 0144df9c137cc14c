package accessories

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"twinbridge/twin"
)

// binding ties a trait to a property.
type binding struct {
	codec
	trait    Trait
	prop     int // index in the properties
	writable bool
	derived  bool // On of a level, BatteryLow of BatteryLevel
	actual   bool // where the device is, whatever is wished
}

// Accessory is what a device is, and how its properties say so. It is never changed after Find made it, and belongs to the
// definition that it was found in: after a new one Find is asked again.
type Accessory struct {
	Kind Kind
	// Sensors are kinds of sensor that an inferred device is beside its Kind; each has the one trait of its kind.
	Sensors []Kind
	// Reason says, if Kind is None, why; for people.
	Reason string

	def      *twin.Resolved
	bindings []binding // by trait
	index    [traits]int8
}

// lowBattery is what counts as low where a device tells its battery's level only, in percent.
const lowBattery = 20

func (a *Accessory) bind(b binding) {
	a.bindings = append(a.bindings, b)
	slices.SortFunc(a.bindings, func(x, y binding) int { return int(x.trait) - int(y.trait) })
	a.index = [traits]int8{}
	for i := range a.bindings {
		a.index[a.bindings[i].trait] = int8(i + 1)
	}
}

func (a *Accessory) reset() { a.bindings, a.index = nil, [traits]int8{} }

func (a *Accessory) binding(t Trait) *binding {
	if int(t) >= traits || a.index[t] == 0 {
		return nil
	}
	return &a.bindings[a.index[t]-1]
}

// Traits lists the traits that the device has, in order.
func (a *Accessory) Traits() []Trait {
	out := make([]Trait, len(a.bindings))
	for i := range a.bindings {
		out[i] = a.bindings[i].trait
	}
	return out
}

// Has reports whether the device has the trait.
func (a *Accessory) Has(t Trait) bool { return a.binding(t) != nil }

// Writable reports whether the trait can be wished.
func (a *Accessory) Writable(t Trait) bool {
	b := a.binding(t)
	return b != nil && b.writable
}

// Property names the property in which a trait lies; "" if the device does not have it.
func (a *Accessory) Property(t Trait) string {
	if b := a.binding(t); b != nil {
		return a.def.Props[b.prop].Name
	}
	return ""
}

// Range gives the least and the greatest value of a trait and the distance of its values, in the trait's unit; false if the
// device does not have it. What a sensor tells may lie outside.
func (a *Accessory) Range(t Trait) (low, high, step float64, ok bool) {
	b := a.binding(t)
	if b == nil {
		return 0, 0, 0, false
	}
	low, high, step = b.low, b.high, b.grid
	switch {
	case b.derived:
		return 0, 1, 1, true
	case b.form == formBool || b.form == formInt || b.form == formWord:
		all := a.Choices(t) // two at least
		return all[0], all[len(all)-1], 1, true
	case t == Temperature || t == TargetTemperature:
		step = 0.1
		if s := stepOf(&a.def.Props[b.prop]); s > 0 && b.scale.to == 100 { // of degrees Celsius
			step = s
		}
	}
	return low, high, step, true
}

// Choices lists the values of a trait that has few of them, as the modes of a thermostat; nil for others.
func (a *Accessory) Choices(t Trait) []float64 {
	b := a.binding(t)
	var out []float64
	switch {
	case b == nil:
		return nil
	case b.derived:
		return []float64{0, 1}
	case b.form == formBool || b.form == formInt:
		out = []float64{b.yes, b.no}
	case b.form == formWord:
		for _, w := range b.words {
			out = append(out, w.value)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Read gives what a bridge shows: expected while a wish is pending, else actual (twin rule 10). Where a blind, a lock or a
// door is now is its actual value always. What was never reported or wished, and what means nothing, is absent.
func (a *Accessory) Read(v *twin.View) Traits { return a.read(v, nil) }

// ReadLike is Read for somebody who wished before: where the device shows what became of that wish, it gives the value
// wished instead of the one that came of it by rounding.
func (a *Accessory) ReadLike(v *twin.View, wished *Traits) Traits { return a.read(v, wished) }

func (a *Accessory) read(v *twin.View, wished *Traits) (out Traits) {
	for i := range a.bindings {
		b := &a.bindings[i]
		p := a.property(v, b.prop)
		if p == nil {
			continue
		}
		shown := p.Shown()
		if b.actual {
			shown = p.Actual
		}
		x, ok := b.decode(shown)
		if !ok {
			continue
		}
		switch {
		case b.derived && b.trait == BatteryLow:
			out.SetBool(BatteryLow, x <= lowBattery)
			continue
		case b.derived:
			out.SetBool(b.trait, x > 0)
			continue
		}
		if wished != nil && b.writable && b.gradual() {
			if w, has := wished.Get(b.trait); has && w != x {
				if e, ok := b.encode(p.Def, w); ok && p.Def.Equal(e, shown) {
					x = w
				}
			}
		}
		out.Set(b.trait, x)
	}
	return out
}

// gradual reports whether what lies between two values is rounded to one of them.
func (b *binding) gradual() bool {
	return b.form == formLevel || b.form == formKelvin || b.form == formWord && b.floor
}

// property gives a property of a view; by name if the view is of another definition.
func (a *Accessory) property(v *twin.View, i int) *twin.PropertyView {
	if v == nil {
		return nil
	}
	name := a.def.Props[i].Name
	if i < len(v.Props) && v.Props[i].Def.Name == name {
		return &v.Props[i]
	}
	return v.Prop(name)
}

// Wish gives the device's own values for traits that are wished, by property. v is how the device stands; nil is taken,
// and of use only for a lamp that has a level and no switch: switched on, it keeps a level above 0, else it gets 100 %.
//
// A value between two steps becomes the nearest, save that one above 0 does not become 0. The error is a
// [twin.FieldError] that names the trait: one that the device does not have, that cannot be wished, or a value outside
// of [Accessory.Range] or not among [Accessory.Choices]. Then nothing is to be wished.
func (a *Accessory) Wish(v *twin.View, wished Traits) (map[string]twin.Value, error) {
	if wished.Empty() {
		return nil, &twin.FieldError{Field: "wish", Want: "a value of at least one trait"}
	}
	out := make(map[string]twin.Value, 2)
	for set := wished.set; set != 0; set &= set - 1 { // On comes before the level that it may be of
		t := Trait(bits.TrailingZeros32(set))
		x := wished.v[t]
		b := a.binding(t)
		if b == nil || !b.writable {
			return nil, &twin.FieldError{Field: t.String(), Value: number(x), Want: a.wants(b)}
		}
		p := &a.def.Props[b.prop]
		if b.derived {
			if x != 0 && x != 1 {
				return nil, &twin.FieldError{Field: t.String(), Value: number(x), Want: "0 or 1"}
			}
			val, ok := a.level(v, b, x == 1, &wished)
			if !ok {
				return nil, &twin.FieldError{Field: t.String(), Value: number(x), Want: "a level that property " + p.Name + " takes"}
			}
			out[p.Name] = val
			continue
		}
		if _, done := out[p.Name]; done {
			if _, ok := b.encode(p, x); !ok { // on and off stand before the level that they are of
				return nil, &twin.FieldError{Field: t.String(), Value: number(x), Want: a.wants(b)}
			}
			continue
		}
		val, ok := b.encode(p, x)
		if !ok {
			return nil, &twin.FieldError{Field: t.String(), Value: number(x), Want: a.wants(b)}
		}
		if err := p.Check(val); err != nil {
			return nil, fmt.Errorf("wish %s %s: %w", t, number(x), err)
		}
		out[p.Name] = val
	}
	return out, nil
}

// level gives the value of a level with which a device without a switch is on or off.
func (a *Accessory) level(v *twin.View, b *binding, on bool, wished *Traits) (twin.Value, bool) {
	p := &a.def.Props[b.prop]
	if !on {
		return b.encode(p, 0)
	}
	for _, t := range []Trait{Brightness, FanSpeed} {
		if x, ok := wished.Get(t); ok && a.Has(t) && a.binding(t).prop == b.prop {
			return b.encode(p, math.Max(x, 1))
		}
	}
	if pv := a.property(v, b.prop); pv != nil {
		if x, ok := b.decode(pv.Shown()); ok && x > 0 {
			return pv.Shown(), true
		}
	}
	return b.encode(p, 100)
}

// wants says what a wish could have been.
func (a *Accessory) wants(b *binding) string {
	if b == nil {
		return "a trait of this " + string(a.Kind)
	}
	if !b.writable {
		return "a trait that can be wished; property " + a.def.Props[b.prop].Name + " is read-only"
	}
	if all := a.Choices(b.trait); all != nil && !b.near {
		texts := make([]string, len(all))
		for i, x := range all {
			texts[i] = number(x)
		}
		return "one of " + strings.Join(texts, ", ")
	}
	low, high, _, _ := a.Range(b.trait)
	return "a number from " + number(low) + " to " + number(high)
}
