package eventbus

import (
	"context"
	"strings"
	"sync"
	"time"
)

// maxOut bounds the payloads that wait for the broker, in bytes, beside queueLength messages.
const maxOut = 8 << 20

// parcel is a message on its way.
type parcel struct {
	topic   string
	payload []byte
}

// outbox is where messages wait for an external broker. Who puts one in never waits: without a connection it is
// dropped, as the next connection begins with everything; without room it is dropped too, and its topic is noted, so
// that what it was about is told again when there is room.
type outbox struct {
	wake chan struct{} // a token when something was put in

	mu    sync.Mutex
	open  bool
	list  []parcel
	bytes int
	lost  map[string]bool // topics of messages that found no room and have to be made up for
	low   chan struct{}   // closed when there is room again; nil if nobody waits
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), lost: map[string]bool{}}
}

// set opens or closes the outbox. What it held belonged to the connection before.
func (o *outbox) set(open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open, o.list, o.bytes = open, nil, 0
	clear(o.lost)
	o.free()
}

func (o *outbox) isOpen() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open
}

// put adds a message; false if there was no room for it.
func (o *outbox) put(m parcel) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open {
		return true
	}
	if len(o.list) > 0 && (len(o.list) >= queueLength || o.bytes+len(m.payload) > maxOut) {
		if strings.HasSuffix(m.topic, "/delta") || strings.HasSuffix(m.topic, "/document") || strings.HasSuffix(m.topic, "/updated") {
			o.lost[m.topic] = true // answers are not told again
		}
		return false
	}
	o.list, o.bytes = append(o.list, m), o.bytes+len(m.payload)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return true
}

// take gives the next message. With the last one it gives the topics of those that found no room.
func (o *outbox) take() (m parcel, lost map[string]bool, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.list) == 0 {
		o.list = nil
		return parcel{}, nil, false
	}
	m = o.list[0]
	o.list[0] = parcel{}
	o.list, o.bytes = o.list[1:], o.bytes-len(m.payload)
	if !o.crowded(lowWater) {
		o.free()
	}
	if len(o.list) == 0 && len(o.lost) > 0 {
		lost, o.lost = o.lost, map[string]bool{}
	}
	return m, lost, true
}

func (o *outbox) crowded(most int) bool {
	return len(o.list) >= most || o.bytes >= maxOut/queueLength*most
}

func (o *outbox) free() {
	if o.low != nil {
		close(o.low)
		o.low = nil
	}
}

// pause waits, at most for a while, for a broker that has much to take.
func (o *outbox) pause(ctx context.Context, most time.Duration) {
	o.mu.Lock()
	if !o.crowded(highWater) {
		o.mu.Unlock()
		return
	}
	if o.low == nil {
		o.low = make(chan struct{})
	}
	low := o.low
	o.mu.Unlock()
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-ctx.Done():
	case <-limit.C:
	case <-low:
	}
}
