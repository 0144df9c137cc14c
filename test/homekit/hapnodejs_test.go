package homekit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// hapNodeJS is a bridge of HAP-NodeJS, the server of Homebridge.
type hapNodeJS struct {
	*talker
	t     *testing.T
	words []string
	code  string
}

// newHAPNodeJS describes one.
func newHAPNodeJS(t *testing.T, n *network, part string, lamps int) accessory {
	t.Helper()
	if _, err := os.Stat(filepath.Join("node_modules", "hap-nodejs")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("this test needs hap-nodejs (make homekit installs it): %v", err)
	}
	random := make([]byte, 5)
	rand.Read(random)
	names := make([]string, lamps)
	for i := range names {
		names[i] = lampName(i + 1)
	}
	h := &hapNodeJS{t: t, code: "031-45-154"}
	house, err := json.Marshal(map[string]any{
		"id": fmt.Sprintf("CA:%02X:%02X:%02X:%02X:%02X", random[0], random[1], random[2], random[3], random[4]), "name": bridgeName,
		"code": h.code, "setupID": "7OSX", "port": 51826, "data": t.TempDir(), "link": link, "lamps": names,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.words = append(n.inside(part), "env", "HOUSE="+string(house), node(t), filepath.Join("accessories", "hapnodejs.mjs"))
	return h
}

func (h *hapNodeJS) Start() {
	h.t.Helper()
	h.talker = startTalker(h.t, h.words...)
	h.begun(h.t)
}

func (h *hapNodeJS) Stop() {
	h.t.Helper()
	h.Signal(syscall.SIGTERM)
	h.Wait(30 * time.Second)
}

func (h *hapNodeJS) SetupCode() string { return h.code }

func (h *hapNodeJS) Set(ctx context.Context, lamp int, on bool) error {
	return h.ask(ctx, "set", map[string]any{"lamp": lamp, "on": on}, nil)
}

func (h *hapNodeJS) See(ctx context.Context, lamp int) (view, error) {
	var v view
	err := h.ask(ctx, "see", map[string]any{"lamp": lamp}, &v)
	return v, err
}

// Differs lists what HAP-NodeJS 1.2.0 was seen to do.
func (*hapNodeJS) Differs(scene string) string {
	return map[string]string{
		"mDNS over IPv6":             "HAP-NodeJS answers mDNS over IPv4 alone",
		"unknown id":                 "HAP-NodeJS answers -70410 where nothing has the id; table 6-11 has -70409 for it",
		"database while events come": "HAP-NodeJS sends an event inside an answer that it has begun, and the controller cannot read on",
		"unpair and pair at once":    "HAP-NodeJS announces each state on the way, and may leave Avahi with one that is past",
	}[scene]
}
