package eventbus

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/internal/certtest"
	"twinbridge/twin"
)

// foreign is Debian's Mosquitto, started by the test.
type foreign struct {
	t    *testing.T
	addr string
	conf string
	cmd  *exec.Cmd
	log  bytes.Buffer
	mu   sync.Mutex
}

func (f *foreign) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Write(b)
}

// needMosquitto finds the broker, which lies where only root looks for programs.
func needMosquitto(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("mosquitto is missing: make unit installs it")
	}
	t.Skip("mosquitto is missing: make unit installs it")
	return ""
}

// startForeign starts a broker on a free port of loopback; lines are what its configuration has beside.
func startForeign(t *testing.T, lines ...string) *foreign {
	t.Helper()
	needMosquitto(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{t: t, addr: l.Addr().String(), conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	l.Close()
	text := "listener " + portOf(f.addr) + " 127.0.0.1\npersistence false\nset_tcp_nodelay true\n"
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if len(lines) == 0 {
		lines = []string{"allow_anonymous true"}
	}
	if err := os.WriteFile(f.conf, []byte(text+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()
	t.Cleanup(func() {
		f.kill()
		if t.Failed() {
			t.Logf("mosquitto: %s", f.log.String())
		}
	})
	return f
}

// start runs the broker until it listens.
func (f *foreign) start() {
	f.t.Helper()
	f.cmd = exec.Command(needMosquitto(f.t), "-c", f.conf)
	f.cmd.Stdout, f.cmd.Stderr = f, f
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, func() (bool, string) {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			return false, err.Error()
		}
		c.Close()
		return true, ""
	})
}

// kill ends it without a word to anybody.
func (f *foreign) kill() {
	f.t.Helper()
	if f.cmd == nil {
		return
	}
	f.signal(syscall.SIGKILL)
	_ = f.cmd.Wait() // it was killed
	f.cmd = nil
}

func (f *foreign) signal(s syscall.Signal) {
	f.t.Helper()
	if err := f.cmd.Process.Signal(s); err != nil {
		f.t.Fatal(err)
	}
}

// newOutside starts a node with devices at a broker elsewhere. It does not wait for a connection.
func newOutside(t *testing.T, cfg ExternalConfig, names ...string) *house {
	t.Helper()
	h := newNode(t, names...)
	var err error
	if h.ext, err = NewExternal(cfg, h.store, testLog(t)); err != nil {
		t.Fatal(err)
	}
	_, h.addr, _ = strings.Cut(cfg.Broker, "://")
	h.proto = h.ext.protocol
	h.run(h.ext.Run)
	return h
}

// at starts a node at a broker and waits for the connection.
func at(t *testing.T, f *foreign, names ...string) *house {
	t.Helper()
	h := newOutside(t, ExternalConfig{Broker: "tcp://" + f.addr}, names...)
	h.linked()
	return h
}

// linked waits until the broker is there.
func (h *house) linked() {
	h.t.Helper()
	eventually(h.t, func() (bool, string) {
		err := h.ext.Trouble()
		return err == nil, fmt.Sprint(err)
	})
}

// troubled waits until the trouble with the broker says something.
func (h *house) troubled(says ...string) {
	h.t.Helper()
	eventually(h.t, func() (bool, string) {
		err := h.ext.Trouble()
		if err == nil {
			return false, "no trouble"
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				return false, err.Error()
			}
		}
		return true, ""
	})
}

// ended waits for the outcome of a wish.
func (h *house) ended(w twin.WishView) twin.Outcome {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	got, err := h.store.WaitOutcome(ctx, w.Device, w.ID)
	if err != nil {
		h.t.Fatalf("the wish is %s: %v", got.Outcome, err)
	}
	return got.Outcome
}

// TestExternalTopics: the protocol is the same, in both shapes: report, wish, get, state, membership.
func TestExternalTopics(t *testing.T) {
	f := startForeign(t)
	h := at(t, f, "lamp")
	for _, base := range []string{two, one} {
		c := h.connect(base+"/#", "$hw/events/node/edge1/membership/#")
		c.publish(base+"/twin/update", report("u1", "powerstatus", "ON"))
		m := c.next(topic.TwinUpdateResult)
		if r := read(t, m, topic.DecodeResult); m.name != base+"/twin/update/result" || r.EventID != "u1" || r.Code != 0 {
			t.Errorf("%s: %s", m.name, m.payload)
		}
		c.publish(base+"/twin/update", wished("w1", "powerstatus", "OFF"))
		if d := read(t, c.next(topic.TwinDelta), topic.DecodeDelta); len(d.Wanted) != 1 || d.Wanted[0].Value != "OFF" {
			t.Errorf("delta %+v", d)
		}
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "w1" || r.Code != 0 {
			t.Errorf("result %+v", r)
		}
		c.publish(base+"/twin/update", report("u2", "powerstatus", "OFF"))
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "u2" {
			t.Errorf("result %+v", r)
		}
		if p := h.prop("lamp", "powerstatus"); p.Wish != "" || p.Origin != twin.FromMQTT {
			t.Errorf("the twin is %+v", p)
		}
		c.publish(base+"/twin/get", "")
		if r := read(t, c.next(topic.TwinGetResult), topic.DecodeResult); len(r.Twins) != 4 {
			t.Errorf("twin %+v", r)
		}
		c.publish(base+"/state/update", `{"state":"unhealthy"}`)
		if r := read(t, c.next(topic.StateUpdateResult), topic.DecodeStateResult); r.State != "unhealthy" {
			t.Errorf("state %+v", r)
		}
		c.publish("$hw/events/node/edge1/membership/get", `{"event_id":"m1"}`)
		if r := read(t, c.next(topic.MembershipResult), topic.DecodeMembers); r.EventID != "m1" || len(r.Devices) != 1 {
			t.Errorf("members %+v", r)
		}
		c.c.Disconnect(0)
	}
	h.define("fan")
	c := h.connect("$hw/events/device/fan/#")
	c.publish("$hw/events/device/fan/state/update", `{"state":"online"}`)
	c.next(topic.StateUpdateResult)
	// What was retained before means nothing any more.
	c.c.Publish(two+"/twin/update", 1, true, report("old", "powerstatus", "ON")).Wait()
	eventually(t, func() (bool, string) {
		p := h.prop("lamp", "powerstatus")
		return p.Actual == twin.StringValue("ON"), "the message itself was not taken"
	})
	c.publish(two+"/twin/update", report("new", "powerstatus", "OFF"))
	h2 := at(t, f, "lamp")
	c.publish(two+"/twin/get", "")
	eventually(t, func() (bool, string) { return h2.ext.Stats().Gets == 1, "the second node was not asked" })
	if p := h2.prop("lamp", "powerstatus"); !p.Actual.Absent() {
		t.Errorf("a retained report was taken: %+v", p)
	}
}

// TestExternalRestart kills the broker in the middle of a wish: node, mapper and wish come together again when there is
// one, and what was reported and deleted meanwhile is true.
func TestExternalRestart(t *testing.T) {
	need(t, "mosquitto_pub", "mosquitto_sub")
	f := startForeign(t)
	h := at(t, f, "lamp", "fan")
	h.annotate("lamp", map[string]string{"settle": "0s", "apply-deadline": "10m"})
	c := h.connect(two+"/twin/update/#", "$hw/events/device/fan/#")
	c.publish(two+"/twin/update", report("r", "powerstatus", "OFF"))
	c.next(topic.TwinUpdateResult)

	f.kill()
	h.troubled("broker tcp://" + f.addr)
	start := time.Now()
	w := h.wish("lamp", "powerstatus", twin.StringValue("ON")) // works at once, whatever the broker does
	if took := time.Since(start); took > time.Second {
		t.Errorf("a wish without a broker took %v", took)
	}
	if p := h.presence("lamp"); p != twin.Online {
		t.Errorf("without a broker nothing is known of the lamp, but it is %s", p)
	}
	h.troubled("connection refused")
	f.start()

	// A mapper of Mosquitto's clients that says nothing by itself: the node does not see that it has subscribed.
	s := h.startSub(t, "-t", two+"/twin/update/delta")
	_, payload := s.next()
	d, err := topic.DecodeDelta([]byte(payload))
	if err != nil || len(d.Wanted) != 1 || d.Wanted[0].Value != "ON" || d.Find("powerstatus").Expected.Wish != w.ID {
		t.Fatalf("delta %s: %v", payload, err)
	}
	h.pub("-t", one+"/twin/update", "-m", report("", "powerstatus", "ON"))
	if got := h.ended(w); got != twin.Applied {
		t.Errorf("the wish is %s", got)
	}
	if err := h.ext.Trouble(); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

// TestExternalStarts: a node whose broker is not there yet works, and finds it later.
func TestExternalStarts(t *testing.T) {
	f := startForeign(t)
	f.kill()
	h := newOutside(t, ExternalConfig{Broker: "tcp://" + f.addr}, "lamp")
	h.troubled("connection refused", f.addr)
	w := h.wish("lamp", "powerstatus", twin.StringValue("ON"))
	f.start()
	h.linked()
	c := h.connect(one + "/#")
	c.next(topic.TwinDelta)
	c.publish(one+"/twin/update", report("", "powerstatus", "ON"))
	if got := h.ended(w); got != twin.Applied {
		t.Errorf("the wish is %s", got)
	}
}

// TestExternalPassword: a wrong one is said, and the node goes on trying.
func TestExternalPassword(t *testing.T) {
	need(t, "mosquitto_passwd")
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	passwd := func(password string) {
		t.Helper()
		if out, err := exec.Command("mosquitto_passwd", "-b", file, "node", password).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
		}
	}
	passwd("first")
	f := startForeign(t, "allow_anonymous false", "password_file "+file)
	h := newOutside(t, ExternalConfig{Broker: "tcp://" + f.addr, User: "node", Password: "second"}, "lamp")
	h.troubled("the broker refuses user or password", f.addr)
	if contains(h.ext.Trouble().Error(), "second") {
		t.Errorf("the password is told: %v", h.ext.Trouble())
	}
	passwd("second")
	f.signal(syscall.SIGHUP) // read it again
	h.linked()
	if none := newOutside(t, ExternalConfig{Broker: "tcp://" + f.addr}); none.ext.Trouble() == nil {
		t.Error("a node without a password is let in")
	}
}

// TestExternalTLS: the broker's certificate is checked, and the node's is shown.
func TestExternalTLS(t *testing.T) {
	dir := t.TempDir()
	ours, others := certtest.New(t, dir, "ours"), certtest.New(t, dir, "others")
	ours.Issue("server", "127.0.0.1")
	ours.Issue("elsewhere", "elsewhere.invalid")
	ours.Issue("client", "node")
	others.Issue("stranger", "node")
	listen := func(server string, lines ...string) *foreign {
		return startForeign(t, append([]string{
			"cafile " + ours.File, "certfile " + filepath.Join(dir, server+".crt"), "keyfile " + filepath.Join(dir, server+".key"),
		}, lines...)...)
	}
	open := listen("server", "allow_anonymous true")
	elsewhere := listen("elsewhere", "allow_anonymous true")
	closed := listen("server", "require_certificate true", "use_identity_as_username true")
	for _, r := range []struct {
		name  string
		f     *foreign
		tls   *tls.Config
		wants []string // of the trouble; none: it works
	}{
		{"our CA", open, &tls.Config{RootCAs: ours.Pool}, nil},
		{"another CA", open, &tls.Config{RootCAs: others.Pool}, []string{"certificate signed by unknown authority"}},
		{"the system's", open, nil, []string{"certificate signed by unknown authority"}},
		{"another name", elsewhere, &tls.Config{RootCAs: ours.Pool}, []string{"cannot validate certificate for 127.0.0.1"}},
		{"with a certificate", closed, &tls.Config{RootCAs: ours.Pool, Certificates: ours.Pair("client")}, nil},
		{"without a certificate", closed, &tls.Config{RootCAs: ours.Pool}, []string{"ssl://" + closed.addr + ": network Error"}},
		{"a stranger's certificate", closed, &tls.Config{RootCAs: ours.Pool, Certificates: others.Pair("stranger")}, []string{"ssl://" + closed.addr}},
	} {
		t.Run(r.name, func(t *testing.T) {
			h := newOutside(t, ExternalConfig{Broker: "ssl://" + r.f.addr, TLS: r.tls}, "lamp")
			if r.wants == nil {
				h.linked()
				return
			}
			h.troubled(r.wants...)
		})
	}
	t.Run("TLS at a broker without", func(t *testing.T) {
		h := newOutside(t, ExternalConfig{Broker: "ssl://" + startForeign(t).addr, TLS: &tls.Config{RootCAs: ours.Pool}})
		h.troubled("network Error")
	})
	t.Run("in clear at a broker with TLS", func(t *testing.T) {
		h := newOutside(t, ExternalConfig{Broker: "tcp://" + open.addr})
		h.troubled("tcp://" + open.addr + ": network Error")
	})
	t.Run("certificates without TLS", func(t *testing.T) {
		var fe *twin.FieldError
		if _, err := NewExternal(ExternalConfig{Broker: "tcp://" + open.addr, TLS: &tls.Config{}}, newNode(t).store, testLog(t)); !errors.As(err, &fe) || !contains(fe.Want, "ssl://") {
			t.Errorf("got %v", err)
		}
	})
}

// TestExternalFlood: 10,000 reports of one client, each taken and answered, in order.
func TestExternalFlood(t *testing.T) {
	f := startForeign(t, "allow_anonymous true", "max_queued_messages 0") // Mosquitto itself drops beyond 1000
	h := at(t, f, "lamp", "fan")
	results := h.connect(two + "/twin/update/result")
	c := h.connect()
	const n = 10000
	start := time.Now()
	for i := range n {
		c.c.Publish(two+"/twin/update", 1, false, report(strconv.Itoa(i), "level", strconv.Itoa(i)))
	}
	for i := range n {
		if r := read(t, results.next(), topic.DecodeResult); r.EventID != strconv.Itoa(i) || r.Code != 0 {
			t.Fatalf("result %d is %+v", i, r)
		}
	}
	t.Logf("%d reports taken and answered in %v", n, time.Since(start).Round(time.Millisecond))
	if p := h.prop("lamp", "level"); p.Actual != twin.IntValue(n-1) {
		t.Errorf("the lamp shows %v", p.Actual)
	}
	if st := h.ext.Stats(); st.Reports != n || st.Repeated != 0 {
		t.Errorf("stats %+v", st)
	}
}

// TestExternalTwice: what a publisher sends again because it missed an acknowledgement arrives as a second message. A
// report again changes nothing; a wish again is one that is fulfilled.
func TestExternalTwice(t *testing.T) {
	f := startForeign(t)
	h := at(t, f, "lamp")
	c := h.connect(two + "/#")
	for range 3 {
		c.c.Publish(two+"/twin/update", 1, false, wished("w", "powerstatus", "ON")).Wait()
	}
	for range 3 {
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "w" || r.Code != 0 {
			t.Errorf("result %+v", r)
		}
	}
	for range 3 {
		c.c.Publish(two+"/twin/update", 1, false, report("r", "powerstatus", "ON")).Wait()
	}
	for range 3 {
		c.next(topic.TwinUpdateResult)
	}
	p := h.prop("lamp", "powerstatus")
	if p.Wish != "" || p.Expected != twin.StringValue("ON") || p.Actual != twin.StringValue("ON") {
		t.Errorf("the twin is %+v", p)
	}
	c.c.Publish(two+"/twin/update", 1, false, wished("w", "powerstatus", "ON")).Wait()
	c.next(topic.TwinUpdateResult)
	c.quiet(two, topic.TwinDelta, topic.TwinDocument)
}

// TestExternalLongPayload: one byte too much is answered; what would not fit into the memory of a small machine too, and
// takes nobody's connection away.
func TestExternalLongPayload(t *testing.T) {
	f := startForeign(t)
	h := at(t, f, "lamp")
	c := h.connect(two + "/twin/update/result")
	for _, r := range []struct{ size, code int }{
		{topic.MaxPayload, 0}, {topic.MaxPayload + 1, topic.CodeBad}, {16 << 20, topic.CodeBad},
	} {
		const frame = `{"event_id":"e","twin":{"powerstatus":{"actual":{"value":"ON"}}},"x":"`
		c.publish(two+"/twin/update", frame+strings.Repeat("x", r.size-len(frame)-2)+`"}`)
		got := read(t, c.next(), topic.DecodeResult)
		if got.Code != r.code || got.EventID != "e" || r.code != 0 && !contains(got.Reason, "65536") {
			t.Errorf("%d bytes: %+v", r.size, got)
		}
	}
	if h.ext.Trouble() != nil || h.ext.Stats().Reports != 1 {
		t.Errorf("trouble %v, stats %+v", h.ext.Trouble(), h.ext.Stats())
	}
}
