package homekit

import (
	"context"
	"time"

	"twinbridge/accessories"
	"twinbridge/twin"
)

// blinkFor is how long a lamp that identifies itself is the other way round, and the time that the way back may take.
const blinkFor = 700 * time.Millisecond

// blinker carries out Identify: two short presses, of which the second ends at what is expected, and which are nobody's
// act (rule 4). Devices blink one after the other, so that somebody who looks for one sees one.
type blinker struct {
	todo chan *device
}

// blinks bounds the devices that wait to blink; more are left out.
const blinks = 16

func newBlinker() *blinker { return &blinker{make(chan *device, blinks)} }

// start never blocks.
func (b *blinker) start(d *device) {
	select {
	case b.todo <- d:
	default:
	}
}

// run carries out until ctx ends; a device that is the other way round then is put back first.
func (b *blinker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-b.todo:
			d.blinkOnce(ctx)
		}
	}
}

// blinkOnce does nothing with a device that is neither on nor off, and ends where somebody else wishes meanwhile.
func (d *device) blinkOnce(ctx context.Context) {
	if !d.what.Writable(accessories.On) {
		return
	}
	v, err := d.store.Device(d.name)
	if err != nil {
		return
	}
	traits := d.what.Read(&v)
	on, known := traits.Bool(accessories.On)
	property := d.what.Property(accessories.On)
	before := v.Prop(property)
	if !known || before == nil || before.Wish != "" {
		return
	}
	var other accessories.Traits
	other.SetBool(accessories.On, !on)
	values, err := d.what.Wish(&v, other)
	if err != nil || len(values) != 1 {
		return
	}
	// Back to what was expected, or, if nothing ever was, to what it showed.
	back := before.Expected
	if back.Absent() {
		back = before.Actual
	}
	there, err := d.store.Ask(d.name, d.press(values))
	if err != nil {
		return
	}
	t := time.NewTimer(blinkFor)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	if now, err := d.store.Device(d.name); err == nil {
		if p := now.Prop(property); p != nil && (p.Expected == values[property] && p.Origin == twin.FromRestore || p.Wish == there.ID) {
			_, _ = d.store.Ask(d.name, d.press(map[string]twin.Value{property: back})) // refused: it went offline, and comes back by a restore
		}
	}
}

// press is nobody's.
func (d *device) press(values map[string]twin.Value) twin.Wish {
	return twin.Wish{ID: d.store.NewID(), Asker: "identify", Origin: twin.FromRestore, Values: values, ValidFor: 5 * time.Second}
}
