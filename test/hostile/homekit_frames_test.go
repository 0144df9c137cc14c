package hostile

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"twinbridge/internal/haptest"
)

// TestHomeKitFrames: frames that were heard before, that come in another order or altered, or are longer than they may be end
// the session, at once and without an answer, and nothing changes.
func TestHomeKitFrames(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	h.follows(t, p, "before")
	request := func(value string) []byte {
		body, err := haptest.PutBody(0, haptest.Set(p.lamps[0], value))
		if err != nil {
			t.Fatal(err)
		}
		return haptest.Request(http.MethodPut, "/characteristics", "application/hap+json", body)
	}
	on, off := request("true"), request("false")
	heard := h.secure(t, p, ownersAddr).Seal(on, 0) // of another connection, and never sent there
	attacks := map[string]func(c *haptest.Conn) []byte{
		"of another connection": func(*haptest.Conn) []byte { return heard },
		"in another order": func(c *haptest.Conn) []byte {
			first, second := c.Seal(on, 0), c.Seal(on, 0)
			return append(second, first...)
		},
		"one left out": func(c *haptest.Conn) []byte { c.Seal(off, 0); return c.Seal(on, 0) },
		"of 1,025 bytes": func(c *haptest.Conn) []byte {
			return c.Seal(append(bytes.Clone(on), make([]byte, 1025-len(on))...), 1025)
		},
		"of 65,535 bytes": func(c *haptest.Conn) []byte {
			return c.Seal(append(bytes.Clone(on), make([]byte, 65535-len(on))...), 65535)
		},
		"a length of 65,535":    func(*haptest.Conn) []byte { return []byte{0xff, 0xff} },
		"a length of 1,025":     func(*haptest.Conn) []byte { return []byte{0x01, 0x04} },
		"zeros":                 func(*haptest.Conn) []byte { return make([]byte, 64) },
		"in clear":              func(*haptest.Conn) []byte { return on },
		"the tag only":          func(c *haptest.Conn) []byte { b := c.Seal(on, 0); return append([]byte{0, 0}, b[len(b)-16:]...) },
		"cut by a byte in text": func(c *haptest.Conn) []byte { b := c.Seal(on, 0); return cutFrame(b) },
		"a bit of the length":   func(c *haptest.Conn) []byte { b := c.Seal(on, 0); b[0] ^= 1; return append(b, make([]byte, 16)...) },
		"its beginning doubled": func(c *haptest.Conn) []byte { b := c.Seal(on, 0); return append(bytes.Clone(b[:10]), b...) },
		"its second one altered": func(c *haptest.Conn) []byte {
			b := c.Seal(on, len(on)/2)
			b[len(b)-1] ^= 0x80
			return b
		},
	}
	sealed := len(h.secure(t, p, ownersAddr).Seal(on, 0))
	step := 1
	if !hasTime() {
		step = 16
	}
	for at := 2; at < sealed; at += step {
		attacks[fmt.Sprintf("bit %d of byte %d", at%8, at)] = func(c *haptest.Conn) []byte {
			b := c.Seal(on, 0)
			b[at] ^= 1 << (at % 8)
			return b
		}
	}
	before := h.revision(t)
	for name, attack := range attacks {
		c := h.secure(t, p, ownersAddr)
		if _, err := c.Write(attack(c)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if said := gone(t, c, 5*time.Second); len(said) != 0 {
			t.Errorf("a frame %s: answered %v, want the end", name, said)
		}
		c.Close()
		if now := h.revision(t); now != before {
			t.Fatalf("a frame %s reached the lamp: %s, before %s", name, now, before)
		}
	}
	t.Logf("%d frames", len(attacks))

	// On, off, and the first again as it was.
	c := h.secure(t, p, ownersAddr)
	first := c.Seal(on, 0)
	for _, frame := range [][]byte{first, c.Seal(off, 0)} {
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(t.Context()); err != nil || m.Status != http.StatusNoContent {
			t.Fatalf("on and off: %d %v", m.Status, err)
		}
	}
	h.shows(t, "OFF")
	before = h.revision(t)
	if _, err := c.Write(first); err != nil {
		t.Fatal(err)
	}
	if said := gone(t, c, 5*time.Second); len(said) != 0 {
		t.Errorf("a frame that was sent again: answered %v", said)
	}
	if now := h.revision(t); now != before {
		t.Errorf("a frame that was sent again reached the lamp: %s, before %s", now, before)
	}

	// What the bridge has sent, sent back to it.
	c = h.secure(t, p, ownersAddr)
	if _, err := c.Write(c.Seal(haptest.Request(http.MethodGet, "/accessories", "", nil), 0)); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, 2)
	if _, err := io.ReadFull(c.Net(), echo); err != nil {
		t.Fatal(err)
	}
	echo = append(echo, make([]byte, (int(echo[0])|int(echo[1])<<8)+16)...)
	if _, err := io.ReadFull(c.Net(), echo[2:]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(echo); err != nil {
		t.Fatal(err)
	}
	_ = c.Net().SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		if _, err := c.Net().Read(make([]byte, 4096)); err != nil {
			if isTimeout(err) {
				t.Error("its own frames do not end the session")
			}
			break
		}
	}
	h.follows(t, p, "after bad frames")
}

// cutFrame takes the last byte out of what a frame carries, and says so in its length.
func cutFrame(b []byte) []byte {
	n := (int(b[0]) | int(b[1])<<8) - 1
	out := append([]byte{byte(n), byte(n >> 8)}, b[2:2+n]...)
	return append(out, b[len(b)-16:]...)
}
