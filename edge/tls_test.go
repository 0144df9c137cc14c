package edge

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twinbridge/internal/certtest"
	"twinbridge/twin"
)

func TestMQTTCheck(t *testing.T) {
	with := func(change func(*MQTTConfig)) MQTTConfig {
		c := Defaults().MQTT
		change(&c)
		return c
	}
	for _, r := range []struct {
		name  string
		c     MQTTConfig
		field string // "": it is good
	}{
		{"as it comes", with(func(*MQTTConfig) {}), ""},
		{"no address", with(func(c *MQTTConfig) { c.Listen = "" }), "mqtt.listen"},
		{"no address, but a broker elsewhere", with(func(c *MQTTConfig) { c.Listen, c.Broker = "", "tcp://b:1" }), ""},
		{"user alone", with(func(c *MQTTConfig) { c.User = "u" }), ""},
		{"password alone", with(func(c *MQTTConfig) { c.Password = "p" }), "mqtt.user"},
		{"certificate alone", with(func(c *MQTTConfig) { c.Certificate = "c" }), "mqtt.key"},
		{"key alone", with(func(c *MQTTConfig) { c.Key = "k" }), "mqtt.certificate"},
	} {
		err := r.c.check()
		f, _ := asField(err)
		if (err == nil) != (r.field == "") || f != nil && f.Field != r.field {
			t.Errorf("%s: %v, want an error about %q", r.name, err, r.field)
		}
	}
}

// TestForMapper: which certificates a mapper is told to show and to trust.
func TestForMapper(t *testing.T) {
	c := Defaults()
	c.MQTT.CA, c.MQTT.Certificate, c.MQTT.Key = "ca", "cert", "key"
	if m := c.ForMapper(); m.Broker != "ssl://127.0.0.1:1883" || m.Own != "cert" || m.Certificate != "" || m.Key != "" {
		t.Errorf("at the broker of the node: %+v", m)
	}
	c.MQTT.Broker = "ssl://b:1"
	if m := c.ForMapper(); m.Broker != "ssl://b:1" || m.Own != "" || m.Certificate != "cert" || m.Key != "key" || m.CA != "ca" {
		t.Errorf("at a broker elsewhere: %+v", m)
	}
}

// TestSecretFiles: what everybody may read is no secret.
func TestSecretFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "twinbridge.yaml")
	for _, r := range []struct {
		password string
		mode     os.FileMode
		good     bool
	}{
		{"swordfish", 0o600, true},
		{"swordfish", 0o640, true},
		{"swordfish", 0o644, false},
		{"swordfish", 0o602, false},
		{"", 0o644, true},
	} {
		c := Defaults()
		c.MQTT.Password = r.password
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, r.mode); err != nil {
			t.Fatal(err)
		}
		err := c.CheckFile(path)
		if (err == nil) != r.good {
			t.Errorf("password %q, mode %o: %v", r.password, r.mode, err)
		}
		if err != nil && (strings.Contains(err.Error(), "swordfish") || !strings.Contains(err.Error(), path)) {
			t.Errorf("the error: %v", err)
		}
	}
}

func TestOwnTLS(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.New(t, dir, "ours")
	for host, want := range map[string]string{"hall.example.org": "hall.example.org", "*.example.org": "edge.example.org", "192.0.2.7": "192.0.2.7"} {
		cert, _ := ca.Issue("node", host)
		c, err := ownTLS(cert)
		if err != nil || c.ServerName != want {
			t.Errorf("%s: %v, want the name %s", host, err, want)
		}
	}
	var f *twin.FieldError
	if _, err := ownTLS(ca.File); !errors.As(err, &f) || f.Field != "mqtt.certificate" {
		t.Errorf("a certificate without a name: %v", err)
	}
	_, key := ca.Issue("other", "localhost")
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, maxPEM+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{key, big, dir, filepath.Join(dir, "none")} {
		if _, err := ownTLS(path); err == nil || !strings.Contains(err.Error(), "mqtt.certificate") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := clientTLS(path, "", ""); err == nil || !strings.Contains(err.Error(), "mqtt.ca") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := serverTLS(path, key); err == nil || !strings.Contains(err.Error(), "mqtt.certificate") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if c, err := clientTLS("", "", ""); c != nil || err != nil {
		t.Errorf("without files: %v, %v", c, err)
	}
}
