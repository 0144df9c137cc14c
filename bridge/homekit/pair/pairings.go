package pair

import (
	"bytes"
	"slices"

	"twinbridge/bridge/homekit/tlv8"
)

// Pairings answers a message about the table of pairings (HAP 5.10 to 5.12), of a connection that is verified and whose
// controller is an admin. After the answer is on its way, the connections of all controllers in gone must end, the asking
// one among them.
func (c *Conn) Pairings(body []byte) (reply []byte, gone []string) {
	p := c.pairer
	p.mu.Lock()
	defer p.mu.Unlock()
	refused := errUnknown
	m, ok := parse(body)
	state, _ := m.byte(typeState)
	method, hasMethod := m.byte(typeMethod)
	switch {
	case !c.Admin():
		refused = errAuthentication
	case !ok, state != 1, !hasMethod:
	case method == methodAddPairing:
		gone, refused = p.add(m)
	case method == methodRemovePairing:
		gone, refused = p.remove(m)
	case method == methodListPairings:
		return p.list(), nil
	}
	if refused != 0 {
		return refusal(2, refused), nil
	}
	return answer(2), gone
}

// add is HAP 5.10.
func (p *Pairer) add(m message) (gone []string, refused code) {
	id, hasID := m.identifier()
	key, hasKey := m.sized(typePublicKey, keyLen)
	permissions, ok := m.byte(typePermissions)
	if !hasID || !hasKey || !ok || permissions&^permissionAdmin != 0 {
		return nil, errUnknown
	}
	admin := permissions&permissionAdmin != 0
	t := slices.Clone(p.state.Load().table)
	switch i := t.find(id); {
	case i >= 0 && !bytes.Equal(t[i].Key, key):
		return nil, errUnknown
	case i >= 0 && t[i].Admin == admin:
		return nil, 0
	case i >= 0:
		t[i].Admin = admin
	case len(t) == MaxPairings:
		return nil, errMaxPeers
	default:
		t = append(t, entry{Pairing: Pairing{ID: id, Key: slices.Clone(key), Admin: admin}, serial: p.next(), counts: true})
	}
	return p.change(t)
}

// remove is HAP 5.11. Somebody who is not there is removed already.
func (p *Pairer) remove(m message) (gone []string, refused code) {
	id, ok := m.identifier()
	if !ok {
		return nil, errUnknown
	}
	t := slices.Clone(p.state.Load().table)
	i := t.find(id)
	if i < 0 {
		return nil, 0
	}
	return p.change(slices.Delete(t, i, i+1))
}

// change puts another table in force, and says who is not in it any more. Without an admin nobody could look after the
// table: so all are removed with the last one (HAP 5.11.2).
func (p *Pairer) change(t table) (gone []string, refused code) {
	old := p.state.Load().table
	if !t.hasAdmin() {
		t = nil
	}
	if p.replace(t) != nil {
		return nil, errUnknown
	}
	for _, e := range old {
		if t.serial(e.serial) < 0 {
			gone = append(gone, e.ID)
			p.log.Info("HomeKit: pairing removed", "controller", e.ID)
		}
	}
	return gone, 0
}

// list is HAP 5.12.
func (p *Pairer) list() []byte {
	b := answer(2)
	for i, e := range p.state.Load().table {
		if i > 0 {
			b = tlv8.AppendSeparator(b)
		}
		permissions := byte(0)
		if e.Admin {
			permissions = permissionAdmin
		}
		b = tlv8.Append(b, typeIdentifier, []byte(e.ID))
		b = tlv8.Append(b, typePublicKey, e.Key)
		b = tlv8.AppendByte(b, typePermissions, permissions)
	}
	return b
}
