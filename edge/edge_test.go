package edge

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"twinbridge/internal/config"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConfigFile: what is written is read as the defaults, and every key is explained.
func TestConfigFile(t *testing.T) {
	var text bytes.Buffer
	if err := config.Write(&text, Defaults(), nil); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(text.String()) {
		// Commented keys have no space after the mark.
		if trimmed := strings.TrimLeft(line, " "); len(trimmed) > 1 && trimmed[0] == '#' && trimmed[1] != ' ' {
			line = line[:len(line)-len(trimmed)] + trimmed[1:]
		}
		all.WriteString(line)
	}
	for name, file := range map[string]string{"as written": text.String(), "with all keys": all.String()} {
		got := Defaults()
		if err := config.Read(name, []byte(file), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, Defaults()) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, section := range []any{NodeConfig{}, MQTTConfig{}, MapperSection{}, DevicesConfig{}, LocalConfig{}, MetricsConfig{}, LogConfig{}} {
		typ := reflect.TypeOf(section)
		for i := range typ.NumField() {
			if len(typ.Field(i).Tag.Get("doc")) < 10 {
				t.Errorf("%s.%s is not explained", typ.Name(), typ.Field(i).Name)
			}
		}
	}
}

func TestDemoLampIsAManifest(t *testing.T) {
	set, err := manifest.Read("lamp.yaml", []byte(demoLamp))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Devices) != 1 || len(set.Models) != 1 || len(set.Notes) != 0 {
		t.Errorf("got %+v", set)
	}
	// So is the relay that its comments speak of.
	relay := strings.NewReplacer("protocolName: sim", "protocolName: gpio", "    # configData:", "    configData:", "    #   chip:", "      chip:",
		"      # visitors:", "      visitors:", "      #   protocolName:", "        protocolName:", "      #   configData:", "        configData:",
		"      #     line:", "          line:", "      #     activeLow:", "          activeLow:").Replace(demoLamp)
	set, err = manifest.Read("relay.yaml", []byte(relay))
	if err != nil {
		t.Fatal(err)
	}
	def, err := set.Devices[0].Device.Resolve(&set.Models[0])
	if err != nil {
		t.Fatal(err)
	}
	if def.Driver.Protocol != "gpio" || !strings.Contains(string(def.Driver.Config), "gpiochip0") || !strings.Contains(string(def.Props[0].Visitor.Config), "pin:11") {
		t.Errorf("the relay is %+v", def)
	}
}

func TestWriteDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "devices")
	lamp := filepath.Join(dir, "lamp.yaml")
	if err := writeDemo(dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(lamp); err != nil || string(b) != demoLamp {
		t.Errorf("%q, %v", b, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("in the folder: %v, %v", entries, err)
	}
	// A folder with any manifest is left alone.
	if err := os.Rename(lamp, filepath.Join(dir, "mine.yml")); err != nil {
		t.Fatal(err)
	}
	if err := writeDemo(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lamp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the demo lamp was written beside another manifest: %v", err)
	}
}

func TestWriteFileNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := writeFile(path, "first"); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, "second"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "first" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestPrepareFolder(t *testing.T) {
	tests := []struct {
		name    string
		mode    os.FileMode
		content string
		refused bool
		want    os.FileMode
	}{
		{"closed", 0o700, "x", false, 0o700},
		{"empty", 0o755, "", false, 0o700},
		{"ours", 0o755, configName, false, 0o700},
		{"ours, open to all", 0o777, storeName, false, 0o700},
		{"others' to read", 0o755, "x", false, 0o755},
		{"others' to write", 0o777, "x", true, 0o777},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if tt.content != "" {
				if err := os.WriteFile(filepath.Join(dir, tt.content), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := PrepareFolder(dir); (err != nil) != tt.refused {
				t.Errorf("got %v, want an error: %v", err, tt.refused)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != tt.want {
				t.Errorf("mode %v, %v; want %v", info.Mode(), err, tt.want)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PrepareFolder(file); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a file as data folder: %v", err)
	}
}

func TestDataFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		if got, err := DataFolder(); err != nil || got != "/var/lib/twinbridge" {
			t.Errorf("root: %s, %v", got, err)
		}
		return
	}
	t.Setenv("XDG_STATE_HOME", "/state")
	if got, err := DataFolder(); err != nil || got != "/state/twinbridge" {
		t.Errorf("with XDG_STATE_HOME: %s, %v", got, err)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "/home/somebody")
	if got, err := DataFolder(); err != nil || got != "/home/somebody/.local/state/twinbridge" {
		t.Errorf("without: %s, %v", got, err)
	}
}

// TestQuote asks a shell what it makes of it.
func TestQuote(t *testing.T) {
	for _, s := range []string{"plain", "", "a b", "it's", "$HOME", "`id`", "a\nb", `"`, "$hw/events/+/x", "*", "?", "~", "-n", "ä"} {
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q became %q, %v", s, out, err)
		}
	}
}

// TestShowDoesNotBlock: a lamp does not wait for a terminal.
func TestShowDoesNotBlock(t *testing.T) {
	var out bytes.Buffer
	s := newShow(&out)
	lamp := twin.Name{Namespace: "default", Name: "lamp"}
	for range 3 * waiting {
		s.changed(lamp, "powerstatus", twin.StringValue("ON"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "lamp default/lamp is ON\n"); n != waiting {
		t.Errorf("%d lines, want %d", n, waiting)
	}
}

func TestReachable(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:1883": "127.0.0.1:1883", "0.0.0.0:1883": "127.0.0.1:1883", "[::]:1883": "[::1]:1883", "[::1]:5": "[::1]:5", "192.0.2.7:1": "192.0.2.7:1", "x": "x",
	} {
		if got := reachable(addr); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// TestMetricsPage serves numbers and health there, and nothing with which one could switch a lamp.
func TestMetricsPage(t *testing.T) {
	o := &Options{Config: Defaults(), Log: slog.New(slog.DiscardHandler)}
	o.Config.Metrics.Listen = "127.0.0.1:0"
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	p, err := listenMetrics(o, say("numbers"), say("all"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/v1/devices": 404, "/": 404} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end: %v", err)
	}
	if err := p.close(); err != nil {
		t.Errorf("close after the end: %v", err)
	}
}
