package setup

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
)

// codes is how many numbers eight digits write.
const codes = 100_000_000

// trivial holds the numbers that are no setup codes, sorted (HAP R2 4.2.1.2; Matter 5.1.7.1 forbids the same).
var trivial = [...]uint32{
	0, 11111111, 12345678, 22222222, 33333333, 44444444, 55555555, 66666666, 77777777, 87654321, 88888888, 99999999,
}

// Code is a setup code: eight digits that whoever pairs has to know. It is a secret until the bridge is paired; String
// shows it, a log does not. The zero Code is none.
type Code struct{ n uint32 }

// NewCode makes a random code.
func NewCode() Code {
	// The draw leaves room for the trivial ones, and is then moved past them: each code is as likely as any other.
	return nthCode(random(codes - len(trivial)))
}

// nthCode gives the code with n smaller ones, for n below codes less the trivial.
func nthCode(n uint32) Code {
	for _, t := range trivial {
		if n >= t {
			n++
		}
	}
	return Code{n}
}

// random draws from 0 up to, not including, n.
func random(n int) uint32 {
	v, _ := rand.Int(rand.Reader, big.NewInt(int64(n))) // never fails (crypto/rand)
	return uint32(v.Uint64())
}

// ParseCode reads a code as XXX-XX-XXX (HAP R2 4.2.1.2), and nothing else. The error is a [FieldError] without the value.
func ParseCode(s string) (Code, error) {
	bad := &FieldError{Field: "setup code", Want: "8 digits as XXX-XX-XXX"}
	if len(s) != len("XXX-XX-XXX") {
		return Code{}, bad
	}
	var n uint32
	for i := range len(s) {
		switch c := s[i]; {
		case i == 3 || i == 6:
			if c != '-' {
				return Code{}, bad
			}
		case c < '0' || c > '9':
			return Code{}, bad
		default:
			n = n*10 + uint32(c-'0')
		}
	}
	return codeOf(n)
}

// codeOf checks a number that is to be a code.
func codeOf(n uint32) (Code, error) {
	if n >= codes {
		return Code{}, &FieldError{Field: "setup code", Want: "a number of at most 8 digits"}
	}
	if _, found := slices.BinarySearch(trivial[:], n); found {
		return Code{}, &FieldError{Field: "setup code", Want: "one that is hard to guess: not 8 equal digits, 123-45-678 or 876-54-321"}
	}
	return Code{n}, nil
}

// Number gives the code's eight digits as one number: Matter's passcode.
func (c Code) Number() uint32 { return c.n }

// IsZero reports whether c is none.
func (c Code) IsZero() bool { return c == Code{} }

// String gives the code as XXX-XX-XXX, as HomeKit shows it and hashes it into SRP.
func (c Code) String() string {
	return fmt.Sprintf("%03d-%02d-%03d", c.n/100_000, c.n/1000%100, c.n%1000)
}

// LogValue keeps the code out of logs.
func (c Code) LogValue() slog.Value { return slog.StringValue("setup code") }
