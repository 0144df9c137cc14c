package homekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"twinbridge/bridge/homekit/database"
	"twinbridge/internal/store"
	"twinbridge/pairing/dnssd"
	"twinbridge/twin"
)

// Config is what a bridge is told.
type Config struct {
	Name    string // in the Home app, until somebody gives it another
	Listen  string // address of the first bridge; the others take the ports after it
	Bridges int    // how many there are; each holds MaxDevices
	Version string // of the program
	Log     *slog.Logger
	// Responder announces the bridges; nil: nobody does.
	Responder *dnssd.Responder
}

// MaxDevices is the number of devices that a bridge holds beside itself.
const MaxDevices = database.MaxAccessories - 1

// MaxBridges bounds the bridges of a node.
const MaxBridges = 16

// restTime is how long after a failure it is tried again to show what changed.
const restTime = 5 * time.Second

// Bridge shows the twins of a store.
type Bridge struct {
	cfg     Config
	store   *twin.Store
	ids     *ids
	sides   []*side
	blinker *blinker
	log     *slog.Logger

	mu      sync.Mutex
	devices map[twin.Name]*device
	hidden  map[twin.Name]string // what cannot be shown, and why
	left    []twin.Name          // for which there is no room
	trouble error
}

// Open takes up where the bridge was. The error wraps what could not be read; then nothing is shown and nobody can
// pair, until a backup of the store is put back.
func Open(c Config, twins *twin.Store, file *store.Store) (*Bridge, error) {
	if c.Bridges < 1 || c.Bridges > MaxBridges {
		return nil, fmt.Errorf("%d HomeKit bridges: expected 1 to %d", c.Bridges, MaxBridges)
	}
	ids, err := openIDs(file, c.Bridges, MaxDevices)
	if err != nil {
		return nil, err
	}
	b := &Bridge{cfg: c, store: twins, ids: ids, blinker: newBlinker(), log: c.Log, devices: map[twin.Name]*device{}, hidden: map[twin.Name]string{}}
	for n := 1; n <= c.Bridges; n++ {
		s, err := openSide(n, c, twins, newNotebook(file, n), b.blinker)
		if err != nil {
			return nil, fmt.Errorf("bridge %d: %w", n, err)
		}
		b.sides = append(b.sides, s)
	}
	return b, nil
}

// Listen takes the ports. Run or Close has to follow.
func (b *Bridge) Listen() error {
	host, port, err := net.SplitHostPort(b.cfg.Listen)
	if err != nil {
		return err
	}
	first, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("port %q: expected a number", port)
	}
	for i, s := range b.sides {
		at := first
		if first != 0 {
			at += uint64(i)
		}
		if err := s.server.Listen(net.JoinHostPort(host, strconv.FormatUint(at, 10))); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return nil
}

// Close gives up ports that Run will not serve. After Run it does nothing.
func (b *Bridge) Close() error {
	var err error
	for _, s := range b.sides {
		err = errors.Join(err, s.server.Close())
	}
	return err
}

// Run shows the twins until ctx ends. All accessories are there before anything is served or announced.
func (b *Bridge) Run(ctx context.Context) error {
	watch := b.store.Watch()
	defer watch.Close()
	watch.Take()
	b.build()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	errs := make([]error, len(b.sides))
	for i, s := range b.sides {
		running.Go(func() {
			defer stop()
			errs[i] = s.run(ctx)
		})
		if err := s.announce(b.cfg.Responder); err != nil {
			b.fail(err)
		}
	}
	running.Go(func() { b.blinker.run(ctx) })
	b.follow(ctx, watch)
	running.Wait()
	return errors.Join(errs...)
}

// gatherTime is how long changes are gathered between two looks. The first one is shown at once, and what a controller
// writes is shown in its request, so nobody sees the others come later; but a flood of them costs a look each.
const gatherTime = time.Millisecond

// follow keeps the accessories in step with the twins until ctx ends.
func (b *Bridge) follow(ctx context.Context, watch *twin.Watch) {
	again := time.NewTimer(restTime)
	again.Stop()
	defer again.Stop()
	gathered := time.NewTimer(gatherTime)
	gathered.Stop()
	defer gathered.Stop()
	changed := watch.C() // nil while changes are gathered
	for {
		select {
		case <-gathered.C:
			changed = watch.C()
			continue
		case <-changed:
			changed = nil
			gathered.Reset(gatherTime)
		case <-again.C:
			b.build()
		case <-ctx.Done():
			return
		}
		if b.refresh(watch.Take()) {
			b.build()
		}
		if b.failing() {
			again.Reset(restTime)
		}
	}
}

// refresh shows these devices as they are now. It tells whether one came, went, or was defined anew.
func (b *Bridge) refresh(names []twin.Name) (other bool) {
	for _, n := range names {
		b.mu.Lock()
		d := b.devices[n]
		_, hidden := b.hidden[n]
		b.mu.Unlock()
		v, err := b.store.Device(n)
		switch {
		case err != nil:
			other = other || d != nil || hidden
		case d == nil && !hidden && exposed(v.Device):
			other = true
		case d == nil && !hidden:
		case d == nil || v.Device != d.def:
			other = true
		default:
			d.follow()
		}
	}
	return other
}

// exposed reports whether a device is to be shown.
func exposed(d *twin.Resolved) bool {
	return slices.Contains(d.Policy.Expose, "homekit")
}

// build makes the accessories anew. What is not durable is not shown: then everything stays as it was, and it is tried
// again.
func (b *Bridge) build() {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.trouble
	b.trouble = b.rebuild()
	if b.trouble != nil && was == nil {
		b.log.Error("HomeKit: what has changed is not shown", "err", b.trouble)
	}
}

// rebuild does it; mu is held.
func (b *Bridge) rebuild() error {
	devices, hidden := map[twin.Name]*device{}, map[twin.Name]string{}
	var list []wanted
	for _, n := range b.store.Devices() {
		v, err := b.store.Device(n)
		if err != nil || !exposed(v.Device) {
			continue
		}
		d := b.devices[n]
		if d == nil || d.def != v.Device {
			fresh, reason := newDevice(b.store, v.Device)
			if fresh == nil {
				hidden[n] = reason
				continue
			}
			d = fresh
		}
		devices[n] = d
		list = append(list, wanted{n, d.keys()})
	}
	given, left, err := b.ids.assign(time.Now(), list)
	if err != nil {
		return err
	}
	for _, n := range left {
		delete(devices, n)
	}
	for _, s := range b.sides {
		if err := b.fillSide(s, devices, given); err != nil {
			return fmt.Errorf("HomeKit bridge %d: %w", s.number, err)
		}
	}
	b.complain(hidden, left)
	b.devices, b.hidden, b.left = devices, hidden, left
	return nil
}

// fillSide shows the devices of one bridge.
func (b *Bridge) fillSide(s *side, devices map[twin.Name]*device, given map[twin.Name]*known) error {
	set := []database.Accessory{s.itself(b.cfg.Version)}
	mine := map[uint64]*device{}
	for _, n := range slices.SortedFunc(maps.Keys(devices), twin.Name.Compare) {
		k, d := given[n], devices[n]
		if k.Bridge != s.number {
			continue
		}
		v, err := b.store.Device(n)
		if err != nil {
			continue // it went just now, and the next round will know
		}
		d.mu.Lock()
		set = append(set, d.accessory(k.clone(), &v))
		d.mu.Unlock()
		mine[d.aid] = d
	}
	if err := s.show(set, mine); err != nil {
		return err
	}
	for _, d := range mine {
		d.mu.Lock()
		d.db = s.db
		d.mu.Unlock()
		d.follow()
	}
	return nil
}

// complain logs what is new among what cannot be shown. mu is held.
func (b *Bridge) complain(hidden map[twin.Name]string, left []twin.Name) {
	for _, n := range slices.SortedFunc(maps.Keys(hidden), twin.Name.Compare) {
		if b.hidden[n] != hidden[n] {
			b.log.Info("HomeKit: device is not shown", "device", n.String(), "reason", hidden[n])
		}
	}
	if len(left) > 0 && !slices.Equal(left, b.left) {
		var names []string
		for _, n := range left {
			names = append(names, n.String())
		}
		b.log.Warn(fmt.Sprintf("HomeKit: a bridge holds %d devices; set homekit.bridges to %d for one more", MaxDevices, len(b.sides)+1),
			"no_room_for", strings.Join(names, " "))
	}
}

func (b *Bridge) fail(err error) {
	b.log.Error("HomeKit", "err", err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = err
}

func (b *Bridge) failing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble != nil
}
