package nearest

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	known := []string{"name", "namespace", "nodeName", "nodeSelector", "protocol"}
	for _, c := range []struct {
		word, want string
		ok         bool
	}{
		{"nodename", "nodeName", true},
		{"nodName", "nodeName", true},
		{"protocal", "protocol", true},
		{"nam", "name", true},
		{"zzzzzzzz", "", false},
		{"", "", false},
		{strings.Repeat("n", 1000), "", false},
	} {
		got, ok := Of(c.word, known)
		if got != c.want || ok != c.ok {
			t.Errorf("Of(%.20q) = %q, %v, want %q, %v", c.word, got, ok, c.want, c.ok)
		}
	}
	if got, ok := Of("x", nil); ok {
		t.Errorf("Of with nothing known = %q", got)
	}
}

func TestHint(t *testing.T) {
	if got, want := Hint("pot", []string{"port", "host"}), "the nearest known is port"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Hint("wavelength", []string{"port", "host"}), "known are port, host"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
