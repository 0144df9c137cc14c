package twin

import (
	"maps"
	"slices"
	"sync"
)

// Watch tells a reader which devices changed, never how: it reads the current state itself. Changes between two looks
// coalesce to a set of names, so a slow reader neither blocks nor grows the store. A new Watch starts with every device
// marked.
type Watch struct {
	store *Store
	ready chan struct{}

	mu    sync.Mutex
	names map[Name]bool
}

// C has a token when something changed since the last Take.
func (w *Watch) C() <-chan struct{} { return w.ready }

// Take gives the devices that changed since the last Take, sorted; deleted ones too.
func (w *Watch) Take() []Name {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.names) == 0 {
		return nil
	}
	out := slices.SortedFunc(maps.Keys(w.names), Name.Compare)
	clear(w.names)
	return out
}

// Close ends the watch.
func (w *Watch) Close() {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	delete(w.store.watches, w)
}

func (w *Watch) mark(names []Name) {
	w.mu.Lock()
	for _, n := range names {
		w.names[n] = true
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}
