package login

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of guessing.
const (
	maxWrong    = 5  // wrong secrets in a window from one address
	maxWrongAll = 60 // from all addresses together
	wrongWindow = time.Minute
)

// limiter counts wrong secrets. An attempt counts as wrong before it is looked at, so that many at once gain nothing,
// and is taken out again if it was right. As all addresses have a bound, so has what is remembered.
type limiter struct {
	mu    sync.Mutex
	wrong []attempt // of the last window, the oldest first
	next  uint64
}

type attempt struct {
	id   uint64
	from netip.Prefix
	at   time.Time
}

// begin counts an attempt; or tells how long to wait before the next one is looked at.
func (l *limiter) begin(from netip.Prefix, now time.Time) (id uint64, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.wrong) > 0 && now.Sub(l.wrong[0].at) >= wrongWindow {
		l.wrong = l.wrong[1:]
	}
	if len(l.wrong) >= maxWrongAll {
		return 0, l.wrong[len(l.wrong)-maxWrongAll].at.Add(wrongWindow).Sub(now)
	}
	mine, first := 0, time.Time{}
	for _, a := range l.wrong {
		if a.from == from {
			if mine++; mine == 1 {
				first = a.at
			}
		}
	}
	if mine >= maxWrong {
		return 0, first.Add(wrongWindow).Sub(now)
	}
	l.next++
	l.wrong = append(l.wrong, attempt{l.next, from, now})
	return l.next, 0
}

// right takes an attempt out again.
func (l *limiter) right(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.wrong {
		if a.id == id {
			l.wrong = append(l.wrong[:i:i], l.wrong[i+1:]...)
			return
		}
	}
}

// origin is whose attempts count together: an address, and with IPv6 the network of one site, which has addresses in
// plenty. What is no address counts as one.
func origin(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a := ap.Addr().Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
