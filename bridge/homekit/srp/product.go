package srp

import "math/big"

const (
	window  = 4             // bits of an exponent that are looked at together
	windows = 256 / window  // of an exponent, which has at most 256 bits
	digits  = 1<<window - 1 // the largest window
)

// powers are a number to the powers 1 to 15.
type powers [digits]*big.Int

func newPowers(x, n *big.Int) powers {
	var p powers
	p[0] = x
	var q big.Int
	for i := 1; i < len(p); i++ {
		p[i] = new(big.Int).Mul(p[i-1], x)
		q.QuoRem(p[i], n, p[i])
	}
	return p
}

// product gives the product modulo n of the bases, each raised to its exponent of at most 256 bits. The squarings are
// done once for all of them (interleaved windows, Handbook of Applied Cryptography 14.88).
func product(n *big.Int, bases []powers, exponents []*big.Int) *big.Int {
	var z, q big.Int
	r := big.NewInt(1)
	step := func(x *big.Int) {
		z.Mul(r, x)
		q.QuoRem(&z, n, r)
	}
	for i := windows - 1; i >= 0; i-- {
		for range window {
			step(r)
		}
		for j, e := range exponents {
			if d := digit(e, i); d != 0 {
				step(bases[j][d-1])
			}
		}
	}
	return r
}

// digit gives window i of an exponent.
func digit(e *big.Int, i int) uint {
	var d uint
	for b := range window {
		d |= e.Bit(i*window+b) << b
	}
	return d
}
