package pair

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"time"

	"twinbridge/bridge/homekit/srp"
	"twinbridge/bridge/homekit/tlv8"
)

// Setup answers a message of pair-setup (HAP 5.6). The time is of a clock that only goes forward. The answer may take some
// milliseconds of computing, and the time that the Keeper takes.
func (c *Conn) Setup(now time.Duration, body []byte) []byte {
	p := c.pairer
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns.tick(now)
	m, ok := parse(body)
	expected := byte(1)
	if c.proc != nil {
		expected = c.proc.stage
	}
	state, _ := m.byte(typeState)
	refused := errUnknown
	switch {
	case !ok:
	case state == 1:
		// Also in the middle of a procedure: some controllers forget about it and begin again (HomeKit ADK, seen on
		// iOS 12.1).
		var reply []byte
		if reply, refused = c.setupStart(now, m); refused == 0 {
			return reply
		}
	case c.proc == nil || c.proc != p.turns.running || state != c.proc.stage:
	case state == 3:
		var reply []byte
		if reply, refused = c.setupVerify(m); refused == 0 {
			return reply
		}
	case state == 5:
		var reply []byte
		reply, refused = c.setupExchange(m)
		c.endSetup()
		if refused == 0 {
			return reply
		}
	}
	c.endSetup()
	p.tell(refused, c.party.addr)
	return refusal(answerTo(m, expected), refused)
}

// endSetup ends the procedure of this connection. An offer on which no proof was tried is kept for the next one: who only
// ever begins makes us compute nothing. Called under mu.
func (c *Conn) endSetup() {
	proc, p := c.proc, c.pairer
	c.proc = nil
	if proc == nil {
		return
	}
	if proc == p.turns.running && proc.offer != nil && p.ready == nil {
		p.ready = proc.offer
	}
	proc.offer = nil
	p.turns.end(proc)
}

// setupStart is M1 -> M2 (HAP 5.6.1, 5.6.2).
func (c *Conn) setupStart(now time.Duration, m message) ([]byte, code) {
	p := c.pairer
	method, ok := m.byte(typeMethod)
	if !ok || len(m[typeFlags]) > 4 {
		return nil, errUnknown
	}
	if p.Paired() {
		return nil, errUnavailable
	}
	if p.unsaved {
		// What an attacker has tried must not be forgotten by a restart.
		if p.saveFailures(p.failures) != nil {
			return nil, errUnknown
		}
	}
	if p.failures >= MaxFailures {
		return nil, errMaxTries
	}
	if method != methodPairSetup {
		return nil, errAuthentication // as other accessories without an authentication chip answer
	}
	old := p.turns.running
	proc, ok := p.turns.begin(now, c.party)
	if !ok {
		return nil, errBusy
	}
	if old != nil && old.offer != nil && p.ready == nil {
		p.ready = old.offer
		old.offer = nil
	}
	c.proc = proc
	if !p.prepare() {
		return nil, errUnknown
	}
	proc.offer, p.ready = p.ready, nil
	reply := tlv8.Append(answer(2), typePublicKey, proc.offer.PublicKey())
	return tlv8.Append(reply, typeSalt, proc.offer.Salt()), 0
}

// setupVerify is M3 -> M4 (HAP 5.6.3, 5.6.4).
func (c *Conn) setupVerify(m message) ([]byte, code) {
	p, proc := c.pairer, c.proc
	publicKey, hasKey := m[typePublicKey]
	proof, ok := m.sized(typeProof, srp.ProofLen)
	if !hasKey || !ok {
		return nil, errUnknown
	}
	shared, ours, err := proc.offer.Check(publicKey, proof)
	if errors.Is(err, srp.ErrPublicKey) {
		return nil, errAuthentication
	}
	proc.offer = nil
	if err != nil {
		if p.saveFailures(p.failures+1) != nil {
			return nil, errUnknown
		}
		p.log.Warn("HomeKit: wrong setup code", "from", c.party.addr, "failures", p.failures, "of", MaxFailures)
		if p.failures < MaxFailures {
			p.prepare()
		}
		return nil, errAuthentication
	}
	if p.failures != 0 && p.saveFailures(0) != nil {
		return nil, errUnknown
	}
	proc.keys = &proven{shared: shared, session: derive(shared[:], "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")}
	proc.stage = 5
	return tlv8.Append(answer(4), typeProof, ours[:]), 0
}

// setupExchange is M5 -> M6 (HAP 5.6.5, 5.6.6).
func (c *Conn) setupExchange(m message) ([]byte, code) {
	p, keys := c.pairer, c.proc.keys
	inner, no := m.inner(keys.session, "PS-Msg05")
	if no != 0 {
		return nil, no
	}
	id, hasID := inner.identifier()
	key, hasKey := inner.sized(typePublicKey, keyLen)
	signature, signed := inner.sized(typeSignature, signatureLen)
	if !hasID || !hasKey || !signed {
		return nil, errUnknown
	}
	x := derive(keys.shared[:], "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	if !ed25519.Verify(key, slices.Concat(x[:], []byte(id), key), signature) {
		return nil, errAuthentication
	}
	if p.Paired() { // a controller that had not been seen has come back meanwhile
		return nil, errUnavailable
	}
	pairing := Pairing{ID: id, Key: slices.Clone(key), Admin: true, Unseen: true}
	if p.replace(table{{Pairing: pairing, serial: p.next(), counts: true}}) != nil {
		return nil, errUnknown
	}
	p.turns.knocks = nil
	p.log.Info("HomeKit: paired", "controller", id, "from", c.party.addr)

	own := p.state.Load().identity
	public := own.Key.Public().(ed25519.PublicKey)
	x = derive(keys.shared[:], "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	plain := tlv8.Append(nil, typeIdentifier, []byte(own.ID))
	plain = tlv8.Append(plain, typePublicKey, public)
	plain = tlv8.Append(plain, typeSignature, ed25519.Sign(own.Key, slices.Concat(x[:], []byte(own.ID), public)))
	return tlv8.Append(answer(6), typeEncryptedData, keys.session.seal("PS-Msg06", plain)), 0
}
