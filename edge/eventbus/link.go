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
	lowWater    = queueLength / 8

	// patience is how long others wait for a client that does not read.
	patience = 250 * time.Millisecond
	// takeTime is how long a client may take nothing of what is written to it. The library holds locks while it writes,
	// so that without a bound nobody could take over the connection of a client that hangs.
	takeTime = 20 * time.Second
)

// link is the connection of one client. The broker library keeps the net.Conn that it was given, so what has to be known
// of a connection rides in it.
type link struct {
	net.Conn
	peer      peer
	writeTime time.Duration

	// waiting counts our messages in the library's queue for this client. The queue drops what does not fit, so who
	// publishes much looks here first.
	waiting atomic.Int32
	// slow is set while the client does not read: nobody waits for it any more until it caught up.
	slow atomic.Bool
	room chan struct{} // a token when the queue has drained

	mu     sync.Mutex
	ending bool            // no deadline is moved any more
	missed map[string]bool // topics of messages that found no room
}

// queued notes one of our messages on its way into the client's queue.
func (l *link) queued() { l.waiting.Add(1) }

// miss notes that the message found no room.
func (l *link) miss(topic string) {
	l.mu.Lock()
	if l.missed == nil {
		l.missed = map[string]bool{}
	}
	l.missed[topic] = true // as many as there are topics of ours
	l.mu.Unlock()
	l.sent()
}

// sent notes that a message left the queue. When the client has caught up it gives the topics of what it missed.
func (l *link) sent() (missed map[string]bool) {
	if l.waiting.Add(-1) != lowWater {
		return nil
	}
	l.slow.Store(false)
	select {
	case l.room <- struct{}{}:
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	missed, l.missed = l.missed, nil
	return missed
}

// crowded reports whether it is better to wait before the next message.
func (l *link) crowded() bool { return l.waiting.Load() > highWater && !l.slow.Load() }

// wait waits until the client has read some of what waits for it. A client that is not done with it after patience is
// slow: it is not waited for again before it has caught up.
func (l *link) wait(ctx context.Context) {
	for l.crowded() && ctx.Err() == nil {
		t := time.NewTimer(patience)
		select {
		case <-l.room:
		case <-t.C:
			l.slow.Store(true)
		case <-ctx.Done():
		}
		t.Stop()
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
func (l *link) Write(b []byte) (int, error) {
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
