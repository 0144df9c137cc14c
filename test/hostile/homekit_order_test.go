package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"twinbridge/internal/haptest"
)

func isRefused(err error, want haptest.Code) bool {
	var r *haptest.RefusedError
	return errors.As(err, &r) && r.Code == want
}

// The messages of pair-setup that can be sent by somebody who does not know the code.
func messages() map[string][]haptest.Item {
	return map[string][]haptest.Item{
		"M1":                  {haptest.Byte(haptest.TypeState, 1), haptest.Byte(haptest.TypeMethod, haptest.MethodPairSetup)},
		"M1 with MFi":         {haptest.Byte(haptest.TypeState, 1), haptest.Byte(haptest.TypeMethod, haptest.MethodPairSetupWithAuth)},
		"M1 without method":   {haptest.Byte(haptest.TypeState, 1)},
		"M1 of AddPairing":    {haptest.Byte(haptest.TypeState, 1), haptest.Byte(haptest.TypeMethod, haptest.MethodAddPairing)},
		"M2":                  {haptest.Byte(haptest.TypeState, 2), {Type: haptest.TypeSalt, Value: make([]byte, 16)}},
		"M3":                  {haptest.Byte(haptest.TypeState, 3), {Type: haptest.TypePublicKey, Value: make([]byte, 384)}, {Type: haptest.TypeProof, Value: make([]byte, 64)}},
		"M4":                  {haptest.Byte(haptest.TypeState, 4), {Type: haptest.TypeProof, Value: make([]byte, 64)}},
		"M5":                  {haptest.Byte(haptest.TypeState, 5), {Type: haptest.TypeEncryptedData, Value: make([]byte, 150)}},
		"M5 with a zero key":  {haptest.Byte(haptest.TypeState, 5), {Type: haptest.TypeEncryptedData, Value: haptest.Key{}.SealItems("PS-Msg05", haptest.Item{Type: haptest.TypeIdentifier, Value: []byte("x")})}},
		"M6":                  {haptest.Byte(haptest.TypeState, 6)},
		"state 0":             {haptest.Byte(haptest.TypeState, 0), haptest.Byte(haptest.TypeMethod, 0)},
		"state 255":           {haptest.Byte(haptest.TypeState, 255)},
		"a state of two":      {{Type: haptest.TypeState, Value: []byte{1, 0}}, haptest.Byte(haptest.TypeMethod, 0)},
		"no state":            {haptest.Byte(haptest.TypeMethod, 0)},
		"nothing":             {},
		"only an error":       {haptest.Byte(haptest.TypeState, 3), haptest.Byte(haptest.TypeError, 2)},
		"state and separator": {haptest.Byte(haptest.TypeState, 1), {Type: haptest.TypeSeparator}, haptest.Byte(haptest.TypeState, 3)},
	}
}

// TestHomeKitOrder: pairing messages that are not the next one get an error, and nobody is paired by them. Every pair of them
// is sent, to pair-setup and to pair-verify.
func TestHomeKitOrder(t *testing.T) {
	h := newHome(t, 1)
	all := messages()
	tried := 0
	for _, path := range []string{pathSetup, pathVerify} {
		for first, one := range all {
			for second, two := range all {
				c := h.open(t, strangersAddr)
				what := fmt.Sprintf("%s: %s, then %s", path, first, second)
				for i, m := range [][]haptest.Item{one, two} {
					if []string{first, second}[i] == "M1" && path == pathSetup {
						setupStart(t, c, new(haptest.Setup))
						continue
					}
					answer, err := c.PostTLV(t.Context(), path, m...)
					refused(t, what, answer, err)
				}
				c.Close()
				tried++
			}
		}
		h.unpaired(t, "messages out of order")
	}
	t.Logf("%d pairs of messages", tried)

	// What is right in itself, at the wrong place.
	p := newPhone(t)
	s := p.Setup(h.bridge(t).Code)
	c := h.open(t, strangersAddr)
	m3, err := s.M3(setupStart(t, c, s))
	if err != nil {
		t.Fatal(err)
	}
	m4, err := c.PostTLV(t.Context(), pathSetup, m3...)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.PostTLV(t.Context(), pathSetup, m3...)
	refused(t, "a right M3 twice", again, err)
	m5, err := s.M5(m4)
	if err != nil {
		t.Fatal(err)
	}
	m6, err := c.PostTLV(t.Context(), pathSetup, m5...)
	refused(t, "M5 of a procedure that was broken off", m6, err)
	other := h.open(t, strangersAddr)
	m6, err = other.PostTLV(t.Context(), pathSetup, m5...)
	refused(t, "M5 on another connection", m6, err)
	// A procedure that has come to M5 is not helped on by another path.
	s = p.Setup(h.bridge(t).Code)
	if m3, err = s.M3(setupStart(t, c, s)); err != nil {
		t.Fatal(err)
	}
	m4, err = c.PostTLV(t.Context(), pathVerify, m3...)
	refused(t, "M3 of pair-setup to pair-verify", m4, err)
	h.unpaired(t, "messages out of order")
	c.Close()
	other.Close()
	h.follows(t, h.pair(t), "after messages out of order")
}

// TestHomeKitTLV: messages that are cut off, whose values are in pieces, or that say things twice.
func TestHomeKitTLV(t *testing.T) {
	h := newHome(t, 1)
	code := h.bridge(t).Code
	post := func(c *haptest.Conn, path string, body []byte) ([]haptest.Item, error) {
		m, err := c.Exchange(t.Context(), haptest.Request(http.MethodPost, path, typeTLV, body))
		if err != nil {
			return nil, err
		}
		answer, _, err := haptest.DecodeTLV(m.Body)
		return answer, err
	}
	// Each prefix of a right M3: none pairs, none is more than an error.
	p := newPhone(t)
	step := 1
	if !hasTime() {
		step = 29
	}
	cut := 0
	for n := 0; ; n += step {
		c := h.open(t, strangersAddr)
		s := p.Setup(code)
		m3, err := s.M3(setupStart(t, c, s))
		if err != nil {
			t.Fatal(err)
		}
		whole := haptest.EncodeTLV(m3...)
		if n >= len(whole) {
			c.Close()
			break
		}
		answer, err := post(c, pathSetup, whole[:n])
		refused(t, fmt.Sprintf("the first %d bytes of M3", n), answer, err)
		c.Close()
		cut++
	}
	bodies := map[string][]byte{
		"256 pieces of nothing":  bytes.Repeat([]byte{haptest.TypePublicKey, 0}, 256),
		"256 pieces of one byte": bytes.Repeat([]byte{haptest.TypePublicKey, 1, 1}, 256),
		"64 whole pieces":        bytes.Repeat(append([]byte{haptest.TypePublicKey, 255}, make([]byte, 255)...), 60),
		"types only":             bytes.Repeat([]byte{9}, 3),
		"a length of more":       {haptest.TypeState, 1, 3, haptest.TypeProof, 255, 1},
		"a separator of one":     {haptest.TypeState, 1, 3, haptest.TypeSeparator, 1, 0},
		"text":                   []byte(strings.Repeat("state=3&", 100)),
	}
	for name, body := range bodies {
		for _, path := range []string{pathSetup, pathVerify} {
			c := h.open(t, strangersAddr)
			if path == pathSetup {
				setupStart(t, c, newPhone(t).Setup(code))
			}
			answer, err := post(c, path, append([]byte{haptest.TypeState, 1, 3}, body...))
			refused(t, name, answer, err)
			c.Close()
		}
	}
	// Right messages in which something is twice, with a separator so that it cannot be one value.
	for _, typ := range []byte{haptest.TypeState, haptest.TypePublicKey, haptest.TypeProof} {
		c := h.open(t, strangersAddr)
		s := p.Setup(code)
		m3, err := s.M3(setupStart(t, c, s))
		if err != nil {
			t.Fatal(err)
		}
		twice := append(slices.Clone(m3), haptest.Item{Type: haptest.TypeSeparator}, haptest.Item{Type: typ, Value: haptest.Find(m3, typ)})
		answer, err := c.PostTLV(t.Context(), pathSetup, twice...)
		refused(t, fmt.Sprintf("item %d twice", typ), answer, err)
		c.Close()
	}
	t.Logf("%d cuts", cut)
	h.unpaired(t, "broken messages")
	h.follows(t, h.pair(t), "after broken messages")
}
