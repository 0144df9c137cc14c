package haptest

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"math/big"
)

// The group of 3072 bits (RFC 5054, appendix A), with SHA-512 and the user name that all controllers have (HAP 5.5).
const (
	groupHex = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
		"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
		"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
		"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
		"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
		"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
		"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"
	groupSize = 384 // bytes
	generator = 5
	userName  = "Pair-Setup"
)

var errProof = errors.New("the accessory's proof is wrong: it does not know the code")

// srp is the controller's half of SRP-6a (RFC 5054), up to both proofs.
type srp struct {
	n, g *big.Int
	a    *big.Int
	pad  bool // A, B and S are hashed with their leading zeros

	sentA []byte
	key   []byte // K
	proof []byte // M1
}

func newSRP(secret []byte, pad bool) *srp {
	n, _ := new(big.Int).SetString(groupHex, 16)
	s := &srp{n: n, g: big.NewInt(generator), a: new(big.Int).SetBytes(secret), pad: pad}
	s.sentA = s.bytes(new(big.Int).Exp(s.g, s.a, s.n))
	return s
}

// bytes gives a number as it is sent and hashed.
func (s *srp) bytes(x *big.Int) []byte {
	if s.pad {
		return padded(x)
	}
	return x.Bytes()
}

func padded(x *big.Int) []byte { return x.FillBytes(make([]byte, groupSize)) }

func digest(parts ...[]byte) []byte {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// answer takes salt and public key of the accessory and makes key and proof.
func (s *srp) answer(salt, sentB []byte, code string) error {
	b := number(sentB)
	if len(sentB) > groupSize || new(big.Int).Mod(b, s.n).Sign() == 0 {
		return errors.New("the accessory's public key is none")
	}
	a := number(s.sentA)
	k := number(digest(padded(s.n), padded(s.g)))
	u := number(digest(padded(a), padded(b)))
	x := number(digest(salt, digest([]byte(userName+":"+code))))
	// S = (B - k*g^x) ^ (a + u*x)
	base := new(big.Int).Exp(s.g, x, s.n)
	base.Mul(base, k).Sub(b, base).Mod(base, s.n)
	secret := new(big.Int).Exp(base, new(big.Int).Add(s.a, u.Mul(u, x)), s.n)
	s.key = digest(s.bytes(secret))

	both := digest(padded(s.n))
	subtle.XORBytes(both, both, digest(s.g.Bytes()))
	s.proof = digest(both, digest([]byte(userName)), salt, s.sentA, s.bytes(b), s.key)
	return nil
}

// check holds the accessory's proof against the key. Some hash A as it was sent, some with its leading zeros; both know
// the code.
func (s *srp) check(proof []byte) error {
	asSent := digest(s.sentA, s.proof, s.key)
	full := digest(padded(number(s.sentA)), s.proof, s.key)
	if !bytes.Equal(proof, asSent) && !bytes.Equal(proof, full) {
		return errProof
	}
	return nil
}

// Modulus is the prime N of the group, for who sends multiples of it.
func Modulus() *big.Int {
	n, _ := new(big.Int).SetString(groupHex, 16)
	return n
}

// Digest is SHA-512 over parts, which proofs are made of.
func Digest(parts ...[]byte) []byte { return digest(parts...) }
