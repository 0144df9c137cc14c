package twin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"twinbridge/twin"
)

func TestCheckLabel(t *testing.T) {
	long := strings.Repeat("a", 63)
	dns := strings.TrimSuffix(strings.Repeat(long+".", 4), ".")[:253]
	for _, tt := range []struct {
		key, value string
		ok         bool
	}{
		{"room", "hall", true},
		{"room", "", true},
		{"Room_2.a-b", "Hall_2.a-b", true},
		{"example.com/room", "x", true},
		{dns + "/" + long, long, true}, // the longest there is
		{"9", "9", true},

		{"", "x", false},
		{"/room", "x", false},
		{"example.com/", "x", false},
		{"a/b/c", "x", false},
		{long + "a", "x", false},
		{dns + "a/room", "x", false},
		{"Example.com/room", "x", false},
		{"a..b/room", "x", false},
		{"-room", "x", false},
		{"room-", "x", false},
		{"ro om", "x", false},
		{"räum", "x", false},
		{"room", long + "a", false},
		{"room", "-x", false},
		{"room", "x.", false},
		{"room", "a b", false},
		{"room", "ü", false},
		{"room", "a=b", false},
	} {
		err := twin.CheckLabel(tt.key, tt.value)
		if f := (*twin.FieldError)(nil); (err == nil) != tt.ok || err != nil && !errors.As(err, &f) {
			t.Errorf("%q=%q: got %v, want it taken: %v", tt.key, tt.value, err, tt.ok)
		}
	}
	many := map[string]string{}
	for i := range twin.MaxLabels {
		many[fmt.Sprint("k", i)] = ""
	}
	if err := twin.CheckLabels(many); err != nil {
		t.Errorf("%d labels: %v", len(many), err)
	}
	many["one-more"] = ""
	if err := twin.CheckLabels(many); err == nil {
		t.Errorf("%d labels are taken", len(many))
	}
	dev := twin.Device{Name: twin.Name{Namespace: "default", Name: "lamp"}, Labels: map[string]string{"a b": ""}}
	if err := dev.Validate(); err == nil || !strings.Contains(err.Error(), "default/lamp") {
		t.Errorf("a device with a bad label: %v", err)
	}
}
