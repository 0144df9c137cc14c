package srp

import (
	"crypto/sha512"
	"hash"
	"math/big"
	"sync"
)

// userName is the name that all controllers use (HAP 5.6.1).
const userName = "Pair-Setup"

// group is what both sides know beforehand.
type group struct {
	n, g, k *big.Int
	size    int // bytes of n
	newHash func() hash.Hash
	ng      []byte // H(n) xor H(g)
}

// hap gives the group of HomeKit: 3072 bits, g = 5 (RFC 5054 appendix A), with SHA-512.
var hap = sync.OnceValue(func() *group {
	// 2^3072 - 2^3008 - 1 + 2^64 * (floor(2^2942 pi) + 1690314), RFC 3526 section 4.
	const n = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
		"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
		"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
		"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
		"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
		"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
		"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"
	return newGroup(n, 5, sha512.New)
})

func newGroup(hex string, g int64, newHash func() hash.Hash) *group {
	n, _ := new(big.Int).SetString(hex, 16) // constants of ours
	gr := &group{n: n, g: big.NewInt(g), size: (n.BitLen() + 7) / 8, newHash: newHash}
	gr.k = number(gr.hash(gr.pad(n), gr.pad(gr.g))) // RFC 5054 section 2.5.3
	gr.ng = gr.hash(n.Bytes())
	for i, b := range gr.hash(gr.g.Bytes()) {
		gr.ng[i] ^= b
	}
	return gr
}

func (gr *group) hash(parts ...[]byte) []byte {
	h := gr.newHash()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// pad gives a number with as many bytes as n has.
func (gr *group) pad(x *big.Int) []byte { return x.FillBytes(make([]byte, gr.size)) }

// x is the private key that the password makes (RFC 5054 section 2.4).
func (gr *group) x(salt []byte, user, password string) *big.Int {
	return number(gr.hash(salt, gr.hash([]byte(user+":"+password))))
}

// u is the scrambling parameter (RFC 5054 section 2.6).
func (gr *group) u(a, b *big.Int) *big.Int { return number(gr.hash(gr.pad(a), gr.pad(b))) }

// proofs gives the key K of both sides, the controller's proof M1 and the accessory's proof M2 (RFC 2945 section 3).
func (gr *group) proofs(user string, salt []byte, a, b, s *big.Int) (k, m1, m2 []byte) {
	k = gr.hash(s.Bytes())
	m1 = gr.hash(gr.ng, gr.hash([]byte(user)), salt, a.Bytes(), b.Bytes(), k)
	m2 = gr.hash(gr.pad(a), m1, k)
	return k, m1, m2
}

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
