package devicetwin

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

// bucket holds the records of the twin.
const bucket = "twin"

// File is where the holder keeps its records; a [store.Store] is one.
type File interface {
	// ID names the file. A copy of it that was restored has another.
	ID() store.ID
	// Records gives all records of a bucket.
	Records(bucket string) ([]store.Record, error)
	// Commit makes changes durable, all or none. It may block for as long as the disk does, and be called again after
	// an error.
	Commit(changes ...store.Change) error
}

// Config is what a holder is told.
type Config struct {
	Node string // the node's name
	// Version is that of the program, which the hub shows to people.
	Version string
	Log     *slog.Logger // nil: silence
	// Deadline gives the apply deadline of a device's kind; see [twin.NodeConfig].
	Deadline func(*twin.Resolved) time.Duration
	// Clock is the time of the twin; nil: the system's. It must keep pace with the system's, which runs the timers.
	Clock twin.Clock
	// LazyDelay is how long an observation may wait for the disk; 0: 5 s.
	LazyDelay time.Duration
}

// Holder keeps a node's twins.
type Holder struct {
	// Store is what the rims are handed. It can be used from Open on; it keeps no time and makes nothing durable until
	// Run runs.
	Store *twin.Store

	file  File
	log   *slog.Logger
	lazy  time.Duration
	disk  diskState
	due   chan struct{} // decisions may wait for the disk
	moved chan struct{} // a timer may be earlier than the one slept for
}

// Open reads the twins from the file and begins the node's life. Damaged records are an error, and so is a file that
// cannot be read. A disk that does not take the first commit, that of the opening (rule 7), is not: Run tries again,
// and until it succeeds nothing that carries a rev is told.
func Open(file File, cfg Config) (*Holder, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = newClock()
	}
	if cfg.LazyDelay <= 0 {
		cfg.LazyDelay = 5 * time.Second
	}
	stored, err := file.Records(bucket)
	if err != nil {
		return nil, fmt.Errorf("read twins: %w", err)
	}
	records := make([]twin.Record, len(stored))
	for i, r := range stored {
		records[i] = twin.Record{Key: r.Key, Data: r.Data}
	}
	node, err := twin.OpenNode(twin.NodeConfig{Name: cfg.Node, FileID: file.ID().String(), NewID: rand.Text, Version: cfg.Version, Deadline: cfg.Deadline}, records)
	if err != nil {
		return nil, fmt.Errorf("open twins: %w", err)
	}
	h := &Holder{
		file:  file,
		log:   cfg.Log,
		lazy:  cfg.LazyDelay,
		due:   make(chan struct{}, 1),
		moved: make(chan struct{}, 1),
	}
	h.Store = twin.NewStore(node, cfg.Clock, h)
	_, _ = h.commit(true) // logged and remembered; Run goes on from there
	return h, nil
}

// Wake implements [twin.Journal].
func (h *Holder) Wake() {
	signal(h.due)
	signal(h.moved)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run keeps time and commits until ctx ends, then commits what is left, observations too. End it after the rims, or
// what they do last may be lost. The error is that of the last commit: nil if everything is on disk.
func (h *Holder) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	// In a goroutine of its own: a disk that hangs must not stop the clock.
	wg.Go(func() { h.keepTime(ctx) })
	err := h.write(ctx)
	wg.Wait()
	return err
}
