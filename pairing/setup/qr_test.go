package setup

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// scan reads a picture with zbar, which knows nothing of this package.
func scan(t *testing.T, picture []byte) string {
	t.Helper()
	if _, err := exec.LookPath("zbarimg"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: install zbar-tools", err)
		}
		t.Skipf("%v: install zbar-tools", err)
	}
	path := t.TempDir() + "/code.png"
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("zbarimg does not read the code: %v: %s", err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// payloads are of both ecosystems, and so many random ones.
func payloads(t *testing.T, random int) []string {
	t.Helper()
	out := []string{"X-HM://0071WK4SM7OSX", "X-HM://00739MG3K0000", "MT:Y.K90AFN00KA0648G00", strings.Repeat("A", 311)}
	for range random {
		p, err := HomeKit{Category: CategoryBridge, Code: NewCode(), SetupID: NewID(), IP: true}.Payload()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func newQR(t *testing.T, payload string) *QR {
	t.Helper()
	q, err := NewQR(payload)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQRIsRead(t *testing.T) {
	for _, p := range payloads(t, 2) {
		q := newQR(t, p)
		if strings.HasPrefix(p, "X-HM") && q.Size() != 21 {
			t.Errorf("%s: %d modules, want 21", p, q.Size())
		}
		picture, err := q.PNG()
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, picture); got != p {
			t.Errorf("PNG: zbar reads %q, want %q", got, p)
		}
		for name, s := range map[string]Style{"blocks": Blocks, "spaces": Spaces} {
			for ground, c := range map[string]color.Gray{"dark": {0x10}, "light": {0xf8}} {
				if got := scan(t, rasterise(t, q.Text(s), q.Width(s), c)); got != p {
					t.Errorf("%s on %s: zbar reads %q, want %q", name, ground, got, p)
				}
			}
		}
	}
}

var escape = regexp.MustCompile(`^\x1b\[([0-9;]*)m`)

// rasterise draws text as a terminal of that background would, cells of 4 x 8 pixels, with an empty cell all around it.
func rasterise(t *testing.T, text string, width int, ground color.Gray) []byte {
	t.Helper()
	const w, h = 4, 8
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	img := image.NewGray(image.Rect(0, 0, (width+2)*w, (len(lines)+2)*h))
	fill := func(x, y, dx, dy int, c color.Gray) {
		for j := range dy {
			for i := range dx {
				img.SetGray(x+i, y+j, c)
			}
		}
	}
	fill(0, 0, img.Rect.Dx(), img.Rect.Dy(), ground)
	none := color.Gray{0x80}
	for row, line := range lines {
		fg, bg := none, none
		col := 0
		for line != "" {
			if m := escape.FindStringSubmatch(line); m != nil {
				fg, bg = sgr(t, m[1], fg, bg, none)
				line = line[len(m[0]):]
				continue
			}
			if fg == none || bg == none {
				t.Fatalf("line %d, column %d: a cell without both colours", row, col)
			}
			x, y := (col+1)*w, (row+1)*h
			fill(x, y, w, h, bg)
			switch {
			case strings.HasPrefix(line, " "):
				line = line[1:]
			case strings.HasPrefix(line, "▀"):
				fill(x, y, w, h/2, fg)
				line = line[len("▀"):]
			default:
				t.Fatalf("line %d: %q in it", row, line[:1])
			}
			col++
		}
		if col != width {
			t.Fatalf("line %d has %d columns, want %d", row, col, width)
		}
		if fg != none || bg != none {
			t.Fatalf("line %d leaves its colours on", row)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sgr follows ECMA-48's "select graphic rendition" as far as it is used.
func sgr(t *testing.T, params string, fg, bg, none color.Gray) (color.Gray, color.Gray) {
	t.Helper()
	colours := map[string]color.Gray{
		"30": {0x00}, "37": {0xc0}, "40": {0x00}, "47": {0xc0}, // as xterm has them, about
		"38;5;16": {0x00}, "38;5;231": {0xff}, "48;5;16": {0x00}, "48;5;231": {0xff},
	}
	if params == "0" {
		return none, none
	}
	list := strings.Split(params, ";")
	for len(list) > 0 {
		n := 1
		if list[0] == "38" || list[0] == "48" {
			n = 3
		}
		c, ok := colours[strings.Join(list[:n], ";")]
		if !ok {
			t.Fatalf("colour %s", params)
		}
		if list[0][0] == '3' {
			fg = c
		} else {
			bg = c
		}
		list = list[n:]
	}
	return fg, bg
}

func TestTextSize(t *testing.T) {
	q := newQR(t, "X-HM://0071WK4SM7OSX")
	for _, tt := range []struct {
		s            Style
		width, lines int
	}{{Blocks, 29, 15}, {Spaces, 58, 29}} {
		text := q.Text(tt.s)
		if got := strings.Count(text, "\n"); got != tt.lines || q.Width(tt.s) != tt.width || !strings.HasSuffix(text, reset+"\n") {
			t.Errorf("style %d: %d lines, %d columns; want %d, %d", tt.s, got, q.Width(tt.s), tt.lines, tt.width)
		}
	}
	for i := range len(q.Text(Spaces)) {
		if c := q.Text(Spaces)[i]; c >= 0x80 {
			t.Fatalf("byte %#x in what is to be ASCII", c)
		}
	}
}

func TestNewQRRefuses(t *testing.T) {
	for _, p := range []string{"", "x-hm://0071WK4SM7OSX", "X-HM://\x00", "Ä", strings.Repeat("A", 312)} {
		if q, err := NewQR(p); err == nil || q != nil {
			t.Errorf("NewQR(%q) took it", p)
		} else {
			wantField(t, err, "payload", "")
		}
	}
}

// The mask is chosen by the payload.
func TestMaskIsChosen(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range payloads(t, 8) {
		q := newQR(t, p)
		seen[maskOf(q)] = true
	}
	if len(seen) < 2 {
		t.Errorf("12 payloads have %d masks: none is chosen", len(seen))
	}
}

// maskOf gives the three bits of the format information that tell the mask (ISO/IEC 18004, 7.9), still masked themselves.
func maskOf(q *QR) string {
	return fmt.Sprint(q.Black(2, 8), q.Black(3, 8), q.Black(4, 8))
}

func TestLinePenalty(t *testing.T) {
	tests := []struct {
		line string
		want int
	}{
		{"10101010101", 0},
		{"11110000110", 0},
		{"11111000010", 3},
		{"11111110001", 5},
		{"00001011101", 40},
		{"10111010000", 40},
		{"000010111010000", 80},
		{"1011101", 0},
		{"1111100000", 6},
	}
	for _, tt := range tests {
		if got := linePenalty(len(tt.line), func(i int) bool { return tt.line[i] == '1' }); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.line, got, tt.want)
		}
	}
}

func TestStyleFor(t *testing.T) {
	tests := []struct {
		terminal bool
		env      string
		want     string
	}{
		{true, "TERM=xterm-256color LANG=de_DE.UTF-8", "0"},
		{true, "TERM=linux LC_ALL=C.utf8", "0"},
		{true, "TERM=xterm LC_ALL=C LANG=de_DE.UTF-8", "1"},
		{true, "TERM=xterm LC_CTYPE=de_DE.UTF-8 LANG=C", "0"},
		{true, "TERM=vt220 LANG=de_DE.ISO-8859-1", "1"},
		{true, "TERM=xterm", "1"},
		{true, "TERM=dumb LANG=de_DE.UTF-8", "none"},
		{true, "LANG=de_DE.UTF-8", "none"},
		{false, "TERM=xterm-256color LANG=de_DE.UTF-8", "none"},
	}
	for _, tt := range tests {
		env := map[string]string{}
		for _, kv := range strings.Fields(tt.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		s, ok := StyleFor(tt.terminal, func(k string) string { return env[k] })
		got := strconv.Itoa(int(s))
		if !ok {
			got = "none"
		}
		if got != tt.want {
			t.Errorf("%v %s: %s, want %s", tt.terminal, tt.env, got, tt.want)
		}
	}
}

func FuzzNewQR(f *testing.F) {
	for _, s := range []string{"X-HM://0071WK4SM7OSX", "MT:Y.K90AFN00KA0648G00", "", "ä", strings.Repeat("9", 400)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := NewQR(s)
		if err != nil {
			var fe *FieldError
			if !errors.As(err, &fe) {
				t.Errorf("NewQR(%q): %v", s, err)
			}
			return
		}
		if n := q.Size(); n < 21 || n > 57 || len(s) > 311 {
			t.Errorf("NewQR(%q): %d modules", s, n)
		}
	})
}
