package accessories

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"twinbridge/twin"
)

// Find says what a device is: the kind that its annotations tell, or one inferred. The error is a [twin.FieldError] about
// a kind that does not exist; a device that is not understood is none (see [Accessory.Reason]).
func Find(r *twin.Resolved) (Accessory, error) {
	f := newFinder(r)
	if r.Policy.Kind == "" {
		return f.infer(), nil
	}
	k, err := ParseKind(r.Policy.Kind)
	if err != nil {
		return Accessory{}, fmt.Errorf("device %s: %w", r.Name, err)
	}
	f.told = true
	return f.tell(k), nil
}

// finder looks for the properties of one device's traits.
type finder struct {
	def   *twin.Resolved
	plain []string // names of the properties as they are compared
	order []int    // properties by name, so that their order in a file does not count
	model []string // words of the model's name
	told  bool
	a     Accessory
	miss  string // why the last trait was not found
}

func newFinder(r *twin.Resolved) *finder {
	f := &finder{def: r, model: wordsOf(r.Model.Name), a: Accessory{def: r}}
	for i := range r.Props {
		f.plain = append(f.plain, plain(r.Props[i].Name))
		f.order = append(f.order, i)
	}
	slices.SortFunc(f.order, func(x, y int) int { return cmp.Compare(r.Props[x].Name, r.Props[y].Name) })
	return f
}

// modelSays reports whether the model's name has one of the words.
func (f *finder) modelSays(words []string) bool {
	return slices.ContainsFunc(f.model, func(w string) bool { return slices.Contains(words, w) })
}

// written reports whether a trait is wished rather than read.
func written(t Trait) bool {
	switch t {
	case On, Brightness, ColourTemperature, Hue, Saturation, FanSpeed, TargetPosition, TargetTemperature, LockTarget, DoorTarget:
		return true
	}
	return false
}

// guessed reports whether a property may be a trait of a kind that is inferred. What nobody can set by nature is taken
// even if it is declared as writable, as manifests often do; an Int that does not end at 1 may be an amount of smoke or
// water.
func guessed(t Trait, p *twin.Property) bool {
	switch t {
	case Contact, Illuminance: // else a door's or a lamp's
		return p.Access == twin.ReadOnly && (p.Type != twin.Int || p.Max != nil || t == Illuminance)
	case Motion, Occupancy, Smoke, Leak:
		return p.Type != twin.Int || p.Max != nil
	}
	return true
}

// look finds the property of a trait by its name. Weak names are taken if the kind is told, or if anyway says so.
func (f *finder) look(t Trait, anyway bool) (binding, bool) {
	for _, n := range known[t] {
		for _, i := range f.order {
			if f.plain[i] != n.text {
				continue
			}
			p := &f.def.Props[i]
			if n.weak && !f.told && (!anyway || p.Max == nil && unit(p) == "") {
				continue
			}
			if b, ok := f.try(t, i, n.turned); ok {
				return b, true
			}
		}
	}
	return binding{}, false
}

// try binds a trait to a property if it fits.
func (f *finder) try(t Trait, i int, turned bool) (binding, bool) {
	p := &f.def.Props[i]
	if written(t) && p.Access == twin.ReadOnly || !f.told && !guessed(t, p) {
		return binding{}, false
	}
	c, ok := fit(t, p, f.told, turned)
	if !ok {
		return binding{}, false
	}
	if t == On { // both have to be values of the property
		for _, x := range []float64{c.yes, c.no} {
			v, ok := c.encode(p, x)
			if !ok || p.Check(v) != nil {
				return binding{}, false
			}
		}
	}
	return binding{
		codec: c, trait: t, prop: i,
		writable: p.Access != twin.ReadOnly && (written(t) || t == Mode),
		actual:   t == Position || t == LockState || t == DoorState,
	}, true
}

// only finds the property of a trait of a told kind by what it can be: the only one that fits, is not taken, and has no
// name that means something else.
func (f *finder) only(t Trait) (binding, bool) {
	found := f.fitting(t)
	switch len(found) {
	case 1:
		return found[0], true
	case 0:
		f.miss = "no property that can be its " + t.String()
		if written(t) {
			f.miss += " and be written"
		}
		if hint := f.wordless(); t == On && hint != "" {
			f.miss += "; " + hint
		}
	default:
		names := make([]string, len(found))
		for i := range found {
			names[i] = f.def.Props[found[i].prop].Name
		}
		f.miss = "more than one property that can be its " + t.String() + ": " + strings.Join(names, ", ")
	}
	return binding{}, false
}

// fitting lists what can be a trait, in the order of their names.
func (f *finder) fitting(t Trait) (out []binding) {
	for _, i := range f.order {
		p := &f.def.Props[i]
		taken := slices.ContainsFunc(f.a.bindings, func(b binding) bool { return b.prop == i && !b.derived })
		loose := t == On && p.Type == twin.Int && (p.Min == nil || p.Max == nil) // a number, not 0 and 1
		if taken || loose || f.meansElse(i) {
			continue
		}
		if b, ok := f.try(t, i, false); ok {
			out = append(out, b)
		}
	}
	return out
}

// meansElse reports whether a property has a name that is known for any trait; if it were known for the trait wanted, it
// would have been found.
func (f *finder) meansElse(i int) bool {
	for t := range known {
		if slices.ContainsFunc(known[t], func(n name) bool { return n.text == f.plain[i] && !n.weak }) {
			return true
		}
	}
	return false
}

// want finds a trait by name or, of a told kind, by what it can be, and binds it.
func (f *finder) want(t Trait) bool {
	b, ok := f.look(t, true)
	if !ok && f.told {
		b, ok = f.only(t)
	}
	if ok {
		f.a.bind(b)
	}
	return ok
}

// also binds a trait if there is a property of its name.
func (f *finder) also(t Trait, anyway bool) bool {
	b, ok := f.look(t, anyway)
	if ok {
		f.a.bind(b)
	}
	return ok
}

// battery binds what any device may have beside.
func (f *finder) battery() {
	level := f.a.Has(BatteryLevel) || f.also(BatteryLevel, false)
	if f.a.Has(BatteryLow) {
		return
	}
	if low, ok := f.look(BatteryLow, false); ok && (!level || low.prop != f.a.binding(BatteryLevel).prop) {
		f.a.bind(low)
		return
	}
	if !level {
		return
	}
	b := *f.a.binding(BatteryLevel)
	b.trait, b.derived = BatteryLow, true
	f.a.bind(b)
}

// is ends the search.
func (f *finder) is(k Kind) Accessory {
	f.battery()
	f.a.Kind = k
	return f.a
}

// none ends the search without a kind.
func (f *finder) none(reason string) Accessory { return Accessory{def: f.def, Reason: reason} }

// switched binds On of a level, if that has an off.
func (f *finder) switched(level Trait) bool {
	b := *f.a.binding(level)
	off, ok := b.encode(&f.def.Props[b.prop], 0)
	if x, means := b.decode(off); !ok || !means || x != 0 {
		f.miss = "no property that can be its on and be written"
		return false
	}
	b.trait, b.derived = On, true
	f.a.bind(b)
	return true
}
