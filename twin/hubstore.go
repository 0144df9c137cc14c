package twin

import (
	"context"
	"sync"
	"time"
)

// HubStore is a Hub behind a lock, with watches: what the hub's rims are handed. Its methods are steps of the Hub; none
// waits for the disk, save those that say so.
type HubStore struct {
	clock   Clock
	journal HubJournal

	mu      sync.Mutex // guards all below
	hub     *Hub
	watches watches
	nodes   map[chan struct{}]bool          // who follows the nodes
	ended   map[Name]map[chan struct{}]bool // who waits for wishes of a device
	disk    turns
	talk    chan struct{}
	diskErr error
}

// NewHubStore makes a store of a hub that was opened.
func NewHubStore(hub *Hub, clock Clock, journal HubJournal) *HubStore {
	return &HubStore{
		clock: clock, journal: journal, hub: hub, watches: watches{}, nodes: map[chan struct{}]bool{},
		ended: map[Name]map[chan struct{}]bool{}, talk: make(chan struct{}, 1),
	}
}

func (s *HubStore) now() Now { return Now{Mono: s.clock.Now(), Wall: s.clock.Wall()} }

// step runs one step of the hub and tells everybody concerned.
func (s *HubStore) step(do func(Now)) {
	if s.run(do) {
		s.journal.Wake()
	}
}

// stepSoon is step, for what is in no hurry to come to disk.
func (s *HubStore) stepSoon(do func(Now)) {
	if s.run(do) {
		s.journal.WakeSoon()
	}
}

// run runs one step, and reports whether it left something that waits for the disk.
func (s *HubStore) run(do func(Now)) (due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.hub.seq
	do(s.now())
	s.after()
	return s.hub.seq != before
}

// after tells watches and waiters what a step changed.
func (s *HubStore) after() {
	if len(s.hub.talk) > 0 {
		signal(s.talk)
	}
	if s.hub.TakeNews() {
		for c := range s.nodes {
			signal(c)
		}
	}
	names := s.hub.TakeChanged()
	if len(names) == 0 {
		return
	}
	s.watches.mark(names)
	if len(s.ended) == 0 {
		return
	}
	for _, name := range names {
		for c := range s.ended[name] {
			signal(c)
		}
	}
}

// StoreID is the identity of the hub's store.
func (s *HubStore) StoreID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.StoreID()
}

// NewID makes a random id for a wish.
func (s *HubStore) NewID() string { return s.hub.cfg.NewID() }

// Device gives a device and its twin, or ErrNotFound.
func (s *HubStore) Device(n Name) (View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.View(n)
}

// Devices lists the devices, sorted.
func (s *HubStore) Devices() []Name {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Name(nil), s.hub.Names()...)
}

// Watch begins to watch all devices.
func (s *HubStore) Watch() *Watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches.begin(&s.mu, s.hub.Names())
}

// Wish gives a wish by id; else ErrWishUnknown.
func (s *HubStore) Wish(id string) (WishView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.FindWish(id)
}

// Ask hands in a wish of the cloud and returns when it is on disk; see [Hub.Ask]. While the disk is known to fail it
// takes none: ErrDisk, and nothing changed. With ErrDisk because the disk failed just then it is pending all the same, and
// on disk once that takes it.
func (s *HubStore) Ask(ctx context.Context, n Name, w Wish) (v WishView, err error) {
	if s.DiskError() != nil {
		return WishView{}, ErrDisk
	}
	s.step(func(now Now) { v, err = s.hub.Ask(now, n, w) })
	if err != nil {
		return v, err
	}
	return v, s.WaitDurable(ctx, v.decided)
}

// WaitOutcome waits until a wish has ended or is in trouble. When ctx ends first it gives the view as it is, and ctx's
// error.
func (s *HubStore) WaitOutcome(ctx context.Context, n Name, id string) (WishView, error) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	if s.ended[n] == nil {
		s.ended[n] = map[chan struct{}]bool{}
	}
	s.ended[n][c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.ended[n], c); len(s.ended[n]) == 0 {
			delete(s.ended, n)
		}
	}()
	for {
		s.mu.Lock()
		v, err := s.hub.WishView(n, id)
		s.mu.Unlock()
		if err != nil || v.Settled() {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-c:
		}
	}
}

// Seq is the change that happened last, for WaitDurable.
func (s *HubStore) Seq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.seq
}

// WaitDurable waits until every change up to seq is on disk; ErrDisk if the disk does not take them.
func (s *HubStore) WaitDurable(ctx context.Context, seq uint64) error {
	return s.disk.until(ctx, &s.mu, func() (bool, error) {
		if s.hub.durable >= seq {
			return true, nil
		}
		if s.diskErr != nil {
			return false, ErrDisk
		}
		return false, nil
	})
}

// Durable waits until all that has happened is on disk, and hurries it there; ErrDisk if the disk does not take it.
func (s *HubStore) Durable(ctx context.Context) error {
	s.journal.Wake()
	return s.WaitDurable(ctx, s.Seq())
}

// durably runs a step and waits until it is on disk.
func (s *HubStore) durably(ctx context.Context, do func(Now) error) (err error) {
	var seq uint64
	s.step(func(now Now) {
		err = do(now)
		seq = s.hub.seq
	})
	if err != nil {
		return err
	}
	return s.WaitDurable(ctx, seq)
}

// Apply takes models and devices that the cloud defines, all or none, and returns when they are on disk; see
// [Hub.Apply].
func (s *HubStore) Apply(ctx context.Context, models []DeviceModel, devices []Device) error {
	return s.durably(ctx, func(now Now) error { return s.hub.Apply(now, models, devices) })
}

// Delete removes a device that the cloud defines, and returns when that is on disk; see [Hub.Delete].
func (s *HubStore) Delete(ctx context.Context, n Name) error {
	return s.durably(ctx, func(now Now) error { return s.hub.Delete(now, n) })
}

// Move gives a device to another node, and returns when that is on disk; see [Hub.Move].
func (s *HubStore) Move(ctx context.Context, n Name, to string, force bool) error {
	return s.durably(ctx, func(now Now) error { return s.hub.Move(now, n, to, force) })
}

// RemoveNode forgets a node, and returns when that is on disk; see [Hub.RemoveNode].
func (s *HubStore) RemoveNode(ctx context.Context, name string) error {
	return s.durably(ctx, func(now Now) error { return s.hub.RemoveNode(now, name) })
}

// Models lists the models that the cloud defines.
func (s *HubStore) Models() []DeviceModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Models()
}

// Model gives a model of the cloud's, or ErrNotFound.
func (s *HubStore) Model(n Name) (DeviceModel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Model(n)
}

// ModelOf gives the model that a device was resolved with; false if it has none.
func (s *HubStore) ModelOf(n Name) (DeviceModel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.ModelOf(n)
}

// Nodes lists the nodes.
func (s *HubStore) Nodes() []NodeView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Nodes()
}

// Node gives one node; false if the hub does not know it.
func (s *HubStore) Node(name string) (NodeView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Node(name)
}

// Stats counts what the hub holds.
func (s *HubStore) Stats() HubStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Stats()
}

// WatchNodes gives a channel that has a token after anything about a node changed; stop ends that.
func (s *HubStore) WatchNodes() (c <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ch <- struct{}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[ch] = true
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.nodes, ch)
	}
}

// Tick ends presses whose time ran out before they were sent. It is due every second.
func (s *HubStore) Tick() { s.step(func(now Now) { s.hub.Tick(now) }) }

// TickEvery is how often Tick is due.
const TickEvery = time.Second

// DiskError is why the last commit failed; nil if it succeeded.
func (s *HubStore) DiskError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.diskErr
}

// TakeBatch gives the journal what has to be made durable; see [Hub.TakeBatch].
func (s *HubStore) TakeBatch() (HubBatch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.TakeBatch()
}

// Committed tells what became of a batch.
func (s *HubStore) Committed(b HubBatch, err error) {
	s.step(func(Now) {
		s.hub.Committed(b, err)
		s.diskErr = err
		s.disk.wake()
	})
}
