package setup

import (
	"crypto/sha512"
	"encoding/base64"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" // also base 36

// ID names a HomeKit bridge in its payload and, hashed, in its DNS-SD record, so that a phone that has scanned the
// payload finds it: four characters of 0-9 and A-Z. It is made once and kept as long as the bridge's identity. The zero
// ID is none.
type ID [4]byte

// NewID makes a random setup id.
func NewID() ID {
	var id ID
	for i := range id {
		id[i] = alphabet[random(len(alphabet))]
	}
	return id
}

// ParseID reads four characters of 0-9 and A-Z. The error is a [FieldError].
func ParseID(s string) (ID, error) {
	var id ID
	if copy(id[:], s) != len(s) || !id.valid() {
		return ID{}, &FieldError{Field: "setup id", Value: clip(s), Want: "4 characters of 0-9 and A-Z"}
	}
	return id, nil
}

func (id ID) valid() bool {
	for _, c := range id {
		if digit(c) < 0 {
			return false
		}
	}
	return true
}

// digit gives a digit's value to base 36, -1 for other characters.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return -1
}

func (id ID) String() string { return string(id[:]) }

// Hash gives the value of the key sh in the record _hap._tcp: base64 of the first four bytes of SHA-512 over the
// setup id and the device id, which is six bytes as E1:91:1A:70:85:AA (HomeKitADK, HAPAccessorySetup). The error is a
// [FieldError].
func (id ID) Hash(deviceID string) (string, error) {
	if !id.valid() {
		return "", &FieldError{Field: "setup id", Value: id.String(), Want: "4 characters of 0-9 and A-Z"}
	}
	ok := len(deviceID) == len("E1:91:1A:70:85:AA")
	for i := 0; ok && i < len(deviceID); i++ {
		d := digit(deviceID[i])
		ok = i%3 == 2 && deviceID[i] == ':' || i%3 != 2 && d >= 0 && d < 16
	}
	if !ok {
		return "", &FieldError{Field: "device id", Value: clip(deviceID), Want: "six bytes in upper case as E1:91:1A:70:85:AA"}
	}
	sum := sha512.Sum512([]byte(id.String() + deviceID))
	return base64.StdEncoding.EncodeToString(sum[:4]), nil
}
