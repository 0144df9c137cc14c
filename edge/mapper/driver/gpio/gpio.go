//go:build linux

package gpio

import (
	"context"
	"errors"
	"fmt"

	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
	"twinbridge/twin"
)

// maxLines is the number of lines that the kernel gives in one request.
const maxLines = 64

// Driver opens devices on GPIO lines. The zero Driver is ready for use.
type Driver struct{}

var _ mapper.Driver = Driver{}

// contact is one property on its line.
type contact struct {
	prop   string
	sw     line.Switch
	cfg    line.Config
	number int
}

// on tells whether a physical level means on.
func (c *contact) on(level int) bool { return (level == 1) != c.cfg.ActiveLow }

// level gives the physical level for on or off.
func (c *contact) level(on bool) int {
	if on != c.cfg.ActiveLow {
		return 1
	}
	return 0
}

// outputs are the held output lines of a device, switched together. *gpiocdev.Lines is one.
type outputs interface {
	SetValues(levels []int) error
	Values(levels []int) error
	Close() error
}

// input is one held input line. *gpiocdev.Line is one.
type input interface {
	Value() (int, error)
	Close() error
}

// Open finds the chip, requests the lines and gives outputs the level that powerup asks for.
func (Driver) Open(_ context.Context, spec mapper.Spec) (mapper.Device, error) {
	outs, ins, want, err := contacts(&spec)
	if err != nil {
		return nil, mapper.Permanent(err)
	}
	list, err := chips()
	if err != nil {
		return nil, err
	}
	refs := make([]line.Ref, 0, len(outs)+len(ins))
	for _, c := range append(outs[:len(outs):len(outs)], ins...) {
		refs = append(refs, c.cfg.Line)
	}
	ch, err := choose(list, want, refs)
	if err != nil {
		return nil, err
	}
	taken := map[int]string{}
	for _, group := range [][]contact{outs, ins} {
		for i := range group {
			c := &group[i]
			if c.number, err = ch.offset(c.cfg.Line); err != nil {
				return nil, mapper.Permanent(fmt.Errorf("property %s: %w", c.prop, err))
			}
			if other, twice := taken[c.number]; twice {
				return nil, mapper.Permanent(fmt.Errorf("property %s: line %d is %s's already", c.prop, c.number, other))
			}
			taken[c.number] = c.prop
		}
	}
	return request(&spec, ch, outs, ins)
}

// contacts reads the configuration of all properties. Those that can be wished are outputs.
func contacts(spec *mapper.Spec) (outs, ins []contact, chip string, err error) {
	if chip, err = line.ParseChip(spec.Config); err != nil {
		return nil, nil, "", err
	}
	for i := range spec.Props {
		p := &spec.Props[i]
		c := contact{prop: p.Name}
		if c.sw, err = line.SwitchOf(p); err != nil {
			return nil, nil, "", err
		}
		if c.cfg, err = line.ParseConfig(p.Name, p.Visitor.Config); err != nil {
			return nil, nil, "", err
		}
		if p.Access == twin.ReadOnly {
			ins = append(ins, c)
		} else {
			outs = append(outs, c)
		}
	}
	switch n := len(outs) + len(ins); {
	case n == 0:
		err = &twin.FieldError{Field: "properties", Value: "0", Want: "at least one on a line"}
	case n > maxLines:
		err = &twin.FieldError{Field: "properties", Value: fmt.Sprint(n), Want: fmt.Sprintf("at most %d on the lines of a device", maxLines)}
	}
	return outs, ins, chip, err
}

// maxConsumer is the longest name of a holder that the kernel keeps, in bytes (GPIO_MAX_NAME_SIZE, with a zero byte).
const maxConsumer = 31

// consumer is the name under which the kernel knows who holds the lines of a device.
func consumer(name twin.Name) string {
	s := "twinbridge " + name.String()
	return s[:min(len(s), maxConsumer)]
}

// request takes the lines from the kernel.
func request(spec *mapper.Spec, ch chip, outs, ins []contact) (_ *device, err error) {
	c, err := gpiocdev.NewChip(ch.name, gpiocdev.WithConsumer(consumer(spec.Name)))
	if err != nil {
		return nil, mapper.Gone(fmt.Errorf("open chip %s: %w", ch, err))
	}
	defer c.Close()
	d := &device{outs: outs, ins: ins, levels: make([]int, len(outs)), edge: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.release())
		}
	}()
	if len(outs) > 0 {
		if err := d.requestOutputs(c, spec); err != nil {
			return nil, err
		}
		warnKeep(spec, ch, outs)
	}
	for i := range ins {
		l, err := requestInput(c, &ins[i], d.notify)
		if err != nil {
			return nil, err
		}
		d.in = append(d.in, l)
	}
	return d, nil
}

// requestOutputs asks for the lines as they are first, which moves nothing, and then makes them outputs with the right
// levels, all in one call: no relay clicks twice.
func (d *device) requestOutputs(c *gpiocdev.Chip, spec *mapper.Spec) error {
	numbers := make([]int, len(d.outs))
	for i := range d.outs {
		numbers[i] = d.outs[i].number
	}
	lines, err := c.RequestLines(numbers, gpiocdev.AsIs)
	if err != nil {
		return requestError(c, numbers, err)
	}
	d.out = lines
	if err := lines.Values(d.levels); err != nil {
		return ioError("read the level of", err)
	}
	for i := range d.outs {
		o := &d.outs[i]
		switch o.cfg.Powerup {
		case line.On, line.Off:
			d.levels[i] = o.level(o.cfg.Powerup == line.On)
		case line.Last:
			if on, err := o.sw.On(spec.Last[o.prop]); err == nil {
				d.levels[i] = o.level(on)
			}
		}
	}
	if err := lines.Reconfigure(gpiocdev.AsOutput(d.levels...)); err != nil {
		return ioError("make outputs of", err)
	}
	return nil
}

// requestInput asks for one input with both edges; without, if its chip has no interrupts: then the cyclic read finds
// changes.
func requestInput(c *gpiocdev.Chip, in *contact, notify func()) (*gpiocdev.Line, error) {
	opts := []gpiocdev.LineReqOption{gpiocdev.AsInput}
	switch in.cfg.Bias {
	case line.BiasUp:
		opts = append(opts, gpiocdev.WithPullUp)
	case line.BiasDown:
		opts = append(opts, gpiocdev.WithPullDown)
	case line.BiasNone:
		opts = append(opts, gpiocdev.WithBiasDisabled)
	}
	edges := append(opts[:len(opts):len(opts)], gpiocdev.WithBothEdges,
		gpiocdev.WithEventHandler(func(gpiocdev.LineEvent) { notify() }))
	if in.cfg.Debounce > 0 {
		edges = append(edges, gpiocdev.WithDebounce(in.cfg.Debounce))
	}
	l, err := c.RequestLine(in.number, edges...)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		l, err = c.RequestLine(in.number, opts...)
	}
	if err != nil {
		return nil, requestError(c, []int{in.number}, err)
	}
	return l, nil
}

// requestError says whose a busy line is.
func requestError(c *gpiocdev.Chip, numbers []int, err error) error {
	if !errors.Is(err, unix.EBUSY) {
		return ioError(fmt.Sprintf("request lines %v of %s:", numbers, c.Label), err)
	}
	for _, n := range numbers {
		if info, e := c.LineInfo(n); e == nil && info.Used {
			return fmt.Errorf("line %d of %s is in use by %q", n, c.Label, info.Consumer)
		}
	}
	return fmt.Errorf("one of the lines %v of %s is in use: %w", numbers, c.Label, err)
}

// ioError tells an unplugged chip from other trouble.
func ioError(doing string, err error) error {
	err = fmt.Errorf("%s lines: %w", doing, err)
	if errors.Is(err, unix.ENODEV) {
		return mapper.Gone(err)
	}
	return err
}

func warnKeep(spec *mapper.Spec, ch chip, outs []contact) {
	if ch.keepsReleased() {
		return
	}
	for i := range outs {
		if outs[i].cfg.Exit == line.Keep {
			spec.Log.Warn("exit: keep is not sure on this chip: the kernel may let the line fall when twinbridge ends",
				"device", spec.Name.String(), "property", outs[i].prop, "chip", ch.String(), "line", outs[i].number)
		}
	}
}

// device is an open device: its lines, held.
type device struct {
	outs []contact
	out  outputs // nil without outs
	ins  []contact
	in   []input

	levels []int         // what out was last told
	edge   chan struct{} // a token when an input moved
}
