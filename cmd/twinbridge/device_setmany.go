package main

import (
	"context"
	"fmt"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// setMany hands in a wish for many devices.
func (a *app) setMany(ctx context.Context, c *deviceapi.Client, b deviceapi.Batch, values map[string]string, wait time.Duration) error {
	defer a.progress("waiting for the devices")()
	f := *b.Select
	if b.All {
		b.Select = nil
	}
	devices, err := c.Devices(ctx, f)
	if err != nil {
		return err
	}
	if b.Expected, err = typedBy(devices, values); err != nil {
		return err
	}
	done, err := c.WishMany(ctx, b, wait)
	if err != nil {
		return err
	}
	if a.output == "json" {
		if err := a.json(done); err != nil {
			return err
		}
	}
	codes := map[int]bool{}
	for i := range done.Wishes {
		w := &done.Wishes[i]
		codes[batchedCode(w, wait > 0)] = true
		if a.output == "json" {
			continue
		}
		if w.Wish == nil {
			fmt.Fprintf(a.out, "%s: refused: %s\n", w.Device, w.Detail)
		} else {
			fmt.Fprintln(a.out, wishText(w.Wish))
		}
	}
	for _, code := range []int{exitError, exitEnded, exitPending} {
		if codes[code] {
			return &exit{code: code}
		}
	}
	return nil
}

// batchedCode is the exit code that one device alone would give.
func batchedCode(w *deviceapi.BatchedWish, waited bool) int {
	if w.Wish == nil {
		return exitError
	}
	switch outcome := twin.Outcome(w.Wish.Outcome); {
	case outcome == twin.Applied, outcome == twin.Pending && !waited:
		return exitOK
	case outcome == twin.Pending:
		return exitPending
	}
	return exitEnded
}
