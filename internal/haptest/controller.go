package haptest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
)

// Controller is the identity that an iPhone has for its home.
type Controller struct {
	ID  string // a UUID in the ADK's words; any text up to 36 bytes here
	Key ed25519.PrivateKey
}

// NewController makes an identity.
func NewController() (*Controller, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	return &Controller{ID: fmt.Sprintf("%X-%X-4%X-8%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])[:36], Key: key}, nil
}

// Public gives the key that accessories know the controller by.
func (c *Controller) Public() ed25519.PublicKey {
	return c.Key.Public().(ed25519.PublicKey) // as its documentation says
}

// Accessory is what a controller keeps of a pairing.
type Accessory struct {
	ID  string
	Key ed25519.PublicKey
}

// PairSetup pairs with the accessory at an address by its code XXX-XX-XXX, on a connection of its own.
func (c *Controller) PairSetup(ctx context.Context, addr, code string) (Accessory, error) {
	conn, err := Open(ctx, addr)
	if err != nil {
		return Accessory{}, err
	}
	a, err := conn.PairSetup(ctx, c.Setup(code))
	return a, errors.Join(err, conn.Close())
}

// PairSetup goes through all steps of a pair-setup. A *RefusedError is the accessory's no.
func (c *Conn) PairSetup(ctx context.Context, s *Setup) (Accessory, error) {
	const path = "/pair-setup"
	m2, err := c.PostTLV(ctx, path, s.M1()...)
	if err != nil {
		return Accessory{}, err
	}
	m3, err := s.M3(m2)
	if err != nil {
		return Accessory{}, err
	}
	m4, err := c.PostTLV(ctx, path, m3...)
	if err != nil {
		return Accessory{}, err
	}
	m5, err := s.M5(m4)
	if err != nil {
		return Accessory{}, err
	}
	m6, err := c.PostTLV(ctx, path, m5...)
	if err != nil {
		return Accessory{}, err
	}
	return s.Finish(m6)
}

// Dial opens a secure connection to an accessory that is paired.
func (c *Controller) Dial(ctx context.Context, addr string, a Accessory) (*Conn, error) {
	conn, err := Open(ctx, addr)
	if err != nil {
		return nil, err
	}
	v, err := c.Verify(a)
	if err == nil {
		err = conn.PairVerify(ctx, v)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// PairVerify goes through all steps of a pair-verify and secures the connection.
func (c *Conn) PairVerify(ctx context.Context, v *Verify) error {
	const path = "/pair-verify"
	m2, err := c.PostTLV(ctx, path, v.M1()...)
	if err != nil {
		return err
	}
	m3, err := v.M3(m2)
	if err != nil {
		return err
	}
	m4, err := c.PostTLV(ctx, path, m3...)
	if err != nil {
		return err
	}
	if err := v.Finish(m4); err != nil {
		return err
	}
	keys, err := v.Keys()
	if err != nil {
		return err
	}
	c.Secure(keys)
	return nil
}
