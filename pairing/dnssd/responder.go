package dnssd

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrRunning is that of a second call of Run.
var ErrRunning = errors.New("the responder runs already, or has run")

// Config says where and as whom a responder speaks.
type Config struct {
	// Host is the host's label without ".local": letters, digits and hyphens, at most 63 bytes. Empty: one is made from
	// the machine's name and something stable that is this machine's alone.
	Host string
	// Interfaces are names of interfaces; they need not exist yet. Empty: all that are up and have multicast, except for
	// the loopback interface, point-to-point links and the members of bridges.
	Interfaces []string
	// Addresses are announced instead of the interfaces' own, at most 16: for a container or a VLAN.
	Addresses []netip.Addr
	// Log may be nil.
	Log *slog.Logger
}

func (c *Config) check() error {
	if c.Host != "" && !hostLabel(c.Host) {
		return &FieldError{"Host", clip(c.Host), "letters, digits and inner hyphens, at most 63"}
	}
	for _, n := range c.Interfaces {
		if !plainLabel(n) {
			return &FieldError{"Interfaces", clip(n), "the name of an interface"}
		}
	}
	if len(c.Addresses) > maxAddresses {
		return &FieldError{"Addresses", fmt.Sprintf("%d of them", len(c.Addresses)), fmt.Sprintf("at most %d", maxAddresses)}
	}
	for _, a := range c.Addresses {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
			return &FieldError{"Addresses", a.String(), "an address of this machine, without a zone"}
		}
	}
	return nil
}

// A Responder announces services and answers for them. Make one with [New]; all methods may be called at any time, by
// any goroutine.
type Responder struct {
	log        *slog.Logger
	interfaces []string
	addresses  []netip.Addr
	wake       chan struct{}
	names      atomic.Pointer[names] // for the readers
	io         ioCounts

	mu     sync.Mutex
	engine *engine
	ran    bool
	// leftOut is how many links there are beyond those that are served.
	leftOut int
}

// New makes a responder. Its error is a *[FieldError].
func New(c Config) (*Responder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	host := c.Host
	if host == "" {
		host = machineHost()
	}
	r := &Responder{
		log: c.Log, interfaces: slices.Clone(c.Interfaces), wake: make(chan struct{}, 1), engine: newEngine(host, random),
	}
	for _, a := range c.Addresses {
		r.addresses = append(r.addresses, a.Unmap())
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.publish()
	return r, nil
}

func random(least, most time.Duration) time.Duration {
	return least + time.Duration(rand.Int64N(int64(most-least)+1))
}

// change does something to the engine and has the loop look at it.
func (r *Responder) change(do func(e *engine, now time.Time)) {
	r.mu.Lock()
	do(r.engine, time.Now())
	r.publish()
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// publish hands the present names to the readers. The caller holds the lock.
func (r *Responder) publish() {
	n := r.engine.names
	r.names.Store(&n)
}

// Host gives the present name of the host, without ".local". It changes if another host has it.
func (r *Responder) Host() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.engine.host.label()
}

// Register announces a service, as soon as Run runs and there is a link. Its error is a *[FieldError] that names the
// field, or [ErrTooMany].
func (r *Responder) Register(s Service) (*Registration, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	s.Subtypes, s.TXT = slices.Clone(s.Subtypes), slices.Clone(s.TXT)
	var c *claim
	var err error
	r.change(func(e *engine, now time.Time) { c, err = e.add(now, s) })
	if err != nil {
		return nil, err
	}
	return &Registration{r, c}, nil
}

// A Registration is a service that is announced.
type Registration struct {
	r *Responder
	c *claim
}

// SetTXT replaces the TXT record. The latest one wins: changes that follow each other closely are announced as one, and
// two announcements are 1.1 s apart, so that the last one is what stays in others' caches. A record that cannot be
// announced, see [CheckTXT], changes nothing and is logged.
func (g *Registration) SetTXT(txt []string) {
	if err := CheckTXT(txt); err != nil {
		g.r.log.Error("TXT record not taken", "service", g.Name(), "error", err)
		return
	}
	g.r.change(func(e *engine, now time.Time) { e.setTXT(now, g.c, txt) })
}

// Name gives the present name of the instance: the one that was registered, or "X (2)" and so on after a conflict.
func (g *Registration) Name() string {
	g.r.mu.Lock()
	defer g.r.mu.Unlock()
	return g.c.label()
}

// Announced is closed after the first announcement was sent on a link. It stays open if Close or the end of Run came
// before.
func (g *Registration) Announced() <-chan struct{} { return g.c.ready }

// Close takes the service back, with a goodbye for its records if they had been announced. The host's addresses stay. A
// second call does nothing.
func (g *Registration) Close() {
	g.r.change(func(e *engine, now time.Time) { e.remove(now, g.c) })
}
