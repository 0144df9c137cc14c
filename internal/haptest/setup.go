package haptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
)

// Setup is one pair-setup, message by message (HAP 5.6): post M1, hand the answer to M3, post that, and so on. What a
// step gives may be changed before it is posted.
type Setup struct {
	// Secret is the controller's secret number of SRP; 32 random bytes if it is nil.
	Secret []byte
	// Pad keeps leading zeros of A, B and S, in what is sent and in what is hashed. Apple's ADK takes them away, and so do
	// brutella/hap and HAP-python; HAP-NodeJS keeps those of B and S. It matters in one pairing of about 128.
	Pad bool

	who  *Controller
	code string
	srp  *srp
	seal Key // of M5 and M6
}

// Setup begins a pair-setup with a code XXX-XX-XXX.
func (c *Controller) Setup(code string) *Setup { return &Setup{who: c, code: code} }

// M1 asks to pair.
func (s *Setup) M1() []Item {
	return []Item{Byte(TypeState, 1), Byte(TypeMethod, MethodPairSetup)}
}

// M3 has the controller's public key and its proof that it knows the code.
func (s *Setup) M3(m2 []Item) ([]Item, error) {
	if err := expect(m2, 2); err != nil {
		return nil, err
	}
	if s.Secret == nil {
		s.Secret = make([]byte, 32)
		if _, err := rand.Read(s.Secret); err != nil {
			return nil, err
		}
	}
	s.srp = newSRP(s.Secret, s.Pad)
	if err := s.srp.answer(Find(m2, TypeSalt), Find(m2, TypePublicKey), s.code); err != nil {
		return nil, err
	}
	return []Item{Byte(TypeState, 3), {TypePublicKey, s.srp.sentA}, {TypeProof, s.srp.proof}}, nil
}

// M5 has the controller's identity, sealed.
func (s *Setup) M5(m4 []Item) ([]Item, error) {
	if err := expect(m4, 4); err != nil {
		return nil, err
	}
	if err := s.srp.check(Find(m4, TypeProof)); err != nil {
		return nil, err
	}
	contents, err := s.Contents()
	if err != nil {
		return nil, err
	}
	return s.M5With(contents...), nil
}

// Contents is what M5 seals, once M3 was made.
func (s *Setup) Contents() ([]Item, error) {
	if s.srp == nil {
		return nil, errors.New("pair-setup: M5 before M3")
	}
	x, err := derive(s.srp.key, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	if err != nil {
		return nil, err
	}
	if s.seal, err = derive(s.srp.key, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info"); err != nil {
		return nil, err
	}
	public := s.who.Public()
	signature := ed25519.Sign(s.who.Key, join(x[:], []byte(s.who.ID), public))
	return []Item{{TypeIdentifier, []byte(s.who.ID)}, {TypePublicKey, public}, {TypeSignature, signature}}, nil
}

// M5With seals other contents, after Contents.
func (s *Setup) M5With(contents ...Item) []Item {
	return []Item{Byte(TypeState, 5), {TypeEncryptedData, s.seal.SealItems("PS-Msg05", contents...)}}
}

// Finish takes the accessory's identity and holds it against its signature.
func (s *Setup) Finish(m6 []Item) (Accessory, error) {
	if err := expect(m6, 6); err != nil {
		return Accessory{}, err
	}
	contents, err := s.seal.OpenItems("PS-Msg06", Find(m6, TypeEncryptedData))
	if err != nil {
		return Accessory{}, err
	}
	x, err := derive(s.srp.key, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	if err != nil {
		return Accessory{}, err
	}
	id, public := Find(contents, TypeIdentifier), Find(contents, TypePublicKey)
	if len(id) == 0 || len(public) != ed25519.PublicKeySize {
		return Accessory{}, fmt.Errorf("M6: an identifier of %d bytes, a key of %d", len(id), len(public))
	}
	if !ed25519.Verify(public, join(x[:], id, public), Find(contents, TypeSignature)) {
		return Accessory{}, errSignature
	}
	return Accessory{ID: string(id), Key: public}, nil
}

// errSignature: the accessory has another key than it says or than it had.
var errSignature = errors.New("the accessory's signature is wrong")

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
