package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"twinbridge/internal/haptest"
)

const (
	fewLamps    = 2
	fullBridge  = 149 // beside the bridge itself: what a home can have behind one (HAP 2.5.3.2)
	hapSetups   = 10
	hapIdle     = 5 * time.Second
	hapAnnounce = 10 * time.Second
	actualRuns  = 500
)

// hapFigures is all that is measured of one server.
type hapFigures struct {
	few, full      hapLoad
	setup, verify  times
	events         times
	burst          burst
	firsts, reads  tally
	among          int     // events among the reads
	idle, after    float64 // resident bytes with subscribers, before and after the load
	tcp, announced times
	actual         times
	durable        times
	commit         time.Duration // mean time of one transaction meanwhile
	alone, hostile times         // wishes through the socket, without and with strangers at the bridge
}

// homekit measures our bridge and, in the same run with the same controller, three others.
func (b *bench) homekit(ctx context.Context) error {
	kinds := hapKinds()
	all := make([]*hapFigures, len(kinds))
	why := make([]error, len(kinds))
	for i := range kinds {
		k := &kinds[i]
		fmt.Fprintf(b.log, "  %s ...\n", k.name)
		all[i] = &hapFigures{}
		if why[i] = b.hapMeasure(ctx, k, all[i]); why[i] != nil {
			fmt.Fprintf(b.log, "  %s: %v\n", k.name, why[i])
		}
		if !k.ours {
			b.hap.others = append(b.hap.others, k.name)
		}
	}
	for _, r := range hapRows() {
		out := row{figure: r.figure, measures: r.of(all[0])}
		for i := 1; i < len(all); i++ {
			cell := "not measured"
			if m := r.of(all[i]); len(m) > 0 {
				other := row{measures: m}
				cell, _, _ = other.cells()
			}
			out.peers = append(out.peers, cell)
		}
		b.hap.rows = append(b.hap.rows, out)
	}
	if why[0] != nil { // what others cannot do is no error of ours
		return fmt.Errorf("%s: %w", kinds[0].name, why[0])
	}
	return nil
}

// hapMeasure gathers the figures of one server. What went well before an error stays.
func (b *bench) hapMeasure(ctx context.Context, k *hapKind, f *hapFigures) error {
	if err := b.hapWith(ctx, k, fewLamps, func(s *session) (err error) {
		f.few, err = s.load(ctx)
		return err
	}); err != nil {
		return fmt.Errorf("%d lamps: %w", fewLamps, err)
	}
	var host *hapHost
	err := b.hapWith(ctx, k, fullBridge, func(s *session) error {
		host = s.host
		return hapFull(ctx, k, s, f)
	})
	if err != nil {
		err = fmt.Errorf("%d lamps: %w", fullBridge, err)
	}
	if host == nil {
		return err
	}
	return errors.Join(err, hapStarts(ctx, k, host, f))
}

// hapWith starts a server with so many lamps, pairs with it, does something and ends it.
func (b *bench) hapWith(ctx context.Context, k *hapKind, lamps int, do func(*session) error) (err error) {
	host, err := k.make(b, lamps)
	if err != nil {
		return err
	}
	if _, err := host.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.end(k.ours)) }()
	if k.reveal != nil {
		if err := k.reveal(ctx, host); err != nil {
			return err
		}
	}
	who, err := haptest.NewController()
	if err != nil {
		return err
	}
	acc, err := pairWith(ctx, host, who)
	if err != nil {
		return err
	}
	s, err := enter(ctx, host, who, acc, lamps)
	if err != nil {
		return err
	}
	return do(s)
}

// pairWith pairs. One pairing in about 128 fails where the two sides treat leading zeros differently, so there is a
// second try.
func pairWith(ctx context.Context, h *hapHost, who *haptest.Controller) (haptest.Accessory, error) {
	acc, err := who.PairSetup(ctx, h.addr, h.code)
	var refused *haptest.RefusedError
	if errors.As(err, &refused) && refused.Code == haptest.CodeAuthentication {
		return who.PairSetup(ctx, h.addr, h.code)
	}
	return acc, err
}

// hapFull measures a full bridge.
func hapFull(ctx context.Context, k *hapKind, s *session, f *hapFigures) (err error) {
	if f.idle, err = s.subscribed(ctx); err != nil {
		return fmt.Errorf("subscribers: %w", err)
	}
	var bad []error
	step := func(what string, err error) {
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", what, err))
		}
	}
	f.verify, err = s.verifies(ctx)
	step("pair-verify", err)
	f.full, err = s.load(ctx)
	step("load", err)
	f.events, f.burst, err = s.events(ctx)
	step("events", err)
	f.firsts, err = s.firsts(ctx)
	step("first requests", err)
	f.reads, f.among, err = s.readsWith(ctx)
	step("reads with events", err)
	if k.ours {
		f.actual, err = s.untilActual(ctx)
		step("write to actual", err)
		f.durable, f.commit, err = s.untilDurable(ctx)
		step("write to disk", err)
	}
	f.after, err = s.subscribed(ctx)
	step("subscribers after the load", err)
	f.setup, err = s.setups(ctx)
	step("pair-setup", err)
	if k.ours {
		f.alone, f.hostile, err = s.hostile(ctx)
		step("wishes while strangers are at the bridge", err)
	}
	return errors.Join(bad...)
}

// subscribed gives the server's memory while controllers have the events of all lamps.
func (s *session) subscribed(ctx context.Context) (float64, error) {
	conns, err := s.subscribers(ctx, hapMany)
	if err != nil {
		return 0, err
	}
	err = wait(ctx, hapIdle)
	rss, _, merr := memory(s.host.pid())
	return float64(rss), errors.Join(err, merr, closeAll(conns))
}

// setups unpairs and pairs again. The answer to the removal may be lost where the server closes too soon.
func (s *session) setups(ctx context.Context) (times, error) {
	var took times
	for range hapSetups {
		c, err := s.dial(ctx)
		if err != nil {
			return took, err
		}
		_ = c.RemovePairing(ctx, s.who.ID) // the next pairing shows whether it worked
		if err := c.Close(); err != nil {
			return took, err
		}
		var began time.Time
		if err := until(ctx, hapPatience, 10*time.Millisecond, func() (bool, error) {
			began = time.Now()
			acc, err := s.who.PairSetup(ctx, s.host.addr, s.host.code)
			if err == nil {
				s.acc = acc
			}
			return err == nil, err
		}); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// untilActual measures from a write to the line that the edge prints when the driver has switched the lamp.
func (s *session) untilActual(ctx context.Context) (times, error) {
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	id, name, err := s.named(ctx, c, lamp(0))
	if err != nil {
		return nil, err
	}
	both, err := switches(id)
	if err != nil {
		return nil, err
	}
	pieces := make(chan string, 1024)
	s.host.out.listen(func(b []byte) {
		select {
		case pieces <- string(b):
		default:
		}
	})
	defer s.host.out.listen(nil)
	var took times
	for i := range actualRuns {
		line := fmt.Sprintf("lamp default/%s is %s\n", name, onOff(i))
		began := time.Now()
		if err := putDone(ctx, c, both[i%2]); err != nil {
			return took, err
		}
		late := time.After(hapPatience)
		for done := false; !done; {
			select {
			case piece := <-pieces:
				done = strings.Contains(piece, line)
			case <-late:
				return took, fmt.Errorf("%q was not printed within %v", line, hapPatience)
			case <-ctx.Done():
				return took, ctx.Err()
			}
		}
		took = append(took, time.Since(began))
		if err := wait(ctx, 5*time.Millisecond); err != nil { // what the house does about this one is over
			return took, err
		}
	}
	return took, nil
}

// untilDurable measures from a write to the answer of the edge that it is on disk: who reads a device is answered when
// what was decided about it is there.
func (s *session) untilDurable(ctx context.Context) (took times, commit time.Duration, err error) {
	a := newAPI(s.host.data + "/edge.sock")
	defer a.close()
	c, err := s.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	id, name, err := s.named(ctx, c, lamp(0))
	if err != nil {
		return nil, 0, err
	}
	both, err := switches(id)
	if err != nil {
		return nil, 0, err
	}
	before, err := a.metrics(ctx)
	if err != nil {
		return nil, 0, err
	}
	for i := range actualRuns {
		began := time.Now()
		if err := putDone(ctx, c, both[i%2]); err != nil {
			return took, 0, err
		}
		d, err := a.device(ctx, name)
		if err != nil {
			return took, 0, err
		}
		if e := d.Properties["powerstatus"].Expected; e == nil || e.Rev == 0 || fmt.Sprint(e.Value) != onOff(i) {
			return took, 0, fmt.Errorf("the answer is not about the disk: %+v", e)
		}
		took = append(took, time.Since(began))
		if err := wait(ctx, 5*time.Millisecond); err != nil { // the mapper's work of this one is over
			return took, 0, err
		}
	}
	after, err := a.metrics(ctx)
	if err != nil {
		return took, 0, err
	}
	n := after["twinbridge_store_commits_total"] - before["twinbridge_store_commits_total"]
	seconds := after["twinbridge_store_commit_seconds_total"] - before["twinbridge_store_commit_seconds_total"]
	return took, time.Duration(seconds / max(n, 1) * float64(time.Second)), nil
}

// named finds the lamp that a device is.
func (s *session) named(ctx context.Context, c *haptest.Conn, name string) (haptest.ID, string, error) {
	db, err := c.Accessories(ctx)
	if err != nil {
		return haptest.ID{}, "", err
	}
	for i := range db.Accessories {
		for _, v := range db.Accessories[i].Services {
			for k := range v.Characteristics {
				if string(v.Characteristics[k].Value) != `"`+name+`"` {
					continue
				}
				for _, id := range s.on {
					if id.AID == db.Accessories[i].AID {
						return id, name, nil
					}
				}
			}
		}
	}
	return haptest.ID{}, "", fmt.Errorf("no accessory is called %s", name)
}

// hapStarts measures starts on the folder of a server that has run before.
func hapStarts(ctx context.Context, k *hapKind, h *hapHost, f *hapFigures) (err error) {
	e, err := listen()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	patience := hapAnnounce
	for range starts {
		e.forget()
		tcp, err := h.start(ctx)
		if err != nil {
			return err
		}
		at, err := e.announced(ctx, h.name, patience)
		if err := errors.Join(h.end(k.ours), ctx.Err()); err != nil {
			return err
		}
		f.tcp = append(f.tcp, tcp)
		switch {
		case err == nil:
			f.announced = append(f.announced, at.Sub(h.began))
		case !errors.Is(err, errNotHeard):
			return err
		default:
			patience = hapSilence // there may be no interface that could say it
		}
	}
	return nil
}
