package homekit

import (
	"slices"

	"github.com/brutella/hap/characteristic"

	"twinbridge/bridge/homekit/database"
)

// from gives a characteristic as the catalogue has it. Only the definition is taken: the catalogue's own values, checks
// and events are not used.
func from(c *characteristic.C) database.Characteristic {
	out := database.Characteristic{
		Type: c.Type, Format: database.Format(c.Format), Unit: c.Unit, MaxLen: c.MaxLen,
		Min: number(c.MinVal), Max: number(c.MaxVal), Step: number(c.StepVal),
	}
	if c.Format == characteristic.FormatInt32 {
		out.Format = database.FormatInt // the catalogue's word is none of HAP's
	}
	for _, v := range c.ValidVals {
		out.Valid = append(out.Valid, int64(v))
	}
	for _, p := range []struct {
		word string
		perm database.Perms
	}{
		{characteristic.PermissionRead, database.PairedRead},
		{characteristic.PermissionWrite, database.PairedWrite},
		{characteristic.PermissionEvents, database.Events},
	} {
		if slices.Contains(c.Permissions, p.word) {
			out.Perms |= p.perm
		}
	}
	return out
}

// number gives a limit of the catalogue, nil if there is none.
func number(v any) *float64 { // any, as the catalogue has int and float64 in one field
	var f float64
	switch n := v.(type) {
	case int:
		f = float64(n)
	case float64:
		f = n
	default:
		return nil
	}
	return &f
}

// within gives c with other limits.
func within(c database.Characteristic, least, most, step float64) database.Characteristic {
	c.Min, c.Max, c.Step = &least, &most, &step
	return c
}

// oneOf gives c with the integers that it takes.
func oneOf(c database.Characteristic, values ...int64) database.Characteristic {
	c.Valid = values
	return c
}

// readOnly gives c without the permission to write.
func readOnly(c database.Characteristic) database.Characteristic {
	c.Perms &^= database.PairedWrite
	return c
}

// fixed gives a characteristic of the accessory information, which does not change while the accessory is there.
func fixed(c *characteristic.C, value string) database.Characteristic {
	out := from(c)
	out.Value = database.String(value)
	return out
}
