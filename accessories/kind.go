package accessories

import (
	"slices"
	"strings"
	"time"

	"twinbridge/internal/nearest"
	"twinbridge/twin"
)

// Kind is what a device is to people.
type Kind string

// The kinds, by the words of the annotation twinbridge.dev/kind. None is what was not understood and cannot be told.
const (
	None Kind = ""

	Lamp                  Kind = "lamp" // told, it also stands for the three below
	DimmableLamp          Kind = "dimmable-lamp"
	ColourTemperatureLamp Kind = "colour-temperature-lamp"
	ColourLamp            Kind = "colour-lamp"
	Outlet                Kind = "outlet"
	Switch                Kind = "switch"
	Fan                   Kind = "fan"
	Blind                 Kind = "blind"
	Thermostat            Kind = "thermostat"

	TemperatureSensor Kind = "temperature-sensor"
	HumiditySensor    Kind = "humidity-sensor"
	LightSensor       Kind = "light-sensor"
	MotionSensor      Kind = "motion-sensor"
	ContactSensor     Kind = "contact-sensor"
	OccupancySensor   Kind = "occupancy-sensor"
	SmokeSensor       Kind = "smoke-sensor"
	LeakSensor        Kind = "leak-sensor"
	BatterySensor     Kind = "battery-sensor"

	Lock       Kind = "lock"        // never inferred
	GarageDoor Kind = "garage-door" // never inferred
)

var kinds = []Kind{
	Lamp, DimmableLamp, ColourTemperatureLamp, ColourLamp, Outlet, Switch, Fan, Blind, Thermostat,
	TemperatureSensor, HumiditySensor, LightSensor, MotionSensor, ContactSensor, OccupancySensor, SmokeSensor, LeakSensor,
	BatterySensor, Lock, GarageDoor,
}

// Kinds lists the kinds that can be told.
func Kinds() []Kind { return slices.Clone(kinds) }

// otherWords are what people also call a kind. Each thing has one word; these lead to it.
var otherWords = map[string]Kind{
	"light": Lamp, "bulb": Lamp, "led": Lamp, "dimmer": DimmableLamp, "color-lamp": ColourLamp,
	"color-temperature-lamp": ColourTemperatureLamp, "rgb": ColourLamp, "plug": Outlet, "socket": Outlet, "relay": Switch,
	"ventilator": Fan, "shade": Blind, "shutter": Blind, "curtain": Blind, "cover": Blind, "heating": Thermostat,
	"thermometer": TemperatureSensor, "hygrometer": HumiditySensor, "door-sensor": ContactSensor,
	"window-sensor": ContactSensor, "presence-sensor": OccupancySensor, "water-sensor": LeakSensor, "door-lock": Lock,
	"garage": GarageDoor, "gate": GarageDoor,
}

// ParseKind reads a kind. The error is a [twin.FieldError] that names the nearest one.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); k != None && slices.Contains(kinds, k) {
		return k, nil
	}
	near, best := Lamp, -1
	try := func(word string, k Kind) {
		if d := nearest.Distance(strings.ToLower(twin.Clip(s, 64)), word); best < 0 || d < best || d == best && k < near {
			near, best = k, d
		}
	}
	for _, k := range kinds {
		try(string(k), k)
	}
	for word, k := range otherWords {
		try(word, k)
	}
	return None, &twin.FieldError{
		Field: "annotation " + twin.AnnotationPrefix + "kind", Value: twin.Clip(s, 64),
		Want: "a kind of device; the nearest known is " + string(near),
	}
}

// ApplyDeadline is how long a device of that kind may take to do what was wished before it counts as trouble (twin rule
// 2); 0: nothing special, twin.DefaultApplyDeadline holds.
func (k Kind) ApplyDeadline() time.Duration {
	switch k {
	case Blind:
		return 60 * time.Second
	case GarageDoor, Thermostat:
		return 30 * time.Second
	case Lock:
		return 10 * time.Second
	}
	return 0
}
