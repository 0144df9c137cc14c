package haptest

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
)

// Keys are those of a secure connection (HAP 6.5.2).
type Keys struct {
	Read  Key // accessory to controller
	Write Key // controller to accessory
}

// Verify is one pair-verify, message by message (HAP 5.7). The keys of the connection are known as soon as M2 is there,
// so a controller can write its first request behind M3 and need not wait for M4.
type Verify struct {
	who     *Controller
	partner Accessory
	secret  *ecdh.PrivateKey
	theirs  []byte
	shared  []byte
	seal    Key // of M2 and M3
}

// Verify begins a pair-verify with an accessory that is paired.
func (c *Controller) Verify(a Accessory) (*Verify, error) {
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Verify{who: c, partner: a, secret: secret}, nil
}

// M1 has the controller's key of this connection.
func (v *Verify) M1() []Item {
	return []Item{Byte(TypeState, 1), {TypePublicKey, v.secret.PublicKey().Bytes()}}
}

// M3 holds the accessory's signature against its key and has the controller's own.
func (v *Verify) M3(m2 []Item) ([]Item, error) {
	if err := expect(m2, 2); err != nil {
		return nil, err
	}
	v.theirs = Find(m2, TypePublicKey)
	public, err := ecdh.X25519().NewPublicKey(v.theirs)
	if err != nil {
		return nil, fmt.Errorf("M2: %w", err)
	}
	if v.shared, err = v.secret.ECDH(public); err != nil {
		return nil, fmt.Errorf("M2: %w", err)
	}
	if v.seal, err = derive(v.shared, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info"); err != nil {
		return nil, err
	}
	contents, err := v.seal.OpenItems("PV-Msg02", Find(m2, TypeEncryptedData))
	if err != nil {
		return nil, err
	}
	id := Find(contents, TypeIdentifier)
	if string(id) != v.partner.ID {
		return nil, fmt.Errorf("M2: accessory %q, expected %q", id, v.partner.ID)
	}
	if !ed25519.Verify(v.partner.Key, join(v.theirs, id, v.secret.PublicKey().Bytes()), Find(contents, TypeSignature)) {
		return nil, errSignature
	}
	return v.M3With(v.Contents()...), nil
}

// Contents is what M3 seals, once M2 was read.
func (v *Verify) Contents() []Item {
	signature := ed25519.Sign(v.who.Key, join(v.secret.PublicKey().Bytes(), []byte(v.who.ID), v.theirs))
	return []Item{{TypeIdentifier, []byte(v.who.ID)}, {TypeSignature, signature}}
}

// M3With seals other contents.
func (v *Verify) M3With(contents ...Item) []Item {
	return []Item{Byte(TypeState, 3), {TypeEncryptedData, v.seal.SealItems("PV-Msg03", contents...)}}
}

// Finish looks at the accessory's word that it is content.
func (v *Verify) Finish(m4 []Item) error { return expect(m4, 4) }

// Keys gives the keys of the connection, once M2 was read.
func (v *Verify) Keys() (Keys, error) {
	read, err := derive(v.shared, "Control-Salt", "Control-Read-Encryption-Key")
	if err != nil {
		return Keys{}, err
	}
	write, err := derive(v.shared, "Control-Salt", "Control-Write-Encryption-Key")
	return Keys{Read: read, Write: write}, err
}
