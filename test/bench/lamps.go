package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	manyLamps = 150
	idleTime  = 30 * time.Second
	// lateTime is how long the edge needs at most to write what may be written late (5 s), and a bit.
	lateTime   = 6500 * time.Millisecond
	aloneTimes = 3
	bursts     = 3
	burstSize  = 100
	streamTime = 21 * time.Second
)

// lamps measures an edge with as many lamps as a HomeKit bridge can have: memory when nothing happens, and bytes that
// wishes write.
func (b *bench) lamps(ctx context.Context) (err error) {
	data, err := b.folderFor("", house("sim", manyLamps))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := online(ctx, e, manyLamps); err != nil {
		return err
	}
	if err := wait(ctx, lateTime); err != nil { // what coming online wrote
		return err
	}
	idle, err := writes(ctx, e, 0, func() error { return wait(ctx, idleTime) })
	if err != nil {
		return err
	}
	rss, anon, err := memory(e.pid())
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("resident memory with %d lamps after %v without work / of it not the binary itself", manyLamps, idleTime),
		"89 MB with 3 devices", within(float64(rss)/(1<<20), "MiB", 25), plain(float64(anon)/(1<<20), "MiB"))

	b.table.add(fmt.Sprintf("bytes to disk in these %v, by anybody", idleTime), "", plain(idle/1e3, "kB"))
	others := idle / idleTime.Seconds()
	alone, err := writes(ctx, e, others, func() error {
		for i := range aloneTimes {
			if err := e.api.set(ctx, lamp(i), "ON"); err != nil {
				return err
			}
			if err := wait(ctx, lateTime); err != nil {
				return err
			}
		}
		return nil
	})
	if err := b.bytes("bytes to disk of a wish alone, applied, all written late included", "not measured", alone/aloneTimes, 80, err); err != nil {
		return err
	}
	return b.wishBursts(ctx, e, others)
}

// wishBursts has a hundred askers switch a hundred lamps at the same moment, as "all off" does. How much that writes
// hangs on how many of the wishes one commit takes along, which is more the slower the disk.
func (b *bench) wishBursts(ctx context.Context, e *edge, others float64) error {
	var list, commits []float64
	var noisy error
	for i := range bursts {
		before, err := e.commits(ctx)
		if err != nil {
			return err
		}
		bytes, err := writes(ctx, e, others, func() error {
			var wg sync.WaitGroup
			bad := make([]error, burstSize)
			for k := range burstSize {
				wg.Go(func() { bad[k] = e.api.set(ctx, lamp(aloneTimes+k), onOff(i)) })
			}
			wg.Wait()
			return errors.Join(append(bad, wait(ctx, lateTime))...)
		})
		if err != nil && !errors.Is(err, errOthers) {
			return err
		}
		noisy = errors.Join(noisy, err)
		after, err := e.commits(ctx)
		if err != nil {
			return err
		}
		list, commits = append(list, bytes/burstSize), append(commits, after-before)
	}
	name := fmt.Sprintf("the same of %d wishes at once for %d lamps, each", burstSize, burstSize)
	if err := b.bytes(name, "not measured", median(list), 4, noisy); err != nil {
		return err
	}
	b.table.add("commits that such a burst takes", "", plain(median(commits), ""))
	return nil
}

// commits gives how many transactions the edge has made.
func (e *edge) commits(ctx context.Context) (float64, error) {
	numbers, err := e.api.metrics(ctx)
	return numbers["twinbridge_store_commits_total"], err
}

// stream measures what reports write: as many devices, each with one report in a second.
func (b *bench) stream(ctx context.Context) (err error) {
	data, err := b.folderFor(mapperElsewhere, house("other", manyLamps))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	c, err := dial(e.broker, "$hw/events/device/+/+/twin/update/result")
	if err != nil {
		return err
	}
	defer c.Disconnect(0)
	n := 0
	report := func() error {
		c.Publish(deviceTopic(lamp(n%manyLamps), "twin/update"), 0, false, counted(n))
		n++
		m, err := c.next(ctx, roundTime)
		if err == nil {
			_, err = resultOf(m.Payload())
		}
		return err
	}
	for range manyLamps { // the first report of a device is also news about its presence
		if err := report(); err != nil {
			return err
		}
	}
	if err := wait(ctx, lateTime); err != nil {
		return err
	}
	idle, err := writes(ctx, e, 0, func() error { return wait(ctx, lateTime) })
	if err != nil {
		return err
	}
	n = 0
	bytes, err := writes(ctx, e, idle/lateTime.Seconds(), func() error {
		tick := time.NewTicker(time.Second / manyLamps)
		defer tick.Stop()
		for end := time.Now().Add(streamTime); time.Now().Before(end); {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := report(); err != nil {
				return err
			}
		}
		return wait(ctx, lateTime)
	})
	return b.bytes(fmt.Sprintf("bytes to disk of a report, %d devices with one in a second", manyLamps),
		"each is a transaction of SQLite, about 74 kB", bytes/float64(max(n, 1)), 0.5, err)
}

// errOthers: what others write to the disk hides what the edge writes.
var errOthers = errors.New("others write to this disk; name one of its own with -disk")

// writes gives the bytes that go to the edge's disk while something is done. others is how many bytes go there in a
// second when nothing is done. If that can be a tenth of the result or more the error is errOthers.
func writes(ctx context.Context, e *edge, others float64, do func() error) (float64, error) {
	before, err := written(e.data)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	now, err := written(e.data)
	if err != nil {
		return 0, err
	}
	bytes := float64(now - before)
	if noise := others * time.Since(start).Seconds(); noise > bytes/10 {
		return bytes, fmt.Errorf("%w: about %.0f of %.0f kB", errOthers, noise/1e3, bytes/1e3)
	}
	return bytes, nil
}

// bytes adds a figure of bytes with its target in kB, or why there is none.
func (b *bench) bytes(figure, peer string, bytes, target float64, err error) error {
	switch {
	case errors.Is(err, errOthers):
		b.table.note(figure, errOthers.Error())
	case err != nil:
		return err
	default:
		b.table.add(figure, peer, within(bytes/1e3, "kB", target))
	}
	return nil
}
