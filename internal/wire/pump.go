package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// End is one end of a session: a step machine. The pump calls it from one goroutine at a time.
type End interface {
	// Take takes a message. An error ends the session.
	Take(message []byte) error
	// Next gives the next message to send; false: there is none now. An error ends the session.
	Next() (message []byte, ok bool, err error)
}

// Timing of a connection.
const (
	// PingEvery is how often the node pings.
	PingEvery = 10 * time.Second
	// DeadAfter is how long a connection may be silent until it is taken for dead.
	DeadAfter = 25 * time.Second
	// writeTime is how long the other end may take to take writeChunk bytes: a slow line is not a dead one.
	writeTime  = 10 * time.Second
	writeChunk = 16 << 10
	// closeTime is how long the end of a connection may take.
	closeTime = time.Second
)

// Codes with which a session is closed, beside those of RFC 6455.
const (
	CodeFenced  = 4001 // the node has begun another session
	CodeRevoked = 4002 // the node's certificate is no longer good
	CodeVersion = 4003 // no version of the protocol is common
	CodeMessage = 4004 // a message could not be taken
)

// ClosedError says that the other end closed the session.
type ClosedError struct {
	Code   int
	Reason string
}

func (e *ClosedError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("closed with code %d", e.Code)
	}
	return fmt.Sprintf("closed with code %d: %s", e.Code, e.Reason)
}

// Pump carries the messages of one session over a WebSocket. It reads in the goroutine of Run, and writes in one that
// exists only while there is something to write: a hub has thousands of silent sessions.
type Pump struct {
	c     *websocket.Conn
	pings bool
	heard time.Time // the reader's own: when it last began to wait, or heard a ping or a pong

	mu      sync.Mutex // guards all below, and the end
	end     End
	writing bool
	again   bool // something may have come up since the writer last looked
	over    bool
	cause   error // why it ended by our doing
	writers sync.WaitGroup
}

// NewPump makes a pump. The node pings, the hub answers.
func NewPump(c *websocket.Conn, end End, pings bool) *Pump {
	c.SetReadLimit(MaxMessage)
	return &Pump{c: c, end: end, pings: pings}
}

// Run carries messages until the connection ends, an end refuses a message, Close is called, or ctx ends. It returns why:
// *ClosedError if the other end closed it.
func (p *Pump) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.Close(websocket.CloseGoingAway, "going away") })
	defer stop()
	var pinger sync.WaitGroup
	done := make(chan struct{})
	if p.pings {
		pinger.Go(func() { p.ping(done) })
	}
	p.Poke()
	err := p.read()
	close(done)
	p.mu.Lock()
	p.over = true
	if p.cause != nil {
		err = p.cause
	}
	p.mu.Unlock()
	_ = p.c.Close() // whatever it says, it is over
	p.writers.Wait()
	pinger.Wait()
	return err
}

// read takes messages until there are no more.
func (p *Pump) read() error {
	p.heard = time.Now()
	p.c.SetPongHandler(func(string) error { return p.alive() })
	p.c.SetPingHandler(func(data string) error {
		if err := p.alive(); err != nil {
			return err
		}
		// One that finds no room is left out: the next ping comes.
		_ = p.c.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(closeTime))
		return nil
	})
	for {
		if err := p.alive(); err != nil {
			return err
		}
		kind, r, err := p.c.NextReader()
		if err != nil {
			return readError(err)
		}
		if kind != websocket.TextMessage {
			p.refuse(fmt.Errorf("%w is not text", ErrMessage))
			continue
		}
		b, err := p.whole(r)
		if err != nil {
			return readError(err)
		}
		p.mu.Lock()
		if p.over {
			p.mu.Unlock()
			continue
		}
		err = p.end.Take(b)
		p.mu.Unlock()
		if err != nil {
			p.refuse(err)
			continue
		}
		p.Poke()
	}
}

// whole reads one message; the read limit bounds it. Each piece shows that the other end is there.
func (p *Pump) whole(r io.Reader) ([]byte, error) {
	b := make([]byte, 0, 512)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, p.alive()
		}
		if err == nil {
			err = p.alive()
		}
		if err != nil {
			return nil, err
		}
		b = slices.Grow(b, 1)
	}
}

// alive notes that the other end was heard. A process that was stopped reads what lay there meanwhile, as if it were
// news: then the session is over.
func (p *Pump) alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil // only the other end's goodbye is waited for
	}
	if silent := time.Since(p.heard); silent > DeadAfter {
		return fmt.Errorf("nothing was read for %s", silent.Round(time.Second))
	}
	p.heard = time.Now()
	return p.c.SetReadDeadline(time.Now().Add(DeadAfter))
}

func readError(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return &ClosedError{Code: closed.Code, Reason: closed.Text}
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("nothing was heard for %s: %w", DeadAfter, err)
	}
	return err
}

// refuse closes the session because of what the other end has said.
func (p *Pump) refuse(err error) {
	code := CodeMessage
	if errors.Is(err, ErrVersion) {
		code = CodeVersion
	}
	p.closeWith(code, err.Error(), err)
}

// Poke tells that there may be something to send. It never blocks.
func (p *Pump) Poke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if p.writing {
		p.again = true
		return
	}
	p.writing = true
	p.writers.Go(p.write)
}

// write sends until there is nothing left to send.
func (p *Pump) write() {
	for {
		p.mu.Lock()
		p.again = false
		if p.over {
			p.writing = false
			p.mu.Unlock()
			return
		}
		b, ok, err := p.end.Next()
		if err == nil && !ok && !p.again {
			p.writing = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if err != nil {
			p.closeWith(CodeMessage, err.Error(), err)
			continue
		}
		if !ok {
			continue
		}
		if err := p.send(b); err != nil {
			p.closeWith(0, "", fmt.Errorf("send: %w", err))
		}
	}
}

// send writes one message, a large one in pieces that each have their time.
func (p *Pump) send(b []byte) error {
	_ = p.c.SetWriteDeadline(time.Now().Add(writeTime)) // only a closed connection refuses it, and so the write
	if len(b) <= writeChunk {
		return p.c.WriteMessage(websocket.TextMessage, b)
	}
	w, err := p.c.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(b, writeChunk) {
		_ = p.c.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	_ = p.c.SetWriteDeadline(time.Now().Add(writeTime))
	return w.Close()
}

func (p *Pump) ping(done <-chan struct{}) {
	tick := time.NewTicker(PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			_ = p.c.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)) // the reader notices
		}
	}
}

// Close ends the session with a code and a reason.
func (p *Pump) Close(code int, reason string) {
	p.closeWith(code, reason, &ClosedError{Code: code, Reason: reason})
}

// closeWith says goodbye, if there is a code, and leaves the other end a moment to say it too: a connection that is
// broken off at once may take the code with it.
func (p *Pump) closeWith(code int, reason string, cause error) {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	p.over, p.cause = true, cause
	_ = p.c.SetReadDeadline(time.Now().Add(closeTime))
	p.mu.Unlock()
	if code == 0 {
		_ = p.c.Close() // the reader sees it
		return
	}
	const most = 120 // bytes of a reason that fit into a control frame
	_ = p.c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, cut(reason, most)), time.Now().Add(closeTime))
}
