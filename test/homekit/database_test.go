package homekit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Types of services and characteristics, HAP chapters 8 and 9, in their short form.
const (
	typeAccessoryInformation = "3E"
	typeLightbulb            = "43"
	typeIdentify             = "14"
	typeName                 = "23"
	typeOn                   = "25"
	typeBrightness           = "8"
)

// database is what an accessory server answers to GET /accessories.
type database []struct {
	AID      uint64 `json:"aid"`
	Services []struct {
		IID             uint64           `json:"iid"`
		Type            string           `json:"type"`
		Characteristics []characteristic `json:"characteristics"`
	} `json:"services"`
}

// short gives a type without the part that all of Apple's have.
func short(uuid string) string {
	s := strings.TrimSuffix(strings.ToUpper(uuid), "-0000-1000-8000-0026BB765291")
	return strings.TrimLeft(s, "0")
}

// lamp are the ids of an accessory that is a lamp.
type lamp struct {
	on, brightness, name, identify id
}

// lamps finds the lamps by name, and says what is wrong with the database.
func (d database) lamps() (map[string]lamp, error) {
	found := map[string]lamp{}
	seen := map[uint64]bool{}
	for _, a := range d {
		if seen[a.AID] {
			return nil, fmt.Errorf("aid %d twice", a.AID)
		}
		seen[a.AID] = true
		iids := map[uint64]bool{}
		once := func(iid uint64) error {
			if iid == 0 || iids[iid] {
				return fmt.Errorf("accessory %d: iid %d is 0 or twice", a.AID, iid)
			}
			iids[iid] = true
			return nil
		}
		var l lamp
		var name string
		var info, bulb bool
		for _, s := range a.Services {
			if err := once(s.IID); err != nil {
				return nil, err
			}
			isInfo, isBulb := short(s.Type) == typeAccessoryInformation, short(s.Type) == typeLightbulb
			if isInfo && s.IID != 1 {
				return nil, fmt.Errorf("accessory %d: Accessory Information has the iid %d", a.AID, s.IID)
			}
			info, bulb = info || isInfo, bulb || isBulb
			for _, c := range s.Characteristics {
				if err := once(c.IID); err != nil {
					return nil, err
				}
				at := id{a.AID, c.IID}
				switch t := short(c.Type); {
				case isInfo && t == typeName:
					l.name = at
					if err := json.Unmarshal(c.Value, &name); err != nil {
						return nil, fmt.Errorf("name of accessory %d: %w", a.AID, err)
					}
				case isInfo && t == typeIdentify:
					l.identify = at
				case isBulb && t == typeOn:
					l.on = at
					if c.Format != "bool" || !slices.Contains(c.Perms, "pw") || !slices.Contains(c.Perms, "pr") || !slices.Contains(c.Perms, "ev") {
						return nil, fmt.Errorf("On of accessory %d: %+v", a.AID, c)
					}
				case isBulb && t == typeBrightness:
					l.brightness = at
					if c.Format != "int" || c.Min == nil || *c.Min != 0 || c.Max == nil || *c.Max != 100 {
						return nil, fmt.Errorf("Brightness of accessory %d: %+v", a.AID, c)
					}
				}
			}
		}
		if !info || l.identify == (id{}) || l.name == (id{}) {
			return nil, fmt.Errorf("accessory %d has no whole Accessory Information", a.AID)
		}
		if bulb {
			if _, twice := found[name]; twice || l.on == (id{}) || l.brightness == (id{}) {
				return nil, fmt.Errorf("lamp %q is there twice, or not whole", name)
			}
			found[name] = l
		}
	}
	if !seen[1] {
		return nil, fmt.Errorf("no accessory has the aid 1: %v", slices.Sorted(maps.Keys(seen)))
	}
	return found, nil
}
