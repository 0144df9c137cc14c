package eventbus

import (
	"context"
	"maps"
	"slices"
	"time"

	"twinbridge/twin"
)

// deltaGap is how closely a delta may follow one that nobody has carried out yet. Somebody who drags a slider wishes more
// often than a relay can follow: then the latest counts, and what was in between is not worth a message.
const deltaGap = 2 * time.Millisecond

// hurries reports whether the next delta of a device has to wait, because the wish of the last one was superseded before
// it was shown, a moment ago. It is told when the gap is over. The device is locked.
func (p *protocol) hurries(d *device) bool {
	if d.wish == "" || p.now().Sub(d.handedAt) >= deltaGap {
		return false
	}
	// A wish that is forgotten was followed by more than twin.KeptOutcomes within the gap.
	if w, err := p.store.Wish(d.name, d.wish); err == nil && w.Outcome != twin.Superseded {
		return false
	}
	p.mu.Lock()
	p.hurried[d.name] = true
	p.mu.Unlock()
	select {
	case p.hurry <- struct{}{}:
	default:
	}
	return true
}

// waits reports whether a device is among those that hurry. What else changes of it is told with its delta.
func (p *protocol) waits(n twin.Name) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hurried[n]
}

// slowDown tells what had to wait.
func (p *protocol) slowDown(ctx context.Context) {
	p.mu.Lock()
	names := slices.SortedFunc(maps.Keys(p.hurried), twin.Name.Compare)
	clear(p.hurried)
	p.mu.Unlock()
	p.round(ctx, names)
}
