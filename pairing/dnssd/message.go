package dnssd

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"
)

const (
	flagResponse  = 1 << 15
	flagTruncated = 1 << 9
)

// A message is what a packet says about our names; the rest of it has been left aside.
type message struct {
	id        uint16
	response  bool
	truncated bool // more known answers follow
	asks      bool // it has questions, about whatever
	questions []question
	// records are those of the answer section: what a querier knows already, or what a responder states, with what that
	// adds in the additional section.
	records []entry
	// rivals are those of the authority section: what a prober wants to have (RFC 6762 section 8.2).
	rivals []entry
}

type question struct {
	key     string
	name    string // as it was asked, for the codec
	rtype   uint16
	class   uint16
	unicast bool
}

// An entry is somebody's record under a name of ours.
type entry struct {
	key    string
	rtype  uint16
	ttl    uint32
	raw    string
	folded string
}

// parse reads what a packet says about our names. Records of others' names are stepped over, so that what is odd in them
// spoils nothing.
func parse(msg []byte, n names) (message, error) {
	var w walker
	var m message
	if err := w.begin(msg); err != nil {
		return m, err
	}
	flags := binary.BigEndian.Uint16(msg[2:])
	m.id = binary.BigEndian.Uint16(msg)
	m.response = flags&flagResponse != 0
	m.truncated = flags&flagTruncated != 0 && !m.response
	m.asks = w.left[inQuestion] > 0
	for {
		it, ok, err := w.next()
		if err != nil {
			return message{}, err
		}
		if !ok {
			return m, nil
		}
		if _, ok := n[string(it.name)]; !ok {
			continue
		}
		switch {
		case it.section == inQuestion:
			if c := it.class &^ cacheFlush; m.response || len(m.questions) >= maxQuestions || c != dns.ClassINET && c != dns.ClassANY {
				continue
			}
			name, _, err := dns.UnpackDomainName(msg, it.at)
			if err != nil {
				continue
			}
			m.questions = append(m.questions, question{
				key: string(it.name), name: name, rtype: it.rtype, class: it.class &^ cacheFlush, unicast: it.class&cacheFlush != 0,
			})
		case it.class&^cacheFlush != dns.ClassINET:
		case it.section == inAnswer, it.section == inAdditional && m.response:
			m.records = appendEntry(m.records, msg, it, maxKnown)
		case it.section == inAuthority && !m.response:
			m.rivals = appendEntry(m.rivals, msg, it, maxRivals)
		}
	}
}

func appendEntry(list []entry, msg []byte, it item, most int) []entry {
	if len(list) >= most {
		return list
	}
	rr, _, err := dns.UnpackRR(msg, it.at)
	if err != nil {
		return list
	}
	raw, folded, err := rdataOf(rr)
	if err != nil {
		return list
	}
	return append(list, entry{key: string(it.name), rtype: it.rtype, ttl: it.ttl, raw: raw, folded: folded})
}

// compareSets orders two sets of records as RFC 6762 section 8.2.1 does: each sorted by type and data, then the first
// difference decides, and then the longer one wins. The class is the same in all.
func compareSets(a, b []entry) int {
	order := func(x, y entry) int {
		return cmp.Or(cmp.Compare(x.rtype, y.rtype), bytes.Compare([]byte(x.raw), []byte(y.raw)))
	}
	a, b = slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order)
	return slices.CompareFunc(a, b, order)
}
