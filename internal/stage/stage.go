// Package stage starts rooms together and ends them together.
//
// A process is a few stages. What serves others is in a later stage and ends after them: a mapper says goodbye while there
// still is a broker, and the broker goes before the store.
package stage

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Stage is a number of rooms that run at the same time and end together.
type Stage struct {
	ctx    context.Context
	cancel context.CancelFunc
	failed chan<- error // takes the first failure; the others are dropped
	wg     sync.WaitGroup
}

// New makes a stage that ends when End is called, not when ctx does. failed has room for one failure.
func New(ctx context.Context, failed chan<- error) *Stage {
	s := &Stage{failed: failed}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// Run runs a room in a goroutine. A room that ends before it is told to has failed.
func (s *Stage) Run(name string, room func(context.Context) error) {
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

// End tells the rooms to end and waits for them.
func (s *Stage) End() {
	s.cancel()
	s.wg.Wait()
}
