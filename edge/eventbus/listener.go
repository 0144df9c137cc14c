package eventbus

import (
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	listenerID = "mqtt"
	// sayConnect is how long a connection may take to say CONNECT.
	sayConnect = 10 * time.Second
	// lastMoment is how long a client is given to read at the end.
	lastMoment = 300 * time.Millisecond
)

// listener accepts connections for the broker. The library's own ones stop for ever at the first error of accept (no
// file descriptors left), wait without end for a CONNECT, take any number of connections that say nothing, and do not
// wait for their goroutines.
type listener struct {
	net.Listener
	log    *slog.Logger
	places chan struct{} // one token per connection

	connectTime, writeTime time.Duration

	served  chan struct{} // closed when Serve has returned
	begun   atomic.Bool
	closing chan struct{}
	once    sync.Once

	mu    sync.Mutex
	links map[*link]bool
	next  uint64
	wg    sync.WaitGroup
}

func newListener(l net.Listener, most int, log *slog.Logger) *listener {
	return &listener{
		Listener: l, log: log, places: make(chan struct{}, most), links: map[*link]bool{},
		served: make(chan struct{}), closing: make(chan struct{}), connectTime: sayConnect, writeTime: takeTime,
	}
}

func (l *listener) ID() string              { return listenerID }
func (l *listener) Protocol() string        { return "tcp" }
func (l *listener) Address() string         { return l.Addr().String() }
func (l *listener) Init(*slog.Logger) error { return nil }

// Serve accepts connections until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	l.begun.Store(true)
	defer close(l.served)
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			l.take(conn, establish)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, 10*time.Millisecond), time.Second)
			l.log.Warn("accept MQTT connection", "error", err, "again in", pause)
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-l.closing:
			}
			t.Stop()
		}
	}
}

// take gives a connection to the broker, in a goroutine that Close waits for.
func (l *listener) take(conn net.Conn, establish listeners.EstablishFn) {
	select {
	case l.places <- struct{}{}:
	default:
		l.log.Warn("MQTT connection refused: too many", "most", cap(l.places), "remote", conn.RemoteAddr().String())
		_ = conn.Close() // it has heard nothing from us yet
		return
	}
	_ = conn.SetDeadline(time.Now().Add(l.connectTime)) // an error shows at the first read
	k := &link{Conn: conn, writeTime: l.writeTime}
	l.mu.Lock()
	l.next++
	// Ids count up and are not used again, so that a late word about an old connection cannot meet a new one.
	k.peer.id = "mqtt-" + strconv.FormatUint(l.next, 10)
	l.links[k] = true
	l.mu.Unlock()
	l.wg.Go(func() {
		if err := establish(listenerID, k); err != nil {
			l.log.Debug("MQTT connection ended", "connection", k.peer.id, "remote", conn.RemoteAddr().String(), "error", err)
		}
		_ = conn.Close() // mostly closed already
		l.mu.Lock()
		delete(l.links, k)
		l.mu.Unlock()
		<-l.places
	})
}

// Close stops accepting, lets the broker say goodbye to its clients, ends all connections and waits for them.
func (l *listener) Close(sayGoodbye listeners.CloseFn) {
	l.once.Do(func() {
		close(l.closing)
		_ = l.Listener.Close() // it was open until now
		if l.begun.Load() {
			<-l.served
		}
		last := time.Now().Add(lastMoment)
		for _, k := range l.open() {
			k.end(last)
		}
		sayGoodbye(listenerID)
		for _, k := range l.open() {
			_ = k.Conn.Close() // those that have not said CONNECT yet
		}
		l.wg.Wait()
	})
}

func (l *listener) open() []*link {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*link, 0, len(l.links))
	for k := range l.links {
		out = append(out, k)
	}
	return out
}
