package hostile

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"twinbridge/internal/haptest"
)

// smuggling are requests about whose end two readers could be of two minds, with the status that they are refused with. What
// stands behind them must not be taken for a request.
var smuggling = []struct {
	raw    string
	status int
}{
	{"POST /pairings HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
	{"POST /pairings HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", 411},
	{"POST /pairings HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", 411},
	{"POST /pairings HTTP/1.1\r\ntransfer-ENCODING:\tchunked\r\n\r\n0\r\n\r\n", 411},
	{"POST /pairings HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nTransfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 0\r\n\r\nabc", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 0, 0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: +0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 0x0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 1e1\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 0 0\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length:\r\n\r\n", 400},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n", 413},
	{"POST /pairings HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n", 413},
	{"POST /pairings HTTP/1.1\r\nContent-Length : 0\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\nHost: x\n\n", 400},
	{"GET /pairings HTTP/1.1\r\nHost: x\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\nHost: x\n\n", 400},
	{"GET /pairings HTTP/1.1\rHost: x\r\r", 400},
	{"GET /pairings HTTP/1.1\r\nX: a\rContent-Length: 0\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\nX: a\r\n Content-Length: 5\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\nX: a\x00b\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\nno colon\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\n: no name\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 417},
	{"GET /pairings HTTP/1.0\r\n\r\n", 505},
	{"GET /pairings\r\n\r\n", 400},
	{"GET  /pairings HTTP/1.1\r\n\r\n", 400},
	{"GET\t/pairings\tHTTP/1.1\r\n\r\n", 400},
	{"GET /pairings HTTP/1.1 \r\n\r\n", 400},
	{"GET http://x/pairings HTTP/1.1\r\n\r\n", 400},
	{"CONNECT x:1 HTTP/1.1\r\n\r\n", 400},
	{"OPTIONS * HTTP/1.1\r\n\r\n", 400},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
	{"GET /pairings%0d%0a%zz HTTP/1.1\r\n\r\n", 400},
	{"GET /pairings#x\x7f HTTP/1.1\r\n\r\n", 400},
	{"\n\nGET /pairings HTTP/1.1\r\n\r\n", 400},
	{"\r\n\r\nGET /pairings HTTP/1.1\r\n\r\n", 400},
	{"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400},
	{"\x10\x00" + strings.Repeat("\x99", 32), 400},
	{"GET /" + strings.Repeat("a", 40_000) + " HTTP/1.1\r\n\r\n", 414},
	{"GET /pairings HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 6000) + "\r\n", 431},
	{"GET /pairings HTTP/1.1\r\nX: " + strings.Repeat("b", 200_000) + "\r\n\r\n", 431},
}

// TestHomeKitSmuggling: raw requests, to the clear port and inside an encrypted session.
func TestHomeKitSmuggling(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	h.follows(t, p, "before")
	before := h.revision(t)
	on, err := haptest.PutBody(0, haptest.Set(p.lamps[0], "true"))
	if err != nil {
		t.Fatal(err)
	}
	hidden := haptest.Request(http.MethodPut, "/characteristics", "application/hap+json", on)
	for _, secure := range []bool{false, true} {
		for _, tt := range smuggling {
			c := h.open(t, strangersAddr)
			if secure {
				c.Close()
				c = h.secure(t, p, ownersAddr)
			}
			sent := make(chan struct{})
			bytes := c.Seal(append([]byte(tt.raw), hidden...), 0)
			go func() {
				defer close(sent)
				_, _ = c.Write(bytes) // it may be closed in the middle
			}()
			said := gone(t, c, 5*time.Second)
			if len(said) != 1 || said[0].Status != tt.status {
				t.Errorf("secure %v, %.70q: answered %v, want %d and the end", secure, tt.raw, said, tt.status)
			}
			c.Close()
			<-sent
		}
	}
	if now := h.revision(t); now != before {
		t.Errorf("a request that was hidden behind another one reached the lamp: %s, before %s", now, before)
	}
	h.follows(t, p, "after smuggling")
	t.Logf("%d raw requests, in clear and encrypted", len(smuggling))
}

// revision is what would be different if anything had reached the first lamp.
func (h *home) revision(t *testing.T) string {
	t.Helper()
	d, err := h.api.Device(t.Context(), "lamp-1")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(d.Actual("powerstatus"), d.Expected("powerstatus"), d.Actual("brightness"), d.Expected("brightness"), " revision ", d.Rev)
}

// TestHomeKitSwitch: at the moment at which a connection becomes encrypted no byte is taken for one of the other kind.
func TestHomeKitSwitch(t *testing.T) {
	h := newHome(t, 1)
	p := h.pair(t)
	h.follows(t, p, "before")
	before := h.revision(t)
	body, err := haptest.PutBody(0, haptest.Set(p.lamps[0], "true"))
	if err != nil {
		t.Fatal(err)
	}
	put := haptest.Request(http.MethodPut, "/characteristics", "application/hap+json", body)
	// m3 gives a connection at which M2 was read, the request with M3, and the keys.
	m3 := func(change func([]haptest.Item) []haptest.Item) (*haptest.Conn, []byte, haptest.Keys) {
		t.Helper()
		c := h.open(t, ownersAddr)
		v, err := p.Verify(p.bridge)
		if err != nil {
			t.Fatal(err)
		}
		m2, err := c.PostTLV(t.Context(), pathVerify, v.M1()...)
		if err != nil {
			t.Fatal(err)
		}
		items, err := v.M3(m2)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := v.Keys()
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			items = change(items)
		}
		return c, haptest.Request(http.MethodPost, pathVerify, typeTLV, haptest.EncodeTLV(items...)), keys
	}
	ends := func(what string, c *haptest.Conn, want ...int) {
		t.Helper()
		var got []int
		for _, m := range gone(t, c, 5*time.Second) {
			got = append(got, m.Status)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: answered %v, want %v and the end", what, got, want)
		}
		c.Close()
		if now := h.revision(t); now != before {
			t.Fatalf("%s: it reached the lamp: %s, before %s", what, now, before)
		}
	}
	send := func(c *haptest.Conn, parts ...[]byte) {
		t.Helper()
		if _, err := c.Write(bytes.Join(parts, nil)); err != nil {
			t.Fatal(err)
		}
	}

	c, request, _ := m3(nil)
	send(c, request, put)
	ends("a clear request in the segment of M3", c, http.StatusOK)

	c, request, _ = m3(nil)
	send(c, request, []byte("\r\n"), put)
	ends("an empty line and a clear request", c, http.StatusOK)

	c, request, keys := m3(nil)
	if m, err := c.Exchange(t.Context(), request); err != nil || m.Status != http.StatusOK {
		t.Fatalf("M4: %d %v", m.Status, err)
	}
	send(c, put) // all keys are known, and not used
	c.Secure(keys)
	ends("a clear request on a secure connection", c)

	c, request, keys = m3(nil)
	c.SecureWrites(keys.Write)
	sealed := c.Seal(put, 0)
	send(c, sealed, request) // encrypted too early
	ends("an encrypted request before M3", c, http.StatusBadRequest)

	wrong := func(items []haptest.Item) []haptest.Item {
		return haptest.Replace(items, haptest.TypeEncryptedData, make([]byte, 120))
	}
	c, request, keys = m3(wrong)
	c.SecureWrites(keys.Write)
	send(c, request, c.Seal(put, 0), []byte("\n")) // by which it is seen to be no request
	ends("an encrypted request behind an M3 that is refused", c, http.StatusOK, http.StatusBadRequest)

	// Requests in the body of another one are its body.
	c = h.open(t, strangersAddr)
	send(c, haptest.Request(http.MethodPost, pathSetup, typeTLV, bytes.Repeat(put, 8)), []byte("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"))
	ends("requests in a body", c, http.StatusOK, http.StatusNotFound)

	// Who somebody is does not change on a secure connection, and the keys do not.
	c = h.secure(t, p, ownersAddr)
	v, err := newPhone(t).Verify(p.bridge)
	if err != nil {
		t.Fatal(err)
	}
	m2, err := c.PostTLV(t.Context(), pathVerify, v.M1()...)
	refused(t, "a pair-verify on a secure connection", m2, err)
	if m, err := c.Do(t.Context(), http.MethodGet, haptest.PathOf(p.lamps), nil); err != nil || m.Status != http.StatusOK {
		t.Errorf("behind it: %d %v", m.Status, err)
	}
	// Several requests in one frame, one in frames of a byte, and lengths at the borders of frames.
	get := haptest.Request(http.MethodGet, haptest.PathOf(p.lamps), "", nil)
	send(c, c.Seal(bytes.Repeat(get, 5), 0), c.Seal(get, 1))
	for n := range 6 {
		if m, err := c.Next(t.Context()); err != nil || m.Status != http.StatusOK {
			t.Fatalf("answer %d of 6: %d %v", n+1, m.Status, err)
		}
	}
	c.Timeout = 5 * time.Second
	for _, size := range []int{1023, 1024, 1025, 2047, 2048, 2049, 3072} {
		long := haptest.Request(http.MethodGet, haptest.PathOf(p.lamps)+"&x="+strings.Repeat("x", size-len(get)-3), "", nil)
		if m, err := c.Exchange(t.Context(), long); len(long) != size || err != nil || m.Status != http.StatusOK {
			t.Errorf("a request of %d bytes: %d %v", len(long), m.Status, err)
		}
	}
	c.Close()
	h.follows(t, p, "after the switch")
}

// TestHomeKitNotVerified: who has not verified gets nothing.
func TestHomeKitNotVerified(t *testing.T) {
	h := newHome(t, 1)
	for _, paired := range []bool{false, true} {
		if paired {
			h.pair(t)
		}
		c := h.open(t, strangersAddr)
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
			for _, path := range []string{"/accessories", "/characteristics", "/characteristics?id=1.2", "/pairings", "/prepare", "/resource", "/secure-message"} {
				m, err := c.Do(t.Context(), method, path, []byte(`{"characteristics":[{"aid":2,"iid":9,"value":true}]}`))
				if err != nil || m.Status != 470 || !strings.Contains(string(m.Body), "-70411") {
					t.Errorf("paired %v, %s %s: %d %s %v, want 470 and -70411", paired, method, path, m.Status, m.Body, err)
				}
			}
		}
		c.Close()
	}
}
