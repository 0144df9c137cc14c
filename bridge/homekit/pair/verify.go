package pair

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"io"
	"slices"

	"twinbridge/bridge/homekit/tlv8"
)

// Session is what pair-verify gives: who is there, and the keys of the connection after the answer to M3.
type Session struct {
	Controller string // the controller's identifier
	ReadKey    Key    // of what the accessory sends ("Control-Read-Encryption-Key")
	WriteKey   Key    // of what the controller sends ("Control-Write-Encryption-Key")
}

// exchange is a pair-verify that has begun.
type exchange struct {
	identity     *identity
	theirs, ours []byte // public keys of X25519
	shared       []byte
	session      Key
}

// Verify answers a message of pair-verify (HAP 5.7). If the answer is M4 without an error, there is a session: the answer
// is still sent in clear, all after it with the keys. It waits for the Keeper only at the first pair-verify of a
// controller.
func (c *Conn) Verify(body []byte) (reply []byte, s *Session) {
	m, ok := parse(body)
	begun := c.verify
	c.verify = nil
	expected := byte(1)
	if begun != nil {
		expected = 3
	}
	state, _ := m.byte(typeState)
	refused := errUnknown
	switch {
	case !ok, state != expected:
	case c.member.Load() != nil: // who somebody is does not change on a connection
	case state == 1:
		if reply, refused = c.verifyStart(m); refused == 0 {
			return reply, nil
		}
	case state == 3:
		if s, refused = c.verifyFinish(begun, m); refused == 0 {
			return answer(4), s
		}
	}
	return refusal(answerTo(m, expected), refused), nil
}

// verifyStart is M1 -> M2 (HAP 5.7.1, 5.7.2).
func (c *Conn) verifyStart(m message) ([]byte, code) {
	if v, ok := m[typeMethod]; ok && (len(v) != 1 || v[0] != methodPairVerify) {
		return nil, errUnknown // pair-resume is of Bluetooth
	}
	theirs, ok := m.sized(typePublicKey, keyLen)
	if !ok {
		return nil, errUnknown
	}
	e := &exchange{identity: c.pairer.state.Load().identity, theirs: slices.Clone(theirs)}
	if refused := e.agree(c.pairer.rand); refused != 0 {
		return nil, refused
	}
	own := e.identity
	plain := tlv8.Append(nil, typeIdentifier, []byte(own.ID))
	plain = tlv8.Append(plain, typeSignature, ed25519.Sign(own.Key, slices.Concat(e.ours, []byte(own.ID), e.theirs)))
	reply := tlv8.Append(answer(2), typePublicKey, e.ours)
	reply = tlv8.Append(reply, typeEncryptedData, e.session.seal("PV-Msg02", plain))
	c.verify = e
	return reply, 0
}

// agree makes a key of this connection alone, and what both sides share. A public key of low order is refused, with which
// the shared secret would be 0 for everybody (RFC 7748 section 6.1).
func (e *exchange) agree(rand io.Reader) code {
	theirs, err := ecdh.X25519().NewPublicKey(e.theirs)
	if err != nil {
		return errAuthentication
	}
	secret := make([]byte, keyLen)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return errUnknown
	}
	private, err := ecdh.X25519().NewPrivateKey(secret)
	if err != nil {
		return errUnknown
	}
	if e.shared, err = private.ECDH(theirs); err != nil {
		return errAuthentication
	}
	e.ours = private.PublicKey().Bytes()
	e.session = derive(e.shared, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	return 0
}

// verifyFinish is M3 -> M4 (HAP 5.7.3, 5.7.4).
func (c *Conn) verifyFinish(e *exchange, m message) (*Session, code) {
	inner, no := m.inner(e.session, "PV-Msg03")
	if no != 0 {
		return nil, no
	}
	id, hasID := inner.identifier()
	signature, signed := inner.sized(typeSignature, signatureLen)
	if !hasID || !signed {
		return nil, errUnknown
	}
	t := c.pairer.state.Load().table
	i := t.find(id)
	if i < 0 || !ed25519.Verify(t[i].Key, slices.Concat(e.theirs, []byte(id), e.ours), signature) {
		return nil, errAuthentication
	}
	if t[i].Unseen {
		c.pairer.seen(t[i].serial)
	}
	c.member.Store(&member{id, t[i].serial})
	return &Session{
		Controller: id,
		ReadKey:    derive(e.shared, "Control-Salt", "Control-Read-Encryption-Key"),
		WriteKey:   derive(e.shared, "Control-Salt", "Control-Write-Encryption-Key"),
	}, 0
}

// seen notes that a controller knows of its pairing. If that cannot be saved it is still true, and is tried again at its
// next pair-verify.
func (p *Pairer) seen(serial uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := slices.Clone(p.state.Load().table)
	i := t.serial(serial)
	if i < 0 || !t[i].Unseen {
		return
	}
	t[i].counts = true
	t[i].Unseen = false
	if p.replace(t) != nil {
		t[i].Unseen = true
		p.put(t)
	}
}
