package deviceapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"twinbridge/twin"
)

// keptGone is how many deleted devices are remembered beside those that are there.
const keptGone = 4096

// changes numbers what changed since the server started, so that a reader who comes back is told only what he missed. It
// knows of each device the number of its last change, and nothing of what changed.
//
// It has no goroutine: whoever follows takes what the watch has and rings for the others.
type changes struct {
	service Service
	watch   Watch
	epoch   string // of this server; numbers of another one say nothing

	mu    sync.Mutex // guards all below
	seq   uint64
	floor uint64 // what changed up to here may be forgotten
	last  map[twin.Name]uint64
	log   []change // in order of seq; an entry that is not its name's last is void
	bells map[chan struct{}]bool
}

type change struct {
	seq  uint64
	name twin.Name
}

func newChanges(s Service) *changes {
	return &changes{service: s, watch: s.Watch(), epoch: rand.Text()[:10], last: map[twin.Name]uint64{}, bells: map[chan struct{}]bool{}}
}

// follow gives a bell that rings when there may be more; stop ends that. The watch's own channel rings for one follower
// only, who calls sync, which rings for all.
func (c *changes) follow() (bell <-chan struct{}, stop func()) {
	b := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bells[b] = true
	return b, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.bells, b)
	}
}

// sync takes what the watch has and gives the number of the last change.
func (c *changes) sync(ctx context.Context) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.watch.Take()
	if len(names) == 0 {
		return c.seq
	}
	for _, n := range names {
		c.seq++
		c.last[n] = c.seq
		c.log = append(c.log, change{c.seq, n})
	}
	c.prune(ctx)
	for b := range c.bells {
		select {
		case b <- struct{}{}:
		default:
		}
	}
	return c.seq
}

// prune keeps the memory in proportion to the devices.
func (c *changes) prune(ctx context.Context) {
	if len(c.log) > 2*len(c.last)+keptGone {
		c.log = slices.DeleteFunc(c.log, func(e change) bool { return c.last[e.name] != e.seq })
	}
	if len(c.last) < 2*keptGone {
		return
	}
	there, err := c.service.Devices(ctx)
	if err != nil || len(c.last) <= 2*len(there)+2*keptGone {
		return
	}
	// The oldest of those that are gone go.
	extra := len(c.last) - len(there) - keptGone
	c.log = slices.DeleteFunc(c.log, func(e change) bool {
		if c.last[e.name] != e.seq {
			return true
		}
		if _, found := slices.BinarySearchFunc(there, e.name, twin.Name.Compare); found || extra <= 0 {
			return false
		}
		extra--
		c.floor = e.seq
		delete(c.last, e.name)
		return true
	})
}

// since gives what changed after seq, oldest first, at most that many; next is where to go on.
func (c *changes) since(seq uint64, most int) (some []change, next uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next = seq
	from := sort.Search(len(c.log), func(i int) bool { return c.log[i].seq > seq })
	for _, e := range c.log[from:] {
		if len(some) == most {
			return some, next
		}
		next = e.seq
		if c.last[e.name] == e.seq {
			some = append(some, e)
		}
	}
	return some, next
}

// id gives the id of an event after which everything up to seq is told.
func (c *changes) id(seq uint64) string { return c.epoch + "-" + strconv.FormatUint(seq, 10) }

// from reads an id. known is false if it is not from here, or too old: then the reader begins anew.
func (c *changes) from(id string) (seq uint64, known bool, err error) {
	epoch, number, ok := strings.Cut(id, "-")
	seq, bad := strconv.ParseUint(number, 10, 64)
	if !ok || bad != nil || len(id) > maxEventID {
		return 0, false, &twin.FieldError{Field: "after", Value: clip(id), Want: fmt.Sprintf("the id of an event, as %s-17", c.epoch)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch || seq < c.floor || seq > c.seq {
		return 0, false, nil
	}
	return seq, true, nil
}

// maxEventID bounds an id that a reader comes back with, in bytes.
const maxEventID = 64
