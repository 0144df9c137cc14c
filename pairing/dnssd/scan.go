package dnssd

import (
	"encoding/binary"
	"errors"

	"github.com/miekg/dns"
)

// errMalformed is that of bytes which are no DNS message.
var errMalformed = errors.New("malformed message")

// Sections of a message, in their order (RFC 1035 section 4.1).
const (
	inQuestion = iota
	inAnswer
	inAuthority
	inAdditional
)

const headerLen = 12

// A walker goes through a message without unpacking it. It needs no memory beside itself.
type walker struct {
	msg     []byte
	off     int
	left    [4]int
	section int
	name    [256]byte
}

// An item is a question or a record. name is the walker's own and is good until its next step.
type item struct {
	section      int
	name         []byte // as keyOf gives it
	rtype, class uint16
	ttl          uint32
	at           int // where it begins
}

func (w *walker) begin(msg []byte) error {
	if len(msg) < headerLen {
		return errMalformed
	}
	w.msg, w.off, w.section = msg, headerLen, inQuestion
	for i := range w.left {
		w.left[i] = int(binary.BigEndian.Uint16(msg[4+2*i:]))
	}
	return nil
}

// next gives the next item; false after the last.
func (w *walker) next() (item, bool, error) {
	for w.left[w.section] == 0 {
		if w.section == inAdditional {
			return item{}, false, nil
		}
		w.section++
	}
	w.left[w.section]--
	it := item{section: w.section, at: w.off}
	n, off, err := readName(w.msg, w.off, &w.name)
	if err != nil {
		return item{}, false, err
	}
	it.name = w.name[:n]
	rest := w.msg[off:]
	if len(rest) < 4 {
		return item{}, false, errMalformed
	}
	it.rtype, it.class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	if w.section == inQuestion {
		w.off = off + 4
		return it, true, nil
	}
	if len(rest) < 10 {
		return item{}, false, errMalformed
	}
	it.ttl = binary.BigEndian.Uint32(rest[4:])
	size := int(binary.BigEndian.Uint16(rest[8:]))
	if len(rest) < 10+size {
		return item{}, false, errMalformed
	}
	w.off = off + 10 + size
	return it, true, nil
}

// readName copies the name at off into out, in lower case and without compression. It gives its length and what comes
// after it in the message. A pointer may only point back behind all it was read from, so that there is an end (RFC 1035
// section 4.1.4: "a prior occurrence").
func readName(msg []byte, off int, out *[256]byte) (n, after int, err error) {
	after = -1
	floor := off
	for {
		if off >= len(msg) {
			return 0, 0, errMalformed
		}
		c := int(msg[off])
		switch c & 0xc0 {
		case 0:
			// 255 bytes with all lengths (RFC 1035 section 2.3.4).
			if off+1+c > len(msg) || n+1+c > 255 {
				return 0, 0, errMalformed
			}
			out[n] = byte(c)
			for i, b := range msg[off+1 : off+1+c] {
				out[n+1+i] = lower(b)
			}
			n += 1 + c
			off += 1 + c
			if c == 0 {
				if after < 0 {
					after = off
				}
				return n, after, nil
			}
		case 0xc0:
			if off+2 > len(msg) {
				return 0, 0, errMalformed
			}
			to := int(binary.BigEndian.Uint16(msg[off:]) & 0x3fff)
			if after < 0 {
				after = off + 2
			}
			if to >= floor {
				return 0, 0, errMalformed
			}
			off, floor = to, to
		default:
			return 0, 0, errMalformed
		}
	}
}

// names are what a packet is looked through for: those of all our records. A true one is ours alone. The map is not
// changed any more once it is in use.
type names map[string]bool

// A verdict is what a reader does with a packet.
type verdict int

const (
	foreign   verdict = iota // nothing of ours in it
	ours                     // to be looked at
	refused                  // a kind of message that is to be ignored
	malformed                // not a message
)

// sift looks whether a packet has to do with our names, at little cost.
func (n names) sift(w *walker, msg []byte, fromPort uint16) verdict {
	if w.begin(msg) != nil {
		return malformed
	}
	flags := binary.BigEndian.Uint16(msg[2:])
	// RFC 6762 sections 18.3 and 18.11; section 6: an answer from another port is none.
	if flags&0x7800 != 0 || flags&0x000f != 0 || flags&flagResponse != 0 && fromPort != mdnsPort {
		return refused
	}
	response := flags&flagResponse != 0
	for {
		it, ok, err := w.next()
		if err != nil {
			return malformed
		}
		if !ok {
			return foreign
		}
		alone, known := n[string(it.name)]
		switch {
		case !known:
		case !response:
			return ours
		case it.section == inQuestion || it.section == inAuthority:
		case alone, it.ttl == 0 && it.rtype == dns.TypePTR:
			return ours
		}
	}
}
