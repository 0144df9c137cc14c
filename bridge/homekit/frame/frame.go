package frame

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sizes in bytes.
const (
	// MaxPlaintext is how much one frame may carry.
	MaxPlaintext = 1024
	// Overhead is what a frame has beside its plaintext: length and tag.
	Overhead = lengthSize + tagSize
	// MaxSize is the longest frame.
	MaxSize = MaxPlaintext + Overhead

	lengthSize = 2
	tagSize    = chacha20poly1305.Overhead
)

// Key is the key of one direction.
type Key [chacha20poly1305.KeySize]byte

var (
	// ErrShort says that the bytes end before the frame does: come again with more.
	ErrShort = errors.New("frame: more bytes are needed")
	// ErrLength says that a frame claims more than [MaxPlaintext] bytes. The connection is over.
	ErrLength = errors.New("frame: longer than 1024 bytes")
	// ErrTag says that a frame was not made with this key at this place of the stream. The connection is over.
	ErrTag = errors.New("frame: not authentic")
	// ErrExhausted says that the counter of the frames is at its end: no nonce is used twice. The connection is over.
	ErrExhausted = errors.New("frame: no nonce is left")
)

// direction is the state of one direction: nonce = 4 zero bytes and the counter, 64 bits little endian.
type direction struct {
	aead    cipher.AEAD
	counter uint64
	nonce   [chacha20poly1305.NonceSize]byte
}

func newDirection(key Key) (direction, error) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return direction{}, fmt.Errorf("frame: %w", err)
	}
	return direction{aead: aead}, nil
}

// next gives the nonce of the next frame. The last value of the counter is never used.
func (d *direction) next() ([]byte, error) {
	if d.counter == math.MaxUint64 {
		return nil, ErrExhausted
	}
	binary.LittleEndian.PutUint64(d.nonce[4:], d.counter)
	d.counter++
	return d.nonce[:], nil
}

// Sealer makes the frames of one direction. It must not be used by two goroutines at once.
type Sealer struct{ d direction }

// NewSealer makes a Sealer whose next frame is the first. It fails only where the machine forbids the cipher (FIPS 140).
func NewSealer(key Key) (*Sealer, error) {
	d, err := newDirection(key)
	if err != nil {
		return nil, err
	}
	return &Sealer{d}, nil
}

// Size is how many bytes the frames of n bytes of plaintext have.
func Size(n int) int { return n + (n+MaxPlaintext-1)/MaxPlaintext*Overhead }

// Append appends the frames of the parts, which are taken as one plaintext, to dst; none for no plaintext. The parts must
// not overlap with what lies behind dst. The only error is [ErrExhausted].
func (s *Sealer) Append(dst []byte, parts ...[]byte) ([]byte, error) {
	left := 0
	for _, p := range parts {
		left += len(p)
	}
	dst = slices.Grow(dst, Size(left)) // so that the cipher finds its place behind the text
	i, at := 0, 0                      // the part, and how much of it is done
	for left > 0 {
		nonce, err := s.d.next()
		if err != nil {
			return dst, err
		}
		n := min(left, MaxPlaintext)
		left -= n
		begin := len(dst)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		for room := n; room > 0; {
			m := min(room, len(parts[i])-at)
			dst = append(dst, parts[i][at:at+m]...)
			room -= m
			if at += m; at == len(parts[i]) {
				i, at = i+1, 0
			}
		}
		length, text := dst[begin:begin+lengthSize], dst[begin+lengthSize:]
		s.d.aead.Seal(text[:0], nonce, text, length)
		dst = dst[:len(dst)+tagSize]
	}
	return dst, nil
}

// Opener opens the frames of one direction. It must not be used by two goroutines at once.
type Opener struct {
	d   direction
	err error // why it is over
}

// NewOpener makes an Opener that expects the first frame. It fails only where the machine forbids the cipher (FIPS 140).
func NewOpener(key Key) (*Opener, error) {
	d, err := newDirection(key)
	if err != nil {
		return nil, err
	}
	return &Opener{d: d}, nil
}

// Open opens the frame at the beginning of b, in place: the plaintext, 0..1024 bytes, is a part of b, and n bytes of b
// are used up. [ErrShort] changes nothing, neither b nor the Opener. After any other error the contents of b are lost,
// and the Opener says the same for ever.
func (o *Opener) Open(b []byte) (plaintext []byte, n int, err error) {
	if o.err != nil {
		return nil, 0, o.err
	}
	if len(b) < lengthSize {
		return nil, 0, ErrShort
	}
	length := int(binary.LittleEndian.Uint16(b))
	if length > MaxPlaintext {
		o.err = ErrLength
		return nil, 0, o.err
	}
	n = length + Overhead
	if len(b) < n {
		return nil, 0, ErrShort
	}
	nonce, err := o.d.next()
	if err != nil {
		o.err = err
		return nil, 0, err
	}
	sealed := b[lengthSize:n]
	plaintext, err = o.d.aead.Open(sealed[:0], nonce, sealed, b[:lengthSize])
	if err != nil {
		o.err = ErrTag
		return nil, 0, o.err
	}
	return plaintext, n, nil
}
