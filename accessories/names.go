package accessories

import "strings"

// name is what a property may be called to be looked at for a trait: letter case, "-", "_", "." and spaces do not count.
type name struct {
	text string
	// turned: a Bool's true, or a 1, means the other one of the trait's two values.
	turned bool
	// weak: the name is also used for other things; see finder.look.
	weak bool
}

func named(texts ...string) []name {
	out := make([]name, len(texts))
	for i, t := range texts {
		out[i] = name{text: t}
	}
	return out
}

func weak(texts ...string) []name {
	out := named(texts...)
	for i := range out {
		out[i].weak = true
	}
	return out
}

func turned(texts ...string) []name {
	out := named(texts...)
	for i := range out {
		out[i].turned = true
	}
	return out
}

func join(lists ...[]name) (out []name) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// known lists the names of each trait, best first.
var known = [traits][]name{
	On: named("powerstatus", "power", "powerstate", "on", "onoff", "ison", "switch", "switcher", "switchstate", "switchstatus",
		"state", "status", "light", "lightstatus", "lamp", "led", "bulb", "relay", "output", "outlet", "plug", "socket", "turn",
		"fan", "fanon"),
	Brightness: join(named("brightness", "bri", "brightnesslevel", "dimmer", "dimlevel"),
		weak("level", "dim", "intensity", "currentlevel")),
	ColourTemperature: named("colourtemperature", "colortemperature", "colourtemp", "colortemp", "ct", "colortemperaturemireds",
		"colortemperaturemired", "colortempkelvin", "colortemperaturekelvin", "whitetemperature", "mired", "mireds", "kelvin"),
	Hue:        named("hue", "colourhue", "colorhue", "currenthue"),
	Saturation: named("saturation", "sat", "coloursaturation", "colorsaturation", "currentsaturation"),
	FanSpeed:   join(named("fanspeed", "fanlevel", "rotationspeed"), weak("speed")),
	Position: join(named("currentposition", "actualposition"), weak("position"),
		named("blindposition", "shutterposition", "shadeposition", "curtainposition", "coverposition"), weak("state", "open")),
	TargetPosition: join(named("targetposition", "setposition", "blindposition", "shutterposition", "shadeposition",
		"curtainposition", "coverposition"), weak("position", "state", "open")),
	Temperature: named("temperature", "currenttemperature", "localtemperature", "roomtemperature", "actualtemperature",
		"ambienttemperature", "measuredtemperature", "temp"),
	TargetTemperature: named("targettemperature", "temperaturesetpoint", "setpoint", "heatingsetpoint",
		"occupiedheatingsetpoint", "currentheatingsetpoint", "settemperature", "desiredtemperature", "targettemp"),
	Mode:         named("mode", "systemmode", "hvacmode", "heatingmode", "thermostatmode", "heatingcoolingmode"),
	Humidity:     named("humidity", "relativehumidity", "rh"),
	Illuminance:  named("illuminance", "illuminancelux", "lux", "ambientlight", "lightlevel", "luminance", "light"),
	Motion:       named("motion", "motiondetected", "pir", "movement"),
	Contact:      join(named("contact", "closed"), turned("open", "opened", "door", "window", "dooropen", "windowopen")),
	Occupancy:    named("occupancy", "occupied", "presence", "occupancydetected"),
	Smoke:        named("smoke", "smokedetected", "smokealarm"),
	Leak:         named("leak", "waterleak", "leakdetected", "flood", "water"),
	BatteryLevel: named("batterylevel", "batterypercentage", "batterypercent", "battery"),
	BatteryLow:   named("batterylow", "lowbattery", "battery"),
	LockState:    join(named("lockstate", "lockstatus", "currentlockstate", "locked", "lock", "state"), turned("unlocked")),
	LockTarget:   join(named("locktarget", "targetlockstate", "lock", "locked", "lockstate", "state"), turned("unlocked")),
	DoorState: join(named("doorstate", "doorstatus", "currentdoorstate", "door", "open", "opened", "state"),
		turned("closed")),
	DoorTarget: join(named("doortarget", "targetdoorstate", "door", "doorstate", "open", "state"), turned("closed")),
}

// Words in a model's name that tell what its devices are.
var (
	lampWords   = []string{"lamp", "lamps", "light", "lights", "led", "leds", "bulb", "luminaire"}
	outletWords = []string{"outlet", "plug", "socket"}
	fanWords    = []string{"fan", "ventilator"}
	blindWords  = []string{"blind", "blinds", "shutter", "shutters", "shade", "shades", "curtain", "curtains", "awning"}
	// guarded are words of what nobody may open by a wrong guess.
	guarded = []string{
		"lock", "unlock", "locked", "unlocked", "deadbolt", "latch", "door", "doors", "gate", "gates", "garage", "garagedoor",
		"doorlock", "opener",
	}
)

// plain gives a property's name as names are compared.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '_', '.', ' ', '/', ':':
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// wordsOf splits a name where its writer did: at what is no letter or digit, and before a capital.
func wordsOf(s string) []string {
	var b strings.Builder
	small := false
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z':
			if small {
				b.WriteByte(' ')
			}
			b.WriteRune(r + 'a' - 'A')
			small = false
			continue
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 0x80:
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
		small = r >= 'a' && r <= 'z'
	}
	return strings.Fields(b.String())
}
