package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"twinbridge/cloud/registry"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// bucket holds the records of the hub.
const bucket = "hub"

// Pauses after a commit that failed: doubled from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// soonTime is how long what nobody waits for may wait for what somebody does.
const soonTime = 5 * time.Millisecond

// File is where the registry keeps its records; a [store.Store] is one.
type File interface {
	// Records gives all records of a bucket.
	Records(bucket string) ([]store.Record, error)
	// Commit makes changes durable, all or none. It may block for as long as the disk does, and be called again after
	// an error.
	Commit(changes ...store.Change) error
}

// Registry keeps the hub's records in a file.
type Registry struct {
	*twin.HubStore
	file File
	log  *slog.Logger
	due  chan struct{}
	soon chan struct{}
}

var _ registry.Registry = (*Registry)(nil)

// Open reads the registry from the file. Damaged records are an error. Nothing is made durable until Run runs.
func Open(file File, log *slog.Logger) (*Registry, error) {
	stored, err := file.Records(bucket)
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	records := make([]twin.Record, len(stored))
	for i, r := range stored {
		records[i] = twin.Record{Key: r.Key, Data: r.Data}
	}
	clock := clock{time.Now()}
	hub, err := twin.OpenHub(twin.HubConfig{NewID: rand.Text}, twin.Now{Mono: clock.Now(), Wall: clock.Wall()}, records)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	r := &Registry{file: file, log: log, due: make(chan struct{}, 1), soon: make(chan struct{}, 1)}
	r.HubStore = twin.NewHubStore(hub, clock, r)
	r.Wake()
	return r, nil
}

// Wake implements [twin.HubJournal].
func (r *Registry) Wake() { signal(r.due) }

// WakeSoon implements [twin.HubJournal].
func (r *Registry) WakeSoon() { signal(r.soon) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run commits and keeps time until ctx ends, then commits what is left. End it after the rims. The error is that of the
// last commit.
func (r *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(twin.TickEvery)
	defer tick.Stop()
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	later := time.NewTimer(0)
	later.Stop()
	defer later.Stop()
	due, soon := r.due, r.soon
	pause := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			if err := r.commit(); err != nil {
				return fmt.Errorf("commit the last changes: %w", err)
			}
			return nil
		case <-tick.C:
			r.Tick()
			continue
		case <-soon:
			soon = nil
			later.Reset(soonTime)
			continue
		case <-due:
		case <-later.C:
		case <-retry.C:
			due = r.due
		}
		later.Stop()
		soon = r.soon
		switch err := r.commit(); {
		case err != nil:
			if pause == 0 {
				r.log.Error("disk does not take changes: nothing new is told to the nodes", "error", err)
			}
			pause = min(max(2*pause, firstPause), lastPause)
			retry.Reset(pause)
			due, soon = nil, nil
		case pause > 0:
			r.log.Warn("disk takes changes again")
			pause = 0
		}
	}
}

// commit makes one batch durable.
func (r *Registry) commit() error {
	batch, ok := r.TakeBatch()
	if !ok {
		return nil
	}
	changes := make([]store.Change, len(batch.Records))
	for i, rec := range batch.Records {
		changes[i] = store.Change{Bucket: bucket, Key: rec.Key, Data: rec.Data}
	}
	err := r.file.Commit(changes...)
	r.Committed(batch, err)
	return err
}

// clock is the system's time.
type clock struct{ start time.Time }

// Now is never 0, as twin.Clock wants it.
func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }

func (c clock) Wall() time.Time { return time.Now() }
