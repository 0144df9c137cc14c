package mapper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"time"

	"twinbridge/twin"
)

// The bounds of a worker.
const (
	openLimit  = 10 * time.Second
	writeLimit = 5 * time.Second
	readLimit  = 2 * time.Second

	firstReopen = time.Second
	maxReopen   = 60 * time.Second

	defaultCollect = time.Second // how often a device is read that does not say
	minCollect     = 20 * time.Millisecond
	unhealthyAfter = 3 // failed reads in a row
)

// What a mapper says of its devices. A device in stateError is there for the node, so that wishes are answered with the
// reason; one that is stateOffline is not.
const (
	stateOnline    = "online"
	stateOffline   = "offline"
	stateUnhealthy = "unhealthy"
	stateError     = "error"
)

// sink takes what a worker has to say. It never blocks for long; report tells whether there was somebody to report to.
type sink interface {
	report(twin.Name, map[string]twin.PropReport) bool
	state(name twin.Name, word string)
	// ask has the node offer again what is pending.
	ask(name twin.Name)
}

// worker owns one device: one goroutine opens it, writes, reads and closes it, in the order of what comes in.
type worker struct {
	spec     Spec
	protocol string
	driver   Driver
	out      sink
	log      *slog.Logger
	inbox    *inbox
	cancel   context.CancelFunc
	done     chan struct{} // closed when the worker has ended
	quiet    bool          // set before cancel by dismiss

	props   map[string]*twin.Property
	collect time.Duration
	repeat  time.Duration // reporting cycle; 0: none

	// Below: of the worker's goroutine alone.
	word     string                // state as last said
	actual   map[string]twin.Value // as last read
	told     map[string]twin.Value // as last reported over this connection
	last     map[string]twin.Value // as last asked for
	executed map[string]execution  // the last wish carried out, per property
	orders   []order               // not yet carried out
	misses   int                   // failed reads in a row
	readAt   time.Time             // next cyclic read
	repeatAt time.Time
}

type execution struct {
	wish  string
	value twin.Value
}

func newWorker(spec Spec, driver Driver, out sink, log *slog.Logger) *worker {
	w := &worker{
		spec: spec, driver: driver, out: out, log: log.With("device", spec.Name.String()),
		inbox: newInbox(), done: make(chan struct{}),
		props: make(map[string]*twin.Property, len(spec.Props)),
		told:  map[string]twin.Value{}, last: map[string]twin.Value{}, executed: map[string]execution{},
	}
	w.spec.Log = w.log
	for i := range spec.Props {
		p := &spec.Props[i]
		w.props[p.Name] = p
		if v := spec.Last[p.Name]; p.Check(v) == nil {
			w.last[p.Name] = v
		}
		if c := p.CollectCycle; c > 0 && (w.collect == 0 || c < w.collect) {
			w.collect = c
		}
		if c := p.ReportCycle; c > 0 && (w.repeat == 0 || c < w.repeat) {
			w.repeat = c
		}
	}
	if w.collect == 0 {
		w.collect = defaultCollect
	}
	w.collect = max(w.collect, minCollect)
	if w.repeat > 0 {
		w.repeat = max(w.repeat, minCollect)
	}
	return w
}

// dismiss ends the worker without a word: its device is not there any more, or gets another worker.
func (w *worker) dismiss() {
	w.quiet = true
	w.cancel()
}

// inherit takes over what the worker before knew. The device was open: a new worker of it begins with a state.
func (w *worker) inherit(old *worker) {
	for name, v := range old.last {
		if p := w.props[name]; p != nil && p.Check(v) == nil {
			w.last[name] = v
		}
	}
	w.word = old.word
}

// run opens the device, serves it, and opens it again when it was lost, until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	pause := firstReopen
	for ctx.Err() == nil {
		dev, err := w.open(ctx)
		if err == nil {
			var served bool
			served, err = w.hold(ctx, dev)
			if served {
				pause = firstReopen
			}
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrPermanent) {
			pause = 0 // for ever: only another definition helps
		}
		w.wait(ctx, err, pause)
		pause = min(2*pause, maxReopen)
	}
}

func (w *worker) open(ctx context.Context) (dev Device, err error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	spec := w.spec
	spec.Last = maps.Clone(w.last)
	err = w.guard("Open", func() (err error) {
		dev, err = w.driver.Open(ctx, spec)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return dev, nil
}

// hold serves an open device and closes it. served tells whether it worked at all.
func (w *worker) hold(ctx context.Context, dev Device) (served bool, err error) {
	watchCtx, stop := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		err := w.guard("Watch", func() error { return dev.Watch(watchCtx, w.inbox.putActs) })
		if err != nil && watchCtx.Err() == nil {
			w.inbox.putBlind(fmt.Errorf("watch: %w", err))
		}
	}()
	if err = w.read(ctx, dev); err == nil {
		served = true
		w.log.Debug("device opened")
		again := w.word != ""
		w.orders, w.misses = nil, 0
		w.tellAll(stateOnline)
		if again {
			w.out.ask(w.spec.Name) // what was refused meanwhile; a device that only had an error did not come online
		}
		err = w.serve(ctx, dev)
	}
	stop()
	<-watching
	if ctx.Err() != nil && !w.quiet {
		w.say(stateOffline)
	}
	if e := w.guard("Close", dev.Close); e != nil {
		w.log.Warn("device did not close cleanly", "error", e)
	}
	return served, err
}

// serve works until ctx ends or the device is lost, which it returns as an error.
func (w *worker) serve(ctx context.Context, dev Device) error {
	w.readAt = time.Now().Add(w.collect)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		m := w.inbox.take()
		if m.blind != nil {
			return m.blind
		}
		if m.resync {
			w.orders = nil
			w.tellAll(w.word)
		}
		if err := w.takeActs(ctx, dev, m.acts); err != nil {
			return err
		}
		if m.delta != nil {
			w.takeDelta(m)
		}
		if err := w.work(ctx, dev); err != nil {
			return err
		}
		if err := w.cycle(ctx, dev); err != nil {
			return err
		}
		timer.Reset(time.Until(w.next()))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.inbox.wake:
		case <-timer.C:
		}
	}
}

// next tells when there is something to do if nothing comes in.
func (w *worker) next() time.Time {
	t := w.readAt
	if w.repeat > 0 && w.repeatAt.Before(t) {
		t = w.repeatAt
	}
	for i := range w.orders {
		if w.orders[i].next.Before(t) {
			t = w.orders[i].next
		}
	}
	return t
}

// cycle does the cyclic read and the cyclic report when they are due.
func (w *worker) cycle(ctx context.Context, dev Device) error {
	now := time.Now()
	if !now.Before(w.readAt) {
		if err := w.read(ctx, dev); err != nil {
			if errors.Is(err, ErrGone) || ctx.Err() != nil {
				return err
			}
			w.readAt = now.Add(w.collect)
			if w.misses++; w.misses == unhealthyAfter {
				w.log.Warn("device cannot be read", "error", err)
				w.say(stateUnhealthy)
			}
			return nil
		}
		if w.misses >= unhealthyAfter {
			w.say(stateOnline)
		}
		w.misses = 0
		w.tellChanged(nil)
	}
	if w.repeat > 0 && !now.Before(w.repeatAt) && w.misses == 0 {
		w.tellAll("")
	}
	return nil
}

// wait passes the time until the device is tried again; 0: for ever. The node is told how the device stands; a device
// that is there but does not work answers wishes with the reason.
func (w *worker) wait(ctx context.Context, why error, pause time.Duration) {
	word := stateError
	if errors.Is(why, ErrGone) {
		word = stateOffline
	}
	retry := "in " + pause.String()
	if pause == 0 {
		retry = "when it is defined anew"
	}
	w.log.Warn("device does not work", "error", why, "state", word, "retry", retry)
	w.say(word)
	var over <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	for {
		select {
		case <-ctx.Done():
			if !w.quiet && word != stateOffline {
				w.say(stateOffline)
			}
			return
		case <-over:
			return
		case <-w.inbox.wake:
		}
		m := w.inbox.take()
		if m.resync {
			w.say(word)
		}
		if m.delta != nil && word == stateError {
			w.refuse(m, why)
		}
	}
}

// read reads the device and puts the next cyclic read off.
func (w *worker) read(ctx context.Context, dev Device) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	var values map[string]twin.Value
	err := w.guard("Read", func() (err error) {
		values, err = dev.Read(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	w.actual = values
	w.readAt = time.Now().Add(w.collect)
	return nil
}

// guard calls a driver and makes an error of a panic, so that one driver's fault stays with one device.
func (w *worker) guard(what string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("driver panicked", "in", what, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("driver panicked in %s: %v", what, p)
		}
	}()
	return call()
}
