package database

import (
	"errors"
	"strconv"
)

// put is the body of PUT /characteristics (HAP R2, 6.7.2).
type put struct {
	list  []putOne
	timed bool // it names a pid
	pid   uint64
}

// putOne is one characteristic in it.
type putOne struct {
	aid, iid uint64
	value    []byte // a scalar of JSON, in the body's own bytes; empty: none
	hasEV    bool
	ev       bool
	r        bool
}

// errBody is a body that is not what it should be.
var errBody = errors.New("not a list of characteristics to write")

// Members of the body and of its entries, each of which may stand there once: two values for one thing have no meaning
// that sender and reader are sure to share.
const (
	hasList = 1 << iota
	hasPID
	hasAID
	hasIID
	hasValue
	hasEV
	hasR
)

// parsePut reads the body. A value has to be a scalar: what else there is makes the whole request a bad one. What is not
// known is skipped, as controllers send more than is told in HAP R2.
func parsePut(body []byte) (p put, err error) {
	s := scanner{b: body}
	seen := 0
	ok := s.object(func(key []byte) bool {
		switch string(key) {
		case "characteristics":
			return once(&seen, hasList) && s.array(func() bool { return len(p.list) < maxIDs && s.entry(&p) })
		case "pid":
			return once(&seen, hasPID) && (s.word("null") || s.id(&p.pid, &p.timed))
		}
		return s.skip()
	})
	if !ok || !s.over() || len(p.list) == 0 {
		return put{}, errBody
	}
	return p, nil
}

// entry reads one characteristic.
func (s *scanner) entry(p *put) bool {
	var w putOne
	var aid, iid bool
	seen := 0
	ok := s.object(func(key []byte) bool {
		switch string(key) {
		case "aid":
			return once(&seen, hasAID) && s.id(&w.aid, &aid)
		case "iid":
			return once(&seen, hasIID) && s.id(&w.iid, &iid)
		case "value":
			w.value = s.scalar()
			return once(&seen, hasValue) && w.value != nil
		case "ev":
			return once(&seen, hasEV) && (s.word("null") || s.truth(&w.ev, &w.hasEV))
		case "r":
			var said bool
			return once(&seen, hasR) && (s.word("null") || s.truth(&w.r, &said))
		}
		return s.skip()
	})
	p.list = append(p.list, w)
	return ok && aid && iid
}

func once(seen *int, member int) bool {
	first := *seen&member == 0
	*seen |= member
	return first
}

// id reads a whole number from 0 on, as an id is.
func (s *scanner) id(to *uint64, said *bool) bool {
	raw := s.scalar()
	if raw == nil {
		return false
	}
	v, err := strconv.ParseUint(string(raw), 10, 64) // takes no sign, no fraction, no quotes
	*to, *said = v, true
	return err == nil
}

// truth reads true or false.
func (s *scanner) truth(to, said *bool) bool {
	*to = s.word("true")
	*said = true
	return *to || s.word("false")
}
