package dnssd

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// maxLabel is the length of a label in bytes (RFC 1035 section 2.3.4).
const maxLabel = 63

// keyOf gives the name of these labels as it is compared: wire format with US-ASCII letters in lower case (RFC 6762
// section 16). The labels are at most 63 bytes each.
func keyOf(labels ...string) string {
	var b strings.Builder
	for _, l := range labels {
		b.WriteByte(byte(len(l)))
		for i := range len(l) {
			b.WriteByte(lower(l[i]))
		}
	}
	b.WriteByte(0)
	return b.String()
}

// fqdn gives the same name as the codec wants it, with escapes (RFC 1035 section 5.1).
func fqdn(labels ...string) string {
	var b strings.Builder
	for _, l := range labels {
		for i := range len(l) {
			switch c := l[i]; {
			case c == '.' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_':
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, "\\%03d", c)
			}
		}
		b.WriteByte('.')
	}
	return b.String()
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// rdataOf gives the data of a record without compression: raw as it is sent, and folded with the names in it in lower
// case, as it is compared.
func rdataOf(rr dns.RR) (raw, folded string, err error) {
	// The owner's name plays no part and is put aside, as then its length is known.
	h := rr.Header()
	owner := h.Name
	h.Name = "."
	defer func() { h.Name = owner }()
	buf := make([]byte, dns.Len(rr)+64)
	end, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return "", "", fmt.Errorf("pack a record: %w", err)
	}
	const start = 1 + 10 // the root's name; type, class, TTL and length
	data := buf[start:end]
	raw = string(data)
	from := len(data)
	switch h.Rrtype {
	case dns.TypePTR, dns.TypeCNAME, dns.TypeNS:
		from = 0
	case dns.TypeSRV:
		from = 6 // priority, weight and port
	}
	for i := from; i < len(data); i++ {
		data[i] = lower(data[i]) // lengths of labels are less than 'A'
	}
	return raw, string(data), nil
}
