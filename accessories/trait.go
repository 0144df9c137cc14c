package accessories

import (
	"strconv"
	"strings"
)

// Trait is one thing that a device can do or tell, in the unit that its comment gives.
type Trait uint8

// The traits. A yes-or-no is 1 or 0.
const (
	On                Trait = iota // yes or no
	Brightness                     // 0-100 %
	ColourTemperature              // mired
	Hue                            // 0-360 degrees
	Saturation                     // 0-100 %
	FanSpeed                       // 0-100 %
	Position                       // where a blind is: 0 closed to 100 open, %
	TargetPosition                 // where it shall be
	Temperature                    // degrees Celsius
	TargetTemperature              // degrees Celsius
	Mode                           // of a thermostat: ModeOff ...
	Humidity                       // relative, 0-100 %
	Illuminance                    // lux
	Motion                         // yes: detected
	Contact                        // yes: closed
	Occupancy                      // yes: somebody is there
	Smoke                          // yes: detected
	Leak                           // yes: detected
	BatteryLevel                   // 0-100 %
	BatteryLow                     // yes: low
	LockState                      // Unlocked ...
	LockTarget                     // Unlocked or Locked
	DoorState                      // DoorOpen ...
	DoorTarget                     // DoorOpen or DoorClosed

	traits = iota
)

// Values of Mode, numbered as in HAP's Target Heating Cooling State.
const (
	ModeOff = iota
	ModeHeat
	ModeCool
	ModeAuto
)

// Values of LockState and LockTarget, numbered as in HAP's Lock Current State.
const (
	Unlocked = iota
	Locked
	LockJammed
	LockUnknown
)

// Values of DoorState and DoorTarget, numbered as in HAP's Current Door State.
const (
	DoorOpen = iota
	DoorClosed
	DoorOpening
	DoorClosing
	DoorStopped
)

var traitNames = [traits]string{
	"on", "brightness", "colour temperature", "hue", "saturation", "fan speed", "position", "target position", "temperature",
	"target temperature", "mode", "humidity", "illuminance", "motion", "contact", "occupancy", "smoke", "leak", "battery level",
	"battery low", "lock state", "lock target", "door state", "door target",
}

func (t Trait) String() string {
	if int(t) < len(traitNames) {
		return traitNames[t]
	}
	return "trait(" + strconv.Itoa(int(t)) + ")"
}

// Traits holds values of traits; those that are not set are absent. It is a plain value: it copies, and compares with ==.
type Traits struct {
	set uint32 // bit t for trait t
	v   [traits]float64
}

// Set gives a trait a value.
func (s *Traits) Set(t Trait, v float64) {
	if int(t) < traits {
		s.set |= 1 << t
		s.v[t] = v
	}
}

// SetBool gives a trait the value yes or no.
func (s *Traits) SetBool(t Trait, yes bool) {
	v := 0.0
	if yes {
		v = 1
	}
	s.Set(t, v)
}

// Get gives the value of a trait; false if it is absent.
func (s *Traits) Get(t Trait) (float64, bool) {
	if !s.Has(t) {
		return 0, false
	}
	return s.v[t], true
}

// Bool gives whether a trait is yes; ok is false if it is absent.
func (s *Traits) Bool(t Trait) (yes, ok bool) {
	v, ok := s.Get(t)
	return v != 0, ok
}

// Has reports whether the trait has a value.
func (s *Traits) Has(t Trait) bool { return int(t) < traits && s.set&(1<<t) != 0 }

// Empty reports whether all traits are absent.
func (s *Traits) Empty() bool { return s.set == 0 }

func (s Traits) String() string {
	var parts []string
	for t := range Trait(traits) {
		if v, ok := s.Get(t); ok {
			parts = append(parts, t.String()+" "+number(v))
		}
	}
	return strings.Join(parts, ", ")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
