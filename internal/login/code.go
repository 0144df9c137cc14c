package login

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// alphabet has no letters that look like digits or like each other: no I, L, O, U.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// codeLen characters of 5 bits: at the overall bound of wrong codes, trying half of them takes 17,000 years.
const codeLen = 8

// Code is a secret that a person copies from a terminal: 40 random bits, as K7QM-3XZD.
type Code struct {
	text string
	hash [sha256.Size]byte
}

// NewCode makes a random code.
func NewCode() Code {
	var b [codeLen]byte
	_, _ = rand.Read(b[:]) // it never fails: the program ends before
	for i := range b {
		b[i] = alphabet[b[i]%32] // 256 is a multiple of 32: no character is likelier
	}
	text := string(b[:])
	return Code{text: text[:codeLen/2] + "-" + text[codeLen/2:], hash: sha256.Sum256([]byte(text))}
}

// String is the code as people read it, in two groups.
func (c Code) String() string { return c.text }

// Matches reports whether somebody typed the code: in either case, with or without the dash, with the letters that the
// alphabet leaves out for the digits that they look like. How long it takes says nothing about the code.
func (c Code) Matches(typed string) bool {
	sum := sha256.Sum256([]byte(plain(typed)))
	return subtle.ConstantTimeCompare(sum[:], c.hash[:]) == 1 && c.text != ""
}

// plain writes a code as it was made.
func plain(typed string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ':
			return -1
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, strings.TrimSpace(typed))
}
