package devicetwin

import (
	"context"
	"time"

	"twinbridge/twin"
)

// tickPause is the least time between two looks at the timers. Every decision wakes the clock, though few move a timer
// forward; the durations it measures are seconds.
const tickPause = 20 * time.Millisecond

// keepTime runs the timers of the twin until ctx ends.
func (h *Holder) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		next, ok := h.Store.Tick()
		pause.Reset(tickPause)
		if ok {
			timer.Reset(next)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-h.moved:
		}
	}
}

// clock is the system's time.
type clock struct{ start time.Time }

func newClock() twin.Clock { return clock{start: time.Now()} }

// Now is never 0, as twin.Clock wants it.
func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }

func (c clock) Wall() time.Time { return time.Now() }
