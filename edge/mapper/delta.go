package mapper

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// parseDelta makes orders of what a delta wants: one for each wish, with all the properties that are still its own.
// Properties that the device does not have are left out; a value that is none of its property's spoils its whole wish.
func parseDelta(payload []byte, props map[string]*twin.Property, arrived time.Time) ([]order, error) {
	delta, err := topic.DecodeDelta(payload)
	if err != nil {
		return nil, err
	}
	var orders []order
	for _, want := range delta.Wanted {
		p := props[want.Name]
		if p == nil {
			continue
		}
		var about topic.Value
		if t := delta.Find(want.Name); t != nil {
			about = t.Expected
		}
		i := slices.IndexFunc(orders, func(o order) bool { return o.wish == about.Wish })
		if i < 0 {
			i = len(orders)
			orders = append(orders, order{wish: about.Wish, values: map[string]twin.Value{}})
		}
		o := &orders[i]
		v, err := p.Parse(want.Value)
		if err == nil && p.Access == twin.ReadOnly {
			err = fmt.Errorf("%s is read-only", want.Name)
		}
		o.values[want.Name] = v
		o.bad = errors.Join(o.bad, err)
		if about.RemainingMs > 0 {
			left := min(time.Duration(about.RemainingMs), time.Duration(twin.MaxValidFor/time.Millisecond)) * time.Millisecond
			if end := arrived.Add(left); o.until.IsZero() || end.Before(o.until) {
				o.until = end
			}
		}
	}
	return orders, nil
}
