package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbridge/cloud/api"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// notes keep tokens and the audit in memory.
type notes struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (n *notes) Get(key string) ([]byte, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.data[key]
	return data, ok, nil
}

func (n *notes) List(string) ([]api.Record, error) { return nil, nil }

func (n *notes) Begin(changes ...api.Change) func() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range changes {
		n.data[c.Key] = c.Data
	}
	return func() error { return nil }
}

type joins struct{}

func (joins) NewToken(node string, validFor time.Duration) (string, time.Time, error) {
	return "join-" + node, time.Now().Add(validFor), nil
}

func (joins) Revoke(node string) error {
	if node != "attic" {
		return twin.ErrNodeUnknown
	}
	return nil
}

func (joins) Expiry(string) (time.Time, bool) { return time.Now().Add(time.Hour), true }

// startHub serves a hub over TLS, with its token and certificate in the data folder.
func startHub(t *testing.T) (data, url, secret string) {
	t.Helper()
	file, err := store.Open(filepath.Join(t.TempDir(), "hub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	reg, err := embedded.Open(file, log)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := api.New(api.Config{Version: "test", Started: time.Now()}, reg, &notes{data: map[string][]byte{}}, joins{}, log)
	if err != nil {
		t.Fatal(err)
	}
	if secret, _, err = hub.FirstToken(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(hub.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := reg.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Close()
		cancel()
		wg.Wait()
		if err := errors.Join(file.Close()); err != nil {
			t.Error(err)
		}
	})
	data = t.TempDir()
	write(t, filepath.Join(data, "token"), secret+"\n")
	write(t, filepath.Join(data, "hub-ca.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return data, server.URL, secret
}

func TestHub(t *testing.T) {
	data, url, secret := startHub(t)
	manifests := filepath.Join(t.TempDir(), "lamps.yaml")
	text := strings.Replace(lampNamed("one"), "  deviceModelRef", "  nodeName: attic\n  deviceModelRef", 1)
	other := strings.Replace(text[strings.Index(text, "---"):], "{name: one}", "{name: two, labels: {room: hall}}", 1)
	write(t, manifests, text+other)
	hub := func(code int, says string, args ...string) result {
		t.Helper()
		r := call(t, "", append(args, "--server", url, "--data", data)...)
		if r.code != code || !strings.Contains(r.out+r.err, says) {
			t.Errorf("%q: %v\nwant exit %d and %q", args, r, code, says)
		}
		return r
	}
	hub(0, "device default/two applied", "apply", "-f", manifests)
	hub(0, "default/one", "device", "list")
	if r := hub(0, "default/two", "device", "list", "--label", "room=hall"); strings.Contains(r.out, "default/one") {
		t.Errorf("by label: %v", r)
	}

	hub(0, "default/one: level=5 pending", "device", "set", "--all", "level=5")
	if r := hub(0, "default/two: level=6 pending", "device", "set", "--label", "room=hall", "level=6"); strings.Contains(r.out, "one") {
		t.Errorf("by label: %v", r)
	}
	hub(3, "default/one: level=7 pending", "device", "set", "--model", "lamp", "level=7", "--wait", "20ms")
	hub(1, "default/one: refused: ", "device", "set", "--node", "attic", "level=101")
	hub(4, "expired", "device", "set", "--namespace", "default", "level=8", "--for", "20ms", "--wait", "5s")
	hub(1, "no device is selected", "device", "set", "--node", "cellar", "level=5")
	hub(2, "PROPERTY=VALUE", "device", "set", "--all", "one", "level=5")
	hub(2, "--all", "device", "set", "--all", "--node", "attic", "level=5")
	hub(2, "NAME PROPERTY=VALUE", "device", "set", "level=5")
	hub(2, "key=value", "device", "set", "--label", "room", "level=5")
	var batch struct {
		Wishes []struct {
			Device string
			Wish   struct{ Outcome string }
		}
	}
	if r := hub(0, "", "device", "set", "--all", "powerstatus=ON", "-o", "json"); json.Unmarshal([]byte(r.out), &batch) != nil || len(batch.Wishes) != 2 {
		t.Errorf("-o json: %v", r)
	}

	hub(0, "never seen", "node", "list")
	hub(0, "devices            2", "node", "get", "attic")
	hub(0, `"name": "attic"`, "node", "get", "attic", "-o", "json")
	hub(1, "cellar", "node", "get", "cellar")
	if r := hub(0, "may join", "node", "token", "cellar", "--for", "10m"); r.out != "join-cellar\n" {
		t.Errorf("the token alone goes to the output: %v", r)
	}
	hub(1, "validFor", "node", "token", "cellar", "--for", "2h")
	hub(0, "revoked", "node", "revoke", "attic")
	hub(1, "default/", "node", "delete", "attic")

	made := hub(0, "not told again", "token", "create", "--name", "page", "--role", "viewer", "--expires", "1h")
	viewer := strings.TrimSpace(made.out)
	hub(2, "--role", "token", "create", "--name", "page")
	hub(1, "viewer, operator or admin", "token", "create", "--name", "x", "--role", "root")
	list := hub(0, "page", "token", "list")
	var id string
	for _, line := range strings.Split(list.out, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "page" {
			id = f[0]
		}
	}
	t.Setenv("TWINBRIDGE_TOKEN", viewer)
	hub(0, "default/one", "device", "list")
	hub(1, "expected role operator", "device", "set", "one", "level=1")
	t.Setenv("TWINBRIDGE_TOKEN", "")
	hub(0, "revoked", "token", "revoke", id)
	t.Setenv("TWINBRIDGE_TOKEN", viewer)
	hub(1, "--token-file", "device", "list")
	t.Setenv("TWINBRIDGE_TOKEN", "")

	hub(0, "wishes", "audit", "--device", "two", "--limit", "3")
	hub(0, `"action": "revoke-token"`, "audit", "-o", "json", "--limit", "1")
	hub(2, "1 to 1000", "audit", "--limit", "0")

	// What vouches for the hub and what names us is looked at.
	empty := t.TempDir()
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{1, "by --ca: it is hub-ca.crt", []string{"--data", empty, "--token-file", filepath.Join(data, "token")}},
		{1, "API token", []string{"--data", empty, "--ca", filepath.Join(data, "hub-ca.crt")}},
		{2, "PEM", []string{"--data", data, "--ca", filepath.Join(data, "token")}},
		{1, "no such file", []string{"--data", data, "--ca", filepath.Join(data, "none")}},
		{1, "no such file", []string{"--data", data, "--token-file", filepath.Join(data, "none")}},
		{2, "one token", []string{"--data", data, "--token-file", filepath.Join(data, "hub-ca.crt")}},
	} {
		if r := call(t, "", append([]string{"device", "list", "--server", url}, tt.args...)...); r.code != tt.code || !strings.Contains(r.err, tt.says) || strings.Contains(r.err, secret) {
			t.Errorf("%q: %v\nwant exit %d and %q", tt.args, r, tt.code, tt.says)
		}
	}
	if r := call(t, "", "device", "list", "--data", data, "--token-file", filepath.Join(data, "token")); r.code != 2 || !strings.Contains(r.err, "--server") {
		t.Errorf("a token without a server: %v", r)
	}
	if r := call(t, "", "node", "list", "--data", empty); r.code != 1 || !strings.Contains(r.err, "start a hub with") {
		t.Errorf("no hub at all: %v", r)
	}
	if r := call(t, "", "device", "list", "--data", data, "--server", "http://hub.example:1"); r.code != 2 || !strings.Contains(r.err, "https") {
		t.Errorf("a token in the clear: %v", r)
	}
}
