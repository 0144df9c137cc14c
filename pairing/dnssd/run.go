package dnssd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// settleTime collects changes of links and addresses before they are looked at.
const settleTime = 150 * time.Millisecond

// received is a packet that has to do with us.
type received struct {
	link linkKey
	from sender
	data []byte
}

// Run opens the sockets, announces and answers until ctx ends; then it takes back what it announced, and returns nil. A
// machine without a usable interface is no error, it waits for one. It is one that port 5353 cannot be opened in either
// family. Run is called once.
func (r *Responder) Run(ctx context.Context) error {
	r.mu.Lock()
	ran := r.ran
	r.ran = true
	r.mu.Unlock()
	if ran {
		return ErrRunning
	}
	socks, err := r.openSockets(ctx)
	if err != nil {
		return err
	}
	mon, err := newMonitor()
	if err != nil {
		return errors.Join(err, closeAll(socks, nil))
	}
	l := &loop{
		r: r, socks: socks, packets: make(chan received, maxQueue), changes: make(chan map[int]bool), joined: map[linkKey]bool{},
		barred: map[linkKey]bool{},
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	errs := make(chan error, 1+len(socks))
	part := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				errs <- err
				cancel()
			}
		})
	}
	for _, s := range socks {
		part(func(ctx context.Context) error { return l.read(ctx, s) })
	}
	part(func(ctx context.Context) error { return l.watch(ctx, mon) })
	l.run(ctx)
	cancel()
	closing := closeAll(socks, mon)
	wg.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return errors.Join(err, closing)
}

// openSockets opens one of each family. A machine may have only one of them.
func (r *Responder) openSockets(ctx context.Context) (map[family]*socket, error) {
	socks := map[family]*socket{}
	var errs error
	for _, f := range []family{ipv4, ipv6} {
		s, err := openSocket(ctx, f)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		socks[f] = s
	}
	if len(socks) == 0 {
		return nil, errs
	}
	if errs != nil {
		r.log.Warn("multicast DNS in one family only", "error", errs)
	}
	return socks, nil
}

func closeAll(socks map[family]*socket, m *monitor) error {
	var errs error
	for _, s := range socks {
		errs = errors.Join(errs, s.udp.Close())
	}
	if m != nil {
		errs = errors.Join(errs, m.close())
	}
	if errs != nil {
		return fmt.Errorf("close: %w", errs)
	}
	return nil
}

// A loop is one run.
type loop struct {
	r       *Responder
	socks   map[family]*socket
	packets chan received
	changes chan map[int]bool // links that were down
	joined  map[linkKey]bool
	barred  map[linkKey]bool // links whose group could not be joined
}

// run is the only one who sends.
func (l *loop) run(ctx context.Context) {
	l.look(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, ok := l.step(func(e *engine, now time.Time) { e.tick(now) })
		if ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			l.step(func(e *engine, now time.Time) { e.goodbyes(now) })
			return
		case p := <-l.packets:
			l.step(func(e *engine, now time.Time) { e.receive(now, p.link, p.from, p.data) })
		case down := <-l.changes:
			l.look(down)
		case <-l.r.wake:
		case <-timer.C:
		}
	}
}

// step does something to the engine, and sends what comes of it.
func (l *loop) step(do func(e *engine, now time.Time)) (time.Time, bool) {
	r := l.r
	r.mu.Lock()
	do(r.engine, time.Now())
	out, renamed := r.engine.take(), r.engine.renamed
	r.engine.renamed = nil
	next, ok := r.engine.next()
	r.publish()
	r.mu.Unlock()
	for i := 0; i+1 < len(renamed); i += 2 {
		r.log.Warn("another host has this name, so ours changes", "from", renamed[i], "to", renamed[i+1])
	}
	for i := range out {
		l.send(&out[i])
	}
	return next, ok
}

func (l *loop) send(p *packet) {
	s := l.socks[p.link.family]
	if s == nil {
		return
	}
	if err := s.write(p); err != nil {
		// The link may have gone; the watch will say so.
		l.r.io.failed.Add(1)
		l.r.log.Debug("a packet could not be sent", "interface", p.name, "family", int(p.link.family), "error", err)
		return
	}
	l.r.io.sent.Add(1)
	for _, c := range p.news {
		if !c.announced {
			c.announced = true
			close(c.ready)
		}
	}
}

// look reads which links there are, joins the group on new ones, and tells the engine.
func (l *loop) look(down map[int]bool) {
	r := l.r
	ifs, err := listInterfaces()
	if err != nil {
		r.log.Error("the interfaces cannot be read; the former ones stay", "error", err)
		return
	}
	var infos []linkInfo
	leftOut := 0
	seen := map[linkKey]bool{}
	for _, info := range selectLinks(ifs, r.interfaces, r.addresses) {
		s := l.socks[info.key.family]
		if s == nil {
			continue
		}
		if len(infos) == maxLinks {
			leftOut++
			continue
		}
		if down[info.key.index] && l.joined[info.key] {
			// Whether the kernel kept the membership depends on how the interface went.
			_ = s.leave(info.key.index)
			delete(l.joined, info.key)
		}
		if !l.joined[info.key] {
			if err := s.join(info.key.index); err != nil {
				leftOut++
				if !l.barred[info.key] {
					l.barred[info.key] = true
					r.log.Warn("an interface is left out", "interface", info.name, "family", int(info.key.family), "error", err)
				}
				continue
			}
			delete(l.barred, info.key)
			l.joined[info.key] = true
			r.log.Info("multicast DNS on", "interface", info.name, "family", int(info.key.family), "addresses", info.addrs)
		}
		seen[info.key] = true
		infos = append(infos, info)
	}
	for key := range l.barred {
		if !slices.ContainsFunc(ifs, func(n netif) bool { return n.index == key.index }) {
			delete(l.barred, key)
		}
	}
	for key := range l.joined {
		if !seen[key] {
			_ = l.socks[key.family].leave(key.index) // it may have gone
			delete(l.joined, key)
			r.log.Info("multicast DNS off", "interface", key.index, "family", int(key.family))
		}
	}
	r.mu.Lock()
	r.engine.setLinks(time.Now(), infos, down)
	r.leftOut = leftOut
	r.mu.Unlock()
}

// read hands on the packets that have to do with us. The others cost little.
func (l *loop) read(ctx context.Context, s *socket) error {
	var w walker
	buf, oob := make([]byte, maxPacket+1), make([]byte, 256)
	io := &l.r.io
	failures := 0
	for {
		n, index, from, err := s.read(buf, oob)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if failures++; failures < maxFailures {
				continue
			}
			return fmt.Errorf("read from the socket of IPv%d: %w", s.family, err)
		}
		failures = 0
		v := malformed
		if n <= maxPacket {
			v = l.r.names.Load().sift(&w, buf[:n], from.src.Port())
		}
		switch v {
		case foreign:
			io.foreign.Add(1)
		case refused:
			io.refused.Add(1)
		case malformed:
			io.malformed.Add(1)
		case ours:
			select {
			case l.packets <- received{linkKey{index, s.family}, from, bytes.Clone(buf[:n])}:
			default:
				io.dropped.Add(1)
			}
		}
	}
}

// watch tells the loop that links or addresses changed.
func (l *loop) watch(ctx context.Context, m *monitor) error {
	for {
		down, err := m.wait(ctx, settleTime)
		if err != nil {
			return err
		}
		select {
		case l.changes <- down:
		case <-ctx.Done():
			return nil
		}
	}
}
