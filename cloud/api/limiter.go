package api

import (
	"net/netip"
	"sync"
	"time"
)

const (
	attemptTime   = time.Minute
	maxAddresses  = 10_000 // that are remembered
	networkPrefix = 64     // bits of an IPv6 address that one asker has; he chooses the rest
)

// limiter bounds failed attempts by address. What it remembers is bounded: beyond that, somebody's count is forgotten.
type limiter struct {
	most int
	now  func() time.Time

	mu     sync.Mutex
	counts map[string]attempts
}

// attempts are those of one address since begun.
type attempts struct {
	n     int
	begun time.Time
}

func newLimiter(most int, now func() time.Time) *limiter {
	return &limiter{most: most, now: now, counts: map[string]attempts{}}
}

// fail counts a failed attempt and gives how long the address has to wait; 0: not at all.
func (l *limiter) fail(address string) time.Duration {
	key, now := networkOf(address), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[key]
	if since := now.Sub(c.begun); since < 0 || since >= attemptTime {
		c = attempts{begun: now}
	}
	if c.n >= l.most {
		return attemptTime - now.Sub(c.begun)
	}
	c.n++
	if _, known := l.counts[key]; !known && len(l.counts) >= maxAddresses {
		l.forget(now)
	}
	l.counts[key] = c
	return 0
}

// forget makes room, for many at once: it looks at all of them.
func (l *limiter) forget(now time.Time) {
	for key, c := range l.counts {
		if now.Sub(c.begun) >= attemptTime {
			delete(l.counts, key)
		}
	}
	for key := range l.counts { // in no order: anybody's
		if len(l.counts) < maxAddresses*9/10 {
			return
		}
		delete(l.counts, key)
	}
}

// networkOf gives what one asker has.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	net, err := ip.Prefix(networkPrefix)
	if err != nil {
		return address
	}
	return net.String()
}
