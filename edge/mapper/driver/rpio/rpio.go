//go:build linux

package rpio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"

	registers "github.com/stianeikeland/go-rpio/v4"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
	"twinbridge/twin"
)

// Driver opens devices on the registers. The registers are one for the process, so make one Driver only.
type Driver struct {
	mu     sync.Mutex
	mapped bool
	taken  map[int]twin.Name // lines in use by this process
}

// New makes the driver. It touches nothing yet.
func New() *Driver { return &Driver{taken: map[int]twin.Name{}} }

var _ mapper.Driver = (*Driver)(nil)

// contact is one property on its line.
type contact struct {
	prop   string
	sw     line.Switch
	cfg    line.Config
	pin    registers.Pin
	output bool
}

// Open checks the board and the lines, maps the registers with the first device, and sets up the lines.
func (d *Driver) Open(_ context.Context, spec mapper.Spec) (mapper.Device, error) {
	list, err := contacts(&spec)
	if err != nil {
		return nil, mapper.Permanent(err)
	}
	if err := thisBoard(); err != nil {
		return nil, err
	}
	kernel, err := askKernel()
	if err != nil {
		return nil, err
	}
	dev := &device{driver: d, name: spec.Name, list: list, kernel: kernel}
	if err := dev.free(); err != nil {
		kernel.close()
		return nil, err
	}
	if err := d.take(dev); err != nil {
		kernel.close()
		return nil, err
	}
	dev.setUp(spec.Last)
	return dev, nil
}

// thisBoard reports why the registers of this machine must not be touched.
func thisBoard() error {
	// /proc must have been there at the start of the process already: the library reads its base address in init.
	compatible, err := os.ReadFile("/proc/device-tree/compatible")
	if errors.Is(err, fs.ErrNotExist) {
		return mapper.Permanent(errors.New("this machine has no device tree (/proc/device-tree), so it is no Raspberry Pi; " + useGPIO))
	}
	if err != nil {
		return fmt.Errorf("find out the board: %w", err)
	}
	return mapper.Permanent(checkBoard(compatible))
}

func contacts(spec *mapper.Spec) ([]contact, error) {
	chip, err := line.ParseChip(spec.Config)
	if err != nil {
		return nil, err
	}
	if chip != "" {
		return nil, &twin.FieldError{Field: "protocol: chip", Value: chip, Want: "nothing: rpio has the one chip of the SoC"}
	}
	var list []contact
	taken := map[int]string{}
	for i := range spec.Props {
		p := &spec.Props[i]
		c := contact{prop: p.Name, output: p.Access == twin.ReadWrite}
		if c.sw, err = line.SwitchOf(p); err != nil {
			return nil, err
		}
		if c.cfg, err = line.ParseConfig(p.Name, p.Visitor.Config); err != nil {
			return nil, err
		}
		field := "property " + p.Name + ": visitor: "
		n, _, ok := c.cfg.Line.Number()
		if !ok {
			return nil, &twin.FieldError{Field: field + "line", Value: c.cfg.Line.String(), Want: `a line number or a header pin as "pin:11"; rpio knows no names`}
		}
		if err := checkLine(n); err != nil {
			return nil, fmt.Errorf("property %s: %w", p.Name, err)
		}
		if c.cfg.Debounce > 0 {
			return nil, &twin.FieldError{Field: field + "debounce", Value: c.cfg.Debounce.String(), Want: "nothing: rpio has no edges; " + useGPIO}
		}
		if other, twice := taken[n]; twice {
			return nil, fmt.Errorf("property %s: line %d is %s's already", p.Name, n, other)
		}
		taken[n] = p.Name
		c.pin = registers.Pin(n)
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, &twin.FieldError{Field: "properties", Value: "0", Want: "at least one on a line"}
	}
	return list, nil
}

// take maps the registers if that is not done yet, and reserves the lines within this process. The mapping is never
// undone: the library's Close writes the interrupt enables of long ago back, under the kernel's feet.
func (d *Driver) take(dev *device) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range dev.list {
		n := int(dev.list[i].pin)
		if other, busy := d.taken[n]; busy {
			return fmt.Errorf("line %d is in use by %s", n, other)
		}
	}
	if !d.mapped {
		if err := registers.Open(); err != nil {
			return openError(err)
		}
		d.mapped = true
	}
	for i := range dev.list {
		d.taken[int(dev.list[i].pin)] = dev.name
	}
	return nil
}

func openError(err error) error {
	err = fmt.Errorf("map the GPIO registers: %w", err)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; it needs root or /dev/gpiomem, and a kernel that allows it (strict ones only with iomem=relaxed); %s", err, useGPIO)
	}
	return err
}

// device is an open device.
type device struct {
	driver *Driver
	name   twin.Name
	list   []contact
	kernel *kernel
}

// free reports a line that the kernel has given to somebody else.
func (v *device) free() error {
	for i := range v.list {
		n := int(v.list[i].pin)
		who, used, err := v.kernel.user(n)
		if err != nil {
			return fmt.Errorf("ask the kernel for the user of line %d: %w", n, err)
		}
		if used {
			return fmt.Errorf("line %d is in use by %s, through the kernel, which rpio must not write over; free it, or %s", n, strconv.Quote(who), useGPIO)
		}
	}
	return nil
}

// setUp writes the level first and the direction after, so that a relay does not click twice.
func (v *device) setUp(last map[string]twin.Value) {
	for i := range v.list {
		c := &v.list[i]
		if !c.output {
			c.pin.Input()
			switch c.cfg.Bias {
			case line.BiasUp:
				c.pin.PullUp()
			case line.BiasDown:
				c.pin.PullDown()
			case line.BiasNone:
				c.pin.PullOff()
			}
			continue
		}
		on := c.on()
		switch c.cfg.Powerup {
		case line.On, line.Off:
			on = c.cfg.Powerup == line.On
		case line.Last:
			if was, err := c.sw.On(last[c.prop]); err == nil {
				on = was
			}
		}
		c.set(on)
		c.pin.Output()
	}
}

func (c *contact) on() bool { return (c.pin.Read() == registers.High) != c.cfg.ActiveLow }

func (c *contact) set(on bool) {
	if on != c.cfg.ActiveLow {
		c.pin.High()
	} else {
		c.pin.Low()
	}
}

// Write checks everything first and moves the lines after: nothing can fail half-way.
func (v *device) Write(_ context.Context, values map[string]twin.Value) error {
	moves := make(map[int]bool, len(values))
	for prop, val := range values {
		i := slices.IndexFunc(v.list, func(c contact) bool { return c.output && c.prop == prop })
		if i < 0 {
			return mapper.Permanent(fmt.Errorf("property %s is no output", prop))
		}
		on, err := v.list[i].sw.On(val)
		if err != nil {
			return mapper.Permanent(fmt.Errorf("property %s: %w", prop, err))
		}
		moves[i] = on
	}
	if err := v.free(); err != nil {
		return mapper.Permanent(err)
	}
	for _, i := range slices.Sorted(maps.Keys(moves)) {
		v.list[i].set(moves[i])
	}
	return nil
}

func (v *device) Read(context.Context) (map[string]twin.Value, error) {
	values := make(map[string]twin.Value, len(v.list))
	for i := range v.list {
		values[v.list[i].prop] = v.list[i].sw.Value(v.list[i].on())
	}
	return values, nil
}

// Watch: registers tell no edges without taking the kernel's interrupts away from it. The cyclic read finds changes.
func (v *device) Watch(context.Context, func(map[string]twin.Value)) error { return nil }

// Close sets the levels of exit. The registers keep theirs without a holder.
func (v *device) Close() error {
	err := v.free() // a line that is somebody else's now is left alone
	for i := range v.list {
		if c := &v.list[i]; err == nil && c.output && c.cfg.Exit != line.Keep {
			c.set(c.cfg.Exit == line.On)
		}
	}
	v.driver.mu.Lock()
	defer v.driver.mu.Unlock()
	for i := range v.list {
		delete(v.driver.taken, int(v.list[i].pin))
	}
	return errors.Join(err, v.kernel.close())
}
