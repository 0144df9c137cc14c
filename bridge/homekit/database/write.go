package database

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// put is the body of PUT /characteristics (HAP R2, 6.7.2).
type put struct {
	Characteristics []putOne `json:"characteristics"`
	PID             *uint64  `json:"pid"`
}

type putOne struct {
	AID   *uint64         `json:"aid"`
	IID   *uint64         `json:"iid"`
	Value json.RawMessage `json:"value"`
	EV    *bool           `json:"ev"`
	R     bool            `json:"r"`
}

// errBody is a body that is not what it should be.
var errBody = errors.New("not a list of characteristics to write")

// parsePut reads the body. A value has to be a scalar: what else there is makes the whole request a bad one.
func parsePut(body []byte) (put, error) {
	var p put
	if err := json.Unmarshal(body, &p); err != nil {
		return p, errBody
	}
	if len(p.Characteristics) == 0 || len(p.Characteristics) > maxIDs {
		return p, errBody
	}
	for i := range p.Characteristics {
		w := &p.Characteristics[i]
		if w.AID == nil || w.IID == nil {
			return p, errBody
		}
		if len(w.Value) > 0 && (w.Value[0] == '{' || w.Value[0] == '[' || w.Value[0] == 'n') {
			return p, errBody
		}
	}
	return p, nil
}

// Write answers PUT /characteristics: values, subscriptions, both. The status is 204 if everything went well and nobody
// asked for a value back, 207 with a status of each characteristic, 400 for a body that is malformed, which changes
// nothing.
func (c *Client) Write(body []byte) (status int, answer []byte) {
	p, err := parsePut(body)
	if err != nil {
		return StatusBadRequest, AppendError(nil, InvalidValueInRequest)
	}
	results := make([]Status, len(p.Characteristics))
	c.begin()
	defer c.done()
	if writes, at := c.take(p, results); len(writes) > 0 {
		status := make([]Status, len(writes))
		c.d.writer.Write(c, writes, status)
		for i := range status {
			results[at[i]] = status[i]
		}
	}
	return c.answer(p, results)
}

// take checks each characteristic, changes subscriptions, and gives what is to be written, with the places in the request.
func (c *Client) take(p put, results []Status) (writes []Write, at []int) {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	timed, ok := c.timed(p.PID)
	for i := range p.Characteristics {
		w := &p.Characteristics[i]
		a := d.byAID[*w.AID]
		if a == nil || a.byIID[*w.IID] == nil {
			results[i] = ResourceDoesNotExist
			continue
		}
		s := a.byIID[*w.IID]
		if !ok {
			results[i] = InvalidValueInRequest
			continue
		}
		if w.EV != nil {
			if s.Perms&Events == 0 {
				results[i] = NotificationNotSupported
				continue
			}
			c.subscribe(s, *w.EV)
		}
		if len(w.Value) == 0 {
			if w.EV == nil {
				results[i] = InvalidValueInRequest
			}
			continue
		}
		v, st := s.parse(w.Value)
		switch {
		case s.Perms&PairedWrite == 0:
			st = ReadOnly
		case s.Perms&TimedWrite != 0 && !timed:
			st = InvalidValueInRequest
		}
		if results[i] = st; st == Success {
			writes, at = append(writes, Write{a.AID, s.IID, v}), append(at, i)
		}
	}
	return writes, at
}

// answer puts the results together.
func (c *Client) answer(p put, results []Status) (int, []byte) {
	multi := false
	for i := range results {
		multi = multi || results[i] != Success || p.Characteristics[i].R
	}
	if !multi {
		return StatusNoContent, nil
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	b := append(make([]byte, 0, 64+48*len(results)), `{"characteristics":[`...)
	for i := range results {
		if i > 0 {
			b = append(b, ',')
		}
		w := &p.Characteristics[i]
		b = appendID(b, *w.AID, *w.IID)
		b = appendStatus(b, results[i])
		if w.R && results[i] == Success {
			if s, st := d.read(charID{*w.AID, *w.IID}); s != nil && st == Success {
				b = append(b, `,"value":`...)
				b = s.value.append(b)
			}
		}
		b = append(b, '}')
	}
	return StatusMultiStatus, append(b, `]}`...)
}

// parse reads a JSON scalar as a value of s.
func (s *slot) parse(raw json.RawMessage) (Value, Status) {
	v, ok := s.scalar(raw)
	if !ok || s.check(v) != nil {
		return Value{}, InvalidValueInRequest
	}
	return v, Success
}

func (s *slot) scalar(raw json.RawMessage) (Value, bool) {
	b, truth := false, true
	switch string(raw) {
	case "true", "1":
		b = true
	case "false", "0":
	default:
		truth = false
	}
	_, _, number := s.Format.limits()
	switch {
	case s.Format == FormatBool:
		return Bool(b), truth
	case number && (raw[0] == 't' || raw[0] == 'f'):
		return Int(map[bool]int64{true: 1}[b]), true // some controllers write 0 and 1 so
	case number:
		f, err := strconv.ParseFloat(string(raw), 64)
		return Int(int64(f)), err == nil && f == float64(int64(f)) && f > -1<<53 && f < 1<<53
	case s.Format == FormatFloat:
		f, err := strconv.ParseFloat(string(raw), 64)
		return Float(f), err == nil
	}
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return Value{}, false
	}
	return String(text), true
}

// prepared is a timed write that was announced.
type prepared struct {
	pid   uint64
	until time.Duration
}

// maxTTL bounds how long a timed write may be announced ahead.
const maxTTL = 10 * time.Minute

// Prepare answers PUT /prepare (HAP R2, 6.7.2.4): a write with the same pid has to follow within ttl milliseconds. A
// second one takes the place of the first.
func (c *Client) Prepare(body []byte) (status int, answer []byte) {
	var p struct {
		TTL *uint64 `json:"ttl"`
		PID *uint64 `json:"pid"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.TTL == nil || p.PID == nil || *p.TTL > uint64(maxTTL/time.Millisecond) {
		return StatusBadRequest, AppendError(nil, InvalidValueInRequest)
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.prepared = &prepared{*p.PID, c.d.now() + time.Duration(*p.TTL)*time.Millisecond}
	return StatusOK, AppendError(nil, Success)
}

// timed tells whether a request is a timed write, and, if it claims to be one, whether it was announced and is in time.
func (c *Client) timed(pid *uint64) (timed, ok bool) {
	if pid == nil {
		return false, true
	}
	p := c.prepared
	c.prepared = nil
	return true, p != nil && p.pid == *pid && c.d.now() <= p.until
}
