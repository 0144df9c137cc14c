// Package hostile stands before the real listener of a running hub, with a node and a lamp behind it, and does what
// nobody should: with no token, with the wrong one, with a certificate that is good but not its business, with floods,
// and with nothing at all, two thousand times. After each attack the lamp has to follow the hub as before.
//
// It joins the hub with package enroll, as a node with a program of its own would.
//
// The files homekit_... stand before the HomeKit bridge of a node with package haptest, as a phone that misbehaves: they guess
// its code, hold its pairing hostage, smuggle, replay and flood, kill it while it pairs, and damage what it remembers. After each
// attack the lamp has to follow its owner's phone. LONG=1 has them take the time that the longer ones need.
package hostile

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"twinbridge/pairing/enroll"
	"twinbridge/test/enrolltest"
	"twinbridge/test/world"
)

// built is the program under test.
var built world.Built

func TestMain(m *testing.M) { built.Main(m) }

// hub is the world that is attacked.
type hub struct {
	*testing.T
	*world.World
	api  *world.API
	next string
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{T: t, World: world.New(t, world.Options{Binary: built.Path(t), Shape: world.Three, Manifest: world.Lamps("porch")}), next: "ON"}
	h.api = h.HubAPI()
	h.works(t, "before")
	return h
}

// works makes sure that the lamp follows the hub.
func (h *hub) works(t *testing.T, when string) {
	t.Helper()
	world.Eventually(t, 30*time.Second, func() (bool, string) {
		status, w, err := h.api.Patch(t.Context(), "porch", "?wait=10s", fmt.Sprintf(`{"expected":{"powerstatus":%q}}`, h.next))
		return err == nil && status == http.StatusOK, fmt.Sprint(when, ": ", status, w, err)
	})
	h.next = map[string]string{"ON": "OFF", "OFF": "ON"}[h.next]
}

// bounded does something and makes sure that the hub does not grow by more than so many bytes meanwhile.
func (h *hub) bounded(t *testing.T, most int, do func()) {
	t.Helper()
	bounded(t, "the hub", h.Hub.PID(), most, do)
}

func (h *hub) join(t *testing.T, token string) (*enroll.Member, error) {
	t.Helper()
	return enroll.Join(t.Context(), enrolltest.NewStore(), token, enroll.MemberConfig{Log: slog.New(slog.DiscardHandler)})
}

// member joins under a name.
func (h *hub) member(t *testing.T, name string) *enroll.Member {
	t.Helper()
	m, err := h.join(t, h.Token(name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// dial begins a session as a member.
func (h *hub) dial(config *tls.Config) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{TLSClientConfig: config, Subprotocols: []string{"twinbridge.link"}, HandshakeTimeout: 10 * time.Second}
	return d.DialContext(h.Context(), "wss://"+h.HubAddr+"/v1/link", nil)
}

// TestHostile is all attacks on one hub.
func TestHostile(t *testing.T) {
	h := newHub(t)
	for _, a := range []struct {
		name string
		do   func(*testing.T, *hub)
	}{
		{"tokens", tokens},
		{"roles", roles},
		{"join tokens", joinTokens},
		{"certificates", certificates},
		{"old and no TLS", oldTLS},
		{"large requests", largeRequests},
		{"streams", streams},
		{"slow bodies", slowBodies},
		{"bad messages", badMessages},
		{"a device of another node", anothersDevice},
		{"half open", halfOpen},
	} {
		t.Run(a.name, func(t *testing.T) {
			a.do(t, h)
			h.works(t, "after "+a.name)
			if n, err := world.NodeOf(t.Context(), h.api, world.NodeName); err != nil || !n.Connected {
				t.Errorf("the node is not served: %+v, %v", n, err)
			}
		})
	}
}

const aWish = `{"expected":{"powerstatus":"ON"}}`

func tokens(t *testing.T, h *hub) {
	for name, header := range map[string]string{
		"none": "", "empty": "Bearer ", "another": "Bearer tbk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "of another kind": "Basic YWRtaW46YWRtaW4=",
		"very long": "Bearer " + strings.Repeat("x", 8<<10), "two words": "Bearer a b",
	} {
		a := h.HubWith("")
		if header != "" {
			a.Header.Set("Authorization", header)
		}
		for _, ask := range []struct{ method, path, body string }{
			{http.MethodGet, "/v1/devices", ""},
			{http.MethodPatch, "/v1/devices/default/porch/expected", aWish},
			{http.MethodPost, "/v1/nodes/x/token", ""},
			{http.MethodGet, "/v1/watch", ""},
			{http.MethodGet, "/metrics", ""},
			{http.MethodGet, "/v1/tokens", ""},
		} {
			status, err := a.Do(t.Context(), ask.method, ask.path, ask.body, nil)
			if err != nil || status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
				t.Errorf("token %s: %s %s: %d %v, want 401", name, ask.method, ask.path, status, err)
			}
		}
	}
}

func roles(t *testing.T, h *hub) {
	for _, tt := range []struct {
		role               string
		read, wish, manage int
	}{
		{"viewer", 200, 403, 403}, {"operator", 200, 202, 403}, {"admin", 200, 202, 200},
	} {
		var made struct{ ID, Secret string }
		if status, err := h.api.Do(t.Context(), http.MethodPost, "/v1/tokens", fmt.Sprintf(`{"name":"test-%s","role":%q}`, tt.role, tt.role), &made); err != nil || status != http.StatusCreated {
			t.Fatalf("make a token: %d %v", status, err)
		}
		a := h.HubWith(made.Secret)
		asks := []struct {
			method, path, body string
			want               int
		}{
			{http.MethodGet, "/v1/devices", "", tt.read},
			{http.MethodPatch, "/v1/devices/default/porch/expected", aWish, tt.wish},
			{http.MethodPost, "/v1/nodes/spare/token", "", tt.manage},
		}
		for _, ask := range asks {
			status, err := a.Do(t.Context(), ask.method, ask.path, ask.body, nil)
			if err != nil || status != ask.want && (ask.want != 202 || status != 200) {
				t.Errorf("%s: %s %s: %d %v, want %d", tt.role, ask.method, ask.path, status, err, ask.want)
			}
		}
		if status, err := h.api.Do(t.Context(), http.MethodDelete, "/v1/tokens/"+made.ID, "", nil); err != nil || status != http.StatusNoContent {
			t.Fatalf("revoke a token: %d %v", status, err)
		}
		for _, ask := range asks {
			if status, err := a.Do(t.Context(), ask.method, ask.path, ask.body, nil); err != nil || status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
				t.Errorf("revoked %s: %s %s: %d %v, want 401", tt.role, ask.method, ask.path, status, err)
			}
		}
	}
}

func joinTokens(t *testing.T, h *hub) {
	used := h.Token("guest")
	if _, err := h.join(t, used); err != nil {
		t.Fatal(err)
	}
	if _, err := h.join(t, used); err == nil {
		t.Error("a join token was good twice, with two keys")
	}
	var short struct{ Token string }
	if status, err := h.api.Do(t.Context(), http.MethodPost, "/v1/nodes/late/token", `{"validFor":"1s"}`, &short); err != nil || status != http.StatusOK {
		t.Fatalf("a token for a second: %d %v", status, err)
	}
	world.Never(t, 2500*time.Millisecond, func() (bool, string) { return false, "" })
	if _, err := h.join(t, short.Token); err == nil {
		t.Error("an expired join token was good")
	}
	for name, bad := range map[string]string{
		"cut": used[:len(used)-20], "nothing": "tb1.", "another kind": "tb9" + used[3:], "not one": "hello",
	} {
		if _, err := h.join(t, bad); err == nil {
			t.Errorf("a join token that is %s was good", name)
		}
	}
	// The command says what is wrong, and does not tell the secret.
	r := h.TryJoin(h.Mapper, h.Token("another-node"))
	if r.Code == 0 || !strings.Contains(r.Err, "another-node") || !strings.Contains(r.Err, world.NodeName) {
		t.Errorf("a token for another node: %v; want both names", r)
	}
	for _, name := range []string{"", "a/b", strings.Repeat("x", 200), "a b"} {
		status, err := h.api.Do(t.Context(), http.MethodPost, "/v1/nodes/"+url.PathEscape(name)+"/token", "", nil)
		if err != nil || status == http.StatusOK {
			t.Errorf("a join token for a node %q: %d %v", name, status, err)
		}
	}
}

// foreign is a certificate that says what a node's says, signed by itself.
func foreign(t *testing.T, node string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{
		SerialNumber: big.NewInt(1 << 40), Subject: pkix.Name{CommonName: node, Organization: []string{"twinbridge"}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{{Scheme: "twinbridge", Opaque: "node:" + node}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, text, text, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certificates(t *testing.T, h *hub) {
	refused := func(name string, config *tls.Config) {
		t.Helper()
		c, answer, err := h.dial(config)
		if err == nil {
			c.Close()
			t.Errorf("with %s a session began", name)
		}
		if answer != nil && answer.StatusCode != http.StatusForbidden {
			t.Errorf("with %s: %s, want 403", name, answer.Status)
		}
	}
	refused("no certificate", h.HubTLS())
	own := h.HubTLS()
	own.Certificates = []tls.Certificate{foreign(t, world.NodeName)}
	refused("a certificate of its own", own)

	// A node's certificate opens the link, not REST; one that is revoked opens nothing.
	m := h.member(t, "visitor")
	a := world.NewTLSAPI("https://"+h.HubAddr, m.TLS(), h.Dial(), "")
	defer a.Close()
	if status, err := a.Do(t.Context(), http.MethodGet, "/v1/devices", "", nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("REST with a node's certificate: %d %v, want 401", status, err)
	}
	if status, err := h.api.Do(t.Context(), http.MethodPost, "/v1/nodes/visitor/revoke", "", nil); err != nil || status != http.StatusNoContent {
		t.Fatalf("revoke: %d %v", status, err)
	}
	refused("a revoked certificate", m.TLS())
	page := h.member(t, "page")
	d := websocket.Dialer{TLSClientConfig: page.TLS(), Subprotocols: []string{"twinbridge.link"}}
	if c, _, err := d.DialContext(t.Context(), "wss://"+h.HubAddr+"/v1/link", http.Header{"Origin": {"https://elsewhere.example"}}); err == nil {
		c.Close()
		t.Error("a page of somebody's opened the link")
	}
}

func oldTLS(t *testing.T, h *hub) {
	config := h.HubTLS()
	config.MaxVersion = tls.VersionTLS12
	if c, err := tls.Dial("tcp", h.HubAddr, config); err == nil {
		c.Close()
		t.Error("TLS 1.2 was good enough")
	}
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x00\x00\x00\x00", "SSH-2.0-x\r\n", strings.Repeat("A", 70_000)} {
		c, err := net.Dial("tcp", h.HubAddr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(text)) // it may be closed in the middle
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		if got := string(b[:n]); strings.Contains(got, "200 OK") || strings.Contains(got, "porch") {
			t.Errorf("%.10q without TLS was answered %q", text, got)
		}
		c.Close()
	}
}

func largeRequests(t *testing.T, h *hub) {
	h.bounded(t, 64<<20, func() {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				body := `{"expected":{"powerstatus":"` + strings.Repeat("x", 3<<20) + `"}}`
				status, err := h.api.Do(t.Context(), http.MethodPatch, "/v1/devices/default/porch/expected", body, nil)
				if err == nil && status != http.StatusRequestEntityTooLarge { // or it was cut off while it sent
					t.Errorf("a body of 3 MiB: %d, want 413", status)
				}
			})
		}
		wg.Wait()
	})
	a := h.HubWith("")
	a.Header.Set("X-Long", strings.Repeat("x", 64<<10))
	if status, err := a.Do(t.Context(), http.MethodGet, "/v1/devices", "", nil); err == nil && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers of 64 KiB: %d, want 431", status)
	}
	for body, want := range map[string]int{
		"":                http.StatusUnsupportedMediaType,
		"{":               http.StatusBadRequest,
		`{"expected":{}}`: http.StatusUnprocessableEntity,
		`{"expected":{"powerstatus":"SIDEWAYS"}}`:                           http.StatusUnprocessableEntity,
		`{"expected":{"colour":"red"}}`:                                     http.StatusUnprocessableEntity,
		`{"expected":{"powerstatus":1}}`:                                    http.StatusUnprocessableEntity,
		`{"expectd":{"powerstatus":"ON"}}`:                                  http.StatusUnprocessableEntity,
		"{" + strings.Repeat(`"a":{`, 10_000) + strings.Repeat("}", 10_001): http.StatusUnprocessableEntity,
	} {
		var problem struct{ Detail string }
		status, err := h.api.Do(t.Context(), http.MethodPatch, "/v1/devices/default/porch/expected", body, &problem)
		if err != nil || status != want && (status != http.StatusBadRequest || want != http.StatusUnprocessableEntity) || problem.Detail == "" {
			t.Errorf("body %.40q: %d %v %q, want %d and why", body, status, err, problem.Detail, want)
		}
	}
}

func streams(t *testing.T, h *hub) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open, refused := 0, 0
	h.bounded(t, 64<<20, func() {
		for range 40 { // nobody reads them
			req, err := h.api.Request(ctx, http.MethodGet, "/v1/watch", "")
			if err != nil {
				t.Fatal(err)
			}
			client := *h.api.HTTP
			client.Timeout = 0
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { res.Body.Close() })
			if res.StatusCode == http.StatusOK {
				open++
			} else if res.StatusCode == http.StatusServiceUnavailable {
				refused++
			}
		}
		for range 300 {
			h.works(t, "while nobody reads the streams")
		}
	})
	if open != 16 || refused != 24 {
		t.Errorf("of 40 streams of one token %d are open and %d were refused, want 16 and 24", open, refused)
	}
}

func slowBodies(t *testing.T, h *hub) {
	h.bounded(t, 64<<20, func() {
		for range 200 {
			c, err := tls.Dial("tcp", h.HubAddr, h.HubTLS())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			fmt.Fprintf(c, "PATCH /v1/devices/default/porch/expected HTTP/1.1\r\nHost: hub\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{",
				h.api.Header.Get("Authorization"))
		}
		h.works(t, "while 200 bodies do not come")
	})
}

// begin begins a session and reads the hub's hello.
func (h *hub) begin(t *testing.T, m *enroll.Member) *websocket.Conn {
	t.Helper()
	c, _, err := h.dial(m.TLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, b, err := c.ReadMessage(); err != nil || !strings.Contains(string(b), `"hello"`) {
		t.Fatalf("the hub's hello: %q, %v", b, err)
	}
	return c
}

// ends reads until the hub ends the session, and gives how.
func ends(c *websocket.Conn) error {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return err
		}
	}
}

const answer = `{"n":1,"got":1,"kind":"answer","body":{"version":1,"store":"EVIL","program":"x"}}`

func badMessages(t *testing.T, h *hub) {
	m := h.member(t, "evil")
	for name, texts := range map[string][]string{
		"not JSON":              {"hello"},
		"nothing":               {""},
		"not UTF-8":             {"\xff\xfe"},
		"unknown kind":          {`{"n":1,"kind":"obey","body":{}}`},
		"no body":               {`{"n":1,"kind":"answer"}`},
		"a number left out":     {`{"n":7,"kind":"answer","body":{"version":1,"store":"x"}}`},
		"the same number twice": {answer, strings.Replace(answer, "answer", "observations", 1)},
		"another version":       {`{"n":1,"kind":"answer","body":{"version":99,"store":"x"}}`},
		"what only hubs say":    {`{"n":1,"kind":"ack","body":{"rev":1}}`},
		"decisions first":       {`{"n":1,"kind":"decisions","body":{"store":"x","rev":1}}`},
		"got what was not sent": {`{"got":900,"kind":"got"}`},
		"too deep":              {`{"n":1,"kind":"answer","body":` + strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60) + "}"},
		"too large":             {`{"n":1,"kind":"answer","body":{"version":1,"store":"` + strings.Repeat("x", 300<<10) + `"}}`},
		"a store of 1 KiB":      {`{"n":1,"kind":"answer","body":{"version":1,"store":"` + strings.Repeat("x", 1<<10) + `"}}`},
		"a second answer":       {answer, strings.Replace(answer, `"n":1`, `"n":2`, 1)},
		"a device without uid":  {answer, `{"n":2,"got":1,"kind":"decisions","body":{"store":"EVIL","rev":1,"opening":"o","devices":[{"name":"","uid":""}]}}`},
	} {
		c := h.begin(t, m)
		for _, text := range texts {
			if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				break
			}
		}
		err := ends(c)
		if !websocket.IsCloseError(err, 4003, 4004, websocket.CloseMessageTooBig) {
			t.Errorf("%s: the session ended with %v; want 4004 and why", name, err)
		}
		c.Close()
	}
	c := h.begin(t, m)
	_ = c.WriteMessage(websocket.BinaryMessage, []byte(answer)) // what comes of it is seen below
	if err := ends(c); !websocket.IsCloseError(err, 4004) {
		t.Errorf("a binary frame: %v", err)
	}
	// A flood of messages that are good by themselves is taken at the hub's pace, or not at all.
	h.bounded(t, 64<<20, func() {
		c := h.begin(t, m)
		_ = c.WriteMessage(websocket.TextMessage, []byte(answer))
		for n := 2; n < 5000; n++ {
			text := fmt.Sprintf(`{"n":%d,"kind":"observations","body":{"devices":[]}}`, n)
			if c.WriteMessage(websocket.TextMessage, []byte(text)) != nil {
				break
			}
		}
		c.Close()
	})
}

func anothersDevice(t *testing.T, h *hub) {
	before, err := h.api.Device(t.Context(), "porch")
	if err != nil {
		t.Fatal(err)
	}
	m := h.member(t, "thief")
	other := map[string]string{"ON": "OFF", "OFF": "ON"}[fmt.Sprint(before.Expected("powerstatus"))]
	definition := func(uid string) string {
		return fmt.Sprintf(`{"name":"default/porch","uid":%q,"whole":true,"definition":{"name":"default/porch","uid":%q,"definer":"node","node":"thief","generation":99},"props":[{"name":"powerstatus","expected":"s%s","origin":"local","rev":900,"act":900}]}`, uid, uid, other)
	}
	for name, texts := range map[string][]string{
		"its uid":                       {`{"name":"default/porch","uid":"` + before.UID + `","whole":true,"props":[{"name":"powerstatus","expected":"s` + other + `","origin":"local","rev":900,"act":900}]}`},
		"a definition with its uid":     {definition(before.UID)},
		"a definition of its own of it": {definition("ABCDEFGHIJKLMNOPQRSTUVWXYZ")},
	} {
		c := h.begin(t, m)
		messages := []string{
			answer,
			`{"n":2,"got":1,"kind":"decisions","body":{"store":"EVIL","rev":900,"opening":"O","devices":[` + strings.Join(texts, ",") + `]}}`,
			`{"n":3,"got":1,"kind":"observations","body":{"full":true,"devices":[{"name":"default/porch","uid":"` + before.UID + `","presence":"offline","props":[{"name":"powerstatus","actual":"s` + other + `"}]}]}}`,
			`{"n":4,"got":1,"kind":"decisions","body":{"store":"EVIL","rev":901,"opening":"O","gone":[{"name":"default/porch","uid":"` + before.UID + `","generation":99,"removed":true}]}}`,
		}
		for _, text := range messages {
			if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				break
			}
		}
		world.Never(t, time.Second, func() (bool, string) {
			d, err := h.api.Device(t.Context(), "porch")
			return err != nil || d.UID != before.UID || d.Node != world.NodeName || d.Presence != "online" ||
				d.Expected("powerstatus") != before.Expected("powerstatus") || d.Actual("powerstatus") != before.Actual("powerstatus"), name + ": " + fmt.Sprint(&d, err)
		})
		// The session was heard to its end, so the hub had every reason to believe it.
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		var said []string
		for {
			_, b, err := c.ReadMessage()
			if err != nil {
				if !os.IsTimeout(err) {
					t.Errorf("%s: the session ended before all was said: %v", name, err)
				}
				break
			}
			said = append(said, string(b))
		}
		if got := strings.Join(said, " "); !strings.Contains(got, `"ack"`) {
			t.Errorf("%s: the hub did not listen: it said %s", name, got)
		}
		t.Logf("%s: %v", name, said)
		c.Close()
	}
}

func halfOpen(t *testing.T, h *hub) {
	const many = 2000
	h.bounded(t, 128<<20, func() {
		var open []net.Conn
		for range many {
			c, err := net.Dial("tcp", h.HubAddr)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		fresh := h.HubAPI() // over a connection of its own
		start := time.Now()
		if status, err := fresh.Do(t.Context(), http.MethodGet, "/v1/devices", "", nil); err != nil || status != http.StatusOK {
			t.Errorf("beside %d connections that say nothing: %d %v", many, status, err)
		}
		t.Logf("answered in %v beside %d connections that say nothing", time.Since(start).Round(time.Millisecond), many)
		h.works(t, "beside them")
		// They are not kept for ever.
		_ = open[0].SetReadDeadline(time.Now().Add(60 * time.Second))
		if _, err := open[0].Read(make([]byte, 1)); err != nil && os.IsTimeout(err) {
			t.Error("a connection that says nothing is kept for a minute")
		}
		for _, c := range open {
			c.Close()
		}
	})
}
