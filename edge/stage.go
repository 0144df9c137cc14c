package edge

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// stage is a number of rooms that run at the same time and end together. What serves others is in a later stage and
// ends after them: a mapper says goodbye while there still is a broker, and the broker goes before the store.
type stage struct {
	ctx    context.Context
	cancel context.CancelFunc
	failed chan<- error // takes the first failure; the others are dropped
	wg     sync.WaitGroup
}

// newStage makes a stage that ends when end is called, not when ctx does.
func newStage(ctx context.Context, failed chan<- error) *stage {
	s := &stage{failed: failed}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// run runs a room. A room that ends before it is told to has failed.
func (s *stage) run(name string, room func(context.Context) error) {
	s.wg.Go(func() {
		err := room(s.ctx)
		if err == nil && s.ctx.Err() == nil {
			err = errors.New("it ended by itself")
		}
		if err == nil {
			return
		}
		select {
		case s.failed <- fmt.Errorf("%s: %w", name, err):
		default:
		}
	})
}

// end tells the rooms to end and waits for them.
func (s *stage) end() {
	s.cancel()
	s.wg.Wait()
}
