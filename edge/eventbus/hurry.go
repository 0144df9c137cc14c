package eventbus

import (
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
	if w, err := p.store.Wish(d.name, d.wish); err != nil || w.Outcome != twin.Superseded {
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

// slowDown tells what had to wait.
func (p *protocol) slowDown() {
	p.mu.Lock()
	names := p.hurried
	p.hurried = map[twin.Name]bool{}
	p.mu.Unlock()
	for n := range names {
		p.look(p.find(n), "")
	}
}
