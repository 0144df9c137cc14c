package setup

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// wantField fails unless err is a FieldError about that field which does not tell the secret.
func wantField(t *testing.T, err error, field, secret string) {
	t.Helper()
	var fe *FieldError
	if !errors.As(err, &fe) || fe.Field != field {
		t.Fatalf("error %v, want a FieldError about %s", err, field)
	}
	if secret != "" && strings.Contains(err.Error(), secret) {
		t.Errorf("error %q tells the secret %s", err, secret)
	}
}

func TestParseCode(t *testing.T) {
	tests := []struct {
		in   string
		want uint32 // 0: refused
	}{
		{"518-08-582", 51808582},
		{"000-00-001", 1},
		{"031-45-154", 3145154},
		{"999-99-998", 99999998},
		{"876-54-320", 87654320},
		{"", 0},
		{"51808582", 0},
		{"5180-8582", 0},
		{"518-08-58", 0},
		{"518-08-5820", 0},
		{" 518-08-582", 0},
		{"518-08-58a", 0},
		{"518 08 582", 0},
		{"518-08-58\xb2", 0},
		{"+18-08-582", 0},
		{"123-45-678", 0},
		{"876-54-321", 0},
		{"000-00-000", 0},
		{"111-11-111", 0},
		{"222-22-222", 0},
		{"333-33-333", 0},
		{"444-44-444", 0},
		{"555-55-555", 0},
		{"666-66-666", 0},
		{"777-77-777", 0},
		{"888-88-888", 0},
		{"999-99-999", 0},
	}
	for _, tt := range tests {
		c, err := ParseCode(tt.in)
		if tt.want == 0 {
			if err == nil {
				t.Errorf("ParseCode(%q) took it as %v", tt.in, c)
				continue
			}
			wantField(t, err, "setup code", "")
			if !c.IsZero() {
				t.Errorf("ParseCode(%q) gives %v with its error", tt.in, c)
			}
			continue
		}
		if err != nil || c.Number() != tt.want || c.String() != tt.in {
			t.Errorf("ParseCode(%q) = %v, %d, %v; want %d", tt.in, c, c.Number(), err, tt.want)
		}
	}
}

// The draw meets each code that is not trivial once.
func TestNthCode(t *testing.T) {
	if !slices.IsSorted(trivial[:]) {
		t.Fatal("trivial is not sorted")
	}
	if got := nthCode(0).n; got != 1 {
		t.Errorf("the first code is %d, want 1", got)
	}
	if got := nthCode(codes - uint32(len(trivial)) - 1).n; got != 99999998 {
		t.Errorf("the last code is %d, want 99999998", got)
	}
	for i, bad := range trivial[1 : len(trivial)-1] {
		n := bad - uint32(i) - 2 // the one before it: the trivial ones below are 0 and i more
		if before, after := nthCode(n).n, nthCode(n+1).n; before != bad-1 || after != bad+1 {
			t.Errorf("around %d the codes are %d, %d", bad, before, after)
		}
	}
}

func TestNewCode(t *testing.T) {
	seen := map[Code]bool{}
	for range 1000 {
		c := NewCode()
		if back, err := ParseCode(c.String()); err != nil || back != c {
			t.Fatalf("ParseCode(%s) = %v, %v", c, back, err)
		}
		seen[c] = true
	}
	if len(seen) < 990 { // with 10^8 codes a single pair is expected once in 200 runs
		t.Errorf("1000 draws gave %d codes", len(seen))
	}
}

func TestCodeStaysOutOfLogs(t *testing.T) {
	c, err := ParseCode("518-08-582")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("pairing", "code", c, "setup", HomeKit{Code: c, SetupID: ID{'7', 'O', 'S', 'X'}, IP: true})
	if strings.Contains(b.String(), "582") || strings.Contains(b.String(), fmt.Sprint(c.n)) {
		t.Errorf("a log tells the code: %s", b.String())
	}
	if !strings.Contains(b.String(), "7OSX") {
		t.Errorf("the log is not about the setup: %s", b.String())
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"518-08-582", "123-45-678", "000-00-000", "51808582", "999-99-999", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCode(s)
		if err != nil {
			wantField(t, err, "setup code", "")
			return
		}
		if c.String() != s || c.n == 0 || c.n >= codes || slices.Contains(trivial[:], c.n) {
			t.Errorf("ParseCode(%q) = %v", s, c)
		}
	})
}
