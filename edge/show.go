package edge

import (
	"context"
	"fmt"
	"io"

	"twinbridge/twin"
)

// show prints what simulated devices do, a line for each change.
type show struct {
	out   io.Writer
	lines chan string
}

// waiting bounds the lines that wait for a slow terminal; what does not fit is not printed, as a lamp does not wait for
// who looks at it.
const waiting = 1024

func newShow(out io.Writer) *show { return &show{out: out, lines: make(chan string, waiting)} }

// changed never blocks: a driver calls it in the middle of its work.
func (s *show) changed(name twin.Name, property string, v twin.Value) {
	line := fmt.Sprintf("device %s: %s is %s", name, property, v)
	switch property {
	case "powerstatus", "power-status", "power":
		line = fmt.Sprintf("lamp %s is %s", name, v)
	}
	select {
	case s.lines <- line:
	default:
	}
}

// run prints until ctx ends, then what is left.
func (s *show) run(ctx context.Context) error {
	for {
		select {
		case line := <-s.lines:
			fmt.Fprintln(s.out, line)
		case <-ctx.Done():
			for range len(s.lines) {
				fmt.Fprintln(s.out, <-s.lines)
			}
			return nil
		}
	}
}
