package database

import (
	"fmt"
	"slices"
	"strings"
)

// Format is the format of a characteristic's value (HAP R2, 6.3.3).
type Format string

// Formats.
const (
	FormatBool   Format = "bool"
	FormatUint8  Format = "uint8"
	FormatUint16 Format = "uint16"
	FormatUint32 Format = "uint32"
	FormatUint64 Format = "uint64"
	FormatInt    Format = "int"
	FormatFloat  Format = "float"
	FormatString Format = "string"
	FormatTLV8   Format = "tlv8"
	FormatData   Format = "data"
)

// limits gives the numbers that a format can hold at all; false if it holds none.
func (f Format) limits() (least, most float64, ok bool) {
	switch f {
	case FormatUint8:
		return 0, 1<<8 - 1, true
	case FormatUint16:
		return 0, 1<<16 - 1, true
	case FormatUint32:
		return 0, 1<<32 - 1, true
	case FormatUint64:
		return 0, 1 << 53, true // what JSON's readers hold exactly
	case FormatInt:
		return -1 << 31, 1<<31 - 1, true
	}
	return 0, 0, false
}

// zero is a value to show as long as there is none.
func (c *Characteristic) zero() Value {
	switch c.Format {
	case FormatBool:
		return Bool(false)
	case FormatString, FormatTLV8, FormatData:
		return String("")
	case FormatFloat:
		return Float(max(0, deref(c.Min, 0)))
	}
	if len(c.Valid) > 0 {
		return Int(c.Valid[0])
	}
	return Int(int64(max(0, deref(c.Min, 0))))
}

func deref(p *float64, otherwise float64) float64 {
	if p == nil {
		return otherwise
	}
	return *p
}

// Perms are the permissions of a characteristic (HAP R2, table 6-4).
type Perms uint8

// Permissions.
const (
	PairedRead    Perms = 1 << iota // pr
	PairedWrite                     // pw
	Events                          // ev
	TimedWrite                      // tw: only after /prepare
	WriteResponse                   // wr
	Hidden                          // hd
)

var permWords = []struct {
	perm Perms
	word string
}{{PairedRead, `"pr"`}, {PairedWrite, `"pw"`}, {Events, `"ev"`}, {TimedWrite, `"tw"`}, {WriteResponse, `"wr"`}, {Hidden, `"hd"`}}

// Characteristic is one attribute of a service.
type Characteristic struct {
	IID            uint64
	Type           string // short form of the UUID, as "25"
	Format         Format
	Perms          Perms
	Unit           string   // "celsius", "percentage", "arcdegrees", "lux", "seconds"; "" : none
	Min, Max, Step *float64 // of numbers; nil: what the format holds
	MaxLen         int      // bytes of a string; 0: 64
	Valid          []int64  // the integers that may be written; none: all in range
	Value          Value    // what it shows at first; the zero Value: nothing is known yet
}

// Service is a group of characteristics.
type Service struct {
	IID             uint64
	Type            string
	Primary         bool
	Linked          []uint64
	Characteristics []Characteristic
}

// Accessory is a device as controllers see it.
type Accessory struct {
	AID      uint64
	Services []Service
}

// Write is a value for a characteristic, of its format and within its range.
type Write struct {
	AID, IID uint64
	Value    Value
}

// Writer is who stands behind the accessories.
type Writer interface {
	// Write takes all that one request of a controller writes, in its order, and sets status of each. It does not wait for
	// a device. What it makes accessories show it tells with [Database.Set], naming by.
	Write(by *Client, writes []Write, status []Status)
}

// Limits of a database (HAP R2, 2.6 and what controllers are known to take).
const (
	MaxAccessories   = 150 // the bridge and those behind it
	MaxServices      = 100 // of an accessory
	defaultMaxLen    = 64
	infoService      = "3E" // AccessoryInformation
	bridgeAID        = 1
	infoIID          = 1
	maxIdentifier    = 1<<53 - 1
	maxCharsOfAccess = 1000
)

// validate reports the first defect of a set of accessories.
func validate(accessories []Accessory) error {
	if len(accessories) > MaxAccessories {
		return fmt.Errorf("%d accessories: at most %d fit into a bridge", len(accessories), MaxAccessories)
	}
	seen := map[uint64]bool{}
	for i := range accessories {
		a := &accessories[i]
		if a.AID == 0 || a.AID > maxIdentifier || seen[a.AID] {
			return fmt.Errorf("accessory id %d is not valid, or used twice", a.AID)
		}
		seen[a.AID] = true
		if err := a.validate(); err != nil {
			return fmt.Errorf("accessory %d: %w", a.AID, err)
		}
	}
	if !seen[bridgeAID] {
		return fmt.Errorf("accessory %d, the bridge itself, is missing", bridgeAID)
	}
	return nil
}

func (a *Accessory) validate() error {
	if len(a.Services) > MaxServices {
		return fmt.Errorf("%d services: at most %d", len(a.Services), MaxServices)
	}
	seen, chars := map[uint64]bool{}, 0
	take := func(iid uint64, what string) error {
		if iid == 0 || iid > maxIdentifier || seen[iid] {
			return fmt.Errorf("%s: instance id %d is not valid, or used twice", what, iid)
		}
		seen[iid] = true
		return nil
	}
	info := false
	for i := range a.Services {
		s := &a.Services[i]
		if err := take(s.IID, "service "+s.Type); err != nil {
			return err
		}
		info = info || s.IID == infoIID && s.Type == infoService
		for j := range s.Characteristics {
			c := &s.Characteristics[j]
			if err := take(c.IID, "characteristic "+c.Type); err != nil {
				return err
			}
			if chars++; chars > maxCharsOfAccess {
				return fmt.Errorf("more than %d characteristics", maxCharsOfAccess)
			}
			if !c.Value.IsZero() {
				if err := c.check(c.Value); err != nil {
					return fmt.Errorf("characteristic %s: %w", c.Type, err)
				}
			}
		}
	}
	if !info {
		return fmt.Errorf("instance id %d is not the accessory information", infoIID)
	}
	return nil
}

// check reports why v is no value of c.
func (c *Characteristic) check(v Value) error {
	least, most, number := c.Format.limits()
	switch {
	case c.Format == FormatBool:
		if v.kind != truth {
			return fmt.Errorf("%v is not true or false", v)
		}
	case number || c.Format == FormatFloat:
		want := whole
		if !number {
			want, least, most = real, -3.4e38, 3.4e38
		}
		if v.kind != want {
			return fmt.Errorf("%v is not of format %s", v, c.Format)
		}
		least, most = max(least, deref(c.Min, least)), min(most, deref(c.Max, most))
		if v.num < least || v.num > most {
			return fmt.Errorf("%v is not in %v to %v", v, least, most)
		}
		if number && c.Step != nil && *c.Step > 1 && int64(v.num-least)%int64(*c.Step) != 0 {
			return fmt.Errorf("%v is not %v and a multiple of %v", v, least, *c.Step)
		}
		if len(c.Valid) > 0 && !slices.Contains(c.Valid, int64(v.num)) {
			return fmt.Errorf("%v is none of %v", v, c.Valid)
		}
	default:
		most := c.MaxLen
		if most == 0 {
			most = defaultMaxLen
		}
		if v.kind != text {
			return fmt.Errorf("%v is not a text", v)
		}
		if c.Format == FormatString && len(v.text) > most {
			return fmt.Errorf("a text of %d bytes: at most %d", len(v.text), most)
		}
	}
	return nil
}

// String gives v as JSON, for messages.
func (v Value) String() string {
	const most = 80
	s := string(v.append(nil))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
