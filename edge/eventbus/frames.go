package eventbus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"twinbridge/edge/eventbus/topic"
)

// Fixed header of an MQTT packet (MQTT 3.1.1, 2.2).
const (
	publishType   = 0x30
	typeMask      = 0xf0
	qosMask       = 0x06
	maxLengthSize = 4 // bytes of a remaining length
)

// errFrame means that the broker sends something that is no MQTT.
var errFrame = errors.New("the broker sent a packet that is no MQTT 3.1.1")

// frames is a connection to a broker whose packets have a bound. The client library takes as many bytes for a packet as
// its header asks for, which is up to 256 MiB and is anybody's choice who may publish. Here a longer message loses the
// end of its payload, so that it is still known what it was about: it is answered as too long.
//
// It also bounds how long a write may take; the library does so for some of its packets only.
type frames struct {
	net.Conn
	r       *bufio.Reader
	head    []byte // of a packet, to be read before what follows
	body    int    // bytes of the packet that are still to be handed on
	skip    int    // bytes behind them that are dropped
	most    int    // payload that is handed on
	writing time.Duration
	end     atomic.Int64 // no write takes longer than until then, in ns since 1970; 0: no such end
}

func newFrames(c net.Conn, writing time.Duration) *frames {
	return &frames{Conn: c, r: bufio.NewReaderSize(c, 4<<10), most: topic.MaxPayload + 1, writing: writing}
}

// Read gives the packets one after the other, never bytes of two.
func (f *frames) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for len(f.head) == 0 && f.body == 0 {
		if f.skip > 0 {
			n, err := f.r.Discard(f.skip)
			if f.skip -= n; err != nil {
				return 0, unexpected(err)
			}
		}
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	if len(f.head) > 0 {
		n := copy(b, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	n, err := f.r.Read(b[:min(len(b), f.body)])
	f.body -= n
	return n, unexpected(err)
}

// next reads the header of a packet, and of a message also its topic.
func (f *frames) next() error {
	first, err := f.r.ReadByte()
	if err != nil {
		return err // the end, if it comes between two packets
	}
	length := 0
	for i := 0; ; i++ {
		c, err := f.r.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		length |= int(c&0x7f) << (7 * i)
		if c < 0x80 {
			break
		}
		if i+1 == maxLengthSize {
			return errFrame
		}
	}
	if first&typeMask != publishType {
		if length > maxPacket {
			return errFrame // nothing else that a broker says is long
		}
		f.head, f.body = appendLength([]byte{first}, length), length
		return nil
	}
	var size [2]byte
	if _, err := io.ReadFull(f.r, size[:]); err != nil {
		return unexpected(err)
	}
	name := int(binary.BigEndian.Uint16(size[:]))
	rest := length - len(size) - name // with the packet's id
	id := 0
	if first&qosMask != 0 {
		id = 2
	}
	if rest < id {
		return errFrame
	}
	keep := name + min(rest, id+f.most)
	f.head = append(appendLength([]byte{first}, len(size)+keep), size[:]...)
	f.body, f.skip = keep, name+rest-keep
	return nil
}

// appendLength appends a remaining length.
func appendLength(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// unexpected makes an end within a packet what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write writes within a bound; beyond it the connection is broken.
func (f *frames) Write(b []byte) (int, error) {
	if err := f.Conn.SetWriteDeadline(f.deadline()); err != nil {
		return 0, err
	}
	return f.Conn.Write(b)
}

func (f *frames) deadline() time.Time {
	t := time.Now().Add(f.writing)
	if end := f.end.Load(); end != 0 && end < t.UnixNano() {
		return time.Unix(0, end)
	}
	return t
}

// SetWriteDeadline leaves the deadline to Write.
func (f *frames) SetWriteDeadline(time.Time) error { return nil }

// hurry bounds all writes, the one that is under way too.
func (f *frames) hurry(d time.Duration) {
	end := time.Now().Add(d)
	f.end.Store(end.UnixNano())
	_ = f.Conn.SetWriteDeadline(end) // it fails only where there is nothing to hurry any more
}
