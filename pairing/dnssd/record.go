package dnssd

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const cacheFlush = 1 << 15 // RFC 6762 section 10.2; in a question, the wish for unicast (5.4)

// The labels that end every name.
const local = "local"

// A claim is a name that has to be ours alone: that of the host, or that of a service's instance.
type claim struct {
	svc  *Service // nil: the host
	base string   // the label as it was wanted
	n    int      // which choice of it this is, from 1
	key  string   // the name now
	name string   // the same for the codec
	recs []*record
	// conflicts are the times of the latest ones.
	conflicts []time.Time
	stormy    bool // there were so many that it takes its time
	gone      bool
	announced bool
	ready     chan struct{} // closed by the loop after the first announcement was sent
}

// label gives the first label of the name.
func (c *claim) label() string {
	if c.svc == nil {
		return numberedHost(c.base, c.n)
	}
	return numbered(c.base, c.n)
}

// owns reports whether the claim has records of this type at its own name.
func (c *claim) owns(rtype uint16) bool {
	if c.svc == nil {
		return rtype == dns.TypeA || rtype == dns.TypeAAAA
	}
	return rtype == dns.TypeSRV || rtype == dns.TypeTXT
}

// A record is one of ours. It does not change: what changes gets a new one.
type record struct {
	claim  *claim
	key    string // of its name
	id     string // for limits of rate: a shared record, or a unique set
	rtype  uint16
	raw    string // its data
	folded string // the same for comparison
	unique bool   // of a set that is ours alone
	rr     dns.RR
	size   int // at most, in bytes
}

// same reports whether two records say the same.
func (r *record) same(o *record) bool { return r.id == o.id && r.folded == o.folded }

func newRecord(c *claim, key string, unique bool, rr dns.RR) *record {
	h := rr.Header()
	h.Class = dns.ClassINET
	if unique {
		h.Class |= cacheFlush
	}
	raw, folded, err := rdataOf(rr)
	if err != nil {
		return nil // a bug: what goes in has been checked
	}
	r := &record{claim: c, key: key, rtype: h.Rrtype, raw: raw, folded: folded, unique: unique, rr: rr, size: dns.Len(rr)}
	r.id = idOf(key, r.rtype)
	if !unique {
		r.id += folded
	}
	return r
}

func idOf(key string, rtype uint16) string {
	return key + string([]byte{byte(rtype >> 8), byte(rtype)})
}

// withTTL gives a copy of what is sent. flush false takes the cache-flush bit away.
func (r *record) withTTL(ttl uint32, flush bool) dns.RR {
	rr := dns.Copy(r.rr)
	rr.Header().Ttl = ttl
	if !flush {
		rr.Header().Class &^= cacheFlush
	}
	return rr
}

// metaLabels is the name at which the types of a network are listed (RFC 6763 section 9).
var metaLabels = []string{"_services", "_dns-sd", "_udp", local}

// serviceRecords makes the records of a service whose claim has its name, at the host of this name.
func serviceRecords(c *claim, host string) []*record {
	s := c.svc
	kind := append(strings.Split(s.Type, "."), local)
	ptr := func(to string, labels ...string) *record {
		return newRecord(c, keyOf(labels...), false, &dns.PTR{
			Hdr: dns.RR_Header{Name: fqdn(labels...), Rrtype: dns.TypePTR, Ttl: ttlOther}, Ptr: to,
		})
	}
	out := []*record{ptr(c.name, kind...)}
	for _, sub := range s.Subtypes {
		out = append(out, ptr(c.name, append([]string{sub, "_sub"}, kind...)...))
	}
	txt := s.TXT
	if len(txt) == 0 {
		txt = []string{""} // RFC 6763 section 6.1
	}
	out = append(
		out,
		newRecord(c, c.key, true, &dns.SRV{
			Hdr: dns.RR_Header{Name: c.name, Rrtype: dns.TypeSRV, Ttl: ttlHost}, Port: s.Port, Target: host,
		}),
		newRecord(c, c.key, true, &dns.TXT{Hdr: dns.RR_Header{Name: c.name, Rrtype: dns.TypeTXT, Ttl: ttlOther}, Txt: escapeTXT(txt)}),
		ptr(fqdn(kind...), metaLabels...),
	)
	return slices.DeleteFunc(out, func(r *record) bool { return r == nil })
}

// escapeTXT gives strings as the codec wants them: a backslash begins an escape there.
func escapeTXT(txt []string) []string {
	out := make([]string, len(txt))
	for i, s := range txt {
		out[i] = strings.ReplaceAll(s, `\`, `\\`)
	}
	return out
}

// hostRecords makes the addresses of the host on one link.
func hostRecords(c *claim, addrs []netip.Addr) []*record {
	var out []*record
	for _, a := range addrs {
		h := dns.RR_Header{Name: c.name, Ttl: ttlHost}
		var rr dns.RR
		if a.Is4() {
			h.Rrtype = dns.TypeA
			rr = &dns.A{Hdr: h, A: a.AsSlice()}
		} else {
			h.Rrtype = dns.TypeAAAA
			rr = &dns.AAAA{Hdr: h, AAAA: a.AsSlice()}
		}
		if r := newRecord(c, c.key, true, rr); r != nil {
			out = append(out, r)
		}
	}
	return out
}

// nsecRecord says which types the claim's name has, and so that it has no others (RFC 6762 section 6.1).
func nsecRecord(c *claim, recs []*record) *record {
	var types []uint16
	for _, r := range recs {
		if r.key == c.key && !slices.Contains(types, r.rtype) {
			types = append(types, r.rtype)
		}
	}
	slices.Sort(types)
	return newRecord(c, c.key, true, &dns.NSEC{
		Hdr: dns.RR_Header{Name: c.name, Rrtype: dns.TypeNSEC, Ttl: ttlHost}, NextDomain: c.name, TypeBitMap: types,
	})
}
