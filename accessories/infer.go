package accessories

import (
	"slices"
	"strings"

	"twinbridge/twin"
)

// infer finds a device's kind by its properties.
func (f *finder) infer() Accessory {
	var k Kind
	guard := f.guarded()
	if guard == "" {
		k = f.actuator()
	}
	if k == None {
		f.a.reset()
	}
	for _, s := range sensors {
		if f.a.Has(s.trait) {
			continue
		}
		if !f.also(s.trait, false) {
			continue
		}
		if k == None {
			k = s.kind
		} else {
			f.a.Sensors = append(f.a.Sensors, s.kind)
		}
	}
	if k != None {
		return f.is(k)
	}
	if f.battery(); f.a.Has(BatteryLow) {
		return f.is(BatterySensor)
	}
	return f.none(f.why(guard))
}

// actuator finds a kind that takes wishes.
func (f *finder) actuator() Kind {
	target, ok1 := f.look(TargetTemperature, false)
	now, ok2 := f.look(Temperature, false)
	if ok1 && ok2 {
		f.a.bind(target)
		f.a.bind(now)
		f.mode()
		f.also(Humidity, false)
		return Thermostat
	}
	if k, ok := f.lamp(Lamp); ok && k != Lamp {
		return k
	}
	f.a.reset()
	if b, ok := f.look(TargetPosition, true); ok && (f.modelSays(blindWords) || blindish(f.plain[b.prop])) {
		f.a.bind(b)
		f.where(TargetPosition, Position)
		return Blind
	}
	if _, ok := f.look(FanSpeed, f.modelSays(fanWords)); ok && f.fan() {
		return Fan
	}
	f.a.reset()
	if !f.also(On, true) {
		return None
	}
	switch name := f.plain[f.a.binding(On).prop]; {
	case f.modelSays(lampWords):
		return Lamp
	case f.modelSays(outletWords):
		return Outlet
	case f.modelSays(fanWords):
		return Fan
	case slices.Contains(outletWords, name):
		return Outlet
	case slices.Contains(fanWords, name), name == "fanon":
		return Fan
	case slices.Contains(lampWords, name), name == "lightstatus", name == "powerstatus": // KubeEdge's own lamps
		return Lamp
	}
	return Switch
}

func blindish(plain string) bool {
	return slices.ContainsFunc(blindWords, func(w string) bool { return strings.HasPrefix(plain, w) })
}

// guarded names the model or the property of which nothing is inferred that could open a house; "" if there is none. A
// model that says lamp is one, wherever it hangs.
func (f *finder) guarded() string {
	if f.modelSays(guarded) && !f.modelSays(lampWords) {
		return "model " + f.def.Model.Name
	}
	for _, i := range f.order {
		p := &f.def.Props[i]
		words := append(wordsOf(p.Name), f.plain[i])
		if p.Access == twin.ReadOnly || slices.Contains(words, "child") {
			continue
		}
		if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(guarded, w) }) {
			return "property " + p.Name
		}
	}
	return ""
}

const tells = "the annotation " + twin.AnnotationPrefix + "kind tells what it is"

// why says, for people, what stood in the way.
func (f *finder) why(guard string) string {
	if guard != "" {
		return guard + " sounds like a door or a lock, which nobody guesses; " + tells
	}
	if hint := f.wordless(); hint != "" {
		return hint
	}
	names := make([]string, 0, len(f.order))
	for _, i := range f.order {
		if len(names) == 8 {
			names = append(names, "...")
			break
		}
		names = append(names, f.def.Props[i].Name)
	}
	if len(names) == 0 {
		return "it has no properties"
	}
	return "no kind of device is known by its properties (" + strings.Join(names, ", ") + "); " + tells
}

// wordless finds a string that would be a switch if its words were known.
func (f *finder) wordless() string {
	for _, n := range known[On] {
		for _, i := range f.order {
			p := &f.def.Props[i]
			if f.plain[i] == n.text && p.Type == twin.String && len(p.Enum) == 0 && p.Access != twin.ReadOnly {
				return "property " + p.Name + " is a string of which no words are known; the annotation " + twin.AnnotationPrefix +
					"enum." + p.Name + " tells them, as ON,OFF"
			}
		}
	}
	return ""
}
