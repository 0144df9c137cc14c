package mapper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"twinbridge/twin"
)

// retryPauses stand before the second and the third try of a write; then the wish is in trouble and the node, which
// knows whether it is still wanted, offers it again after a pause of its own.
var retryPauses = [...]time.Duration{100 * time.Millisecond, 400 * time.Millisecond}

// order is a wish, or what is left of it, as a delta carries it.
type order struct {
	wish   string // "" if the node names none
	values map[string]twin.Value
	until  time.Time // when a press is over; zero: never
	bad    error     // why it cannot be carried out at all

	tries int
	next  time.Time // of the next try
}

// same reports whether o is p, offered again.
func (o *order) same(p *order) bool { return o.wish == p.wish && maps.Equal(o.values, p.values) }

// takeDelta makes the delta's wishes the orders. An order that stands in it again goes on where it was, so that offers
// that come faster than the retries cannot keep it from ever failing.
func (w *worker) takeDelta(m mail) {
	orders, err := parseDelta(m.delta, w.props, m.arrived)
	if err != nil {
		w.log.Warn("unreadable delta", "error", err)
		return
	}
	for i := range orders {
		o := &orders[i]
		if j := slices.IndexFunc(w.orders, func(p order) bool { return o.same(&p) }); j >= 0 {
			o.tries, o.next = w.orders[j].tries, w.orders[j].next
		}
	}
	w.orders = orders
}

// refuse answers every wish of a delta with an error.
func (w *worker) refuse(m mail, why error) {
	orders, err := parseDelta(m.delta, w.props, m.arrived)
	if err != nil {
		w.log.Warn("unreadable delta", "error", err)
		return
	}
	for i := range orders {
		w.tellTrouble(&orders[i], why)
	}
}

func (w *worker) tellTrouble(o *order, why error) {
	props := make(map[string]twin.PropReport, len(o.values))
	for name := range o.values {
		props[name] = twin.PropReport{Wish: o.wish, Error: clip(why.Error())}
	}
	w.tell(props)
}

// maxErrorLen bounds the error texts of drivers in reports.
const maxErrorLen = 512

func clip(s string) string {
	if len(s) <= maxErrorLen {
		return s
	}
	cut := maxErrorLen
	for cut > 0 && s[cut]&0xc0 == 0x80 { // not within a rune
		cut--
	}
	return s[:cut]
}

// takeActs reports what a hand did at the device. Waiting orders for other values of the same properties are older than
// what the node hears now: they are dropped, and offered again if the node still wants them.
func (w *worker) takeActs(ctx context.Context, dev Device, acts map[string]twin.Value) error {
	if len(acts) == 0 {
		return nil
	}
	if err := w.read(ctx, dev); err != nil {
		if errors.Is(err, ErrGone) || ctx.Err() != nil {
			return err
		}
		return nil // the cyclic read tells the value, without the mark
	}
	marked := map[string]twin.PropReport{}
	for name, v := range acts {
		// A value that the device does not show any more is history.
		if p := w.props[name]; p != nil && p.Equal(w.actual[name], v) {
			marked[name] = twin.PropReport{Value: w.actual[name], Act: true}
			delete(w.executed, name)
		}
	}
	w.orders = slices.DeleteFunc(w.orders, func(o order) bool {
		for name, hand := range marked {
			if v, ok := o.values[name]; ok && !w.props[name].Equal(v, hand.Value) {
				return true
			}
		}
		return false
	})
	w.tellChanged(marked)
	return nil
}

// work carries out the orders that are due, one try each, in order, until a newer delta or a hand comes in between. It
// returns an error only if the device is lost or ctx ended.
func (w *worker) work(ctx context.Context, dev Device) error {
	tried := false
	for i := 0; i < len(w.orders) && ctx.Err() == nil; {
		o := &w.orders[i]
		if tried && w.inbox.waiting() {
			return nil // the rest is looked at again beside what came in
		}
		if time.Now().Before(o.next) {
			i++
			continue
		}
		tried = true
		done, err := w.try(ctx, dev, o)
		if err != nil {
			return err
		}
		if !done {
			i++
			continue
		}
		w.orders = slices.Delete(w.orders, i, i+1)
	}
	return ctx.Err()
}

// try makes one attempt at o; done means that it is dealt with, well or not.
func (w *worker) try(ctx context.Context, dev Device, o *order) (done bool, lost error) {
	if !o.until.IsZero() && !time.Now().Before(o.until) {
		w.log.Debug("press is over, not carried out", "wish", o.wish)
		return true, nil
	}
	err := o.bad
	if err == nil {
		err = w.execute(ctx, dev, o)
	} else {
		err = Permanent(err)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrGone) || ctx.Err() != nil:
		return false, err
	case w.inbox.acted(o.values):
		return false, nil // a hand was faster; takeActs comes next and decides
	}
	if o.tries++; o.tries <= len(retryPauses) && !errors.Is(err, ErrPermanent) {
		o.next = time.Now().Add(retryPauses[o.tries-1])
		return false, nil
	}
	w.log.Warn("wish could not be carried out", "wish", o.wish, "error", err)
	w.tellTrouble(o, err)
	if w.read(ctx, dev) == nil {
		w.tellChanged(nil)
	}
	return true, nil
}

// execute writes, reads back and reports what it read. A wish that was carried out already, and that the device still
// shows, is only reported again: the first report got lost.
func (w *worker) execute(ctx context.Context, dev Device, o *order) error {
	if w.wasExecuted(o) {
		if err := w.read(ctx, dev); err != nil {
			return err
		}
		if _, _, ok := w.shows(o); ok {
			w.tellShown(o)
			return nil
		}
	}
	for name, v := range o.values {
		w.last[name] = v
		delete(w.executed, name)
	}
	if err := w.write(ctx, dev, o.values); err != nil {
		return err
	}
	if err := w.read(ctx, dev); err != nil {
		return err
	}
	if name, got, ok := w.shows(o); !ok {
		return fmt.Errorf("%s: the device shows %s after %s was written", name, got, o.values[name])
	}
	for name, v := range o.values {
		w.executed[name] = execution{o.wish, v}
	}
	w.tellShown(o)
	return nil
}

// shows compares what was read with o; the first property that differs is given.
func (w *worker) shows(o *order) (prop string, got twin.Value, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		if got := w.actual[name]; !w.props[name].Equal(got, o.values[name]) {
			return name, got, false
		}
	}
	return "", twin.Value{}, true
}

func (w *worker) tellShown(o *order) {
	shown := make(map[string]twin.PropReport, len(o.values))
	for name := range o.values {
		shown[name] = twin.PropReport{Value: w.actual[name], Wish: o.wish}
	}
	w.tellChanged(shown)
}

func (w *worker) wasExecuted(o *order) bool {
	for name, v := range o.values {
		if o.wish == "" || w.executed[name] != (execution{o.wish, v}) {
			return false
		}
	}
	return true
}

func (w *worker) write(ctx context.Context, dev Device, values map[string]twin.Value) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	if err := w.guard("Write", func() error { return dev.Write(ctx, values) }); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
