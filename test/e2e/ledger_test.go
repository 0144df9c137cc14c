package e2e

import (
	"fmt"
	"slices"
	"sync"

	"twinbridge/test/world"
)

// ledger remembers what the program told, over all its lives, and notices when it contradicts itself (rule 11: Durable,
// Monotone, Told).
type ledger struct {
	mu        sync.Mutex
	decisions map[uint64]string     // by rev: what was decided with it
	devices   map[string]uint64     // by device: the highest rev told of it
	props     map[string]uint64     // by device and property: the highest rev told of its expected value
	told      map[string]world.Wish // by id: what was last told of it
	order     map[string][]string   // by device: ids of wishes in the order in which they were told
	open      map[string][]float64  // by device: values that may be in force: the last durable one and all sent after it
	faults    []string
	promises  int // how often something was promised
}

func newLedger() *ledger {
	return &ledger{
		decisions: map[uint64]string{}, devices: map[string]uint64{}, props: map[string]uint64{},
		told: map[string]world.Wish{}, order: map[string][]string{}, open: map[string][]float64{},
	}
}

func (l *ledger) fault(format string, args ...any) {
	if len(l.faults) < 20 {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// broken notes an answer that should not have been given at all.
func (l *ledger) broken(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault(format, args...)
}

// sending notes a value that is about to be wished: from now on it may be in force, told or not.
func (l *ledger) sending(dev string, value float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[dev] = append(l.open[dev], value)
}

// answered notes the answer to the wish that was sent last to this device.
func (l *ledger) answered(dev string, value float64, w world.Wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(dev, w)
	if w.Rev != 0 { // else nothing was promised: the house does not wait for its disk (rule 1)
		l.promised(dev, value)
	}
}

// promised: a value was told with a rev. What was sent before it is history; what was sent after it may still come.
func (l *ledger) promised(dev string, value float64) {
	i := slices.Index(l.open[dev], value)
	if i < 0 {
		l.fault("device %s: %v is told as decided, in force may be %v", dev, value, l.open[dev])
		return
	}
	l.promises++
	l.open[dev] = l.open[dev][i:]
}

// looked notes an answer to a question about a wish that was told before.
func (l *ledger) looked(dev string, w world.Wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(dev, w)
}

func (l *ledger) tell(dev string, w world.Wish) {
	before, known := l.told[w.ID]
	if known && before.Outcome != "pending" && before.Rev != 0 && before.Outcome != w.Outcome {
		l.fault("wish %s of %s: told %s (rev %d), later %s (rev %d)", w.ID, dev, before.Outcome, before.Rev, w.Outcome, w.Rev)
	}
	if known && w.Rev == 0 {
		return // its last decision is not on disk yet: that promises nothing, and takes nothing back
	}
	if known && before.Rev > w.Rev {
		l.fault("wish %s of %s: told rev %d, later rev %d", w.ID, dev, before.Rev, w.Rev)
	}
	if !known {
		l.order[dev] = append(l.order[dev], w.ID)
	}
	l.told[w.ID] = w
	l.devices[dev] = max(l.devices[dev], w.Rev)
}

// seen notes a view of a device. Views are asked for one at a time, so that a later one is a later one.
func (l *ledger) seen(d world.Device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Rev != 0 && d.Rev < l.devices[d.Name] { // 0: not on disk yet, nothing is told
		l.fault("device %s: rev %d was told, now it is at %d", d.Name, l.devices[d.Name], d.Rev)
	}
	l.devices[d.Name] = max(l.devices[d.Name], d.Rev)
	for name, p := range d.Properties {
		if p.Expected == nil || p.Expected.Rev == 0 {
			continue
		}
		if v, ok := p.Expected.Value.(float64); ok && len(l.open[d.Name]) > 0 {
			l.promised(d.Name, v)
		}
		rev, key := p.Expected.Rev, d.Name+"."+name
		if rev < l.props[key] {
			l.fault("%s: rev %d was told, now it is at %d", key, l.props[key], rev)
		}
		l.props[key] = max(l.props[key], rev)
		what := fmt.Sprintf("%s=%v", key, p.Expected.Value)
		if before, ok := l.decisions[rev]; ok && before != what {
			l.fault("rev %d was told as %s, now it is %s", rev, before, what)
		}
		l.decisions[rev] = what
	}
}

// afterCrash checks that a device about which something was promised has still got it, or something newer.
func (l *ledger) afterCrash(d world.Device, prop string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	got, ok := d.Expected(prop).(float64)
	if l.props[d.Name+"."+prop] > 0 && (!ok || !slices.Contains(l.open[d.Name], got)) {
		l.fault("device %s: after the crash expected is %v; promised or under way were %v", d.Name, d.Expected(prop), l.open[d.Name])
	}
}

// recent gives those of the last n wishes of a device that were told with a rev.
func (l *ledger) recent(dev string, n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := l.order[dev]
	var out []string
	for _, id := range ids[max(0, len(ids)-n):] {
		if l.told[id].Rev != 0 {
			out = append(out, id)
		}
	}
	return out
}
