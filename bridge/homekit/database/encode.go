package database

import (
	"strconv"
	"unicode/utf8"
)

// Accessories gives the body of GET /accessories (HAP R2, 6.6.4). The caller does not change it.
func (d *Database) Accessories() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.body != nil {
		return d.body
	}
	size := 64
	for _, a := range d.order {
		for _, p := range a.pre {
			size += len(p) + 8
		}
	}
	b := append(make([]byte, 0, size), `{"accessories":[`...)
	for i, a := range d.order {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.append(b)
	}
	d.body = append(b, `]}`...)
	return d.body
}

// append puts the values into the JSON of the structure.
func (a *accessory) append(b []byte) []byte {
	n := 0
	for i := range a.slots {
		if s := &a.slots[i]; s.Perms&PairedRead != 0 {
			b = append(b, a.pre[n]...)
			b = s.value.append(b)
			n++
		}
	}
	return append(b, a.pre[n]...)
}

// encode gives the JSON of the structure, cut where values belong.
func (a *accessory) encode() [][]byte {
	var parts [][]byte
	b := append([]byte(`{"aid":`), strconv.FormatUint(a.AID, 10)...)
	b = append(b, `,"services":[`...)
	for i := range a.Services {
		s := &a.Services[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendInstance(b, s.IID, s.Type)
		if s.Primary {
			b = append(b, `,"primary":true`...)
		}
		if len(s.Linked) > 0 {
			b = append(b, `,"linked":[`...)
			for j, l := range s.Linked {
				if j > 0 {
					b = append(b, ',')
				}
				b = strconv.AppendUint(b, l, 10)
			}
			b = append(b, ']')
		}
		b = append(b, `,"characteristics":[`...)
		for j := range s.Characteristics {
			c := &s.Characteristics[j]
			if j > 0 {
				b = append(b, ',')
			}
			b = appendInstance(b, c.IID, c.Type)
			b = c.appendPerms(b)
			b = c.appendMeta(b)
			if c.Perms&PairedRead != 0 {
				b = append(b, `,"value":`...)
				parts = append(parts, b)
				b = nil
			}
			b = append(b, '}')
		}
		b = append(b, `]}`...)
	}
	return append(parts, append(b, `]}`...))
}

// appendInstance begins the JSON object of a service or characteristic.
func appendInstance(b []byte, iid uint64, typ string) []byte {
	b = append(b, `{"iid":`...)
	b = strconv.AppendUint(b, iid, 10)
	b = append(b, `,"type":`...)
	return appendString(b, typ)
}

func (c *Characteristic) appendPerms(b []byte) []byte {
	b = append(b, `,"perms":[`...)
	first := true
	for _, p := range permWords {
		if c.Perms&p.perm == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		b, first = append(b, p.word...), false
	}
	return append(b, ']')
}

func (c *Characteristic) appendMeta(b []byte) []byte {
	b = append(b, `,"format":`...)
	b = appendString(b, string(c.Format))
	if c.Unit != "" {
		b = append(b, `,"unit":`...)
		b = appendString(b, c.Unit)
	}
	for _, l := range []struct {
		name  string
		value *float64
	}{{`,"minValue":`, c.Min}, {`,"maxValue":`, c.Max}, {`,"minStep":`, c.Step}} {
		if l.value != nil {
			b = append(b, l.name...)
			b = strconv.AppendFloat(b, *l.value, 'f', -1, 64)
		}
	}
	if c.MaxLen > 0 {
		b = append(b, `,"maxLen":`...)
		b = strconv.AppendInt(b, int64(c.MaxLen), 10)
	}
	if len(c.Valid) > 0 {
		b = append(b, `,"valid-values":[`...)
		for i, v := range c.Valid {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, v, 10)
		}
		b = append(b, ']')
	}
	return b
}

// appendString writes s as a JSON string. What is not UTF-8 becomes the replacement character.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
