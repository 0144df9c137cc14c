package database

import (
	"fmt"
	"strconv"
	"strings"
)

// maxIDs bounds the characteristics that one request names.
const maxIDs = 4096

// Read answers GET /characteristics (HAP R2, 6.7.4). query is what stands behind the question mark, as
// "id=1.4,2.9&meta=1". The status is 200, 207 if some characteristic could not be read, 400 for a query that says
// nothing sensible.
func (c *Client) Read(query string) (status int, body []byte) {
	ids, want, err := parseQuery(query)
	if err != nil {
		return StatusBadRequest, AppendError(nil, InvalidValueInRequest)
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	found, multi := make([]*slot, len(ids)), false
	results := make([]Status, len(ids))
	for i, id := range ids {
		found[i], results[i] = d.read(id)
		multi = multi || results[i] != Success
	}
	b := append(make([]byte, 0, 64+48*len(ids)), `{"characteristics":[`...)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		s := found[i]
		b = appendID(b, id.aid, id.iid)
		if results[i] == Success {
			b = append(b, `,"value":`...)
			b = s.value.append(b)
		}
		if multi {
			b = appendStatus(b, results[i])
		}
		if s != nil {
			b = c.appendAsked(b, s, want)
		}
		b = append(b, '}')
	}
	b = append(b, `]}`...)
	if multi {
		return StatusMultiStatus, b
	}
	return StatusOK, b
}

// read finds a characteristic and tells whether its value can be read.
func (d *Database) read(id charID) (*slot, Status) {
	a := d.byAID[id.aid]
	if a == nil {
		return nil, ResourceDoesNotExist
	}
	s := a.byIID[id.iid]
	switch {
	case s == nil:
		return nil, ResourceDoesNotExist
	case s.Perms&PairedRead == 0:
		return s, WriteOnly
	}
	return s, s.status
}

// appendAsked adds what the query asks for beside the value.
func (c *Client) appendAsked(b []byte, s *slot, want asked) []byte {
	if want.meta {
		b = s.appendMeta(b)
	}
	if want.perms {
		b = s.appendPerms(b)
	}
	if want.typ {
		b = append(b, `,"type":`...)
		b = appendString(b, s.Type)
	}
	if want.ev {
		_, on := c.ears[s]
		b = append(b, `,"ev":`...)
		b = strconv.AppendBool(b, on)
	}
	return b
}

// charID names a characteristic.
type charID struct{ aid, iid uint64 }

// asked is what a query wants beside the values.
type asked struct{ meta, perms, typ, ev bool }

// parseQuery reads the query of a GET (HAP R2, table 6-13). Unknown parameters are ignored.
func parseQuery(query string) (ids []charID, want asked, err error) {
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(part, "=")
		flag := value == "1" || value == "true"
		switch key {
		case "id":
			if ids != nil {
				return nil, want, fmt.Errorf("id stands twice")
			}
			if ids, err = parseIDs(value); err != nil {
				return nil, want, err
			}
		case "meta":
			want.meta = flag
		case "perms":
			want.perms = flag
		case "type":
			want.typ = flag
		case "ev":
			want.ev = flag
		}
	}
	if len(ids) == 0 {
		return nil, want, fmt.Errorf("id is missing")
	}
	return ids, want, nil
}

// parseIDs reads "1.4,2.9".
func parseIDs(list string) ([]charID, error) {
	// Some controllers escape the comma.
	list = strings.ReplaceAll(strings.ReplaceAll(list, "%2C", ","), "%2c", ",")
	n := strings.Count(list, ",") + 1
	if n > maxIDs {
		return nil, fmt.Errorf("%d ids: at most %d", n, maxIDs)
	}
	out := make([]charID, 0, n)
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		a, i, ok := strings.Cut(one, ".")
		aid, err := strconv.ParseUint(a, 10, 64)
		if err != nil || !ok {
			return nil, fmt.Errorf("%q is not an accessory id, a dot and an instance id", one)
		}
		iid, err := strconv.ParseUint(i, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not an accessory id, a dot and an instance id", one)
		}
		out = append(out, charID{aid, iid})
	}
	return out, nil
}

// AppendError writes the body of an answer that has only a status code.
func AppendError(b []byte, s Status) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(s), 10)
	return append(b, '}')
}
