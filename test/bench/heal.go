package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	healLamps   = 150
	healChanges = 20 // of each lamp on each side, as of a long day
)

// cable is a TCP line to a hub that can be pulled.
type cable struct {
	to string
	l  net.Listener

	mu     sync.Mutex
	pulled bool
	open   map[net.Conn]bool
	wg     sync.WaitGroup
}

func newCable(to string) (*cable, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cable{to: to, l: l, open: map[net.Conn]bool{}}
	c.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil || !c.keep(in, out) {
				_ = in.Close() // it was never a line
				if out != nil {
					_ = out.Close()
				}
				continue
			}
			c.wg.Go(func() { c.carry(in, out) })
			c.wg.Go(func() { c.carry(out, in) })
		}
	})
	return c, nil
}

func (c *cable) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled {
		return false
	}
	for _, x := range conns {
		c.open[x] = true
	}
	return true
}

func (c *cable) carry(from, to net.Conn) {
	_, _ = io.Copy(to, from) // until either end is closed
	_ = from.Close()
	_ = to.Close()
	c.mu.Lock()
	delete(c.open, from)
	c.mu.Unlock()
}

// pull cuts the line, or puts it back.
func (c *cable) pull(out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = out
	if out {
		for x := range c.open {
			_ = x.Close() // that is what a cut is
		}
	}
}

func (c *cable) close() {
	_ = c.l.Close()
	c.pull(true)
	c.wg.Wait()
}

// heal measures how long hub and house need to agree after a day without each other on which both did much.
func (b *bench) heal(ctx context.Context) (err error) {
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
	line, err := newCable(listen)
	if err != nil {
		return err
	}
	defer line.close()
	data, err := b.folderFor("hub:\n  url: https://"+line.l.Addr().String()+"\n", house("sim", healLamps))
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
	if err := b.known(ctx, hub.api, healLamps); err != nil {
		return err
	}
	line.pull(true)
	away := func(want bool) func() (bool, error) {
		return func() (bool, error) {
			text, err := hub.api.do(ctx, http.MethodGet, "/v1/nodes/"+nodeName, "", http.StatusOK)
			if err != nil {
				return false, err
			}
			connected := bytes.Contains(text, []byte(`"connected":true`))
			return connected != want, fmt.Errorf("the node is connected: %v", connected)
		}
	}
	if err := until(ctx, time.Minute, 10*time.Millisecond, away(true)); err != nil {
		return err
	}
	for i := range healChanges {
		for k := range healLamps {
			// Half of the lamps are touched by the house too: there the house wins. The others take what the hub wished last.
			if err := hub.api.accepted(ctx, lamp(k), onOff(i+k)); err != nil {
				return err
			}
			if k%2 == 0 {
				if err := e.api.accepted(ctx, lamp(k), onOff(i)); err != nil {
					return err
				}
			}
		}
	}
	line.pull(false)
	opened := time.Now()
	if err := until(ctx, time.Minute, time.Millisecond, away(false)); err != nil {
		return err
	}
	met := time.Now()
	if err := until(ctx, time.Minute, 5*time.Millisecond, func() (bool, error) { return b.agree(ctx, hub.api, e.api) }); err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("%d lamps, %d changes of each on both sides while cut off: all agree, from the first word on", healLamps, healChanges),
		"never: changes without a link are dropped", within(time.Since(met).Seconds(), "s", 2))
	b.table.add("the same, from the cable put back (the node dials again after at most 15 s)", "30 s and more", plain(time.Since(opened).Seconds(), "s"))
	return nil
}

// agree reports whether hub and house show the same of all lamps, expected and done, and wait for nothing.
func (b *bench) agree(ctx context.Context, hub, house *api) (bool, error) {
	there, err := hub.devices(ctx)
	if err != nil {
		return false, err
	}
	here, err := house.devices(ctx)
	if err != nil {
		return false, err
	}
	if len(there) != len(here) {
		return false, fmt.Errorf("the hub has %d devices, the house %d", len(there), len(here))
	}
	for i := range here {
		x, y := &there[i], &here[i]
		if x.Name != y.Name || x.state() != y.state() || !x.quiet() || !y.quiet() {
			return false, fmt.Errorf("%s: the hub shows %s, the house %s", y.Name, x.state(), y.state())
		}
	}
	return true, nil
}
