package devicetwin

import (
	"context"
	"fmt"
	"time"

	"twinbridge/internal/store"
)

// Pauses after a commit that failed: doubled from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// slowCommit is how long a commit may take before the log says so. A disk that hangs gives no error.
const slowCommit = 5 * time.Second

// gatherTime is how long decisions are gathered after a commit, as long as nobody waits for the disk. The first one is
// committed at once; somebody who drags a slider decides more often than is worth a commit each. It is about what one
// commit takes on an SD card, behind which decisions gather anyway.
const gatherTime = 5 * time.Millisecond

// write commits what is due until ctx ends, then all the rest.
func (h *Holder) write(ctx context.Context) error {
	// A watch tells that something was observed, and wakes nobody again until it is asked what.
	watch := h.Store.Watch()
	defer watch.Close()
	observed := watch.C()
	lazy := time.NewTimer(h.lazy)
	lazy.Stop()
	defer lazy.Stop()

	pause := time.Duration(0) // after a failure
	retry := time.NewTimer(0)
	defer retry.Stop()
	due, again := h.due, retry.C // at once, for what an attempt in Open left

	rest := time.NewTimer(gatherTime)
	rest.Stop()
	defer rest.Stop()
	var rested <-chan time.Time // while decisions are gathered, as is hurry; then due is nil
	var hurry <-chan struct{}
	for {
		all := false
		select {
		case <-ctx.Done():
			if _, err := h.commit(true); err != nil {
				return fmt.Errorf("commit the last decisions: %w", err)
			}
			return nil
		case <-observed:
			observed = nil
			lazy.Reset(h.lazy)
			continue
		case <-lazy.C:
			all = true
		case <-rested:
			due, rested, hurry = h.due, nil, nil
			continue
		case <-hurry:
			due, rested, hurry = h.due, nil, nil
			continue
		case <-again:
			again, all = nil, pause > 0
		case <-due:
		}
		if all {
			watch.Take() // before the batch is taken: what is observed from now on is signalled anew
			observed = watch.C()
			lazy.Stop()
		}
		did, err := h.commit(all)
		switch {
		case err != nil:
			// Whoever wakes meanwhile finds everything in the next batch.
			pause = min(max(2*pause, firstPause), lastPause)
			retry.Reset(pause)
			due, again, rested, hurry = nil, retry.C, nil, nil
		case did && !h.Store.Hurried():
			rest.Reset(gatherTime)
			due, rested, hurry, pause = nil, rest.C, h.Store.HurryC(), 0
		default:
			due, rested, hurry, pause = h.due, nil, nil, 0
		}
	}
}

// commit makes one batch durable: decisions, and with all observations too. It reports whether there was anything.
func (h *Holder) commit(all bool) (did bool, err error) {
	batch, ok := h.Store.TakeBatch(all)
	if !ok {
		return false, nil
	}
	changes := make([]store.Change, len(batch.Records))
	for i, r := range batch.Records {
		changes[i] = store.Change{Bucket: bucket, Key: r.Key, Data: r.Data}
	}
	start := time.Now()
	slow := time.AfterFunc(slowCommit, func() {
		h.log.Warn("disk is slow: decisions wait", "records", len(changes), "since", start)
	})
	err = h.file.Commit(changes...)
	slow.Stop()
	h.Store.Committed(batch, err)
	h.disk.note(h.log, err)
	return true, err
}
