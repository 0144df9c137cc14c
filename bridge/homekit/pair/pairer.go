package pair

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"twinbridge/bridge/homekit/srp"
)

// MaxFailures is the number of wrong setup codes after which there is no pair-setup any more, until a factory reset.
const MaxFailures = 100

// Identity is who the accessory is. It stays the same from one factory reset to the next.
type Identity struct {
	ID       string             // six bytes as "AA:BB:CC:DD:EE:FF", upper case
	Key      ed25519.PrivateKey // its long-term key
	Verifier srp.Verifier       // of the setup code
}

// Keeper makes things durable. What it was given is safe from a power cut when it returns nil; when it returns an error,
// what it had before still holds.
type Keeper interface {
	// Save takes the whole table of pairings, in the place of the one before.
	Save([]Pairing) error
	// SaveFailures takes the number of wrong setup codes so far.
	SaveFailures(n int) error
}

// Config is what a [Pairer] begins with.
type Config struct {
	Identity Identity
	Pairings []Pairing // as saved last
	Failures int       // as saved last
	Keeper   Keeper
	Rand     io.Reader    // nil: of the operating system. Used by several goroutines
	Log      *slog.Logger // nil: none
}

// Pairer is what all connections of an accessory share. It can be used by several goroutines.
type Pairer struct {
	keeper  Keeper
	rand    io.Reader
	log     *slog.Logger
	changed chan struct{}
	conns   atomic.Uint64

	state atomic.Pointer[state] // read by everybody, replaced under mu

	mu       sync.Mutex
	turns    turns
	ready    *srp.Offer // for the next procedure; nil if it is to be made
	failures int
	unsaved  bool // the Keeper does not know the failures
	told     telling
	serial   uint64
}

// state is what pair-verify needs, without having to wait for a disk.
type state struct {
	identity *identity
	table    table
}

type identity struct {
	Identity
	server *srp.Server
}

// New takes up where an accessory was. It refuses an identity and a table that cannot have been saved: who has lost the
// pairings must not pair with anybody who comes along.
func New(c Config) (*Pairer, error) {
	id, err := newIdentity(c.Identity)
	if err != nil {
		return nil, err
	}
	if err := checkPairings(c.Pairings); err != nil {
		return nil, err
	}
	if c.Failures < 0 {
		return nil, fmt.Errorf("%d failures of pair-setup, expected 0 or more", c.Failures)
	}
	if c.Keeper == nil {
		return nil, errors.New("pairing needs a keeper")
	}
	p := &Pairer{keeper: c.Keeper, rand: c.Rand, log: c.Log, changed: make(chan struct{}, 1), failures: c.Failures}
	if p.rand == nil {
		p.rand = rand.Reader
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var t table
	seen := false
	for _, q := range c.Pairings {
		t = append(t, entry{Pairing: q, serial: p.next(), counts: !q.Unseen})
		seen = seen || !q.Unseen
	}
	if seen {
		for i := range t {
			t[i].counts = true // an admin who is seen has added the others
		}
	}
	p.state.Store(&state{id, t})
	if !t.paired() && p.failures < MaxFailures {
		p.prepare()
	}
	return p, nil
}

func newIdentity(i Identity) (*identity, error) {
	if !isDeviceID(i.ID) {
		return nil, fmt.Errorf("identity: device id %q, expected six bytes as AA:BB:CC:DD:EE:FF", i.ID)
	}
	if len(i.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("identity: a private key of %d bytes, expected %d", len(i.Key), ed25519.PrivateKeySize)
	}
	s, err := srp.NewServer(i.Verifier)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return &identity{i, s}, nil
}

func isDeviceID(s string) bool {
	if len(s) != 17 {
		return false
	}
	for i, c := range []byte(s) {
		if i%3 == 2 && c != ':' || i%3 != 2 && (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Paired reports whether there is a pairing. It is what the DNS-SD record says.
func (p *Pairer) Paired() bool { return p.state.Load().table.paired() }

// Pairings gives a copy of the table.
func (p *Pairer) Pairings() []Pairing { return p.state.Load().table.pairings() }

// ID gives the device id.
func (p *Pairer) ID() string { return p.state.Load().identity.ID }

// Failures gives the number of wrong setup codes so far; at MaxFailures there is no pair-setup.
func (p *Pairer) Failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures
}

// Changed has something to receive after [Pairer.Paired] or [Pairer.ID] has changed, once for all changes since it was
// looked at.
func (p *Pairer) Changed() <-chan struct{} { return p.changed }

// Reset makes the accessory one that nobody knows. The caller brings a new identity (another device id, another key),
// and a function that makes it durable together with an empty table and no failures, all or nothing. If that fails,
// nothing has changed. The connections of all controllers that are gone must end.
func (p *Pairer) Reset(i Identity, save func() error) (gone []string, err error) {
	id, err := newIdentity(i)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := save(); err != nil {
		return nil, fmt.Errorf("factory reset: %w", err)
	}
	gone = p.state.Load().table.ids()
	p.state.Store(&state{identity: id})
	p.turns.end(p.turns.running)
	p.turns, p.ready, p.failures, p.unsaved = turns{now: p.turns.now}, nil, 0, false
	p.signal()
	p.log.Info("HomeKit: factory reset", "id", i.ID)
	return gone, nil
}

func (p *Pairer) signal() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// replace makes a table durable and then puts it in force. Called under mu.
func (p *Pairer) replace(t table) error {
	if err := p.keeper.Save(t.pairings()); err != nil {
		p.log.Error("HomeKit: the pairings cannot be saved", "err", err)
		return fmt.Errorf("saving the pairings: %w", err)
	}
	p.put(t)
	return nil
}

// put puts a table in force. Called under mu.
func (p *Pairer) put(t table) {
	s := p.state.Load()
	p.state.Store(&state{s.identity, t})
	if s.table.paired() != t.paired() {
		p.signal()
	}
}

// telling is what the log was told of people who were turned away, so that nobody can fill it.
type telling struct {
	refused code
	at      time.Duration
}

// tell says in the log why nobody can pair now, if it has not just been said. Called under mu.
func (p *Pairer) tell(refused code, from string) {
	if p.told.refused == refused && p.turns.now-p.told.at < SetupTime {
		return
	}
	switch refused {
	case errUnavailable:
		p.log.Info("HomeKit: somebody wants to pair, but the accessory is paired; a controller must remove it, or a factory reset",
			"from", from, "controllers", p.state.Load().table.ids())
	case errMaxTries:
		p.log.Warn("HomeKit: no pairing after too many wrong setup codes; a factory reset allows it again", "from", from)
	case errBusy:
		p.log.Info("HomeKit: somebody wants to pair, but it is another one's turn", "from", from)
	default:
		return
	}
	p.told = telling{refused, p.turns.now}
}

// next gives the serial number of a pairing. Called under mu, or before anybody else knows the Pairer.
func (p *Pairer) next() uint64 {
	p.serial++
	return p.serial
}

// saveFailures counts wrong setup codes, in memory and on disk. Called under mu.
func (p *Pairer) saveFailures(n int) error {
	p.failures = n
	if err := p.keeper.SaveFailures(n); err != nil {
		p.unsaved = true
		p.log.Error("HomeKit: the number of wrong setup codes cannot be saved; no pairing until it can", "err", err)
		return err
	}
	p.unsaved = false
	return nil
}

// prepare makes the offer of the next procedure, for nobody should have to wait for it. Called under mu, or before
// anybody else knows the Pairer.
func (p *Pairer) prepare() bool {
	if p.ready != nil {
		return true
	}
	offer, err := p.state.Load().identity.server.Offer(p.rand)
	if err != nil {
		p.log.Error("HomeKit: no offer for pair-setup", "err", err)
		return false
	}
	p.ready = offer
	return true
}
