package cloud

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twinbridge/internal/config"
	"twinbridge/internal/store"
	"twinbridge/pairing/enroll"
	"twinbridge/twin"
)

func TestConfigFile(t *testing.T) {
	var text bytes.Buffer
	if err := config.Write(&text, Defaults(), nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"url", "listen", "plain", "names"} {
		if !strings.Contains(text.String(), "#"+key+":") && !strings.Contains(text.String(), key+":") {
			t.Errorf("the file does not explain %s:\n%s", key, text.String())
		}
	}
	d := Defaults()
	if err := d.Check(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		hub  HubConfig
		says string // "": good
	}{
		{HubConfig{Listen: ":8443", URL: "https://hub.example:8443"}, ""},
		{HubConfig{Listen: ":8443", URL: "https://hub.example"}, ""},
		{HubConfig{Listen: ":8443", URL: "https://[2001:db8::1]:8443/"}, ""},
		{HubConfig{}, "hub.listen"},
		{HubConfig{Listen: ":1", URL: "http://hub.example"}, "hub.url"},
		{HubConfig{Listen: ":1", URL: "hub.example:8443"}, "hub.url"},
		{HubConfig{Listen: ":1", URL: "https://hub.example/path"}, "hub.url"},
		{HubConfig{Listen: ":1", URL: "https://u:p@hub.example"}, "hub.url"},
		{HubConfig{Listen: ":1", URL: "https://hub.example?x=1"}, "hub.url"},
		{HubConfig{Listen: ":1", URL: "https://"}, "hub.url"},
	} {
		c := Config{Hub: tt.hub}
		err := c.Check()
		var field *twin.FieldError
		if tt.says == "" && err != nil || tt.says != "" && (!errors.As(err, &field) || field.Field != tt.says) {
			t.Errorf("%+v: got %v, want a complaint about %q", tt.hub, err, tt.says)
		}
	}
}

func TestReached(t *testing.T) {
	for _, tt := range []struct {
		url, addr string
		want      []string
	}{
		{"https://hub.example", "[::]:8443", []string{"https://hub.example:443"}},
		{"", "127.0.0.1:8443", []string{"https://127.0.0.1:8443"}},
		{"", "10.1.2.3:1", []string{"https://10.1.2.3:1"}},
	} {
		c := Config{Hub: HubConfig{URL: tt.url}}
		if got := c.reached(tt.addr); !slices.Equal(got, tt.want) {
			t.Errorf("%q at %s: got %v, want %v", tt.url, tt.addr, got, tt.want)
		}
	}
	var c Config
	all := c.reached("[::]:8443")
	if len(all) > 8 || all[len(all)-1] != "https://127.0.0.1:8443" {
		t.Errorf("everywhere: %v, want at most 8, loopback last", all)
	}
	for _, a := range all {
		if host, _, err := net.SplitHostPort(strings.TrimPrefix(a, "https://")); err != nil || host == "" {
			t.Errorf("%s is no address", a)
		}
	}
}

// What stands there is replaced whole, stays its owner's alone, and is left alone if it is the same.
func TestReplaceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, text := range []string{"one\n", "two\n"} {
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != text {
			t.Errorf("got %q, %v", b, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, []byte("two\n")); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the same text was written again: %v", err)
	}
	if err := replaceFile(filepath.Join(t.TempDir(), "no", "folder"), nil); err == nil {
		t.Error("written where there is no folder")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTranslated(t *testing.T) {
	var field *twin.FieldError
	if err := translated(&enroll.FieldError{Field: "validFor", Value: "2h", Want: "less"}); !errors.As(err, &field) || field.Field != "validFor" {
		t.Errorf("a field: %v", err)
	}
	if err := translated(enroll.ErrUnknownNode); !errors.Is(err, twin.ErrNodeUnknown) {
		t.Errorf("an unknown node: %v", err)
	}
	if err := translated(&store.DiskError{Op: "commit", Err: errors.New("EIO")}); !errors.Is(err, twin.ErrDisk) {
		t.Errorf("a disk: %v", err)
	}
	if err := translated(nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
}
