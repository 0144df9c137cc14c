package twin

import (
	"sync"
	"time"
)

// Clock tells the time. Mono must never go back; Wall may do what it likes.
type Clock interface {
	Now() time.Duration // monotonic, since the process started; never 0
	Wall() time.Time
}

// Store is a Node behind a lock, with watches: what every rim of an edge is handed. Its methods are steps of the Node;
// none waits for the disk, save those that say so.
type Store struct {
	clock   Clock
	journal Journal

	mu      sync.Mutex // guards all below
	node    *Node
	watches watches
	turn    turns
	diskErr error
	nextAt  time.Duration // what Tick last said; 0: no timer
	linkDue chan struct{} // has a token when there may be something to tell the hub
	greeted bool          // the node answered the hub's hello
	waiting int           // callers of WaitDurable
	hurry   chan struct{} // has a token when another one began to wait
}

// NewStore makes a store of a node that was opened and not started.
func NewStore(node *Node, clock Clock, journal Journal) *Store {
	s := &Store{clock: clock, journal: journal, node: node, watches: watches{}, linkDue: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	s.step(func(now Now) { node.Start(now) })
	return s
}

func (s *Store) now() Now { return Now{Mono: s.clock.Now(), Wall: s.clock.Wall()} }

// step runs one step of the node and tells everybody concerned.
func (s *Store) step(do func(Now)) {
	s.mu.Lock()
	before := s.node.Rev()
	do(s.now())
	s.after()
	wake := s.node.Rev() != before
	if at := s.node.Wake(); at != 0 && (s.nextAt == 0 || at < s.nextAt) {
		s.nextAt, wake = at, true
	}
	s.mu.Unlock()
	if wake {
		s.journal.Wake()
	}
}

// after tells watches and waiters what a step changed.
func (s *Store) after() {
	if s.node.LinkDue(s.greeted) {
		signal(s.linkDue)
	}
	if names := s.node.TakeShown(); len(names) > 0 {
		s.watches.markShown(names)
	}
	names := s.node.TakeChanged()
	if len(names) == 0 {
		return
	}
	s.watches.mark(names)
	s.turn.wake()
}

// Device gives a device and its twin, or ErrNotFound.
func (s *Store) Device(n Name) (View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.View(s.now(), n)
}

// Definition gives the definition of a device, or ErrNotFound. It costs less than a View.
func (s *Store) Definition(n Name) (*Resolved, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.node.find(n)
	if err != nil {
		return nil, err
	}
	return d.def, nil
}

// Devices lists the devices, sorted.
func (s *Store) Devices() []Name {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Name(nil), s.node.Names()...)
}

// Wish gives a wish of a device: a pending one, or one of the last [KeptOutcomes] that ended; else ErrWishUnknown.
func (s *Store) Wish(n Name, id string) (WishView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.WishView(n, id)
}

// FindWish gives a wish by id alone.
func (s *Store) FindWish(id string) (WishView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.FindWish(id)
}

// Watch begins to watch all devices.
func (s *Store) Watch() *Watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches.begin(&s.mu, s.node.Names())
}

// WatchRevs is Watch for who shows revs: a device is marked also when a decision about it came to disk, so that its rev
// is hidden no more.
func (s *Store) WatchRevs() *Watch {
	w := s.Watch()
	s.mu.Lock()
	defer s.mu.Unlock()
	w.revs = true
	return w
}

// NewID makes a random id for a wish.
func (s *Store) NewID() string { return s.node.cfg.NewID() }

// StoreID is the identity of the store under which revs count now.
func (s *Store) StoreID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.StoreID()
}

// DecidedRev is the last rev taken, on disk or not.
func (s *Store) DecidedRev() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Rev()
}

// NodeName is the node's name.
func (s *Store) NodeName() string { return s.node.cfg.Name }

// Ask hands in a wish of the house; see [Node.Ask].
func (s *Store) Ask(n Name, w Wish) (v WishView, err error) {
	s.step(func(now Now) { v, err = s.node.Ask(now, n, w) })
	return v, err
}

// Asking is a wish that is made of a device as it is at that moment.
type Asking struct {
	Device Name
	// Wish makes the wish; an error means that there is none. It must not use the store.
	Wish func(*View) (Wish, error)

	View View  // the device afterwards
	Err  error // of Wish, or as Ask gives it
}

// AskAll hands in wishes of the house for several devices in one step: each is accepted or refused by itself, and nobody
// is told of the first before the last is in.
func (s *Store) AskAll(asks []Asking) {
	s.step(func(now Now) {
		for i := range asks {
			a := &asks[i]
			if a.Err = s.node.viewInto(now, a.Device, &a.View); a.Err != nil {
				continue
			}
			var w Wish
			if w, a.Err = a.Wish(&a.View); a.Err != nil {
				continue
			}
			if _, a.Err = s.node.ask(now, a.Device, &w); a.Err == nil {
				a.Err = s.node.viewInto(now, a.Device, &a.View)
			}
		}
	})
}

// Report takes what a mapper says; see [Node.Report].
func (s *Store) Report(n Name, r Report) (unknown []string, err error) {
	s.step(func(now Now) { unknown, err = s.node.Report(now, n, r) })
	return unknown, err
}

// SetState takes a mapper's word about a device; see [Node.State].
func (s *Store) SetState(n Name, state, conn string) (err error) {
	s.step(func(now Now) { err = s.node.State(now, n, state, conn) })
	return err
}

// ConnLost tells of a connection that broke or whose will was published; see [Node.ConnLost].
func (s *Store) ConnLost(conn string) { s.step(func(now Now) { s.node.ConnLost(now, conn) }) }

// ConnClosed tells of a connection that was closed in order; see [Node.ConnClosed].
func (s *Store) ConnClosed(conn string) { s.step(func(now Now) { s.node.ConnClosed(now, conn) }) }

// Offer hands out again what is pending; see [Node.Offer].
func (s *Store) Offer(n Name) { s.step(func(now Now) { _ = s.node.Offer(now, n) }) }

// Apply takes models and devices that the node defines, all or none; see [Node.Apply].
func (s *Store) Apply(models []DeviceModel, devices []Device) (err error) {
	s.step(func(now Now) { err = s.node.Apply(now, models, devices) })
	return err
}

// Delete removes a device that the node defines; see [Node.Delete].
func (s *Store) Delete(n Name) (err error) {
	s.step(func(now Now) { err = s.node.Delete(now, n) })
	return err
}

// Models lists the models, sorted.
func (s *Store) Models() []DeviceModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Models()
}

// Model gives a model, or ErrNotFound.
func (s *Store) Model(n Name) (DeviceModel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, by := range [2]Definer{DefinedByNode, DefinedByCloud} {
		if m := s.node.modelsOf(by)[n]; m != nil {
			return *m, nil
		}
	}
	return DeviceModel{}, ErrNotFound
}

// Stats gives the counters.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Stats()
}

// DiskError is why the last commit failed; nil if it succeeded.
func (s *Store) DiskError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.diskErr
}

// TakeBatch gives the journal what has to be made durable; see [Node.TakeBatch].
func (s *Store) TakeBatch(lazy bool) (Batch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !lazy && !s.node.DecisionsDue() {
		return Batch{}, false
	}
	return s.node.TakeBatch(lazy)
}

// Committed tells what became of a batch.
func (s *Store) Committed(b Batch, err error) {
	s.step(func(now Now) {
		s.node.Committed(now, b, err)
		s.diskErr = err
		s.turn.wake()
	})
}

// Tick runs what is due and tells how long from now until the next timer; false: none is set.
func (s *Store) Tick() (next time.Duration, ok bool) {
	s.step(func(now Now) {
		s.node.Tick(now)
		var at time.Duration
		if at, ok = s.node.NextTimer(); ok {
			next = max(at-now.Mono, 0)
		}
		s.node.Wake()
		s.nextAt = at
	})
	return next, ok
}
