package srp

import (
	"fmt"
	"io"
	"math/big"
)

const (
	// SaltLen is the length of a salt in bytes (HAP 5.6.2).
	SaltLen = 16
	// PublicKeyLen is the length of a verifier and the longest of a public key, in bytes.
	PublicKeyLen = 384
	// ProofLen is the length of a proof in bytes.
	ProofLen = 64
	// KeyLen is the length of the shared key K in bytes.
	KeyLen = 64
)

// Verifier is what an accessory keeps instead of its setup code. It is as secret as the code: the 10^8 codes can be tried
// on it.
type Verifier struct {
	Salt [SaltLen]byte
	V    [PublicKeyLen]byte // big endian
}

// NewVerifier makes the verifier of a setup code, as "XXX-XX-XXX", with a random salt.
func NewVerifier(code string, rand io.Reader) (Verifier, error) {
	if !isCode(code) {
		return Verifier{}, fmt.Errorf("setup code of %d characters, expected digits as XXX-XX-XXX", len(code)) // the code is secret
	}
	var v Verifier
	for range draws {
		if _, err := io.ReadFull(rand, v.Salt[:]); err != nil {
			return Verifier{}, fmt.Errorf("drawing a salt: %w", err)
		}
		if v.Salt[0] != 0 { // some controllers take it for a number
			gr := hap()
			new(big.Int).Exp(gr.g, gr.x(v.Salt[:], userName, code), gr.n).FillBytes(v.V[:])
			return v, nil
		}
	}
	return Verifier{}, errRandom
}

// isCode reports whether a code has its form; the dashes are part of the password (HAP 5.6.4).
func isCode(code string) bool {
	if len(code) != 10 {
		return false
	}
	for i, c := range []byte(code) {
		if dash := i == 3 || i == 6; dash != (c == '-') || !dash && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
