package pair

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/chacha20poly1305"

	"twinbridge/bridge/homekit/tlv8"
)

// Types of items (HAP table 5-17).
const (
	typeMethod        = 0x00
	typeIdentifier    = 0x01
	typeSalt          = 0x02
	typePublicKey     = 0x03
	typeProof         = 0x04
	typeEncryptedData = 0x05
	typeState         = 0x06
	typeError         = 0x07
	typeSignature     = 0x0A
	typePermissions   = 0x0B
	typeFlags         = 0x13
)

// Methods (HAP table 5-14).
const (
	methodPairSetup     = 0
	methodPairVerify    = 2
	methodAddPairing    = 3
	methodRemovePairing = 4
	methodListPairings  = 5
)

// code is an error of the protocol (HAP table 5-16); 0 is none.
type code byte

const (
	errUnknown        code = 1
	errAuthentication code = 2
	errMaxPeers       code = 4
	errMaxTries       code = 5
	errUnavailable    code = 6
	errBusy           code = 7
)

// permissionAdmin is the bit of Permissions that lets a controller look after the pairings; there is no other.
const permissionAdmin = 1

const (
	maxIdentifier = 64 // bytes; controllers use UUIDs of 36
	keyLen        = 32 // bytes of the public keys of Ed25519 and X25519
	signatureLen  = 64 // bytes
)

// message is what came, with each type that we know at most once.
type message map[byte][]byte

// parse reads a message. Types that we do not know are passed over.
func parse(body []byte) (message, bool) {
	items, err := tlv8.Parse(body)
	if err != nil {
		return nil, false
	}
	m := message{}
	for _, i := range items {
		switch i.Type {
		case typeMethod, typeIdentifier, typeSalt, typePublicKey, typeProof, typeEncryptedData, typeState, typeError,
			typeSignature, typePermissions, typeFlags:
			if _, twice := m[i.Type]; twice {
				return nil, false
			}
			m[i.Type] = i.Value
		}
	}
	return m, true
}

// byte gives a value of one byte.
func (m message) byte(typ byte) (byte, bool) {
	v := m[typ]
	if len(v) != 1 {
		return 0, false
	}
	return v[0], true
}

// sized gives a value that must have a length.
func (m message) sized(typ byte, size int) ([]byte, bool) {
	v := m[typ]
	return v, len(v) == size
}

// sealed gives what is encrypted, with its tag.
func (m message) sealed() ([]byte, bool) {
	v := m[typeEncryptedData]
	return v, len(v) >= chacha20poly1305.Overhead
}

// identifier gives the name of a controller: UTF-8 (HAP table 5-17), of a length that can be kept, and fit for a log.
func (m message) identifier() (string, bool) {
	v := m[typeIdentifier]
	return string(v), isIdentifier(string(v))
}

func isIdentifier(s string) bool {
	if len(s) == 0 || len(s) > maxIdentifier || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// answer begins an answer: the state comes first, as some controllers read by position.
func answer(state byte) []byte { return tlv8.AppendByte(nil, typeState, state) }

// refusal is an answer that carries an error.
func refusal(state byte, c code) []byte { return tlv8.AppendByte(answer(state), typeError, byte(c)) }

// answerTo gives the state of the answer to a message: the one after its own, or after the expected one if the message
// does not say or says nonsense.
func answerTo(m message, expected byte) byte {
	switch s, _ := m.byte(typeState); s {
	case 1, 3, 5:
		return s + 1
	}
	return expected + 1
}

// inner gives the message that is encrypted in m, under the key and nonce of that step.
func (m message) inner(k Key, nonce string) (message, code) {
	sealed, ok := m.sealed()
	if !ok {
		return message{}, errUnknown
	}
	plain, ok := k.open(nonce, sealed)
	if !ok {
		return message{}, errAuthentication
	}
	inner, ok := parse(plain)
	if !ok {
		return message{}, errUnknown
	}
	return inner, 0
}
