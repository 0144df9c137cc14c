package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbridge/internal/haptest"
	"twinbridge/test/world"
)

// Where people and others come from: each address of 127.0.0.0/8 is this machine.
const (
	ownersAddr    = "127.0.0.2"
	strangersAddr = "127.0.0.3"
)

// hasTime reports whether somebody has time.
func hasTime() bool { return os.Getenv("LONG") != "" }

// home is the real edge with simulated lamps and its HomeKit bridge, alone.
type home struct {
	*world.Process
	data string
	addr string // of the first bridge; "" while it is shut
	api  *world.API
	next string
}

// newHome starts one with so many lamps. homekit are lines of its part of the configuration.
func newHome(t *testing.T, lamps int, homekit ...string) *home {
	t.Helper()
	h := &home{data: t.TempDir(), next: "ON"}
	manifest := world.ModelManifest("dimmer", "sim", world.Power, world.Brightness)
	for i := range lamps {
		manifest += world.DeviceManifest(fmt.Sprintf("lamp-%d", i+1), "dimmer", "sim")
	}
	if len(homekit) == 0 {
		homekit = []string{"listen: 127.0.0.1:0"}
	}
	world.WriteFile(t, filepath.Join(h.data, "twinbridge.yaml"), "node:\n  name: cellar\nmqtt:\n  listen: 127.0.0.1:0\nlocal:\n  listen: \"\"\nhomekit:\n  "+strings.Join(homekit, "\n  ")+"\n")
	world.WriteFile(t, filepath.Join(h.data, "devices", "house.yaml"), manifest)
	h.api = world.NewSocketAPI(filepath.Join(h.data, "edge.sock"))
	t.Cleanup(h.api.Close)
	h.start(t)
	return h
}

var homekitPort = regexp.MustCompile(`homekit (\d+)`)

// start starts the program, and waits until it serves.
func (h *home) start(t *testing.T) {
	t.Helper()
	h.Process = world.Start(t, built.Path(t), "edge", "--data", h.data)
	ready := h.Expect(h.Stdout, `(?m)^ready: .* after the start$`, world.StartTime)[0]
	h.addr = ""
	if m := homekitPort.FindStringSubmatch(ready); m != nil {
		h.addr = "127.0.0.1:" + m[1]
	}
}

// again ends the program, with or without a warning, and starts it anew.
func (h *home) again(t *testing.T, warned bool) {
	t.Helper()
	h.end(t, warned)
	h.start(t)
}

func (h *home) end(t *testing.T, warned bool) {
	t.Helper()
	if !warned {
		h.Kill()
	} else if code := h.Stop(30 * time.Second); code != 0 {
		t.Errorf("it ended with status %d", code)
	}
}

// bridge is what the node tells of a bridge.
type bridge struct {
	ID, Code    string
	Port        int
	Paired      bool
	Controllers []struct {
		ID          string
		Admin       bool
		Connections int
	}
}

// bridges asks the node.
func (h *home) bridges(t *testing.T) (bridges []bridge, trouble string) {
	t.Helper()
	var all struct {
		Trouble string
		Bridges []bridge
	}
	if status, err := h.api.Do(t.Context(), http.MethodGet, "/v1/homekit", "", &all); err != nil || status != http.StatusOK {
		t.Fatalf("ask for the bridges: %d, %v", status, err)
	}
	return all.Bridges, all.Trouble
}

// bridge is the first one, which has to be there.
func (h *home) bridge(t *testing.T) bridge {
	t.Helper()
	all, trouble := h.bridges(t)
	if len(all) == 0 || trouble != "" {
		t.Fatalf("the bridges are %+v, trouble %q", all, trouble)
	}
	return all[0]
}

// command runs twinbridge pair homekit, as its owner does, and gives the first bridge.
func (h *home) command(t *testing.T, flags ...string) bridge {
	t.Helper()
	r := world.Command(t, "", built.Path(t), append([]string{"pair", "homekit", "-o", "json", "--data", h.data}, flags...)...)
	var all struct{ Bridges []bridge }
	if err := json.Unmarshal([]byte(r.Out), &all); err != nil || r.Code != 0 || len(all.Bridges) == 0 {
		t.Fatalf("twinbridge pair homekit: %v, %v", r, err)
	}
	return all.Bridges[0]
}

// unpaired makes sure that nobody has paired, whatever was tried.
func (h *home) unpaired(t *testing.T, after string) {
	t.Helper()
	if b := h.bridge(t); b.Paired || len(b.Controllers) != 0 || b.Code == "" {
		t.Fatalf("after %s: %+v; want a bridge that nobody has paired with", after, b)
	}
}

// dial opens a connection from one of the addresses of this machine.
func (h *home) dial(t testing.TB, from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	return d.DialContext(t.Context(), "tcp", h.addr)
}

// open opens a connection that says nothing yet. The end of the test closes it.
func (h *home) open(t testing.TB, from string) *haptest.Conn {
	t.Helper()
	nc, err := h.dial(t, from)
	if err != nil {
		t.Fatal(err)
	}
	c := haptest.NewConn(nc)
	t.Cleanup(func() { c.Close() })
	return c
}

// phone is a controller that has paired.
type phone struct {
	*haptest.Controller
	bridge haptest.Accessory
	lamps  []haptest.ID // their characteristics On
}

// newPhone makes a controller that has not.
func newPhone(t testing.TB) *phone {
	t.Helper()
	c, err := haptest.NewController()
	if err != nil {
		t.Fatal(err)
	}
	return &phone{Controller: c}
}

// pair pairs a new phone with the first bridge, by its code.
func (h *home) pair(t *testing.T) *phone {
	t.Helper()
	p := newPhone(t)
	code := h.bridge(t).Code
	world.Eventually(t, 5*time.Second, func() (bool, string) { // as setupStart
		err := h.tryPair(t, p, code)
		if err != nil && !isRefused(err, haptest.CodeBusy) {
			t.Fatalf("the owner's pairing: %v", err)
		}
		return err == nil, "Busy"
	})
	c := h.secure(t, p, ownersAddr)
	defer c.Close()
	p.look(t, c)
	return p
}

// tryPair pairs from the owner's address.
func (h *home) tryPair(t *testing.T, p *phone, code string) error {
	t.Helper()
	c := h.open(t, ownersAddr)
	defer c.Close()
	a, err := c.PairSetup(t.Context(), p.Setup(code))
	if err == nil {
		p.bridge = a
	}
	return err
}

// look finds the lamps.
func (p *phone) look(t testing.TB, c *haptest.Conn) {
	t.Helper()
	db, err := c.Accessories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.lamps = db.Find("25"); len(p.lamps) == 0 {
		t.Fatal("there are no lamps")
	}
}

// secure gives a secure connection of a phone.
func (h *home) secure(t testing.TB, p *phone, from string) *haptest.Conn {
	t.Helper()
	c, err := h.trySecure(t, p, from)
	if err != nil {
		t.Fatalf("pair-verify: %v", err)
	}
	return c
}

func (h *home) trySecure(t testing.TB, p *phone, from string) (*haptest.Conn, error) {
	nc, err := h.dial(t, from)
	if err != nil {
		return nil, err
	}
	c := haptest.NewConn(nc)
	t.Cleanup(func() { c.Close() })
	v, err := p.Verify(p.bridge)
	if err == nil {
		err = c.PairVerify(t.Context(), v)
	}
	return c, errors.Join(err, ended(c, err))
}

func ended(c *haptest.Conn, err error) error {
	if err == nil {
		return nil
	}
	return c.Close()
}

// works makes sure that the first lamp follows who is on the spot.
func (h *home) works(t *testing.T, when string) {
	t.Helper()
	status, w, err := h.api.Patch(t.Context(), "lamp-1", "?wait=10s", fmt.Sprintf(`{"expected":{"powerstatus":%q}}`, h.next))
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: the lamp does not follow: %d %+v %v", when, status, w, err)
	}
	h.next = map[string]string{"ON": "OFF", "OFF": "ON"}[h.next]
}

// follows makes sure that the first lamp follows a phone, over a new connection.
func (h *home) follows(t *testing.T, p *phone, when string) {
	t.Helper()
	c := h.secure(t, p, ownersAddr)
	defer c.Close()
	for _, on := range []bool{true, false} {
		if _, err := c.Put(t.Context(), haptest.Set(p.lamps[0], fmt.Sprint(on))); err != nil {
			t.Fatalf("%s: the lamp does not follow the phone: %v", when, err)
		}
		h.shows(t, map[bool]string{true: "ON", false: "OFF"}[on])
	}
}

// shows waits until the first lamp shows something.
func (h *home) shows(t *testing.T, want string) {
	t.Helper()
	world.Eventually(t, 10*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "lamp-1")
		return err == nil && d.Actual("powerstatus") == want && d.Quiet(), fmt.Sprint(&d, err)
	})
}

// gone waits until the other end has closed a connection, and gives what it said before.
func gone(t testing.TB, c *haptest.Conn, within time.Duration) []haptest.Message {
	t.Helper()
	c.Timeout = within
	begun := time.Now()
	var said []haptest.Message
	for {
		m, err := c.Next(t.Context())
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection was not closed within %v: %v", time.Since(begun).Round(time.Millisecond), err)
			}
			return said
		}
		said = append(said, m)
	}
}

// refused makes sure that an answer of pairing carries an error.
func refused(t testing.TB, what string, answer []haptest.Item, err error, want ...haptest.Code) {
	t.Helper()
	code := haptest.Find(answer, haptest.TypeError)
	if err != nil || len(code) != 1 {
		t.Errorf("%s: answered %v, %v; want an error item", what, answer, err)
		return
	}
	for _, w := range want {
		if haptest.Code(code[0]) == w {
			return
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: refused with %v, want %v", what, haptest.Code(code[0]), want)
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// freePair gives an address whose port was free a moment ago, as was the one after it.
func freePair(t *testing.T) string {
	t.Helper()
	for {
		addr := world.FreeAddr(t)
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n+1)))
		if err == nil {
			l.Close()
			return addr
		}
	}
}
