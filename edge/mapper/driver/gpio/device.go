//go:build linux

package gpio

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
	"twinbridge/twin"
)

// Write switches all lines of the wish in one call of the kernel.
func (d *device) Write(_ context.Context, values map[string]twin.Value) error {
	next := slices.Clone(d.levels)
	for prop, v := range values {
		i := slices.IndexFunc(d.outs, func(c contact) bool { return c.prop == prop })
		if i < 0 {
			return mapper.Permanent(fmt.Errorf("property %s is no output", prop))
		}
		on, err := d.outs[i].sw.On(v)
		if err != nil {
			return mapper.Permanent(fmt.Errorf("property %s: %w", prop, err))
		}
		next[i] = d.outs[i].level(on)
	}
	if err := d.out.SetValues(next); err != nil {
		return ioError("switch", err)
	}
	d.levels = next
	return nil
}

// Read asks the kernel for the levels; of outputs too: it is the line that counts, not what it was told.
func (d *device) Read(context.Context) (map[string]twin.Value, error) {
	values := make(map[string]twin.Value, len(d.outs)+len(d.ins))
	if len(d.outs) > 0 {
		levels := make([]int, len(d.outs))
		if err := d.out.Values(levels); err != nil {
			return nil, ioError("read", err)
		}
		for i := range d.outs {
			values[d.outs[i].prop] = d.outs[i].sw.Value(d.outs[i].on(levels[i]))
		}
	}
	for i := range d.ins {
		level, err := d.in[i].Value()
		if err != nil {
			return nil, ioError("read", err)
		}
		values[d.ins[i].prop] = d.ins[i].sw.Value(d.ins[i].on(level))
	}
	return values, nil
}

// notify is called by the kernel's watcher at each edge; edges that come faster than they are looked at become one.
func (d *device) notify() {
	select {
	case d.edge <- struct{}{}:
	default:
	}
}

// Watch tells where an input stands after each edge.
func (d *device) Watch(ctx context.Context, changed func(map[string]twin.Value)) error {
	if len(d.ins) == 0 {
		return nil
	}
	seen := make([]twin.Value, len(d.ins))
	for first := true; ; first = false {
		moved := map[string]twin.Value{}
		for i := range d.ins {
			level, err := d.in[i].Value()
			if err != nil {
				return ioError("watch", err)
			}
			v := d.ins[i].sw.Value(d.ins[i].on(level))
			if v != seen[i] && !first {
				moved[d.ins[i].prop] = v
			}
			seen[i] = v
		}
		if len(moved) > 0 {
			changed(moved)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.edge:
		}
	}
}

// Close gives the outputs their level of exit and releases the lines.
func (d *device) Close() error {
	var err error
	if len(d.outs) > 0 {
		next := slices.Clone(d.levels)
		for i := range d.outs {
			if exit := d.outs[i].cfg.Exit; exit != line.Keep {
				next[i] = d.outs[i].level(exit == line.On)
			}
		}
		if !slices.Equal(next, d.levels) {
			if err = d.out.SetValues(next); err != nil {
				err = ioError("switch", err)
			}
		}
	}
	return errors.Join(err, d.release())
}

func (d *device) release() error {
	var errs []error
	if d.out != nil {
		errs = append(errs, d.out.Close())
	}
	for _, l := range d.in {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
