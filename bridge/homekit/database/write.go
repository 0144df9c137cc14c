package database

import (
	"encoding/json"
	"strconv"
	"time"
)

// Write answers PUT /characteristics: values, subscriptions, both. The status is 204 if everything went well and nobody
// asked for a value back, 207 with a status of each characteristic, 400 for a body that is malformed, which changes
// nothing.
func (c *Client) Write(body []byte) (status int, answer []byte) {
	p, err := parsePut(body)
	if err != nil {
		return StatusBadRequest, AppendError(nil, InvalidValueInRequest)
	}
	results := make([]Status, len(p.list))
	c.begin()
	defer c.done()
	if writes, at := c.take(&p, results); len(writes) > 0 {
		status := make([]Status, len(writes))
		c.d.writer.Write(c, writes, status)
		for i := range status {
			results[at[i]] = status[i]
		}
	}
	return c.answer(&p, results)
}

// take checks each characteristic, changes subscriptions, and gives what is to be written, with the places in the request.
func (c *Client) take(p *put, results []Status) (writes []Write, at []int) {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	ok := c.inTime(p)
	for i := range p.list {
		w := &p.list[i]
		a := d.byAID[w.aid]
		if a == nil || a.byIID[w.iid] == nil {
			results[i] = ResourceDoesNotExist
			continue
		}
		s := a.byIID[w.iid]
		if !ok {
			results[i] = InvalidValueInRequest
			continue
		}
		if w.hasEV {
			if s.Perms&Events == 0 {
				results[i] = NotificationNotSupported
				continue
			}
			c.subscribe(s, w.ev)
		}
		if len(w.value) == 0 {
			if !w.hasEV {
				results[i] = InvalidValueInRequest
			}
			continue
		}
		v, st := s.parse(w.value)
		switch {
		case s.Perms&PairedWrite == 0:
			st = ReadOnly
		case s.Perms&TimedWrite != 0 && !p.timed:
			st = InvalidValueInRequest
		}
		if results[i] = st; st == Success {
			writes, at = append(writes, Write{a.AID, s.IID, v}), append(at, i)
		}
	}
	return writes, at
}

// answer puts the results together.
func (c *Client) answer(p *put, results []Status) (int, []byte) {
	multi := false
	for i := range results {
		multi = multi || results[i] != Success || p.list[i].r
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
		w := &p.list[i]
		b = appendID(b, w.aid, w.iid)
		b = appendStatus(b, results[i])
		if w.r && results[i] == Success {
			if s, st := d.read(charID{w.aid, w.iid}); s != nil && st == Success {
				b = append(b, `,"value":`...)
				b = s.value.append(b)
			}
		}
		b = append(b, '}')
	}
	return StatusMultiStatus, append(b, `]}`...)
}

// parse reads a JSON scalar as a value of s.
func (s *slot) parse(raw []byte) (Value, Status) {
	v, ok := s.scalar(raw)
	if !ok || s.check(v) != nil {
		return Value{}, InvalidValueInRequest
	}
	return v, Success
}

func (s *slot) scalar(raw []byte) (Value, bool) {
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

// inTime tells whether a request that claims to be a timed write was announced and is in time. Any other is.
func (c *Client) inTime(p *put) bool {
	if !p.timed {
		return true
	}
	said := c.prepared
	c.prepared = nil
	return said != nil && said.pid == p.pid && c.d.now() <= said.until
}
