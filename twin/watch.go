package twin

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// watches are the readers that watch a holder's devices. The holder's lock guards them.
type watches map[*Watch]bool

// Watch tells a reader which devices changed, never how: it reads the current state itself. Changes between two looks
// coalesce to a set of names, so a slow reader neither blocks nor grows the holder. A new Watch starts with every device
// marked.
type Watch struct {
	lock  sync.Locker // the holder's
	among watches
	ready chan struct{}
	revs  bool // it hears of revs that are shown from now on, too

	mu    sync.Mutex
	names map[Name]bool
}

// begin adds a watch; the holder's lock is held.
func (ws watches) begin(lock sync.Locker, all []Name) *Watch {
	w := &Watch{lock: lock, among: ws, ready: make(chan struct{}, 1), names: map[Name]bool{}}
	ws[w] = true
	w.mark(all)
	return w
}

func (ws watches) mark(names []Name) {
	for w := range ws {
		w.mark(names)
	}
}

// markShown tells those who want to know it that hidden revs of these devices are shown now.
func (ws watches) markShown(names []Name) {
	for w := range ws {
		if w.revs {
			w.mark(names)
		}
	}
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
	w.lock.Lock()
	defer w.lock.Unlock()
	delete(w.among, w)
}

func (w *Watch) mark(names []Name) {
	w.mu.Lock()
	for _, n := range names {
		w.names[n] = true
	}
	w.mu.Unlock()
	signal(w.ready)
}

// signal leaves a token, unless there is one already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// turns wake who waits for something to happen. The holder's lock guards them.
type turns struct{ c chan struct{} }

// next gives a channel that is closed when there may be something new.
func (t *turns) next() <-chan struct{} {
	if t.c == nil {
		t.c = make(chan struct{})
	}
	return t.c
}

// until looks again at every turn until look is done or gives an error, or ctx ends. mu guards the holder.
func (t *turns) until(ctx context.Context, mu *sync.Mutex, look func() (done bool, err error)) error {
	for {
		mu.Lock()
		done, err := look()
		turn := t.next()
		mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-turn:
		}
	}
}

func (t *turns) wake() {
	if t.c != nil {
		close(t.c)
		t.c = nil
	}
}
