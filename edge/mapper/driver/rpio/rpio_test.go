//go:build linux

package rpio

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"twinbridge/edge/mapper"
	"twinbridge/twin"
)

func spec(config, visitor string) mapper.Spec {
	return mapper.Spec{
		Name: twin.Name{Namespace: "default", Name: "lamp"}, Config: json.RawMessage(config), Log: slog.New(slog.DiscardHandler),
		Props: []twin.Property{{Name: "on", Type: twin.Bool, Visitor: twin.Visitor{Config: json.RawMessage(visitor)}}},
	}
}

func TestContacts(t *testing.T) {
	for _, c := range []struct{ config, visitor, want string }{
		{"", `{"line":17}`, ""},
		{"{}", `{"line":"pin:11"}`, ""},
		{`{"chip":"pinctrl-bcm2835"}`, `{"line":17}`, "rpio has the one chip"},
		{"", `{"line":"GPIO17"}`, "rpio knows no names"},
		{"", `{"line":48}`, "not on the header"},
		{"", `{"line":17,"debounce":"1ms"}`, "rpio has no edges"},
		{"", `{}`, "visitor: line"},
	} {
		s := spec(c.config, c.visitor)
		list, err := contacts(&s)
		if c.want == "" && (err != nil || len(list) != 1 || list[0].pin != 17) {
			t.Errorf("contacts(%s): got %v, %v; want line 17", c.visitor, list, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("contacts(%s): got error %v; want %q", c.visitor, err, c.want)
		}
	}
	twice := spec("", `{"line":17}`)
	twice.Props = append(twice.Props, twice.Props[0])
	if _, err := contacts(&twice); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("one line twice: got %v", err)
	}
}

// On a machine that is no Raspberry Pi, nothing of its memory may be touched.
func TestOpenElsewhere(t *testing.T) {
	if b, err := os.ReadFile("/proc/device-tree/compatible"); err == nil && checkBoard(b) == nil {
		t.Log("this is a Raspberry Pi: nothing to refuse")
		return
	}
	d := New()
	_, err := d.Open(t.Context(), spec("", `{"line":17}`))
	if err == nil || !strings.Contains(err.Error(), "protocolName: gpio") {
		t.Errorf("Open: got %v; want an error that names the other driver", err)
	}
	if d.mapped {
		t.Error("Open mapped the registers")
	}
}
