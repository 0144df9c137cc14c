package local

import (
	"context"

	"twinbridge/twin"
)

// Settled gives a view in which no rev of these properties (nil: no rev at all) is hidden, if the disk is not too slow
// for that.
func (s *service) Settled(ctx context.Context, name twin.Name, props map[string]twin.Value) (twin.View, error) {
	for {
		v, err := s.store.Device(name)
		if err != nil || !hidden(&v, props) {
			return v, err
		}
		if s.durable(ctx) != nil {
			return v, nil
		}
		// What was hidden is on disk now, but more may have been decided since.
	}
}

// hidden reports whether a decision about expected of these properties (nil: anything about the device) is not on disk
// yet, so that its rev is not told (rule 1).
func hidden(v *twin.View, names map[string]twin.Value) bool {
	if names == nil && v.Rev == 0 {
		return true
	}
	for i := range v.Props {
		p := &v.Props[i]
		if _, named := names[p.Def.Name]; (named || names == nil) && p.Rev == 0 && p.Origin != "" {
			return true
		}
	}
	return false
}
