package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const orderTime = 30 * time.Second // for a whole burst

// order sends bursts of reports to one twin without waiting for anything, and looks in which order the answers come and
// what is in the twin at the end.
func (b *bench) order(ctx context.Context) (err error) {
	data, err := b.folderFor(mapperElsewhere, house("other", 1))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	for _, burst := range []struct {
		n    int
		peer string
	}{{200, "65-199 of 200; the last value wrong in 5 of 8 runs"}, {10000, "not measured"}} {
		swapped, lost, took, err := oneBurst(ctx, e, burst.n)
		if err != nil {
			return fmt.Errorf("burst of %d: %w", burst.n, err)
		}
		b.table.add(fmt.Sprintf("burst of %d reports to one twin: out of order / unanswered", burst.n), burst.peer,
			exactly(swapped, "", 0), exactly(lost, "", 0))
		b.table.add("the whole burst answered after", "", plain(millis(took), "ms"))
	}
	return nil
}

// oneBurst counts the answers that came after one to a later report, and reports without an answer. It is an error if
// the twin does not end with the last value.
func oneBurst(ctx context.Context, e *edge, n int) (swapped, lost int, took time.Duration, err error) {
	listener, err := dial(e.broker, deviceTopic(lamp(0), "twin/update/result"))
	if err != nil {
		return 0, 0, 0, err
	}
	defer listener.Disconnect(0)
	sender, err := dial(e.broker)
	if err != nil {
		return 0, 0, 0, err
	}
	sent := make(chan struct{})
	defer func() {
		sender.Disconnect(0) // ends what is still to be sent
		<-sent
	}()
	start := time.Now()
	go func() {
		defer close(sent)
		for i := range n {
			sender.Publish(deviceTopic(lamp(0), "twin/update"), 0, false, counted(i))
		}
	}()
	ids := make([]int, 0, n)
	for len(ids) < n {
		m, err := listener.next(ctx, roundTime)
		if err != nil && ctx.Err() == nil && time.Since(start) < orderTime {
			break // what has not come by now is lost
		}
		if err != nil {
			return 0, 0, 0, err
		}
		r, err := resultOf(m.Payload())
		if err != nil {
			return 0, 0, 0, err
		}
		id, err := strconv.Atoi(r.EventID)
		if err != nil {
			return 0, 0, 0, err
		}
		ids = append(ids, id)
	}
	took = time.Since(start)
	if full := listener.lost.Load(); full > 0 {
		return 0, 0, 0, fmt.Errorf("%d answers came faster than they were looked at here", full)
	}
	swapped, lost = inversions(ids, n)
	d, err := e.api.device(ctx, lamp(0))
	if err == nil && d.actual("count") != strconv.Itoa(n-1) {
		err = fmt.Errorf("the twin ends with %s, expected %d", d.actual("count"), n-1)
	}
	return swapped, lost, took, err
}

// inversions counts the numbers that came after a greater one, and those of 0 to n-1 that did not come.
func inversions(ids []int, n int) (swapped, lost int) {
	most := -1
	seen := make(map[int]bool, len(ids))
	for _, id := range ids {
		seen[id] = true
		if id < most {
			swapped++
		}
		most = max(most, id)
	}
	return swapped, n - len(seen)
}
