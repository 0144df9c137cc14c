package hostile

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"

	"twinbridge/internal/haptest"
	"twinbridge/test/world"
)

const (
	pathSetup  = "/pair-setup"
	pathVerify = "/pair-verify"
	typeTLV    = "application/pairing+tlv8"
)

// maxTries is the number of wrong codes after which nobody can pair (HAP 5.6.2).
const maxTries = 100

// anotherCode is one that is not right.
func anotherCode(code string) string {
	if code == "031-45-154" {
		return "031-45-155"
	}
	return "031-45-154"
}

// guess tries a wrong proof, on a connection of its own. Whoever only wants to be counted need not compute anything.
func (h *home) guess(t *testing.T, from string) {
	t.Helper()
	c := h.open(t, from)
	defer c.Close()
	setupStart(t, c, new(haptest.Setup))
	m4, err := c.PostTLV(t.Context(), pathSetup, haptest.Byte(haptest.TypeState, 3),
		haptest.Item{Type: haptest.TypePublicKey, Value: []byte{7}}, haptest.Item{Type: haptest.TypeProof, Value: bytes.Repeat([]byte{7}, 64)})
	refused(t, "a wrong proof", m4, err, haptest.CodeAuthentication)
}

// TestHomeKitGuessing: after 100 wrong proofs nobody can pair any more, also not after the process was killed in between and
// behind them, until the owner has made a new bridge of it.
func TestHomeKitGuessing(t *testing.T) {
	h := newHome(t, 1)
	b := h.bridge(t)
	kills := map[int]bool{1: true, 60: true, 99: true}
	begun := time.Now()
	for n := 1; n < maxTries; n++ {
		h.guess(t, fmt.Sprintf("127.0.0.%d", 2+n%4))
		if kills[n] {
			h.again(t, false) // right behind the answer
		}
	}
	// The 100th is a whole one, with a code that is not right.
	if err := h.tryPair(t, newPhone(t), anotherCode(b.Code)); !isRefused(err, haptest.CodeAuthentication) {
		t.Errorf("wrong code number %d: %v, want Authentication", maxTries, err)
	}
	t.Logf("%d wrong proofs and %d kills in %v", maxTries, len(kills), time.Since(begun).Round(time.Millisecond))
	for _, what := range []string{"after 100 wrong proofs", "after a kill", "after an ordinary restart"} {
		for _, from := range []string{ownersAddr, strangersAddr} {
			c := h.open(t, from)
			m2, err := c.PostTLV(t.Context(), pathSetup, newPhone(t).Setup(b.Code).M1()...)
			refused(t, what, m2, err, haptest.CodeMaxTries)
			c.Close()
		}
		h.again(t, what == "after a kill")
	}
	h.unpaired(t, "100 wrong proofs")
	h.works(t, "after 100 wrong proofs")
	fresh := h.command(t, "--reset", "1")
	if fresh.ID == b.ID || fresh.Code == b.Code {
		t.Errorf("after a reset it is %+v, before %+v", fresh, b)
	}
	p := h.pair(t)
	h.follows(t, p, "after a reset")
}

// setupStart goes to M2 of a pair-setup. The one before may be over since a moment ago only: that it is somebody else's turn
// is not true for longer than that.
func setupStart(t *testing.T, c *haptest.Conn, s *haptest.Setup) (m2 []haptest.Item) {
	t.Helper()
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		var err error
		if m2, err = c.PostTLV(t.Context(), pathSetup, s.M1()...); err != nil {
			t.Fatalf("M2: %v", err)
		}
		code := haptest.Find(m2, haptest.TypeError)
		if code != nil && haptest.Code(code[0]) != haptest.CodeBusy {
			t.Fatalf("M2: refused with %v", haptest.Code(code[0]))
		}
		return code == nil, "Busy"
	})
	return m2
}

// zeroProof is the proof of somebody who sends an A of 0 mod N: the secret is then 0 whatever the code is.
func zeroProof(m2 []haptest.Item, a []byte, padded bool) []byte {
	n := haptest.Modulus()
	both := haptest.Digest(n.Bytes())
	subtle.XORBytes(both, both, haptest.Digest([]byte{5}))
	secret := []byte{}
	if padded {
		secret = make([]byte, len(n.Bytes()))
	}
	return haptest.Digest(both, haptest.Digest([]byte("Pair-Setup")), haptest.Find(m2, haptest.TypeSalt), a, haptest.Find(m2, haptest.TypePublicKey), haptest.Digest(secret))
}

// TestHomeKitPublicKeys: public keys with which a secret is known to everybody are refused, and change nothing.
func TestHomeKitPublicKeys(t *testing.T) {
	h := newHome(t, 1)
	n := haptest.Modulus()
	for _, tt := range []struct {
		name string
		a    []byte
		want []haptest.Code
	}{
		{"0 in a byte", []byte{0}, []haptest.Code{haptest.CodeAuthentication}},
		{"0 of 384 bytes", make([]byte, 384), []haptest.Code{haptest.CodeAuthentication}},
		{"N", n.Bytes(), []haptest.Code{haptest.CodeAuthentication}},
		{"2N", new(big.Int).Lsh(n, 1).Bytes(), []haptest.Code{haptest.CodeAuthentication}},
		{"empty", []byte{}, []haptest.Code{haptest.CodeAuthentication}},
		{"4 KiB", bytes.Repeat([]byte{0xA5}, 4<<10), []haptest.Code{haptest.CodeAuthentication}},
		{"4 KiB of zeros", make([]byte, 4<<10), []haptest.Code{haptest.CodeAuthentication}},
		{"none", nil, []haptest.Code{haptest.CodeUnknown}},
	} {
		for _, padded := range []bool{false, true} {
			c := h.open(t, strangersAddr)
			m2 := setupStart(t, c, newPhone(t).Setup("031-45-154"))
			m3 := []haptest.Item{haptest.Byte(haptest.TypeState, 3), {Type: haptest.TypeProof, Value: zeroProof(m2, tt.a, padded)}}
			if tt.a != nil {
				m3 = append(m3, haptest.Item{Type: haptest.TypePublicKey, Value: tt.a})
			}
			m4, err := c.PostTLV(t.Context(), pathSetup, m3...)
			refused(t, "A = "+tt.name, m4, err, tt.want...)
			m6, err := c.PostTLV(t.Context(), pathSetup, haptest.Byte(haptest.TypeState, 5), haptest.Item{Type: haptest.TypeEncryptedData, Value: make([]byte, 100)})
			refused(t, "M5 behind A = "+tt.name, m6, err)
			h.unpaired(t, "A = "+tt.name)
			c.Close()
		}
	}
	p := h.pair(t)

	// The points of low order of Curve25519, with which the secret is 0 (RFC 7748, 6.1), and keys of other lengths.
	for _, key := range append(lowOrder(), make([]byte, 31), make([]byte, 33), []byte{}, bytes.Repeat([]byte{9}, 4<<10)) {
		c := h.open(t, strangersAddr)
		m2, err := c.PostTLV(t.Context(), pathVerify, haptest.Byte(haptest.TypeState, 1), haptest.Item{Type: haptest.TypePublicKey, Value: key})
		refused(t, fmt.Sprintf("a key of X25519 %x", key[:min(len(key), 32)]), m2, err)
		if haptest.Find(m2, haptest.TypeEncryptedData) != nil {
			t.Errorf("%x was answered with a signature", key)
		}
		m4, err := c.PostTLV(t.Context(), pathVerify, haptest.Byte(haptest.TypeState, 3), haptest.Item{Type: haptest.TypeEncryptedData, Value: make([]byte, 100)})
		refused(t, "M3 behind it", m4, err)
		m, err := c.Do(t.Context(), http.MethodGet, "/accessories", nil)
		if err != nil || m.Status != 470 {
			t.Errorf("GET /accessories behind it: %d, %v", m.Status, err)
		}
		c.Close()
	}
	h.follows(t, p, "after keys of low order")
}

// lowOrder are the points of order 1, 2, 4 and 8 of Curve25519 and of its twist, as they can be written in 32 bytes.
func lowOrder() [][]byte {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	eight1, _ := new(big.Int).SetString("325606250916557431795983626356110631294008115727848805560023387167927233504", 10)
	eight2, _ := new(big.Int).SetString("39382357235489614581723060781553021112529911719440698176882885853963445705823", 10)
	one := big.NewInt(1)
	var out [][]byte
	for _, x := range []*big.Int{new(big.Int), one, eight1, eight2, new(big.Int).Sub(p, one), p, new(big.Int).Add(p, one)} {
		b := x.FillBytes(make([]byte, 32))
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i] // little endian
		}
		out = append(out, b)
	}
	return out
}
