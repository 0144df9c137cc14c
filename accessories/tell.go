package accessories

// sensors are the kinds with one trait that is only read; what has several is taken for the first.
var sensors = []struct {
	kind  Kind
	trait Trait
}{
	{SmokeSensor, Smoke},
	{LeakSensor, Leak},
	{MotionSensor, Motion},
	{OccupancySensor, Occupancy},
	{ContactSensor, Contact},
	{TemperatureSensor, Temperature},
	{HumiditySensor, Humidity},
	{LightSensor, Illuminance},
}

// tell makes a device the kind that its annotations tell.
func (f *finder) tell(k Kind) Accessory {
	ok := false
	switch k {
	case Lamp, DimmableLamp, ColourTemperatureLamp, ColourLamp:
		k, ok = f.lamp(k)
	case Outlet, Switch:
		ok = f.want(On)
	case Fan:
		ok = f.fan()
	case Blind:
		ok = f.want(TargetPosition) && f.where(TargetPosition, Position)
	case Thermostat:
		ok = f.want(TargetTemperature) && f.want(Temperature)
		f.mode()
		f.also(Humidity, false)
	case Lock:
		ok = f.want(LockTarget) && f.where(LockTarget, LockState)
	case GarageDoor:
		ok = f.want(DoorTarget) && f.where(DoorTarget, DoorState)
	case BatterySensor:
		f.battery()
		ok = f.a.Has(BatteryLow) || f.want(BatteryLevel)
	default:
		for _, s := range sensors {
			if s.kind == k {
				ok = f.want(s.trait)
			}
		}
	}
	if !ok {
		return f.none("it is told to be of kind " + string(f.def.Policy.Kind) + ", but has " + f.miss)
	}
	return f.is(k)
}

// lamp binds the traits of a lamp and gives the kind that it is: the one told, or of a plain lamp the best that there is.
func (f *finder) lamp(k Kind) (Kind, bool) {
	on := f.also(On, true)
	dimmed := k != Lamp && f.want(Brightness) || k == Lamp && f.also(Brightness, on)
	if !dimmed && k != Lamp {
		return None, false
	}
	if dimmed && !on {
		on = f.switched(Brightness)
	}
	if !on && !(f.told && f.want(On)) {
		return None, false
	}
	if !dimmed {
		return Lamp, true
	}
	white := (k == Lamp || k == ColourTemperatureLamp || k == ColourLamp) && f.also(ColourTemperature, true)
	if k == ColourTemperatureLamp && !white && !f.want(ColourTemperature) {
		return None, false
	}
	coloured := false
	if k == Lamp || k == ColourLamp {
		hue, ok1 := f.look(Hue, true)
		sat, ok2 := f.look(Saturation, true)
		if coloured = ok1 && ok2; coloured {
			f.a.bind(hue)
			f.a.bind(sat)
		}
	}
	switch {
	case coloured:
		return ColourLamp, true
	case k == ColourLamp:
		f.miss = "no hue and saturation that can be written"
		return None, false
	case white, k == ColourTemperatureLamp:
		return ColourTemperatureLamp, true
	}
	return DimmableLamp, true
}

// fan binds what a fan has: a switch, a speed or both.
func (f *finder) fan() bool {
	on, speed := f.also(On, true), f.also(FanSpeed, true)
	switch {
	case on:
		return true
	case speed:
		return f.switched(FanSpeed) || f.told && f.want(On)
	}
	return f.told && (f.want(On) || f.want(FanSpeed) && f.switched(FanSpeed))
}

// where binds what tells where a thing is that goes to a target: a property of its own, or what the target's shows.
func (f *finder) where(target, state Trait) bool {
	if f.also(state, true) {
		return true
	}
	b := *f.a.binding(target)
	b.trait, b.writable, b.actual = state, false, true
	f.a.bind(b)
	return true
}

// mode binds a thermostat's mode; a switch is one of off and heat.
func (f *finder) mode() {
	if f.also(Mode, true) {
		return
	}
	if b, ok := f.look(On, true); ok {
		b.trait = Mode
		f.a.bind(b)
	}
}
