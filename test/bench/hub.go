package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	fleetSize  = 1000
	fleetPace  = 6000             // changes a second that the fleet tries
	fleetTime  = 15 * time.Second // of the measured load
	fleetDelay = time.Minute      // for all nodes to be there
)

var hubReady = regexp.MustCompile(`(?m)^ready: .*hub https://([^ ,]+)`)

// cloud is a running hub.
type cloud struct {
	*process
	data string
	addr string // over TLS
	api  *api
}

// hubFolder makes a data folder of a hub. The addresses stay the same over a restart: nodes come back to them.
func (b *bench) hubFolder(listen string) (string, error) {
	b.next++
	data := filepath.Join(b.dir, strconv.Itoa(b.next))
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	text := "hub:\n  listen: " + listen + "\n  plain: \"\"\nlog:\n  level: warn\n"
	return data, os.WriteFile(filepath.Join(data, "twinbridge.yaml"), []byte(text), 0o600)
}

func (b *bench) cloud(ctx context.Context, data string) (*cloud, error) {
	p, err := launch(b.binary, "cloud", "--data", data)
	if err != nil {
		return nil, err
	}
	m, err := p.says(ctx, hubReady)
	if err != nil {
		_ = p.kill() // the error above is the one to tell
		return nil, err
	}
	return &cloud{process: p, data: data, addr: m[1], api: newAPI(filepath.Join(data, "hub.sock"))}, nil
}

// token asks for a token with which a node joins.
func (c *cloud) token(ctx context.Context, node string) (string, error) {
	text, err := c.api.do(ctx, http.MethodPost, "/v1/nodes/"+node+"/token", `{"validFor":"10m"}`, http.StatusOK, http.StatusCreated)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"token"`
	}
	return answer.Token, json.Unmarshal(text, &answer)
}

// freeze stops the process in its tracks, or lets it go on.
func (c *cloud) freeze(stop bool) error {
	if stop {
		return c.cmd.Process.Signal(syscall.SIGSTOP)
	}
	return c.cmd.Process.Signal(syscall.SIGCONT)
}

func (c *cloud) close() error {
	c.api.close()
	return c.stop()
}

// fleet measures a hub with a thousand nodes.
func (b *bench) fleet(ctx context.Context) (err error) {
	port, err := freePort()
	if err != nil {
		return err
	}
	data, err := b.hubFolder(port)
	if err != nil {
		return err
	}
	hub, err := b.cloud(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.close()) }()
	f := &fleet{}
	began := time.Now()
	for i := range fleetSize {
		if _, err := f.join(ctx, hub, fmt.Sprintf("node%d", i)); err != nil {
			return fmt.Errorf("node %d joins: %w", i, err)
		}
	}
	b.table.add("1,000 nodes join one after the other, each", "not measured", plain(millis(time.Since(began))/fleetSize, "ms"))

	nodes, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	began = time.Now()
	for _, n := range f.nodes {
		running.Go(func() { n.run(nodes) })
	}
	all := func() (bool, error) {
		return f.up.Load() == fleetSize, fmt.Errorf("%d of %d nodes are there", f.up.Load(), fleetSize)
	}
	if err := until(ctx, fleetDelay, 20*time.Millisecond, all); err != nil {
		return err
	}
	b.table.add("1,000 nodes, 15,000 twins: all there at first after", "not measured", plain(time.Since(began).Seconds(), "s"))
	if err := b.fleetLoad(ctx, f, hub); err != nil {
		return err
	}
	if err := b.fleetWishes(ctx, f, hub); err != nil {
		return err
	}

	if err := hub.kill(); err != nil {
		return err
	}
	hub.api.close()
	if err := until(ctx, fleetDelay, time.Millisecond, func() (bool, error) { return f.up.Load() == 0, errors.New("nodes still believe in the hub") }); err != nil {
		return err
	}
	began = time.Now()
	again, err := b.cloud(ctx, data)
	if err != nil {
		return err
	}
	*hub = *again
	if err := until(ctx, fleetDelay, 20*time.Millisecond, all); err != nil {
		return err
	}
	b.table.add("all back after the hub was killed and started", "30 s and more for each, by its fixed pause", within(time.Since(began).Seconds(), "s", 20))
	return nil
}

// fleetLoad lets the nodes report.
func (b *bench) fleetLoad(ctx context.Context, f *fleet, hub *cloud) error {
	idle, _, err := memory(hub.pid())
	if err != nil {
		return err
	}
	load, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, n := range f.nodes {
		running.Go(func() { n.observe(load, time.Second*fleetSize/fleetPace) })
	}
	if err := wait(ctx, 3*time.Second); err != nil {
		return err
	}
	before := f.changes.Load()
	spent, err := cpu(hub.pid())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := wait(ctx, fleetTime); err != nil {
		return err
	}
	took := time.Since(began)
	rate := float64(f.changes.Load()-before) / took.Seconds()
	now, err := cpu(hub.pid())
	if err != nil {
		return err
	}
	used := float64(now-spent) / float64(took) * 100
	busy, _, err := memory(hub.pid())
	if err != nil {
		return err
	}
	stop()
	running.Wait()
	b.table.add("the same: changes that the hub took, "+strconv.Itoa(fleetPace)+"/s offered", "30/s a node; with a device controller never published", atLeast(rate, "/s", 5000), plain(used, "% of a core"))
	b.table.add("the same: resident memory of the hub, idle / under that load", "cloudcore not measured", within(float64(idle)/(1<<20), "MiB", 120), within(float64(busy)/(1<<20), "MiB", 120))
	return b.fleetShows(ctx, f, hub)
}

// fleetShows looks whether the hub shows the last value of some devices.
func (b *bench) fleetShows(ctx context.Context, f *fleet, hub *cloud) error {
	wrong := 0
	for k := range 20 {
		n := f.nodes[k*fleetSize/20]
		err := until(ctx, askTime, 10*time.Millisecond, func() (bool, error) {
			d, err := hub.api.deviceAt(ctx, n.device(k%fleetDevices))
			if err != nil {
				return false, err
			}
			want := strconv.Itoa(n.value[k%fleetDevices])
			return d.actual("count") == want, fmt.Errorf("%s shows %s, expected %s", d.Name, d.actual("count"), want)
		})
		if err != nil {
			wrong++
			fmt.Fprintln(b.log, err)
		}
	}
	b.table.add("devices of 20 that the hub shows as they are not", "-", exactly(wrong, "", 0))
	return nil
}

// fleetWishes asks all lamps at once.
func (b *bench) fleetWishes(ctx context.Context, f *fleet, hub *cloud) error {
	const devices = 3000 // of the first 200 nodes
	began := time.Now()
	var asked sync.WaitGroup
	failed := make(chan error, devices)
	todo := make(chan string)
	for range 4 {
		asked.Go(func() {
			for node := range todo {
				_, err := hub.api.do(ctx, http.MethodPost, "/v1/wishes?wait=15s", `{"select":{"node":"`+node+`"},"expected":{"powerstatus":"ON"}}`, http.StatusOK)
				if err != nil {
					failed <- err
				}
			}
		})
	}
	for _, n := range f.nodes[:devices/fleetDevices] {
		todo <- n.name
	}
	close(todo)
	asked.Wait()
	took := time.Since(began)
	select {
	case err := <-failed:
		return err
	default:
	}
	b.table.add("3,000 wishes of 4 askers, 15 devices at a time, each durable, done and told", "not measured", plain(devices/took.Seconds(), "/s"))
	b.table.add("of these carried out", "-", exactly(int(f.wishes.Load()), "", devices))
	return nil
}

// freePort gives an address on loopback that nobody has now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
