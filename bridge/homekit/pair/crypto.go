package pair

import (
	"crypto/hkdf"
	"crypto/sha512"

	"golang.org/x/crypto/chacha20poly1305"
)

// Key is a symmetric key of ChaCha20-Poly1305.
type Key [chacha20poly1305.KeySize]byte

// derive makes a key of a secret: HKDF with SHA-512 (HAP 5.6.5 and later).
func derive(secret []byte, salt, info string) Key {
	b, err := hkdf.Key(sha512.New, secret, []byte(salt), info, len(Key{}))
	if err != nil {
		panic(err) // only for lengths over 255 hashes
	}
	return Key(b)
}

// nonce pads the 8 bytes of a name on the left, as "PS-Msg05".
func nonce(name string) []byte {
	n := make([]byte, chacha20poly1305.NonceSize)
	copy(n[len(n)-len(name):], name)
	return n
}

// seal encrypts a part of a message.
func (k Key) seal(name string, plain []byte) []byte {
	aead, err := chacha20poly1305.New(k[:])
	if err != nil {
		panic(err) // only for keys of another length
	}
	return aead.Seal(nil, nonce(name), plain, nil)
}

// open decrypts a part of a message; false if it was not sealed with this key under this name.
func (k Key) open(name string, sealed []byte) ([]byte, bool) {
	aead, err := chacha20poly1305.New(k[:])
	if err != nil {
		panic(err) // only for keys of another length
	}
	plain, err := aead.Open(nil, nonce(name), sealed, nil)
	return plain, err == nil
}
