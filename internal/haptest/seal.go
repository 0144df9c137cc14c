package haptest

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// Key is a key of ChaCha20-Poly1305.
type Key [chacha20poly1305.KeySize]byte

// derive makes a key from a secret under two names of the specification (HAP 5.6 to 5.8).
func derive(secret []byte, salt, info string) (Key, error) {
	b, err := hkdf.Key(sha512.New, secret, []byte(salt), info, chacha20poly1305.KeySize)
	if err != nil {
		return Key{}, fmt.Errorf("derive %s: %w", info, err)
	}
	return Key(b), nil
}

// aead gives the cipher of a key. The only error of the library is a key of another size.
func (k Key) aead() cipher.AEAD {
	a, err := chacha20poly1305.New(k[:])
	if err != nil {
		panic(err) // a Key has the right size by its type
	}
	return a
}

// nonce is a label or counter of 8 bytes, with zeros before it (HAP 5.6.5).
func nonce(label string) []byte {
	n := make([]byte, chacha20poly1305.NonceSize)
	copy(n[chacha20poly1305.NonceSize-len(label):], label)
	return n
}

// SealItems encrypts the items of a sub-message under a label such as PS-Msg05.
func (k Key) SealItems(label string, items ...Item) []byte {
	return k.aead().Seal(nil, nonce(label), EncodeTLV(items...), nil)
}

// OpenItems is the reverse of SealItems.
func (k Key) OpenItems(label string, sealed []byte) ([]Item, error) {
	b, err := k.aead().Open(nil, nonce(label), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", label, err)
	}
	items, _, err := DecodeTLV(b)
	return items, err
}

// Frames of a secure connection (HAP 6.5.2): a length of two bytes, little endian and authenticated, that many bytes, a tag.
const (
	// FrameSize is the most that a frame carries, in bytes.
	FrameSize = 1024
	lengthLen = 2
	tagLen    = chacha20poly1305.Overhead
)

var (
	// errShort: more bytes are needed.
	errShort = errors.New("not whole yet")
	// errFrame: the connection is of no more use.
	errFrame = errors.New("bad frame")
)

// framer has the key and the counter of one direction.
type framer struct {
	aead  cipher.AEAD
	count uint64
	nonce [chacha20poly1305.NonceSize]byte
}

func newFramer(k Key) *framer { return &framer{aead: k.aead()} }

func (f *framer) step() []byte {
	binary.LittleEndian.PutUint64(f.nonce[4:], f.count)
	f.count++
	return f.nonce[:]
}

// seal appends a frame. The length is written as it is, so that a frame larger than allowed can be made.
func (f *framer) seal(out, plain []byte) []byte {
	at := len(out)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(plain)))
	return f.aead.Seal(out, f.step(), plain, out[at:at+lengthLen])
}

// open appends what the first frame of b carries, and gives the frame's length. errShort moves nothing.
func (f *framer) open(out, b []byte) (plain []byte, n int, err error) {
	if len(b) < lengthLen {
		return out, 0, errShort
	}
	size := int(binary.LittleEndian.Uint16(b))
	if size > FrameSize {
		return out, 0, fmt.Errorf("%w: %d bytes, at most %d", errFrame, size, FrameSize)
	}
	n = lengthLen + size + tagLen
	if len(b) < n {
		return out, 0, errShort
	}
	plain, err = f.aead.Open(out, f.step(), b[lengthLen:n], b[:lengthLen])
	if err != nil {
		f.count-- // it stays the next one
		return out, 0, fmt.Errorf("%w: number %d: %w", errFrame, f.count, err)
	}
	return plain, n, nil
}
