package enroll

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	window = time.Minute
	// maxEach is how often something may happen within a window for one key.
	maxEach = 10
	// maxAll is the same for all keys together; beyond it, keys that have none yet still get their first.
	maxAll = 10
	// maxKeys bounds what is remembered. Beyond it, new keys are not counted until the window ends.
	maxKeys = 4096
)

// limiter counts within windows of a minute.
type limiter struct {
	now  func() time.Time
	most int // for one key

	mu    sync.Mutex
	begun time.Time
	all   int
	each  map[string]int
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, most: maxEach, each: map[string]int{}}
}

// full reports whether a key has had its share of this window, or all have had theirs and this one had some. Whoever has
// done nothing wrong yet is never kept waiting by others, so guessing locks nobody out.
func (l *limiter) full(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	n := l.each[key]
	return n >= l.most || n > 0 && l.all >= maxAll
}

// fullAlone is full for one key by itself.
func (l *limiter) fullAlone(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	return l.each[key] >= l.most
}

func (l *limiter) count(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	if _, ok := l.each[key]; !ok && len(l.each) >= maxKeys {
		return
	}
	l.each[key]++
	l.all++
}

// turn begins a new window if the last one is over, or lies ahead because the clock went back.
func (l *limiter) turn() {
	now := l.now()
	if d := now.Sub(l.begun); d >= window || d < 0 {
		l.begun, l.all = now, 0
		clear(l.each)
	}
}

// addressOf gives the key of a remote address: an IPv4 address, or an IPv6 network of 64 bits, of which one customer has
// all addresses.
func addressOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
