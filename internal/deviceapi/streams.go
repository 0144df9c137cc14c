package deviceapi

import (
	"cmp"
	"context"
	"sync"
)

// openStreams counts the streams that are open.
type openStreams struct {
	limits Streams

	mu  sync.Mutex
	all int
	of  map[string]int // by reader
}

// open takes a place; close gives it back. false: there is none.
func (o *openStreams) open(ctx context.Context) (closed func(), ok bool) {
	who := ""
	if o.limits.Who != nil {
		who = o.limits.Who(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all >= cmp.Or(o.limits.Most, MaxStreams) || o.limits.Each > 0 && o.of[who] >= o.limits.Each {
		return nil, false
	}
	o.all++
	o.of[who]++
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.all--
		if o.of[who]--; o.of[who] == 0 {
			delete(o.of, who)
		}
	}, true
}

// still reports whether a reader may go on.
func (o *openStreams) still(ctx context.Context) bool {
	return o.limits.Still == nil || o.limits.Still(ctx)
}
