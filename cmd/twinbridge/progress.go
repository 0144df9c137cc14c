package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress shows, on a terminal only, what is being waited for once that takes longer than a second. The function that
// it gives takes the line away.
func (a *app) progress(what string) (done func()) {
	if !isTerminal(a.err) {
		return func() {}
	}
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		start := time.Now()
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for shown := false; ; shown = true {
			select {
			case <-tick.C:
				fmt.Fprintf(a.err, "\r%s ... %ds", what, int(time.Since(start).Seconds()))
			case <-end:
				if shown {
					fmt.Fprint(a.err, "\r\x1b[K") // back to the beginning of the line, which is erased
				}
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(end)
		wg.Wait()
	})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
