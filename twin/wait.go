package twin

import "context"

// WaitOutcome waits until a wish has ended or is in trouble. When ctx ends first it gives the view as it is, and ctx's
// error.
func (s *Store) WaitOutcome(ctx context.Context, n Name, id string) (v WishView, err error) {
	err = s.turn.until(ctx, &s.mu, func() (bool, error) {
		v, err = s.node.WishView(n, id)
		return v.Settled(), err
	})
	return v, err
}

// WaitDurable waits until decisions up to rev are on disk; ErrDisk if the disk does not take them.
func (s *Store) WaitDurable(ctx context.Context, rev uint64) error {
	s.mu.Lock()
	s.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
		s.mu.Unlock()
	}()
	return s.turn.until(ctx, &s.mu, func() (bool, error) {
		switch {
		case s.node.DurableRev() >= rev:
			return true, nil
		case s.diskErr != nil:
			return false, ErrDisk
		}
		signal(s.hurry)
		return false, nil
	})
}

// HurryC has a token when Hurried may have become true.
func (s *Store) HurryC() <-chan struct{} { return s.hurry }

// Hurried reports whether somebody waits for the disk: who asked for it, or a hub, which is told nothing before.
func (s *Store) Hurried() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting > 0 || s.node.Session() != ""
}
