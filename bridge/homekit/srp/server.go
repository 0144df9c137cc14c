package srp

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/big"
)

const (
	secretBits = 256 // of the secret b: at least as many (RFC 5054 section 2.5.3), and not more, for speed
	draws      = 16  // that all these begin with a zero has a chance of 2^-128
)

var (
	// ErrPublicKey is wrapped by the error of a controller's public key that cannot be one. The offer stays good.
	ErrPublicKey = errors.New("SRP public key")
	// ErrProof says that the controller does not know the setup code.
	ErrProof = errors.New("SRP proof does not match")
	// ErrUsed says that the offer has judged a proof before.
	ErrUsed = errors.New("SRP offer is used up")

	errRandom = errors.New("the source of random bytes gives zeros")
)

// Server knows a verifier. It can be used by several goroutines.
type Server struct {
	group *group
	user  string
	salt  []byte
	v, kv *big.Int
}

// NewServer takes a verifier. One that is not between 2 and n-2 cannot have been made of a code and is refused.
func NewServer(v Verifier) (*Server, error) {
	s := newServer(hap(), userName, v.Salt[:], number(v.V[:]))
	if s == nil {
		return nil, errors.New("the verifier is out of its range: from 2 to n-2 expected")
	}
	return s, nil
}

func newServer(gr *group, user string, salt []byte, v *big.Int) *Server {
	if v.BitLen() < 2 || new(big.Int).Sub(gr.n, v).Cmp(big.NewInt(2)) < 0 {
		return nil
	}
	kv := new(big.Int).Mul(gr.k, v)
	return &Server{group: gr, user: user, salt: append([]byte(nil), salt...), v: v, kv: kv.Mod(kv, gr.n)}
}

// Offer is the accessory's side of one procedure. It must not be used by two goroutines at a time.
type Offer struct {
	server *Server
	secret *big.Int // b; nil after the proof
	public *big.Int // B
}

// Offer makes an offer. It takes a quarter of the computing of a procedure, and can be done before somebody asks.
func (s *Server) Offer(rand io.Reader) (*Offer, error) {
	for range draws {
		b := make([]byte, secretBits/8)
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, fmt.Errorf("drawing an SRP secret: %w", err)
		}
		if secret := number(b); secret.Sign() != 0 {
			if public := s.publicKey(secret); len(public.Bytes()) == s.group.size {
				return &Offer{s, secret, public}, nil
			}
		}
	}
	return nil, errRandom
}

// publicKey is B = k v + g^b.
func (s *Server) publicKey(secret *big.Int) *big.Int {
	b := new(big.Int).Exp(s.group.g, secret, s.group.n)
	b.Add(b, s.kv)
	return b.Mod(b, s.group.n)
}

// Salt is sent in M2.
func (o *Offer) Salt() []byte { return o.server.salt }

// PublicKey is B as it is sent in M2, without leading zeros.
func (o *Offer) PublicKey() []byte { return o.public.Bytes() }

// Check judges the controller's public key A and its proof M1, both as they came. It gives the key that both sides share
// now and our proof M2. Its errors wrap [ErrPublicKey], [ErrProof] or [ErrUsed]; after ErrProof the offer is used up.
func (o *Offer) Check(a, m1 []byte) (key [KeyLen]byte, m2 [ProofLen]byte, err error) {
	if o.secret == nil {
		return key, m2, ErrUsed
	}
	public, err := o.server.group.peer(a)
	if err != nil {
		return key, m2, err
	}
	k, want, ours := o.server.group.proofs(o.server.user, o.server.salt, public, o.public, o.premaster(public))
	o.secret = nil
	if subtle.ConstantTimeCompare(want, m1) != 1 {
		return key, m2, ErrProof
	}
	copy(key[:], k)
	copy(m2[:], ours)
	return key, m2, nil
}

// peer reads a public key of the other side (RFC 5054 section 2.5.4: 0 modulo n must end the procedure).
func (gr *group) peer(b []byte) (*big.Int, error) {
	if len(b) == 0 || len(b) > gr.size {
		return nil, fmt.Errorf("%w of %d bytes, from 1 to %d expected", ErrPublicKey, len(b), gr.size)
	}
	x := number(b)
	if new(big.Int).Mod(x, gr.n).Sign() == 0 {
		return nil, fmt.Errorf("%w is 0 modulo n", ErrPublicKey)
	}
	return x, nil
}

// premaster is S = (A v^u)^b.
func (o *Offer) premaster(a *big.Int) *big.Int {
	n := o.server.group.n
	s := new(big.Int).Exp(o.server.v, o.server.group.u(a, o.public), n)
	s.Mul(s, a)
	return s.Exp(s.Mod(s, n), o.secret, n)
}
