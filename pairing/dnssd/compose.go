package dnssd

import (
	"slices"

	"github.com/miekg/dns"
)

// An outgoing is the content of one or more packets.
type outgoing struct {
	answers []*record
	extra   []*record // added where there is room, in this order
	ttl     func(*record) uint32
	legacy  *message // the query, for those who are no multicast DNS resolvers (RFC 6762 section 6.7)

	added []*record // by packets: what of extra found room
}

func ownTTL(r *record) uint32 { return r.rr.Header().Ttl }

func noTTL(*record) uint32 { return 0 }

func legacyTTL(r *record) uint32 { return min(r.rr.Header().Ttl, ttlLegacy) }

// packets puts the answers into as many packets as they need. A set that a cache-flush bit goes with stays together
// (RFC 6762 section 10.2).
func (o *outgoing) packets() [][]byte {
	answers := distinct(o.answers)
	if len(answers) == 0 {
		return nil
	}
	var out [][]byte
	m := o.message()
	for i := 0; i < len(answers); {
		end, size := i, 0
		for end < len(answers) && answers[end].id == answers[i].id {
			size += answers[end].size
			end++
		}
		if len(m.msg.Answer) > 0 && m.size+size > packetLimit {
			if o.legacy != nil {
				m.msg.Truncated = true
				break
			}
			out = m.pack(out)
			m = o.message()
		}
		for _, r := range answers[i:end] {
			m.msg.Answer = append(m.msg.Answer, o.rr(r))
		}
		m.size += size
		i = end
	}
	for _, r := range o.extra {
		if m.size+r.size > packetLimit || m.msg.Truncated {
			break
		}
		if !has(answers, r) && !has(o.added, r) {
			o.added = append(o.added, r)
			m.msg.Extra = append(m.msg.Extra, o.rr(r))
			m.size += r.size
		}
	}
	return m.pack(out)
}

func (o *outgoing) rr(r *record) dns.RR {
	ttl := ownTTL
	if o.ttl != nil {
		ttl = o.ttl
	}
	return r.withTTL(ttl(r), o.legacy == nil)
}

func (o *outgoing) message() *draft {
	d := &draft{size: headerLen}
	d.msg.Response, d.msg.Authoritative, d.msg.Compress = true, true, true
	if o.legacy != nil {
		d.msg.Id = o.legacy.id
		for _, q := range o.legacy.questions {
			d.msg.Question = append(d.msg.Question, dns.Question{Name: q.name, Qtype: q.rtype, Qclass: q.class})
			d.size += len(q.key) + 4
		}
	}
	return d
}

// A draft is one packet. Its size is what it would be without compression.
type draft struct {
	msg  dns.Msg
	size int
}

func (d *draft) pack(out [][]byte) [][]byte {
	b, err := d.msg.Pack()
	if err != nil {
		return out // a bug: all of it has been packed before
	}
	return append(out, b)
}

// probePackets asks for names with the records that are proposed for each (RFC 6762 sections 8.1 and 8.2).
func probePackets(claims []*claim, proposed func(*claim) []*record, unicast bool) [][]byte {
	var out [][]byte
	d := &draft{size: headerLen}
	d.msg.Compress = true
	for _, c := range claims {
		recs := proposed(c)
		size := len(c.key) + 4
		for _, r := range recs {
			size += r.size
		}
		if len(d.msg.Question) > 0 && d.size+size > packetLimit {
			out = d.pack(out)
			d = &draft{size: headerLen}
			d.msg.Compress = true
		}
		q := dns.Question{Name: c.name, Qtype: dns.TypeANY, Qclass: dns.ClassINET}
		if unicast {
			q.Qclass |= cacheFlush
		}
		d.msg.Question = append(d.msg.Question, q)
		for _, r := range recs {
			d.msg.Ns = append(d.msg.Ns, r.withTTL(ownTTL(r), false)) // 10.2: no cache-flush bit in a proposal
		}
		d.size += size
	}
	if len(d.msg.Question) == 0 {
		return nil
	}
	return d.pack(out)
}

func has(list []*record, r *record) bool {
	return slices.ContainsFunc(list, r.same)
}

// distinct gives the records of a list once each, those of one set beside each other, else in their order.
func distinct(list []*record) []*record {
	out := make([]*record, 0, len(list))
	seen := map[string]bool{}
	for i, r := range list {
		if seen[r.id] {
			continue
		}
		seen[r.id] = true
		for _, s := range list[i:] {
			if s.id == r.id && !has(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}
