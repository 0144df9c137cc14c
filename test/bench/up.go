package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const upRounds = 1000

// up measures hub and node in one process, and then the same in three.
func (b *bench) up(ctx context.Context) error {
	if err := b.upStart(ctx); err != nil {
		return err
	}
	if err := b.upWishes(ctx); err != nil {
		return err
	}
	if err := b.upMemory(ctx); err != nil {
		return err
	}
	return b.apart(ctx)
}

// upFolder makes a data folder for up.
func (b *bench) upFolder(lamps int) (string, error) {
	return b.folderFor("hub:\n  listen: 127.0.0.1:0\n  plain: \"\"\nlog:\n  level: warn\n", house("sim", lamps))
}

// launchUp starts up and waits until the hub knows all lamps.
func (b *bench) launchUp(ctx context.Context, data string, lamps int) (*process, *api, error) {
	p, err := launch(b.binary, "up", "--data", data)
	if err != nil {
		return nil, nil, err
	}
	a := newAPI(filepath.Join(data, "hub.sock"))
	if err := b.known(ctx, a, lamps); err != nil {
		a.close()
		text, _ := p.out.now()
		return nil, nil, errors.Join(fmt.Errorf("%w; it printed: %s", err, text), p.kill())
	}
	return p, a, nil
}

// known waits until a hub shows so many lamps as online.
func (b *bench) known(ctx context.Context, a *api, lamps int) error {
	return until(ctx, readyTime, 5*time.Millisecond, func() (bool, error) {
		list, err := a.devices(ctx)
		if err != nil {
			return false, err
		}
		online := 0
		for i := range list {
			if list[i].Presence == "online" {
				online++
			}
		}
		return online == lamps, fmt.Errorf("the hub shows %d of %d lamps as online", online, lamps)
	})
}

// upStart measures from the start of the process to the first answer of the hub's API: at the first start ever the keys
// are made.
func (b *bench) upStart(ctx context.Context) error {
	var first, again times
	known := ""
	for i := range 2 * starts {
		data := known
		if i < starts {
			var err error
			if data, err = b.upFolder(1); err != nil {
				return err
			}
			known = data
		}
		began := time.Now()
		p, err := launch(b.binary, "up", "--data", data)
		if err != nil {
			return err
		}
		a := newAPI(filepath.Join(data, "hub.sock"))
		err = until(ctx, readyTime, 500*time.Microsecond, func() (bool, error) {
			_, err := a.do(ctx, http.MethodGet, "/v1/devices", "", http.StatusOK)
			return err == nil, err
		})
		took := time.Since(began)
		if err == nil { // it is stopped only after it is up, as everybody would
			_, err = p.says(ctx, ready)
		}
		a.close()
		if err = errors.Join(err, p.stop()); err != nil {
			return err
		}
		if i < starts {
			first = append(first, took)
		} else {
			again = append(again, took)
		}
	}
	b.table.add("up: start of the process to the API answering, p50", "-", within(millis(again.p(50)), "ms", 150))
	b.table.add("the same, the first start ever (keys are made)", "-", plain(millis(first.p(50)), "ms"))
	return nil
}

// setAll wishes through a hub, one after the other, and waits for what the lamp does.
func setAll(ctx context.Context, a *api, rounds int) (times, error) {
	var took times
	for i := range rounds {
		began := time.Now()
		if err := a.set(ctx, lamp(0), onOff(i)); err != nil {
			return nil, fmt.Errorf("wish %d: %w", i, err)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func (b *bench) upWishes(ctx context.Context) (err error) {
	data, err := b.upFolder(1)
	if err != nil {
		return err
	}
	p, a, err := b.launchUp(ctx, data, 1)
	if err != nil {
		return err
	}
	defer func() {
		a.close()
		err = errors.Join(err, p.stop())
	}()
	took, err := setAll(ctx, a, upRounds)
	if err != nil {
		return err
	}
	b.table.add("up: set at the hub -> lamp -> applied at the asker, p50 / p99", "no way down to MQTT mappers", within(millis(took.p(50)), "ms", 5), within(millis(took.p(99)), "ms", 25))
	return nil
}

func (b *bench) upMemory(ctx context.Context) (err error) {
	for _, lamps := range []int{1, 150} {
		data, err := b.upFolder(lamps)
		if err != nil {
			return err
		}
		p, a, err := b.launchUp(ctx, data, lamps)
		if err != nil {
			return err
		}
		a.close()
		err = wait(ctx, 10*time.Second)
		rss, _, merr := memory(p.pid())
		if err = errors.Join(err, merr, p.stop()); err != nil {
			return err
		}
		b.table.add(fmt.Sprintf("up: resident memory, %d lamps, 10 s without work", lamps), "89 MB for edgecore alone, 3 devices", within(float64(rss)/(1<<20), "MiB", 40))
	}
	return nil
}

// apart measures hub, edge and mapper as three processes, and the house while its hub is stopped in its tracks.
func (b *bench) apart(ctx context.Context) (err error) {
	listen, err := freePort()
	if err != nil {
		return err
	}
	hubData, err := b.hubFolder(listen)
	if err != nil {
		return err
	}
	hub, err := b.cloud(ctx, hubData)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.close()) }()
	data, err := b.folderFor(mapperElsewhere, house("sim", 1))
	if err != nil {
		return err
	}
	if err := b.joins(ctx, hub, data); err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	mover, err := launch(b.binary, "mapper", "--data", b.mapperFolder(data, e.broker))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mover.stop()) }()
	if err := b.known(ctx, hub.api, 1); err != nil {
		return err
	}
	took, err := setAll(ctx, hub.api, upRounds)
	if err != nil {
		return err
	}
	b.table.add("three processes, both certificates: the same, p50 / p99", "no way down to MQTT mappers", within(millis(took.p(50)), "ms", 5), within(millis(took.p(99)), "ms", 25))

	with, err := setAll(ctx, e.api, upRounds)
	if err != nil {
		return err
	}
	if err := hub.freeze(true); err != nil {
		return err
	}
	without, err := setAll(ctx, e.api, upRounds)
	if err = errors.Join(err, hub.freeze(false)); err != nil {
		return err
	}
	b.table.add("house wish -> lamp, hub there, p50 / p99", "-", plain(millis(with.p(50)), "ms"), plain(millis(with.p(99)), "ms"))
	b.table.add("the same, the hub black-holed (stopped), p50 / p99", "333 ms with a full uplink", plain(millis(without.p(50)), "ms"), plain(millis(without.p(99)), "ms"))
	return nil
}

// mapperFolder makes the data folder of a mapper for an edge at a broker.
func (b *bench) mapperFolder(edge, broker string) string {
	dir := edge + "-mapper"
	text := "node:\n  name: " + nodeName + "\nmqtt:\n  broker: tcp://" + broker + "\n"
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "twinbridge.yaml"), []byte(text), 0o600)); err != nil {
		fmt.Fprintln(b.log, err) // the mapper says it too
	}
	return dir
}

// joins makes the node of a data folder a member of the hub, with the program's own command.
func (b *bench) joins(ctx context.Context, hub *cloud, data string) error {
	token, err := hub.token(ctx, nodeName)
	if err != nil {
		return err
	}
	p, err := launch(b.binary, "join", "--data", data, token)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.kill())
	}
	text, _ := p.out.now()
	if p.err != nil {
		return fmt.Errorf("join: %w: %s", p.err, text)
	}
	return nil
}
