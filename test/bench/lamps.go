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
	idle, err := writes(ctx, e, func() error { return wait(ctx, idleTime) })
	if err != nil {
		return err
	}
	rss, anon, err := memory(e.pid())
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("resident memory with %d lamps after %v without work / of it not the binary itself", manyLamps, idleTime),
		"89 MB with 3 devices", within(float64(rss)/(1<<20), "MiB", 25), plain(float64(anon)/(1<<20), "MiB"))

	b.table.add(fmt.Sprintf("bytes to disk in these %v", idleTime), "not measured", plain(idle/1e3, "kB"))
	alone, err := writes(ctx, e, func() error {
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
	if err != nil {
		return err
	}
	b.table.add("bytes to disk of a wish alone, applied, all written late included", "not measured",
		within(alone/1e3/aloneTimes, "kB", 80))

	return b.wishBursts(ctx, e)
}

// wishBursts has a hundred askers switch a hundred lamps at the same moment, as "all off" does. How much that writes
// hangs on how many of the wishes one commit takes along, which is more the slower the disk.
func (b *bench) wishBursts(ctx context.Context, e *edge) error {
	var list, commits []float64
	for i := range bursts {
		before, err := e.commits(ctx)
		if err != nil {
			return err
		}
		bytes, err := writes(ctx, e, func() error {
			var wg sync.WaitGroup
			bad := make([]error, burstSize)
			for k := range burstSize {
				wg.Go(func() { bad[k] = e.api.set(ctx, lamp(aloneTimes+k), onOff(i)) })
			}
			wg.Wait()
			return errors.Join(append(bad, wait(ctx, lateTime))...)
		})
		if err != nil {
			return err
		}
		after, err := e.commits(ctx)
		if err != nil {
			return err
		}
		list, commits = append(list, bytes/1e3/burstSize), append(commits, after-before)
	}
	b.table.add(fmt.Sprintf("the same of %d wishes at once for %d lamps, each", burstSize, burstSize), "not measured", within(median(list), "kB", 4))
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
	n = 0
	bytes, err := writes(ctx, e, func() error {
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
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("bytes to disk of a report, %d devices with one in a second", manyLamps),
		"each is a transaction of SQLite, about 74 kB", within(bytes/1e3/float64(max(n, 1)), "kB", 0.5))
	return nil
}

// writes gives the bytes that the edge writes while something is done.
func writes(ctx context.Context, e *edge, do func() error) (float64, error) {
	before, err := written(e.pid())
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	now, err := written(e.pid())
	return float64(now - before), errors.Join(err, ctx.Err())
}
