package homekit

import (
	"math"

	"twinbridge/accessories"
	"twinbridge/bridge/homekit/database"
)

// part is a service of a device before it has instance ids.
type part struct {
	key     string // for its instance id, for ever
	service string // type
	primary bool
	points  []point
}

// point is a characteristic of a device, and what of the device it shows.
type point struct {
	key  string // for its instance id, below that of its part
	char database.Characteristic
	iid  uint64
	// show gives what it shows; no value where the device has not told.
	show func(*accessories.Traits) database.Value
	// wish turns what is written into a wish; nil: nothing can be written.
	wish func(database.Value, *accessories.Traits)
}

// yes shows a yes-or-no as a bool.
func yes(key string, c database.Characteristic, t accessories.Trait) point {
	return point{
		key: key, char: c,
		show: func(s *accessories.Traits) database.Value {
			if b, ok := s.Bool(t); ok {
				return database.Bool(b)
			}
			return database.Value{}
		},
		wish: func(v database.Value, s *accessories.Traits) { s.SetBool(t, v.Bool()) },
	}
}

// number shows a trait as a number of the characteristic's format, held within its limits: what a device tells beyond
// them is shown as the limit, not left out.
func level(key string, c database.Characteristic, t accessories.Trait) point {
	return point{
		key: key, char: c,
		show: func(s *accessories.Traits) database.Value {
			x, ok := s.Get(t)
			if !ok {
				return database.Value{}
			}
			return numberOf(&c, x)
		},
		wish: func(v database.Value, s *accessories.Traits) { s.Set(t, v.Number()) },
	}
}

// numberOf gives x as a value of c.
func numberOf(c *database.Characteristic, x float64) database.Value {
	if c.Min != nil {
		x = max(x, *c.Min)
	}
	if c.Max != nil {
		x = min(x, *c.Max)
	}
	if c.Format != database.FormatFloat {
		return database.Int(int64(math.Round(x)))
	}
	const digits = 1e4 // what HAP's smallest limit has, 0.0001 lux
	return database.Float(math.Round(x*digits) / digits)
}

// code shows a trait as one of few integers.
func code(key string, c database.Characteristic, t accessories.Trait, of func(float64) int64) point {
	return point{key: key, char: c, show: func(s *accessories.Traits) database.Value {
		if x, ok := s.Get(t); ok {
			return database.Int(of(x))
		}
		return database.Value{}
	}}
}

// always shows the same.
func always(key string, c database.Characteristic, v database.Value) point {
	return point{key: key, char: c, show: func(*accessories.Traits) database.Value { return v }}
}

// writes gives p the ability to be written where the device can be wished that trait, else takes the permission away.
func writes(p point, a *accessories.Accessory, t accessories.Trait) point {
	if !a.Writable(t) {
		return reads(p)
	}
	return p
}

// reads gives p without being written.
func reads(p point) point {
	p.char, p.wish = readOnly(p.char), nil
	return p
}

// is gives the integers of a yes-or-no.
func is(yes, no int64) func(float64) int64 {
	return func(x float64) int64 {
		if x != 0 {
			return yes
		}
		return no
	}
}
