package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/haptest"
)

// TestPair looks at the bridge as its owner does: before somebody pairs, after, after a reset; and what is wrong is said.
func TestPair(t *testing.T) {
	data := folder(t, "")
	h := startEdge(t, data, "--demo")
	show := func() (b deviceapi.HomeKitBridge) {
		t.Helper()
		r := h.want(0, "", "pair", "homekit", "-o", "json")
		var all deviceapi.HomeKit
		if err := json.Unmarshal([]byte(r.out), &all); err != nil || len(all.Bridges) != 1 {
			t.Fatalf("%s: %v", r.out, err)
		}
		return all.Bridges[0]
	}
	first := show()
	if first.Paired || first.Code == "" || !strings.HasPrefix(first.Payload, "X-HM://") || first.Accessories != 1 || first.Announced {
		t.Errorf("%+v", first)
	}
	h.want(0, first.Code, "pair", "homekit")
	h.want(0, first.Payload, "pair", "homekit")

	picture := filepath.Join(t.TempDir(), "code.png")
	h.want(0, picture, "pair", "homekit", "--png", picture)
	text, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(text)); err != nil || img.Bounds().Dx() < 100 {
		t.Errorf("the picture: %v", err)
	}
	if info, err := os.Stat(picture); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the picture can be read by others: %v, %v", info.Mode(), err)
	}

	phone, err := haptest.NewController()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", first.Port)
	acc, err := phone.PairSetup(t.Context(), addr, first.Code)
	if err != nil {
		t.Fatal(err)
	}
	c, err := phone.Dial(t.Context(), addr, acc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b := show(); !b.Paired || b.Code != "" || b.Payload != "" || len(b.Controllers) != 1 || b.Controllers[0].Connections != 1 {
		t.Errorf("%+v", b)
	}
	r := h.want(0, "paired: "+phone.ID+" (admin), connected", "pair", "homekit")
	if strings.Contains(r.out, first.Code) || strings.Contains(r.out, "X-HM") {
		t.Errorf("the code is shown although somebody has paired: %s", r.out)
	}
	h.want(1, "paired", "pair", "homekit", "--png", picture)

	h.want(1, "there is no such bridge", "pair", "homekit", "--reset", "7")
	h.want(2, "--reset: 0: expected", "pair", "homekit", "--reset", "0")
	h.want(0, "bridge 1 is a new one", "pair", "homekit", "--reset", "1")
	if b := show(); b.Paired || b.ID == first.ID || b.Code == "" {
		t.Errorf("after the reset: %+v", b)
	}
	h.want(2, "--server", "pair", "homekit", "--server", "http://127.0.0.1:1")
	h.want(2, "unknown command", "pair", "homekid")
}

// TestPairWithout: a node that has no HomeKit says so.
func TestPairWithout(t *testing.T) {
	data := t.TempDir()
	write(t, filepath.Join(data, "twinbridge.yaml"), "homekit:\n  listen: \"\"\nlocal:\n  listen: 127.0.0.1:0\nmqtt:\n  listen: 127.0.0.1:0\n")
	h := startEdge(t, data)
	h.want(1, "homekit.listen is empty", "pair", "homekit")
}
