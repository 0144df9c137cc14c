package eventbus

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueLength = 1024 // messages that wait for one client; the library drops what comes then
	highWater   = queueLength / 2
	lowWater    = 3 * queueLength / 8

	// patience is how long others wait for a client that does not read, and ownPatience how long its own messages do.
	patience    = 250 * time.Millisecond
	ownPatience = 5 * time.Second
	// takeTime is how long a client may take nothing of what is written to it. The library holds locks while it writes,
	// so that without a bound nobody could take over the connection of a client that hangs.
	takeTime = 20 * time.Second

	disconnect = 0xe0 // first byte of the packet
)

// link is the connection of one client. The broker library keeps the net.Conn that it was given, so what has to be known
// of a connection rides in it.
type link struct {
	net.Conn
	peer      peer
	writeTime time.Duration
	old       atomic.Bool // speaks MQTT 3

	// waiting counts our messages in the library's queue for this client. The queue drops what does not fit, so who
	// publishes much looks here first.
	waiting atomic.Int32
	// slow is set when others ran out of patience, stuck when its own messages did: there is no waiting for it any more
	// until it has caught up.
	slow, stuck atomic.Bool

	mu      sync.Mutex
	drained chan struct{}   // closed when the queue has drained; nil if nobody waits
	ending  bool            // no deadline is moved any more
	missed  map[string]bool // topics of messages that found no room
}

// queued notes one of our messages on its way into the client's queue.
func (l *link) queued() { l.waiting.Add(1) }

// miss notes that a message found no room; first tells that it is the first since the client had caught up.
func (l *link) miss(topic string) (first bool) {
	l.mu.Lock()
	if first = l.missed == nil; first {
		l.missed = map[string]bool{}
	}
	l.missed[topic] = true // as many as there are topics of ours
	l.mu.Unlock()
	l.waiting.Add(-1) // the queue is full, which is far from caught up
	return first
}

// sent notes that a message left the queue. When the client has caught up it gives the topics of what it missed.
func (l *link) sent() (missed map[string]bool) {
	if l.waiting.Add(-1) != lowWater {
		return nil
	}
	l.slow.Store(false)
	l.stuck.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
	missed, l.missed = l.missed, nil
	return missed
}

// crowded reports whether others had better wait before they send more.
func (l *link) crowded() bool { return l.waiting.Load() > highWater && !l.slow.Load() }

// wait waits for the client to catch up, for those who send to many.
func (l *link) wait(ctx context.Context) { l.waitFor(ctx, patience, &l.slow) }

// waitOwn does so before the next message of the client itself is taken, which keeps nobody else waiting.
func (l *link) waitOwn(ctx context.Context) { l.waitFor(ctx, ownPatience, &l.stuck) }

func (l *link) waitFor(ctx context.Context, limit time.Duration, gaveUp *atomic.Bool) {
	if l.waiting.Load() <= highWater || gaveUp.Load() {
		return
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		l.mu.Lock()
		if l.drained == nil {
			l.drained = make(chan struct{})
		}
		drained := l.drained
		l.mu.Unlock()
		// Looked at after the channel is there: from above the high mark it cannot pass the low one unseen.
		if l.waiting.Load() <= highWater {
			return
		}
		select {
		case <-drained:
		case <-t.C:
			gaveUp.Store(true)
			return
		case <-ctx.Done():
			return
		}
	}
}

// SetDeadline is called by the library with each packet that it reads, with what the client's keepalive allows. It is
// about reading: a client that sends but takes nothing is not alive.
func (l *link) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return nil
	}
	return l.Conn.SetReadDeadline(t)
}

// Write writes within writeTime, or ends the connection: the library goes on after an error, with half a packet written.
// The library says goodbye to clients of MQTT 3 too, where a server has no DISCONNECT (3.1.1, 3.14) and clients take it
// for a broken protocol; to them the end of the connection says it.
func (l *link) Write(b []byte) (int, error) {
	if l.old.Load() && len(b) == 2 && b[0] == disconnect {
		return len(b), nil
	}
	l.mu.Lock()
	if !l.ending {
		_ = l.Conn.SetWriteDeadline(time.Now().Add(l.writeTime)) // an error shows at the write
	}
	l.mu.Unlock()
	n, err := l.Conn.Write(b)
	if err != nil {
		_ = l.Conn.Close() // the error is the one to tell
	}
	return n, err
}

// end leaves the client a last moment to take what is being written to it.
func (l *link) end(last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = true
	_ = l.Conn.SetDeadline(last) // on a closed connection there is nothing to end
}
