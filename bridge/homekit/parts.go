package homekit

import (
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"twinbridge/accessories"
	"twinbridge/bridge/homekit/database"
)

// partsOf gives the services of a device (HAP R2, 8): first that of its kind, then those of what it senses beside.
func partsOf(a *accessories.Accessory) []part {
	parts := kindParts(a)
	for _, k := range a.Sensors {
		parts = append(parts, sensor(k)...)
	}
	if a.Kind != accessories.BatterySensor && (a.Has(accessories.BatteryLevel) || a.Has(accessories.BatteryLow)) {
		parts = append(parts, battery(a))
	}
	if len(parts) > 0 {
		parts[0].primary = true
	}
	return parts
}

func kindParts(a *accessories.Accessory) []part {
	switch a.Kind {
	case accessories.Lamp, accessories.DimmableLamp, accessories.ColourTemperatureLamp, accessories.ColourLamp:
		return []part{lamp(a)}
	case accessories.Outlet:
		on := yes("on", from(characteristic.NewOn().C), accessories.On)
		use := reads(yes("in-use", from(characteristic.NewOutletInUse().C), accessories.On))
		return []part{{key: "outlet", service: service.TypeOutlet, points: []point{writes(on, a, accessories.On), use}}}
	case accessories.Switch:
		on := yes("on", from(characteristic.NewOn().C), accessories.On)
		return []part{{key: "switch", service: service.TypeSwitch, points: []point{writes(on, a, accessories.On)}}}
	case accessories.Fan:
		return []part{fan(a)}
	case accessories.Blind:
		return []part{blind(a)}
	case accessories.Thermostat:
		return []part{thermostat(a)}
	case accessories.Lock:
		return []part{lock(a)}
	case accessories.GarageDoor:
		return []part{garage(a)}
	case accessories.BatterySensor:
		return []part{battery(a)}
	}
	return sensor(a.Kind)
}

func lamp(a *accessories.Accessory) part {
	p := part{key: "lamp", service: service.TypeLightbulb}
	add := func(q point, t accessories.Trait) {
		if a.Has(t) {
			p.points = append(p.points, writes(q, a, t))
		}
	}
	add(yes("on", from(characteristic.NewOn().C), accessories.On), accessories.On)
	add(level("brightness", from(characteristic.NewBrightness().C), accessories.Brightness), accessories.Brightness)
	temperature := from(characteristic.NewColorTemperature().C)
	if low, high, _, ok := a.Range(accessories.ColourTemperature); ok {
		temperature = within(temperature, low, high, 1)
	}
	add(level("temperature", temperature, accessories.ColourTemperature), accessories.ColourTemperature)
	add(level("hue", from(characteristic.NewHue().C), accessories.Hue), accessories.Hue)
	add(level("saturation", from(characteristic.NewSaturation().C), accessories.Saturation), accessories.Saturation)
	return p
}

func fan(a *accessories.Accessory) part {
	active := code("active", oneOf(from(characteristic.NewActive().C), 0, 1), accessories.On, is(1, 0))
	active.wish = func(v database.Value, s *accessories.Traits) { s.SetBool(accessories.On, v.Number() != 0) }
	p := part{key: "fan", service: service.TypeFanV2, points: []point{writes(active, a, accessories.On)}}
	if a.Has(accessories.FanSpeed) {
		speed := level("speed", from(characteristic.NewRotationSpeed().C), accessories.FanSpeed)
		p.points = append(p.points, writes(speed, a, accessories.FanSpeed))
	}
	return p
}

// Position State of a window covering (HAP R2, 9.77).
const (
	closing = iota
	opening
	stopped
)

func blind(a *accessories.Accessory) part {
	where := accessories.Position
	if !a.Has(where) {
		where = accessories.TargetPosition // a blind that does not tell is where it was sent
	}
	target := accessories.TargetPosition
	if !a.Has(target) {
		target = accessories.Position
	}
	state := point{key: "state", char: from(characteristic.NewPositionState().C), show: func(s *accessories.Traits) database.Value {
		at, ok := s.Get(where)
		to, told := s.Get(target)
		switch {
		case ok && told && to < at:
			return database.Int(closing)
		case ok && told && to > at:
			return database.Int(opening)
		}
		return database.Int(stopped)
	}}
	return part{key: "blind", service: service.TypeWindowCovering, points: []point{
		reads(level("position", from(characteristic.NewCurrentPosition().C), where)),
		writes(level("target", from(characteristic.NewTargetPosition().C), target), a, target),
		state,
	}}
}

func thermostat(a *accessories.Accessory) part {
	measured := accessories.Temperature
	if !a.Has(measured) {
		measured = accessories.TargetTemperature
	}
	goal := from(characteristic.NewTargetTemperature().C)
	if low, high, step, ok := a.Range(accessories.TargetTemperature); ok {
		goal = within(goal, low, high, step)
	}
	modes := oneOf(from(characteristic.NewTargetHeatingCoolingState().C), accessories.ModeHeat)
	mode := always("target-mode", modes, database.Int(accessories.ModeHeat))
	if a.Has(accessories.Mode) {
		modes.Valid = nil
		for _, m := range a.Choices(accessories.Mode) {
			modes.Valid = append(modes.Valid, int64(m))
		}
		mode = level("target-mode", modes, accessories.Mode)
	}
	p := part{key: "thermostat", service: service.TypeThermostat, points: []point{
		{key: "mode", char: from(characteristic.NewCurrentHeatingCoolingState().C), show: func(s *accessories.Traits) database.Value {
			return database.Int(doing(s, measured))
		}},
		writes(mode, a, accessories.Mode),
		reads(level("temperature", sensed(characteristic.NewCurrentTemperature().C, coldest, hottest), measured)),
		writes(level("target", goal, accessories.TargetTemperature), a, accessories.TargetTemperature),
		// Degrees Celsius: there is no display here whose unit somebody could choose.
		reads(always("unit", from(characteristic.NewTemperatureDisplayUnits().C), database.Int(0))),
	}}
	if a.Has(accessories.Humidity) {
		p.points = append(p.points, reads(level("humidity", from(characteristic.NewCurrentRelativeHumidity().C), accessories.Humidity)))
	}
	return p
}

// Range of thermometers, in degrees Celsius; the catalogue begins at 0, which would hide the frost.
const (
	coldest = -100
	hottest = 1000
)

// doing guesses what a thermostat does, as the Current Heating Cooling State wants it (HAP R2, 9.32): 0 nothing, 1 it
// heats, 2 it cools.
func doing(s *accessories.Traits, measured accessories.Trait) int64 {
	mode, ok := s.Get(accessories.Mode)
	if !ok {
		mode = accessories.ModeHeat
	}
	at, known := s.Get(measured)
	to, set := s.Get(accessories.TargetTemperature)
	switch {
	case !known || !set || mode == accessories.ModeOff:
	case at < to && (mode == accessories.ModeHeat || mode == accessories.ModeAuto):
		return 1
	case at > to && (mode == accessories.ModeCool || mode == accessories.ModeAuto):
		return 2
	}
	return 0
}

func lock(a *accessories.Accessory) part {
	now := accessories.LockState
	if !a.Has(now) {
		now = accessories.LockTarget
	}
	target := level("target", from(characteristic.NewLockTargetState().C), accessories.LockTarget)
	if !a.Has(accessories.LockTarget) { // it can be looked at only
		target = code("target", from(characteristic.NewLockTargetState().C), now, is(1, 0))
	}
	return part{key: "lock", service: service.TypeLockMechanism, points: []point{
		reads(level("state", from(characteristic.NewLockCurrentState().C), now)), writes(target, a, accessories.LockTarget),
	}}
}

func garage(a *accessories.Accessory) part {
	now := accessories.DoorState
	if !a.Has(now) {
		now = accessories.DoorTarget
	}
	target := level("target", from(characteristic.NewTargetDoorState().C), accessories.DoorTarget)
	if !a.Has(accessories.DoorTarget) {
		target = code("target", from(characteristic.NewTargetDoorState().C), now, func(x float64) int64 {
			if x == accessories.DoorOpen || x == accessories.DoorOpening {
				return accessories.DoorOpen
			}
			return accessories.DoorClosed
		})
	}
	return part{key: "garage", service: service.TypeGarageDoorOpener, points: []point{
		reads(level("state", from(characteristic.NewCurrentDoorState().C), now)), writes(target, a, accessories.DoorTarget),
		always("obstruction", from(characteristic.NewObstructionDetected().C), database.Bool(false)),
	}}
}

// sensed gives a characteristic of a sensor with the range in which it may show anything.
func sensed(c *characteristic.C, least, most float64) database.Characteristic {
	return within(from(c), least, most, 0.1)
}

// sensor gives the service of one kind of sensor.
func sensor(k accessories.Kind) []part {
	one := func(key, typ string, p point) []part {
		return []part{{key: key, service: typ, points: []point{reads(p)}}}
	}
	switch k {
	case accessories.TemperatureSensor:
		return one("temperature", service.TypeTemperatureSensor, level("value", sensed(characteristic.NewCurrentTemperature().C, coldest, hottest), accessories.Temperature))
	case accessories.HumiditySensor:
		return one("humidity", service.TypeHumiditySensor, level("value", from(characteristic.NewCurrentRelativeHumidity().C), accessories.Humidity))
	case accessories.LightSensor:
		return one("light", service.TypeLightSensor, level("value", from(characteristic.NewCurrentAmbientLightLevel().C), accessories.Illuminance))
	case accessories.MotionSensor:
		return one("motion", service.TypeMotionSensor, yes("value", from(characteristic.NewMotionDetected().C), accessories.Motion))
	case accessories.ContactSensor:
		// 0: contact detected.
		return one("contact", service.TypeContactSensor, code("value", from(characteristic.NewContactSensorState().C), accessories.Contact, is(0, 1)))
	case accessories.OccupancySensor:
		return one("occupancy", service.TypeOccupancySensor, code("value", from(characteristic.NewOccupancyDetected().C), accessories.Occupancy, is(1, 0)))
	case accessories.SmokeSensor:
		return one("smoke", service.TypeSmokeSensor, code("value", from(characteristic.NewSmokeDetected().C), accessories.Smoke, is(1, 0)))
	case accessories.LeakSensor:
		return one("leak", service.TypeLeakSensor, code("value", from(characteristic.NewLeakDetected().C), accessories.Leak, is(1, 0)))
	}
	return nil
}

func battery(a *accessories.Accessory) part {
	const notChargeable = 2 // Charging State (HAP R2, 9.19)
	p := part{key: "battery", service: service.TypeBatteryService}
	add := func(q point) { p.points = append(p.points, reads(q)) }
	if a.Has(accessories.BatteryLevel) {
		add(level("level", from(characteristic.NewBatteryLevel().C), accessories.BatteryLevel))
	}
	add(always("charging", from(characteristic.NewChargingState().C), database.Int(notChargeable)))
	add(code("low", from(characteristic.NewStatusLowBattery().C), accessories.BatteryLow, is(1, 0)))
	return p
}
