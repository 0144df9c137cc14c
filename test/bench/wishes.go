package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	starts     = 11
	wishRounds = 1000
)

// start measures from the start of the process to the answer to the first wish through the socket: of an edge that has
// been here before, and of one that finds nothing.
func (b *bench) start(ctx context.Context) error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.table.add("size of the binary", "101 MB, beside a 72 MB cloudcore", within(float64(info.Size())/1e6, "MB", 20))

	var again, first times
	known := ""
	for range starts {
		data, err := b.folderFor("", house("sim", 1))
		if err != nil {
			return err
		}
		took, err := b.startOnce(ctx, data)
		if err != nil {
			return err
		}
		first, known = append(first, took), data
	}
	for range starts {
		took, err := b.startOnce(ctx, known)
		if err != nil {
			return err
		}
		again = append(again, took)
	}
	b.table.add("start of the process to its first wish answered, p50", "not measured", within(millis(again.p(50)), "ms", 60))
	b.table.add("the same, the first start ever (the store is made)", "not measured", plain(millis(first.p(50)), "ms"))
	return nil
}

// startOnce starts an edge and asks until it answers. The wish is sent every half millisecond until it is taken, so that
// nothing but the answer says that the edge is there.
func (b *bench) startOnce(ctx context.Context, data string) (took time.Duration, err error) {
	begin := time.Now()
	p, err := launch(b.binary, "edge", "--data", data)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	a := newAPI(data + "/edge.sock")
	defer a.close()
	err = until(ctx, readyTime, 500*time.Microsecond, func() (bool, error) {
		err := a.accepted(ctx, lamp(0), onOff(0))
		took = time.Since(begin)
		return err == nil, err
	})
	if err != nil {
		text, _ := p.out.now()
		return 0, fmt.Errorf("%w; it printed: %s", err, text)
	}
	// It is stopped only after it is up, as everybody would.
	_, err = p.says(ctx, ready)
	return took, err
}

// wishes measures the way of a wish while the mapper is in the edge's process.
func (b *bench) wishes(ctx context.Context) (err error) {
	data, err := b.folderFor("", house("sim", 1))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	before, err := e.api.metrics(ctx)
	if err != nil {
		return err
	}
	took, err := setRounds(ctx, e)
	if err != nil {
		return err
	}
	now, err := e.api.metrics(ctx)
	if err != nil {
		return err
	}
	b.table.add("set through the socket -> applied, at the asker (`PATCH ...?wait=`), p50 / p99", "cannot be asked",
		within(millis(took.p(50)), "ms", 2), within(millis(took.p(99)), "ms", 10))
	const seconds, commits = "twinbridge_store_commit_seconds_total", "twinbridge_store_commits_total"
	if n := now[commits] - before[commits]; n > 0 {
		b.table.add("one commit of the store meanwhile, mean", "", plain(1000*(now[seconds]-before[seconds])/n, "ms"))
	}

	c, err := dial(e.broker, deviceTopic(lamp(0), "twin/update/result"))
	if err != nil {
		return err
	}
	defer c.Disconnect(0)
	// The mapper's reports are answered on the same topic: only the answers to wishes count.
	took = nil
	for i := range wishRounds / 2 {
		start := time.Now()
		c.Publish(deviceTopic(lamp(0), "twin/update"), 0, false, wished(onOff(i)))
		for {
			m, err := c.next(ctx, roundTime)
			if err != nil {
				return err
			}
			if r, err := resultOf(m.Payload()); err != nil {
				return err
			} else if r.EventID == "w" {
				break
			}
		}
		took = append(took, time.Since(start))
	}
	b.table.add("MQTT wish -> update/result, which comes after the commit, p50 / p99", "",
		plain(millis(took.p(50)), "ms"), plain(millis(took.p(99)), "ms"))
	return nil
}

// outside is the first measurement of wishes with the mapper in a process of its own.
func (b *bench) outside(ctx context.Context) (err error) {
	data, err := b.folderFor(mapperElsewhere, house("sim", 1))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	own, err := b.folderFor("  broker: tcp://"+e.broker+"\n", nil)
	if err != nil {
		return err
	}
	m, err := launch(b.binary, "mapper", "--data", own)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	took, err := setRounds(ctx, e)
	if err != nil {
		return err
	}
	b.table.add("the same set, the mapper in a process of its own, p50 / p99", "", plain(millis(took.p(50)), "ms"), plain(millis(took.p(99)), "ms"))
	return nil
}

// setRounds switches a lamp on and off, each time when the former wish was applied.
func setRounds(ctx context.Context, e *edge) (times, error) {
	if err := online(ctx, e, 1); err != nil {
		return nil, err
	}
	var took times
	for i := range wishRounds {
		start := time.Now()
		if err := e.api.set(ctx, lamp(0), onOff(i)); err != nil {
			return took, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// online waits until so many devices are online.
func online(ctx context.Context, e *edge, want int) error {
	return until(ctx, 30*time.Second, 20*time.Millisecond, func() (bool, error) {
		list, err := e.api.devices(ctx)
		if err != nil {
			return false, err
		}
		n := 0
		for i := range list {
			if list[i].Presence == "online" {
				n++
			}
		}
		return n >= want, fmt.Errorf("%d of %d devices are online", n, want)
	})
}
