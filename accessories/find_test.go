package accessories

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

func TestFind(t *testing.T) {
	tests := []struct{ name, model, kind, props, want string }{
		// Lamps.
		{"KubeEdge's LED", "led-light", "", "power-status string; gpio-pin-number int ro", "lamp: on=power-status"},
		{"a relay", "relay", "", "powerstatus string", "lamp: on=powerstatus"},
		{"Tasmota", "tasmota", "", "POWER string enum=ON,OFF,TOGGLE", "switch: on=POWER"},
		{"vled", "vled-01", "", "status int", "switch: on=status"},
		{"Modbus coil", "coil", "", "switch int 0..1", "switch: on=switch"},
		{"a lamp by its model", "hallLight", "", "state bool", "lamp: on=state"},
		{"a light of 0 and 1", "x", "", "light int", "lamp: on=light"},
		{"an outlet", "plug-s", "", "state string enum=on,off; power float ro unit=W", "outlet: on=state"},
		{
			"Zigbee2MQTT dimmer", "x", "", "state string enum=ON,OFF,TOGGLE; brightness int 0..254",
			"dimmable-lamp: on=state, brightness=brightness",
		},
		{"Shelly white", "x", "", "turn string enum=on,off; brightness int 0..100 unit=%", "dimmable-lamp: on=turn, brightness=brightness"},
		{"WLED", "x", "", "bri int 0..255", "dimmable-lamp: on=bri, brightness=bri"},
		{"level beside a switch", "x", "", "powerstatus string; level int 0..100", "dimmable-lamp: on=powerstatus, brightness=level"},
		{"level without a range", "x", "", "powerstatus string; level int", "lamp: on=powerstatus"},
		{"level alone", "x", "", "level int 0..100", "none"},
		{"a level that has no off", "x", "", "brightness int 10..100", "none"},
		{
			"white lamp", "x", "", "on bool; brightness float 0..1; color_temp int 153..500",
			"colour-temperature-lamp: on=on, brightness=brightness, colour temperature=color_temp",
		},
		{
			"kelvin", "x", "", "on bool; brightness int; color-temperature int 2200..6500",
			"colour-temperature-lamp: on=on, brightness=brightness, colour temperature=color-temperature",
		},
		{
			"colour lamp", "x", "", "on bool; brightness int; hue int 0..360; saturation int 0..100; ct int unit=mired",
			"colour-lamp: on=on, brightness=brightness, colour temperature=ct, hue=hue, saturation=saturation",
		},
		{"hue without saturation", "x", "", "on bool; brightness int; hue int 0..360", "dimmable-lamp: on=on, brightness=brightness"},
		{"colour without brightness", "x", "", "powerstatus string; hue int; saturation int", "lamp: on=powerstatus"},
		{"white in percent", "x", "", "on bool; brightness int; ct int 0..100 unit=%", "dimmable-lamp: on=on, brightness=brightness"},
		{"brightness is read-only", "x", "", "light bool; brightness int ro", "lamp: on=light"},
		{"a switch is read-only", "x", "", "powerstatus string ro", "none"},
		{"power in watts", "x", "", "power int unit=W", "none"},
		{"power from 0 to 100", "x", "", "power int 0..100", "none"},
		{"a lamp in the garage", "garage-lamp", "", "powerstatus string", "lamp: on=powerstatus"},

		// Others.
		{"fan", "x", "", "on bool; fan_speed int 0..3", "fan: on=on, fan speed=fan_speed"},
		{"fan by words", "x", "", "fan-speed string enum=off,low,medium,high", "fan: on=fan-speed, fan speed=fan-speed"},
		{"fan by its model", "desk-fan", "", "power bool; speed int 0..100", "fan: on=power, fan speed=speed"},
		{"speed of something", "x", "", "power bool; speed int 0..100", "switch: on=power"},
		{"blind", "x", "", "shutterPosition int 0..100", "blind: position=shutterPosition(ro), target position=shutterPosition"},
		{
			"blind by its model", "RollerBlind", "", "target-position int; current-position int ro",
			"blind: position=current-position(ro), target position=target-position",
		},
		{"position of something", "x", "", "target-position int; current-position int ro", "none"},
		{
			"thermostat", "x", "", "local_temperature float ro unit=°C; occupied_heating_setpoint float 5..30 /0.5 unit=°C; system_mode string enum=off,auto,heat; battery int ro unit=%",
			"thermostat: temperature=local_temperature(ro), target temperature=occupied_heating_setpoint, mode=system_mode, battery level=battery(ro), battery low=battery(ro)",
		},
		{
			"heating with a switch", "x", "", "temperature float ro; setpoint float; power bool; humidity int ro",
			"thermostat: temperature=temperature(ro), target temperature=setpoint, mode=power, humidity=humidity(ro)",
		},

		// Sensors.
		{
			"climate", "x", "", "humidity float ro unit=%; temperature float ro unit=C",
			"temperature-sensor+humidity-sensor: temperature=temperature(ro), humidity=humidity(ro)",
		},
		{"declared as writable", "modbus", "", "temperature int unit=degree_celsius; temperature-enable int", "temperature-sensor: temperature=temperature(ro)"},
		{"with a switch", "x", "", "switcher bool; temperature float ro", "switch+temperature-sensor: on=switcher, temperature=temperature(ro)"},
		{
			"PIR", "x", "", "occupancy bool ro; illuminance int ro unit=lx; battery int ro",
			"occupancy-sensor+light-sensor: illuminance=illuminance(ro), occupancy=occupancy(ro), battery level=battery(ro), battery low=battery(ro)",
		},
		{"contact", "door-sensor", "", "contact bool ro; battery_low bool ro", "contact-sensor: contact=contact(ro), battery low=battery_low(ro)"},
		{"a door that is read", "x", "", "door string ro enum=OPEN,CLOSED", "contact-sensor: contact=door(ro)"},
		{"motion", "x", "", "motion string ro enum=clear,detected", "motion-sensor: motion=motion(ro)"},
		{"smoke", "x", "", "smoke bool ro; temperature int ro", "smoke-sensor+temperature-sensor: temperature=temperature(ro), smoke=smoke(ro)"},
		{"smoke in ppm", "x", "", "smoke int ro 0..1000", "none"},
		{"leak", "x", "", "water_leak int ro 0..1", "leak-sensor: leak=water_leak(ro)"},
		{"battery", "x", "", "battery int ro", "battery-sensor: battery level=battery(ro), battery low=battery(ro)"},
		{"battery in volts", "x", "", "battery float ro unit=V", "none"},
		{"light is read", "x", "", "light float ro unit=lux", "light-sensor: illuminance=light(ro)"},

		// What is never inferred.
		{"lock", "x", "", "lock bool; battery int ro", "battery-sensor: battery level=battery(ro), battery low=battery(ro)"},
		{"Zigbee2MQTT lock", "x", "", "state string enum=LOCK,UNLOCK", "none"},
		{"lock beside a switch", "x", "", "lock string enum=LOCK,UNLOCK; state bool", "none"},
		{"door with a switch", "x", "", "door-opener bool; power bool", "none"},
		{"garage door", "x", "", "state string enum=OPEN,CLOSE,STOP", "none"},
		{"garage door as a blind", "garage-door", "", "position int 0..100; blind-position int 0..100", "none"},
		{"gate with a relay", "GateOpener", "", "powerstatus string", "none"},
		{"garage with a relay", "garage", "", "switch bool", "none"},
		{"child lock of a plug", "plug", "", "state bool; child_lock bool", "outlet: on=state"},

		// Told.
		{"told lamp", "x", "lamp", "powerstatus string", "lamp: on=powerstatus"},
		{"told lamp, dimmable", "x", "lamp", "state bool; dim int", "dimmable-lamp: on=state, brightness=dim"},
		{"told lamp, by the only one", "x", "lamp", "pump int 0..1; note string", "lamp: on=pump"},
		{"told lamp, of two", "x", "lamp", "a bool; b bool", "none"},
		{"told lamp, temperature beside", "x", "lamp", "on bool; temperature int ro", "lamp: on=on"},
		{"told dimmable, colour beside", "x", "dimmable-lamp", "on bool; brightness int; hue int; saturation int", "dimmable-lamp: on=on, brightness=brightness"},
		{"told dimmable, by the only one", "x", "dimmable-lamp", "on bool; analogue int 0..255", "dimmable-lamp: on=on, brightness=analogue"},
		{"told dimmable without", "x", "dimmable-lamp", "on bool", "none"},
		{"told colour without", "x", "colour-lamp", "on bool; brightness int", "none"},
		{
			"told white", "x", "colour-temperature-lamp", "on bool; brightness int; white int 2000..6500",
			"colour-temperature-lamp: on=on, brightness=brightness, colour temperature=white",
		},
		{"told outlet", "x", "outlet", "valve string enum=open,close", "outlet: on=valve"},
		{"told switch, without words", "x", "switch", "state string", "none"},
		{"told fan", "x", "fan", "rpm int 0..255", "fan: on=rpm, fan speed=rpm"},
		{"told blind", "x", "blind", "position int 0..100", "blind: position=position(ro), target position=position"},
		{"told blind, by words", "x", "blind", "state string enum=OPEN,CLOSE,STOP", "blind: position=state(ro), target position=state"},
		{"told thermostat", "x", "thermostat", "temperature float ro; target float 5..30", "thermostat: temperature=temperature(ro), target temperature=target"},
		{"told thermostat without target", "x", "thermostat", "temperature float ro", "none"},
		{"told sensor", "x", "temperature-sensor", "value float", "temperature-sensor: temperature=value(ro)"},
		{"told contact", "x", "contact-sensor", "window bool", "contact-sensor: contact=window(ro)"},
		{"told battery", "x", "battery-sensor", "charge int ro", "battery-sensor: battery level=charge(ro), battery low=charge(ro)"},
		{"told lock", "x", "lock", "state string enum=LOCK,UNLOCK", "lock: lock state=state(ro), lock target=state"},
		{"told lock, with a state", "x", "lock", "lock bool; lock_state string ro enum=locked,unlocked,jammed", "lock: lock state=lock_state(ro), lock target=lock"},
		{"told garage door", "x", "garage-door", "door string enum=open,closed,opening,closing", "garage-door: door state=door(ro), door target=door"},
		{"told garage door, by the only one", "x", "garage-door", "relay bool; lights string", "none"},
		{"nothing", "x", "", "", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := device(t, tt.model, tt.kind, tt.props)
			a := find(t, r)
			if got := brief(a); got != tt.want {
				t.Errorf("got  %s (%s)\nwant %s", got, a.Reason, tt.want)
			}
			// The order of the properties does not count.
			for range 5 {
				turned := *r
				turned.Props = slices.Clone(r.Props)
				rand.Shuffle(len(turned.Props), func(i, j int) { turned.Props[i], turned.Props[j] = turned.Props[j], turned.Props[i] })
				again := find(t, &turned)
				if got := brief(again); got != brief(a) || again.Reason != a.Reason {
					t.Fatalf("in another order: %s %s\nfirst %s %s", got, again.Reason, brief(a), a.Reason)
				}
			}
		})
	}
}

func TestReasons(t *testing.T) {
	tests := []struct{ model, kind, props, want string }{
		{"x", "", "", "it has no properties"},
		{"x", "", "pump int 0..1; level int ro", "no kind of device is known by its properties (level, pump); the annotation twinbridge.dev/kind tells what it is"},
		{"counter-model", "", "status string; count string", "property status is a string of which no words are known; the annotation twinbridge.dev/enum.status tells them, as ON,OFF"},
		{"x", "", "door-opener bool", "property door-opener sounds like a door or a lock, which nobody guesses; the annotation twinbridge.dev/kind tells what it is"},
		{"gate", "", "switch bool", "model gate sounds like a door or a lock, which nobody guesses; the annotation twinbridge.dev/kind tells what it is"},
		{"x", "lamp", "a bool; b bool", "it is told to be of kind lamp, but has more than one property that can be its on: a, b"},
		{"x", "lamp", "note string", "it is told to be of kind lamp, but has no property that can be its on and be written"},
		{"x", "switch", "state string", "it is told to be of kind switch, but has no property that can be its on and be written; property state is a string of which no words are known; the annotation twinbridge.dev/enum.state tells them, as ON,OFF"},
		{"x", "dimmable-lamp", "on bool", "it is told to be of kind dimmable-lamp, but has no property that can be its brightness and be written"},
		{"x", "colour-lamp", "on bool; brightness int", "it is told to be of kind colour-lamp, but has no hue and saturation that can be written"},
		{"x", "motion-sensor", "on bool", "it is told to be of kind motion-sensor, but has no property that can be its motion"},
	}
	for _, tt := range tests {
		a := find(t, device(t, tt.model, tt.kind, tt.props))
		if a.Reason != tt.want {
			t.Errorf("%s %s %q:\ngot  %s\nwant %s", tt.model, tt.kind, tt.props, a.Reason, tt.want)
		}
		if a.Traits() != nil && len(a.Traits()) > 0 {
			t.Errorf("%q: none, with traits %v", tt.props, a.Traits())
		}
	}
}

func TestUnknownKind(t *testing.T) {
	for in, near := range map[string]string{
		"lmap": "lamp", "Lamp": "lamp", "light": "lamp", "dimer": "dimmable-lamp", "dimmable lamp": "dimmable-lamp", "plug": "outlet",
		"color-lamp": "colour-lamp", "thermometer": "temperature-sensor", "garage": "garage-door", "shutters": "blind",
		strings.Repeat("x", 4000): "",
	} {
		_, err := Find(device(t, "x", in, "on bool"))
		var fe *twin.FieldError
		if !errors.As(err, &fe) || fe.Field != "annotation twinbridge.dev/kind" {
			t.Errorf("%s: %v", twin.Clip(in, 40), err)
			continue
		}
		if near != "" && !strings.HasSuffix(fe.Want, "is "+near) {
			t.Errorf("%s: %s, want %s", in, fe.Want, near)
		}
		if len(err.Error()) > 300 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
	for _, k := range Kinds() {
		if got, err := ParseKind(string(k)); err != nil || got != k {
			t.Errorf("ParseKind(%s) = %s, %v", k, got, err)
		}
	}
	if _, err := ParseKind(""); err == nil {
		t.Error("no kind is taken for one")
	}
}

func TestApplyDeadline(t *testing.T) {
	want := map[Kind]time.Duration{Blind: time.Minute, GarageDoor: 30 * time.Second, Lock: 10 * time.Second, Thermostat: 30 * time.Second}
	for _, k := range append(Kinds(), None) {
		if got := k.ApplyDeadline(); got != want[k] {
			t.Errorf("%s: %v, want %v", k, got, want[k])
		}
	}
}
