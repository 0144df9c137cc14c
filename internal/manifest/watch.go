package manifest

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Times of the watcher.
const (
	pollQuick = time.Second            // where the system tells nothing
	pollSlow  = 30 * time.Second       // where it does: for file systems that keep silent, as network ones do
	quiet     = 150 * time.Millisecond // how long nothing must happen until a change counts as complete
	patience  = time.Second            // after this the change is read though more keeps happening
)

// Watcher keeps an eye on a folder of manifests.
type Watcher struct {
	dir     string
	log     *slog.Logger
	changed func(Set, map[string]error)
	// listen opens a stream of change notices; an error means polling. For tests.
	listen func(dir string) (listener, error)
}

// A listener tells that something in a folder changed. next blocks until it did, or until close.
type listener interface {
	next() error
	close() error
}

// NewWatcher makes a watcher of dir. changed is called from Run, once at the start and then after each change, always
// with the whole folder as [ReadFolder] gives it; it may be called though nothing in it changed.
func NewWatcher(dir string, log *slog.Logger, changed func(Set, map[string]error)) *Watcher {
	return &Watcher{dir: dir, log: log, changed: changed, listen: listenFolder}
}

// Run watches until ctx ends, and then gives nil. A folder that is missing is waited for.
func (w *Watcher) Run(ctx context.Context) error {
	notices := make(chan struct{}, 1)
	l, err := w.listen(w.dir)
	poll := pollSlow
	var reading sync.WaitGroup
	lost := make(chan error, 1)
	if err != nil {
		poll = pollQuick
		w.log.Info("device folder is polled, as the system tells no changes", "folder", w.dir, "err", err)
	} else {
		reading.Go(func() { lost <- relay(l, notices) })
		defer reading.Wait()
		defer func() { _ = l.close() }() // wakes the reader
	}

	last := fingerprint(w.dir)
	w.changed(ReadFolder(w.dir))
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			// The folder itself went away, or the system ran out of something. Polling also finds a folder that comes back.
			w.log.Info("device folder is polled from now on", "folder", w.dir, "err", err)
			tick.Reset(pollQuick)
			continue
		case <-notices:
			if !settled(ctx, notices) {
				return nil
			}
			last = fingerprint(w.dir)
		case <-tick.C:
			now := fingerprint(w.dir)
			if now == last {
				continue
			}
			if !settled(ctx, notices) {
				return nil
			}
			last = fingerprint(w.dir)
		}
		w.changed(ReadFolder(w.dir))
	}
}

// relay turns a listener's notices into tokens until it ends.
func relay(l listener, notices chan<- struct{}) error {
	for {
		if err := l.next(); err != nil {
			return err
		}
		select {
		case notices <- struct{}{}:
		default: // one waits already
		}
	}
}

// settled waits until nothing happened for a moment, so that a file is not read half written; false if ctx ended.
func settled(ctx context.Context, notices <-chan struct{}) bool {
	calm, end := time.NewTimer(quiet), time.NewTimer(patience)
	defer calm.Stop()
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-notices:
			calm.Reset(quiet)
		case <-calm.C:
			return true
		case <-end.C:
			return true
		}
	}
}

// fingerprint tells one state of the folder from another by names, sizes and times of its files.
func fingerprint(dir string) uint64 {
	h := fnv.New64a()
	names, err := folderNames(dir)
	if err != nil {
		fmt.Fprintf(h, "error %v", err)
	}
	for _, n := range names {
		info, err := os.Stat(filepath.Join(dir, n))
		if err != nil {
			fmt.Fprintf(h, "%q error\n", n)
			continue
		}
		fmt.Fprintf(h, "%q %d %d %v\n", n, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return h.Sum64()
}
