package twin

import "context"

// WaitOutcome waits until a wish has ended or is in trouble. When ctx ends first it gives the view as it is, and ctx's
// error.
func (s *Store) WaitOutcome(ctx context.Context, n Name, id string) (WishView, error) {
	for {
		s.mu.Lock()
		v, err := s.node.WishView(n, id)
		turn := s.turn.next()
		s.mu.Unlock()
		if err != nil || v.Settled() {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-turn:
		}
	}
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
	for {
		s.mu.Lock()
		done, bad := s.node.DurableRev() >= rev, s.diskErr != nil
		turn := s.turn.next()
		s.mu.Unlock()
		switch {
		case done:
			return nil
		case bad:
			return ErrDisk
		}
		signal(s.hurry)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-turn:
		}
	}
}

// HurryC has a token when Hurried may have become true.
func (s *Store) HurryC() <-chan struct{} { return s.hurry }

// Hurried reports whether somebody waits for the disk: who asked for it, or a hub, which is told nothing before.
func (s *Store) Hurried() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting > 0 || s.node.Session() != ""
}
