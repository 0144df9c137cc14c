//go:build linux

package gpio

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
	"twinbridge/twin"
)

func ref(t *testing.T, raw string) line.Ref {
	t.Helper()
	c, err := line.ParseConfig("p", []byte(`{"line":`+raw+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return c.Line
}

func named(name, label string, lines int, names ...string) chip {
	return chip{name: name, label: label, lines: lines, find: func(n string) (int, bool) {
		i := slices.Index(names, n)
		return i, i >= 0
	}}
}

func TestChoose(t *testing.T) {
	pi5 := []chip{named("gpiochip10", "gpio-brcmstb@107d508500", 32), named("gpiochip0", "pinctrl-rp1", 54, "ID_SDA", "ID_SCL", "GPIO2")}
	pi3 := []chip{named("gpiochip0", "pinctrl-bcm2835", 54), named("gpiochip1", "raspberrypi-exp-gpio", 8)}
	board := []chip{named("gpiochip0", "pl061", 8, "RELAY1")}
	usb := []chip{named("gpiochip1", "ft232h", 16, "RELAY1"), named("gpiochip2", "ft232h", 16, "RELAY1")}
	for _, c := range []struct {
		name   string
		list   []chip
		want   string
		line   string
		chip   string // "" : an error
		number int
		err    string
	}{
		{name: "header of the Pi 5", list: pi5, line: `"pin:11"`, chip: "gpiochip0", number: 17},
		{name: "number on the Pi 5", list: pi5, line: `17`, chip: "gpiochip0", number: 17},
		{name: "line name", list: pi5, line: `"GPIO2"`, chip: "gpiochip0", number: 2},
		{name: "label", list: pi3, want: "raspberrypi-exp-gpio", line: `3`, chip: "gpiochip1", number: 3},
		{name: "chip name", list: pi3, want: "gpiochip1", line: `3`, chip: "gpiochip1", number: 3},
		{name: "path", list: pi3, want: "/dev/gpiochip1", line: `3`, chip: "gpiochip1", number: 3},
		{name: "only chip", list: board, line: `3`, chip: "gpiochip0", number: 3},
		{name: "no chip", line: `3`, err: "no GPIO chip"},
		{name: "wrong chip", list: pi3, want: "gpiochip7", line: `3`, err: `no GPIO chip "gpiochip7"; there is pinctrl-bcm2835 (gpiochip0), raspberrypi-exp-gpio (gpiochip1)`},
		{name: "two of a label", list: usb, want: "ft232h", line: `3`, err: "ambiguous"},
		{name: "two of a line name", list: usb, line: `"RELAY1"`, err: "on more than one chip"},
		{name: "several, none a header", list: usb, line: `3`, err: "say which with chip"},
		{name: "no such line name", list: pi5, line: `"LAMP"`, err: `no GPIO chip has a line named "LAMP"`},
		{name: "line beyond the end", list: board, line: `8`, err: "no line 8, its last is 7"},
		{name: "header elsewhere", list: board, line: `"pin:11"`, err: "not on chip pl061"},
		{name: "name on the other chip", list: pi5, want: "gpiochip10", line: `"GPIO2"`, err: `no line named "GPIO2"`},
	} {
		r := ref(t, c.line)
		ch, err := choose(c.list, c.want, []line.Ref{r})
		n := 0
		if err == nil {
			n, err = ch.offset(r)
		}
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: got %v, error %v; want %q", c.name, ch, err, c.err)
		case c.err == "" && (err != nil || ch.name != c.chip || n != c.number):
			t.Errorf("%s: got %v line %d, %v; want %s line %d", c.name, ch, n, err, c.chip, c.number)
		}
	}
}

// bank is a row of lines in memory.
type bank struct {
	mu     sync.Mutex
	levels []int
	gone   bool
	calls  int
	closed bool
	looked chan struct{} // a token for each Value, if set
}

func (b *bank) SetValues(levels []int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return unix.ENODEV
	}
	b.calls++
	copy(b.levels, levels)
	return nil
}

func (b *bank) Values(levels []int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return unix.ENODEV
	}
	copy(levels, b.levels)
	return nil
}

func (b *bank) Value() (int, error) {
	var v [1]int
	err := b.Values(v[:])
	if b.looked != nil {
		b.looked <- struct{}{}
	}
	return v[0], err
}

func (b *bank) Close() error {
	b.closed = true
	return nil
}

func spec(t *testing.T, access twin.Access, visitors ...string) mapper.Spec {
	t.Helper()
	s := mapper.Spec{Name: twin.Name{Namespace: "default", Name: "lamp"}, Log: slog.New(slog.DiscardHandler)}
	for i, v := range visitors {
		s.Props = append(s.Props, twin.Property{
			Name: string(rune('a' + i)), Type: twin.Bool, Access: access,
			Visitor: twin.Visitor{Config: json.RawMessage(v)},
		})
	}
	return s
}

// opened gives a device on lines in memory.
func opened(t *testing.T, s mapper.Spec, out *bank, in ...*bank) *device {
	t.Helper()
	outs, ins, _, err := contacts(&s)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{outs: outs, ins: ins, levels: make([]int, len(outs)), edge: make(chan struct{}, 1)}
	if out != nil {
		d.out = out
		copy(d.levels, out.levels)
	}
	for _, b := range in {
		d.in = append(d.in, b)
	}
	return d
}

func TestWriteIsWhole(t *testing.T) {
	out := &bank{levels: []int{0, 1}}
	d := opened(t, spec(t, twin.ReadWrite, `{"line":17}`, `{"line":27,"activeLow":true}`), out)
	ctx := context.Background()
	if err := d.Write(ctx, map[string]twin.Value{"a": twin.BoolValue(true), "b": twin.BoolValue(true)}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.levels, []int{1, 0}) || out.calls != 1 {
		t.Errorf("both on: got levels %v in %d calls; want [1 0] in 1", out.levels, out.calls)
	}
	// One bad value: nothing moves.
	err := d.Write(ctx, map[string]twin.Value{"a": twin.BoolValue(false), "b": twin.IntValue(2)})
	if !errors.Is(err, mapper.ErrPermanent) || !slices.Equal(out.levels, []int{1, 0}) {
		t.Errorf("bad value: got %v, levels %v; want a permanent error and [1 0]", err, out.levels)
	}
	if err := d.Write(ctx, map[string]twin.Value{"b": twin.BoolValue(false)}); err != nil {
		t.Fatal(err)
	}
	got, err := d.Read(ctx)
	if err != nil || got["a"] != twin.BoolValue(true) || got["b"] != twin.BoolValue(false) {
		t.Errorf("Read: got %v, %v; want a on, b off", got, err)
	}
	// What counts is the line, not what it was told.
	out.levels[0] = 0
	if got, _ := d.Read(ctx); got["a"] != twin.BoolValue(false) {
		t.Errorf("Read of a line that was pulled down: got %v", got)
	}
}

func TestUnplugged(t *testing.T) {
	out := &bank{levels: []int{0}, gone: true}
	d := opened(t, spec(t, twin.ReadWrite, `{"line":17}`), out)
	if err := d.Write(context.Background(), map[string]twin.Value{"a": twin.BoolValue(true)}); !errors.Is(err, mapper.ErrGone) {
		t.Errorf("Write: got %v; want gone", err)
	}
	if _, err := d.Read(context.Background()); !errors.Is(err, mapper.ErrGone) {
		t.Errorf("Read: got %v; want gone", err)
	}
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		visitor string
		before  int
		want    int
	}{
		{`{"line":17}`, 1, 1},
		{`{"line":17,"exit":"off"}`, 1, 0},
		{`{"line":17,"exit":"on"}`, 0, 1},
		{`{"line":17,"exit":"off","activeLow":true}`, 0, 1},
	} {
		out := &bank{levels: []int{c.before}}
		d := opened(t, spec(t, twin.ReadWrite, c.visitor), out)
		if err := d.Close(); err != nil || out.levels[0] != c.want || !out.closed {
			t.Errorf("%s from %d: got %d, %v, closed %v; want %d", c.visitor, c.before, out.levels[0], err, out.closed, c.want)
		}
	}
}

func TestWatchTellsEdges(t *testing.T) {
	in := &bank{levels: []int{1}, looked: make(chan struct{}, 100)}
	d := opened(t, spec(t, twin.ReadOnly, `{"line":5,"activeLow":true}`), nil, in)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan map[string]twin.Value, 1)
	done := make(chan error, 1)
	go func() {
		done <- d.Watch(ctx, func(v map[string]twin.Value) { told <- v })
	}()
	<-in.looked // from here on a change is one
	d.notify()
	<-in.looked
	for _, level := range []int{0, 1, 0} {
		in.mu.Lock()
		in.levels[0] = level
		in.mu.Unlock()
		d.notify()
		if v := <-told; v["a"] != twin.BoolValue(level == 0) {
			t.Errorf("level %d: told %v", level, v)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch: got %v; want nil", err)
	}
	if len(told) > 0 {
		t.Errorf("told without a change: %v", <-told)
	}
}

func TestWatchUnplugged(t *testing.T) {
	in := &bank{levels: []int{1}, gone: true}
	d := opened(t, spec(t, twin.ReadOnly, `{"line":5}`), nil, in)
	if err := d.Watch(t.Context(), nil); !errors.Is(err, mapper.ErrGone) {
		t.Errorf("Watch: got %v; want gone", err)
	}
}

func TestNoInputsNothingToWatch(t *testing.T) {
	d := opened(t, spec(t, twin.ReadWrite, `{"line":5}`), &bank{levels: []int{0}})
	if err := d.Watch(t.Context(), nil); err != nil {
		t.Errorf("Watch: got %v; want nil at once", err)
	}
}

func TestContacts(t *testing.T) {
	s := spec(t, twin.ReadWrite, `{"lien":5}`)
	if _, err := (Driver{}).Open(t.Context(), s); !errors.Is(err, mapper.ErrPermanent) || !strings.Contains(err.Error(), "property a: visitor: lien") {
		t.Errorf("unknown key: got %v; want a permanent error that names it", err)
	}
	s.Props = nil
	if _, err := (Driver{}).Open(t.Context(), s); !errors.Is(err, mapper.ErrPermanent) {
		t.Errorf("no property: got %v; want a permanent error", err)
	}
}
