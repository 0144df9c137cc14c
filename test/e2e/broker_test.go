package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbridge/internal/certtest"
	"twinbridge/test/world"
)

// mosquitto is Debian's broker on a port of its own, which stays the same when it is started again.
type mosquitto struct {
	*world.Process
	t          *testing.T
	host, port string
	conf       string
}

// startMosquitto starts a broker; lines are what its configuration says beside the port.
func startMosquitto(t *testing.T, lines ...string) *mosquitto {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	m.host, m.port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	lines = append([]string{"listener " + m.port + " " + m.host, "persistence false", "set_tcp_nodelay true"}, lines...)
	if os.Geteuid() == 0 {
		lines = append(lines, "user root")
	}
	world.WriteFile(t, m.conf, strings.Join(lines, "\n")+"\n")
	m.again()
	return m
}

// again starts it, at first or after its end.
func (m *mosquitto) again() {
	m.t.Helper()
	// It lies where only root looks for programs.
	program := "mosquitto"
	if _, err := exec.LookPath(program); err != nil {
		program = "/usr/sbin/mosquitto"
	}
	world.Need(m.t, program)
	m.Process = world.Start(m.t, program, "-c", m.conf)
	world.Eventually(m.t, 5*time.Second, func() (bool, string) {
		c, err := net.Dial("tcp", m.address())
		if err != nil {
			return false, err.Error()
		}
		c.Close()
		return true, ""
	})
}

func (m *mosquitto) address() string { return net.JoinHostPort(m.host, m.port) }

// configured starts an edge with a configuration and one lamp.
func configured(t *testing.T, config string) *home {
	t.Helper()
	data := t.TempDir()
	writeConfig(t, data, config+freePage)
	writeManifest(t, data, "lamp.yaml", lampManifest)
	return startEdge(t, data, nil)
}

// freePage lets edges share the machine whose MQTT stands in their own configuration.
const freePage = "local:\n  listen: 127.0.0.1:0\nhomekit:\n  listen: 127.0.0.1:0\n"

// asked gives what /healthz says, with its status.
func asked(t *testing.T, h *home) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var text json.RawMessage
	status, err := h.api.Do(ctx, http.MethodGet, "/healthz", "", &text)
	if err != nil && text == nil {
		t.Fatal(err)
	}
	return status, string(text)
}

// healthy waits until the edge is well, or says what is wrong with it.
func healthy(t *testing.T, h *home, want int, says ...string) {
	t.Helper()
	world.Eventually(t, 20*time.Second, func() (bool, string) {
		status, body := asked(t, h)
		good := status == want
		for _, s := range says {
			good = good && strings.Contains(body, s)
		}
		return good, fmt.Sprintf("status %d: %s", status, body)
	})
}

func connected(t *testing.T, h *home) string {
	t.Helper()
	r := world.Command(t, "", "curl", "-sS", "--unix-socket", h.socket(), "http://edge/metrics")
	for l := range strings.Lines(r.Out) {
		if v, ok := strings.CutPrefix(l, "twinbridge_mqtt_connected "); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no gauge of the connection: %v", r)
	return ""
}

// TestOutsideBroker drives a lamp through socket and MQTT at a Mosquitto elsewhere, kills that, and starts it again.
func TestOutsideBroker(t *testing.T) {
	world.Need(t, "mosquitto_pub", "curl")
	m := startMosquitto(t, "allow_anonymous true")
	h := configured(t, "mqtt:\n  broker: tcp://"+m.address()+"\n")
	if h.port != m.port {
		t.Errorf("the edge says that MQTT is at %s:%s, want %s", h.host, h.port, m.address())
	}
	if r := h.cli("device", "set", "porch", "powerstatus=ON", "--wait", "5s"); r.Code != 0 {
		t.Fatalf("set: %v", r)
	}
	pub := func(value string) {
		t.Helper()
		payload := fmt.Sprintf(`{"event_id":"","timestamp":0,"twin":{"powerstatus":{"expected":{"value":%q}}}}`, value)
		if r := world.Command(t, "", "mosquitto_pub", "-h", m.host, "-p", m.port, "-q", "1", "-t", "$hw/events/device/default/porch/twin/update", "-m", payload); r.Code != 0 {
			t.Fatalf("mosquitto_pub: %v", r)
		}
	}
	pub("OFF")
	shows(t, h, "porch", "OFF", 5*time.Second)
	healthy(t, h, http.StatusOK)
	if got := connected(t, h); got != "1" {
		t.Errorf("connected: %s", got)
	}

	m.Kill()
	healthy(t, h, http.StatusServiceUnavailable, `"status":"degraded"`, "mqtt: broker tcp://"+m.address())
	if got := connected(t, h); got != "0" {
		t.Errorf("without a broker connected is %s", got)
	}
	if w := wished(t, h, "porch", "ON"); w.Outcome != "pending" {
		t.Errorf("a wish without a broker is %+v", w)
	}
	world.Never(t, time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		if err != nil {
			return true, err.Error()
		}
		return d.Actual("powerstatus") != "OFF" || d.Presence != "online", d.String()
	})

	m.again()
	shows(t, h, "porch", "ON", 15*time.Second)
	healthy(t, h, http.StatusOK)
	pub("OFF")
	shows(t, h, "porch", "OFF", 5*time.Second)
}

// TestOutsideBrokerLater: an edge whose broker is not there starts, says so, and finds it.
func TestOutsideBrokerLater(t *testing.T) {
	m := startMosquitto(t, "allow_anonymous true")
	m.Kill()
	h := configured(t, "mqtt:\n  listen: 127.0.0.1:0\n  broker: tcp://"+m.address()+"\n")
	h.Expect(h.Stderr, "mqtt.listen has no effect", 5*time.Second)
	h.Expect(h.Stderr, "no connection to the MQTT broker.*connection refused", 5*time.Second)
	healthy(t, h, http.StatusServiceUnavailable, "mqtt: broker tcp://"+m.address())
	wished(t, h, "porch", "ON")
	m.again()
	shows(t, h, "porch", "ON", 15*time.Second)
}

// TestOutsideBrokerAndMapper: the mapper is another process, at the same broker. Its death, and that of the edge, are
// made good without the other one's help.
func TestOutsideBrokerAndMapper(t *testing.T) {
	m := startMosquitto(t, "allow_anonymous true")
	config := "node:\n  name: cellar\nmqtt:\n  broker: tcp://" + m.address() + "\n"
	h := configured(t, config+"mapper:\n  enabled: false\n")
	lamps := startMapper(t, "cellar", m.address())
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 15*time.Second)

	lamps.Kill() // its will speaks for it
	world.Eventually(t, 2*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		return err == nil && d.Presence == "offline", fmt.Sprint(d, err)
	})
	wished(t, h, "porch", "OFF")
	lamps = startMapper(t, "cellar", m.address())
	shows(t, h, "porch", "OFF", 5*time.Second)

	// The edge dies as soon as a wish is on disk.
	wished(t, h, "porch", "ON")
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		e := d.Properties["powerstatus"].Expected
		return err == nil && e != nil && e.Value == "ON" && e.Rev > 0, fmt.Sprint(d, err)
	})
	h.Kill()
	h2 := startEdge(t, h.data, nil)
	shows(t, h2, "porch", "ON", 15*time.Second)
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h2.api.Device(t.Context(), "porch")
		return err == nil && d.Presence == "online", fmt.Sprint(d, err)
	})
	lamps.Signal(interrupt)
	if code := lamps.Wait(2 * time.Second); code != 0 {
		t.Errorf("the mapper ended with status %d", code)
	}
	world.Eventually(t, 2*time.Second, func() (bool, string) {
		d, err := h2.api.Device(t.Context(), "porch")
		return err == nil && d.Presence == "offline", fmt.Sprint(d, err)
	})
}

// TestOutsideForeignMapper lets a lamp be driven by a shell script at a broker elsewhere. After the broker's death the
// script is started again when the edge is back already: nobody sees that it listens.
func TestOutsideForeignMapper(t *testing.T) {
	world.Need(t, "mosquitto_pub", "mosquitto_sub")
	m := startMosquitto(t, "allow_anonymous true")
	manifest, err := filepath.Abs("testdata/lamp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	writeConfig(t, data, "mqtt:\n  broker: tcp://"+m.address()+"\n"+freePage)
	h := startEdge(t, data, nil)
	if r := h.cli("apply", "-f", manifest); r.Code != 0 {
		t.Fatalf("apply: %v", r)
	}
	healthy(t, h, http.StatusOK)
	relay := filepath.Join(t.TempDir(), "relay")
	world.WriteFile(t, relay, "OFF\n")
	script := world.Start(t, "testdata/mapper.sh", m.host, m.port, "porch", relay)
	shows(t, h, "porch", "OFF", 5*time.Second)
	for _, want := range []string{"ON", "OFF"} {
		if r := h.cli("device", "set", "porch", "powerstatus="+want, "--wait", "10s"); r.Code != 0 {
			t.Fatalf("set %s: %v", want, r)
		}
		if got := readFile(t, relay); got != want+"\n" {
			t.Errorf("after %s was told as applied the relay is %q", want, got)
		}
	}
	m.Kill()
	script.Kill()
	healthy(t, h, http.StatusServiceUnavailable)
	wished(t, h, "porch", "ON")
	m.again()
	healthy(t, h, http.StatusOK)
	world.Start(t, "testdata/mapper.sh", m.host, m.port, "porch", relay)
	shows(t, h, "porch", "ON", 20*time.Second)
	if got := readFile(t, relay); got != "ON\n" {
		t.Errorf("the relay is %q", got)
	}
}

// TestOutsideTLS: user, password, and certificates of both sides, from the configuration.
func TestOutsideTLS(t *testing.T) {
	world.Need(t, "mosquitto_passwd")
	dir := t.TempDir()
	ca, other := certtest.New(t, dir, "ours"), certtest.New(t, dir, "others")
	server, serverKey := ca.Issue("server", "127.0.0.1")
	client, clientKey := ca.Issue("client", "node")
	passwords := filepath.Join(dir, "passwords")
	world.WriteFile(t, passwords, "")
	if r := world.Command(t, "", "mosquitto_passwd", "-b", passwords, "node", "correct horse"); r.Code != 0 {
		t.Fatal(r)
	}
	m := startMosquitto(t, "allow_anonymous false", "password_file "+passwords, "cafile "+ca.File, "certfile "+server, "keyfile "+serverKey, "require_certificate true")
	config := func(ca, password string) string {
		return fmt.Sprintf("mqtt:\n  broker: ssl://%s\n  user: node\n  password: %q\n  ca: %s\n  certificate: %s\n  key: %s\n", m.address(), password, ca, client, clientKey)
	}
	h := configured(t, config(ca.File, "correct horse"))
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 15*time.Second)
	healthy(t, h, http.StatusOK)

	h = configured(t, config(ca.File, "battery staple"))
	h.Expect(h.Stderr, "the broker refuses user or password", 5*time.Second)
	healthy(t, h, http.StatusServiceUnavailable, "the broker refuses user or password")
	if strings.Contains(h.Stderr.String()+h.Stdout.String(), "battery") {
		t.Error("the password was printed")
	}
	h = configured(t, config(other.File, "correct horse"))
	healthy(t, h, http.StatusServiceUnavailable, "certificate signed by unknown authority")
}

// TestOutsideRules: the access rules of docs/mqtt.md are enough for node and mapper.
func TestOutsideRules(t *testing.T) {
	world.Need(t, "mosquitto_passwd")
	_, rules, _ := strings.Cut(readFile(t, "../../docs/mqtt.md"), "```\nuser node\n")
	rules, _, found := strings.Cut(rules, "```")
	if !found {
		t.Fatal("docs/mqtt.md has no access rules any more")
	}
	dir := t.TempDir()
	acl, passwords := filepath.Join(dir, "acl"), filepath.Join(dir, "passwords")
	world.WriteFile(t, acl, "user node\n"+rules)
	world.WriteFile(t, passwords, "")
	for _, user := range []string{"node", "mapper"} {
		if r := world.Command(t, "", "mosquitto_passwd", "-b", passwords, user, "of "+user); r.Code != 0 {
			t.Fatal(r)
		}
	}
	m := startMosquitto(t, "allow_anonymous false", "password_file "+passwords, "acl_file "+acl)
	config := func(user string) string {
		return fmt.Sprintf("node:\n  name: cellar\nmapper:\n  enabled: false\nmqtt:\n  broker: tcp://%s\n  user: %s\n  password: of %s\n", m.address(), user, user)
	}
	h := configured(t, config("node"))
	data := t.TempDir()
	writeConfig(t, data, config("mapper"))
	lamps := world.Start(t, built.Path(t), "mapper", "--data", data)
	wished(t, h, "porch", "ON")
	shows(t, h, "porch", "ON", 15*time.Second)
	lamps.Kill()
	world.Eventually(t, 2*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "porch")
		return err == nil && d.Presence == "offline", fmt.Sprint(d, err)
	})
}

// TestInsideTLS: the broker in the process shows a certificate; its own mappers trust that, wherever they run.
func TestInsideTLS(t *testing.T) {
	world.Need(t, "mosquitto_pub")
	dir := t.TempDir()
	ca := certtest.New(t, dir, "ours")
	for _, name := range []string{"localhost", "127.0.0.1"} {
		cert, key := ca.Issue(name, name)
		config := fmt.Sprintf("node:\n  name: cellar\nmqtt:\n  listen: 127.0.0.1:%%s\n  user: house\n  password: %q\n  certificate: %s\n  key: %s\n", "correct horse", cert, key)
		h := configured(t, fmt.Sprintf(config, "0"))
		wished(t, h, "porch", "ON")
		shows(t, h, "porch", "ON", 5*time.Second)
		args := []string{"-h", name, "-p", h.port, "-u", "house", "-P", "correct horse", "-t", "$hw/events/device/porch/twin/update", "-m", `{"twin":{"powerstatus":{"expected":{"value":"OFF"}}}}`}
		if r := world.Command(t, "", "mosquitto_pub", append([]string{"--cafile", ca.File}, args...)...); r.Code != 0 {
			t.Fatal(r)
		}
		shows(t, h, "porch", "OFF", 5*time.Second)
		if r := world.Command(t, "", "mosquitto_pub", args...); r.Code == 0 {
			t.Error("the broker is spoken to in clear")
		}

		h.Signal(interrupt)
		h.Wait(5 * time.Second)
		config = fmt.Sprintf(config, h.port)
		writeConfig(t, h.data, config+"mapper:\n  enabled: false\n"+freePage)
		h = startEdge(t, h.data, nil)
		mapper := t.TempDir()
		writeConfig(t, mapper, config)
		world.Start(t, built.Path(t), "mapper", "--data", mapper)
		wished(t, h, "porch", "ON")
		shows(t, h, "porch", "ON", 5*time.Second)
	}
}

// TestBadBrokers: what can never work, and what would give a secret away, is refused at the start.
func TestBadBrokers(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.New(t, dir, "ours")
	cert, key := ca.Issue("node", "localhost")
	_, strange := ca.Issue("other", "localhost")
	open := filepath.Join(dir, "open.key")
	world.WriteFile(t, open, readFile(t, key))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		name, mqtt string
		mode       os.FileMode
		says       []string
	}{
		{"password in a file for all", "user: u\n  password: swordfish", 0o604, []string{"twinbridge.yaml", "mqtt.password", "chmod"}},
		{"password without user", "password: swordfish", 0o600, []string{"mqtt.user"}},
		{"password in the address", "broker: tcp://u:swordfish@localhost:1883", 0o600, []string{"mqtt.broker", "tcp://u:"}},
		{"no address", "broker: localhost", 0o600, []string{"mqtt.broker", "tcp://host:port"}},
		{"certificates without TLS", "broker: tcp://localhost:1883\n  ca: " + ca.File, 0o600, []string{"mqtt.broker", "ssl://"}},
		{"certificate without key", "broker: ssl://localhost:1\n  certificate: " + cert, 0o600, []string{"mqtt.key"}},
		{"key without certificate", "broker: ssl://localhost:1\n  key: " + key, 0o600, []string{"mqtt.certificate"}},
		{"key for all", "certificate: " + cert + "\n  key: " + open, 0o600, []string{"mqtt.key", open, "chmod"}},
		{"another's key", "certificate: " + cert + "\n  key: " + strange, 0o600, []string{"mqtt.certificate", "mqtt.key", "does not match"}},
		{"no certificate in it", "broker: ssl://localhost:1\n  ca: " + key, 0o600, []string{"mqtt.ca", key}},
		{"no file", "broker: ssl://localhost:1\n  ca: " + filepath.Join(dir, "none"), 0o600, []string{"mqtt.ca", "no such file"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			data := t.TempDir()
			writeConfig(t, data, "mqtt:\n  "+r.mqtt+"\n"+freePage)
			if err := os.Chmod(filepath.Join(data, "twinbridge.yaml"), r.mode); err != nil {
				t.Fatal(err)
			}
			text := refuses(t, data)
			says(t, text, r.says...)
			if strings.Contains(text, "swordfish") {
				t.Errorf("the password is told: %s", text)
			}
		})
	}
}

// TestOutsideBrokerStalled: a broker that hangs holds nothing up here.
func TestOutsideBrokerStalled(t *testing.T) {
	m := startMosquitto(t, "allow_anonymous true")
	h := configured(t, "mqtt:\n  broker: tcp://"+m.address()+"\n")
	healthy(t, h, http.StatusOK)
	m.Signal(syscall.SIGSTOP)
	begun := time.Now()
	for i := range 20 {
		wished(t, h, "porch", []string{"ON", "OFF"}[i%2])
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("20 wishes took %v", took)
	}
	healthy(t, h, http.StatusServiceUnavailable, "mqtt: broker")
	wished(t, h, "porch", "ON")
	m.Signal(syscall.SIGCONT)
	shows(t, h, "porch", "ON", 20*time.Second)
}
