package line

import (
	"errors"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

func TestHeaderLine(t *testing.T) {
	for _, c := range []struct {
		pin, line int
		ok        bool
	}{{11, 17, true}, {3, 2, true}, {27, 0, true}, {40, 21, true}, {1, 0, false}, {6, 0, false}, {0, 0, false}, {41, 0, false}} {
		if line, ok := HeaderLine(c.pin); line != c.line || ok != c.ok {
			t.Errorf("HeaderLine(%d): got %d, %v; want %d, %v", c.pin, line, ok, c.line, c.ok)
		}
	}
	seen := map[int]bool{}
	for pin := range 41 {
		if line, ok := HeaderLine(pin); ok {
			if seen[line] || line > 27 {
				t.Errorf("pin %d: line %d is there twice or beyond 27", pin, line)
			}
			seen[line] = true
		}
	}
	if len(seen) != 28 {
		t.Errorf("header: got %d lines; want 28", len(seen))
	}
}

func TestParseConfig(t *testing.T) {
	number := func(n int) Ref { return Ref{number: n + 1} }
	def := func(r Ref) Config { return Config{Line: r, Powerup: Last, Exit: Keep} }
	for _, c := range []struct {
		in   string
		want Config
		err  string // part of the error; "" for none
	}{
		{in: `{"line":17}`, want: def(number(17))},
		{in: `{"line":0}`, want: def(number(0))},
		{in: `{"line":"17"}`, want: def(number(17))},
		{in: `{"line":"pin:11"}`, want: def(Ref{pin: 11})},
		{in: `{"line":"GPIO17"}`, want: def(Ref{name: "GPIO17"})},
		{in: `{"line":4,"activeLow":true,"powerup":"off","exit":"on"}`, want: Config{Line: number(4), ActiveLow: true, Powerup: Off, Exit: On}},
		{in: `{"line":4,"powerup":true,"exit":false}`, want: Config{Line: number(4), Powerup: On, Exit: Off}},
		{in: `{"line":4,"powerup":"last","exit":"keep"}`, want: def(number(4))},
		{in: `{"line":5,"bias":"pull-up","debounce":"10ms"}`, want: Config{Line: number(5), Powerup: Last, Exit: Keep, Bias: BiasUp, Debounce: 10 * time.Millisecond}},
		{in: ``, err: `visitor: line: "": expected a line number`},
		{in: `{}`, err: `visitor: line: "": expected a line number`},
		{in: `null`, err: `visitor: line`},
		{in: `{"line":"pin:6"}`, err: "pin 6 is supply or ground"},
		{in: `{"line":"pin:41"}`, err: "a pin of the 40-pin header"},
		{in: `{"line":-1}`, err: "0 to 1023"},
		{in: `{"line":1.5}`, err: `"1.5": expected a line number`},
		{in: `{"line":true}`, err: `"true": expected a line number`},
		{in: `{"line":null}`, err: `expected a line number`},
		{in: `{"line":""}`, err: `expected a line number`},
		{in: `{"line":"` + strings.Repeat("x", 32) + `"}`, err: "expected a line number"},
		{in: `{"line":4,"activeLow":"yes"}`, err: `visitor: activeLow: "\"yes\"": expected true or false`},
		{in: `{"line":4,"powerup":"keep"}`, err: `powerup: "\"keep\"": expected last, off or on`},
		{in: `{"line":4,"exit":"last"}`, err: "expected keep, off or on"},
		{in: `{"line":4,"bias":"up"}`, err: "expected pull-up, pull-down or none"},
		{in: `{"line":4,"debounce":"2s"}`, err: "a duration up to 1s"},
		{in: `{"line":4,"pin":11}`, err: `visitor: pin: "11": expected no such key`},
		{in: `[4]`, err: "a JSON object"},
		{in: `{"line":4} {}`, err: "a JSON object"},
	} {
		got, err := ParseConfig("powerstatus", []byte(c.in))
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("ParseConfig(%s): got %+v, %v; want %+v", c.in, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("ParseConfig(%s): got error %v; want %q", c.in, err, c.err)
		}
		if fe := (*twin.FieldError)(nil); err != nil && !errors.As(err, &fe) {
			t.Errorf("ParseConfig(%s): error %T names no field", c.in, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"line":"pin:11","activeLow":true,"powerup":"last","exit":"keep","debounce":"1ms"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseConfig("p", raw)
		if err != nil {
			return
		}
		if n, _, ok := c.Line.Number(); ok == (c.Line.Name() != "") || ok && (n < 0 || n > maxLine) {
			t.Errorf("ParseConfig(%q): line %v, number %d, %v", raw, c.Line, n, ok)
		}
	})
}

func TestParseChip(t *testing.T) {
	for in, want := range map[string]string{"": "", "{}": "", `{"chip":"pinctrl-rp1"}`: "pinctrl-rp1"} {
		if got, err := ParseChip([]byte(in)); got != want || err != nil {
			t.Errorf("ParseChip(%s): got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`{"chip":0}`, `{"chip":""}`, `{"chop":"x"}`, `"x"`} {
		if got, err := ParseChip([]byte(in)); err == nil {
			t.Errorf("ParseChip(%s): got %q; want an error", in, got)
		}
	}
}

func TestSwitchOf(t *testing.T) {
	one, two := 1.0, 2.0
	for _, c := range []struct {
		p       twin.Property
		on, off string
		err     string
	}{
		{p: twin.Property{Type: twin.Bool}, on: "true", off: "false"},
		{p: twin.Property{Type: twin.Int}, on: "1", off: "0"},
		{p: twin.Property{Type: twin.Int, Min: &one, Max: &two}, err: "a range that holds 0 and 1"},
		{p: twin.Property{Type: twin.String, Enum: []string{"ON", "OFF"}}, on: "ON", off: "OFF"},
		{p: twin.Property{Type: twin.String, Enum: []string{"off", "on"}}, on: "on", off: "off"},
		{p: twin.Property{Type: twin.String, Enum: []string{"0", "1"}}, on: "1", off: "0"},
		{p: twin.Property{Type: twin.String}, err: "two words for a line"},
		{p: twin.Property{Type: twin.String, Enum: []string{"ON", "OFF", "AUTO"}}, err: "two words for a line"},
		{p: twin.Property{Type: twin.Float}, err: "a line has two levels"},
	} {
		s, err := SwitchOf(&c.p)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("SwitchOf(%v %v): got error %v; want %q", c.p.Type, c.p.Enum, err, c.err)
			}
			continue
		}
		if err != nil || s.Value(true).Text() != c.on || s.Value(false).Text() != c.off {
			t.Errorf("SwitchOf(%v %v): got %v, %v; want %s and %s", c.p.Type, c.p.Enum, s, err, c.on, c.off)
			continue
		}
		for _, on := range []bool{true, false} {
			if got, err := s.On(s.Value(on)); got != on || err != nil {
				t.Errorf("On(Value(%v)): got %v, %v", on, got, err)
			}
		}
		if _, err := s.On(twin.StringValue("AUTO")); err == nil {
			t.Errorf("On(AUTO): got no error")
		}
	}
}
