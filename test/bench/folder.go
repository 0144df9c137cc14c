package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	manyManifests = 1000
	announceTime  = 30 * time.Second
)

// folder drops a thousand manifests at once into the folder of a running edge, and counts what is announced to mappers
// and what is there, also after the edge was killed.
func (b *bench) folder(ctx context.Context) (err error) {
	data, err := b.folderFor("", nil)
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.kill()) }()
	c, err := dial(e.broker, "$hw/events/node/"+nodeName+"/membership/updated")
	if err != nil {
		return err
	}
	defer c.Disconnect(0)

	aside, err := b.folderFor("", nil) // on the same disk, to be moved from
	if err != nil {
		return err
	}
	from, to := filepath.Join(aside, "devices"), filepath.Join(data, "devices")
	files := []string{"model.yaml"}
	if err := os.WriteFile(filepath.Join(from, files[0]), []byte(model("sim")), 0o600); err != nil {
		return err
	}
	for i := range manyManifests {
		files = append(files, lamp(i)+".yaml")
		if err := os.WriteFile(filepath.Join(from, lamp(i)+".yaml"), []byte(device("sim", lamp(i))), 0o600); err != nil {
			return err
		}
	}
	start := time.Now()
	for _, f := range files {
		if err := os.Rename(filepath.Join(from, f), filepath.Join(to, f)); err != nil {
			return err
		}
	}
	announced, err := gather(ctx, c, manyManifests)
	if err != nil {
		return err
	}
	heard := time.Since(start)
	if err := online(ctx, e, manyManifests); err != nil {
		return err
	}
	moved := time.Since(start)

	// What is on disk only shows after a crash.
	e.api.close()
	if err := e.kill(); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	after, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, after.close()) }()
	stored, err := after.api.devices(ctx)
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("%d devices from one folder at once: announced / stored after a kill", manyManifests), "620-869",
		exactly(len(announced), "", manyManifests), exactly(len(stored), "", manyManifests))
	b.table.add("all of them announced / moved by the mapper after", "", plain(heard.Seconds(), "s"), plain(moved.Seconds(), "s"))
	return nil
}

// gather collects the names of devices that are announced until there are as many as wanted, or no more come.
func gather(ctx context.Context, c *client, want int) (map[string]bool, error) {
	names := map[string]bool{}
	deadline := time.Now().Add(announceTime)
	for len(names) < want {
		m, err := c.next(ctx, max(time.Until(deadline), 0))
		if err != nil && ctx.Err() == nil {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		var update struct {
			Added []struct {
				ID string `json:"id"`
			} `json:"added_devices"`
		}
		if err := json.Unmarshal(m.Payload(), &update); err != nil {
			return nil, err
		}
		for _, d := range update.Added {
			names[d.ID] = true
		}
	}
	return names, nil
}
