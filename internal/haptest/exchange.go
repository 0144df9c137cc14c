package haptest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Content types (HAP 5.4 and 6.2).
const (
	typeTLV  = "application/pairing+tlv8"
	typeJSON = "application/hap+json"
)

// StatusError is a response with another status than the one that was asked for.
type StatusError struct {
	Status int
	Body   []byte
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %.200q", e.Status, e.Body) }

// Request makes the bytes of a request. A nil body is none at all. What is sent again and again is made once.
func Request(method, path, contentType string, body []byte) []byte {
	b := make([]byte, 0, 128+len(path)+len(body))
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: accessory.local\r\n"...)
	if body != nil {
		b = append(b, "Content-Type: "...)
		b = append(b, contentType...)
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// RoundTrip sends a request that was made before and gives the status of its answer and how long its body is. It
// allocates nothing beside what the context wants.
func (c *Conn) RoundTrip(ctx context.Context, request []byte) (status, length int, err error) {
	err = c.exchange(ctx, request, func(m *Message) { status, length = m.Status, len(m.Body) })
	return status, length, err
}

// Exchange sends a request that was made before and gives its answer.
func (c *Conn) Exchange(ctx context.Context, request []byte) (Message, error) {
	var out Message
	err := c.exchange(ctx, request, func(m *Message) { out = m.whole() })
	return out, err
}

// Do makes a request and gives its answer, whatever its status. The body is JSON.
func (c *Conn) Do(ctx context.Context, method, path string, body []byte) (Message, error) {
	m, err := c.Exchange(ctx, Request(method, path, typeJSON, body))
	if err != nil {
		return m, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return m, nil
}

// exchange sends a request and has a look at its answer, which is good for as long as the look takes.
func (c *Conn) exchange(ctx context.Context, request []byte, look func(*Message)) error {
	if err := c.Send(request); err != nil {
		return err
	}
	if c.done != nil {
		return c.await(ctx, look)
	}
	return c.reading(ctx, func() error {
		for {
			m, err := c.next()
			if err != nil {
				return err
			}
			if !m.Event {
				look(&m)
				return nil
			}
			if err := c.keep(m.whole()); err != nil {
				return err
			}
		}
	})
}

// await takes the answer from the goroutine that listens.
func (c *Conn) await(ctx context.Context, look func(*Message)) error {
	select {
	case m := <-c.answers:
		look(&m)
		return nil
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Conn) keep(event Message) error {
	select {
	case c.events <- event:
		return nil
	default:
		return ErrEvents
	}
}

// Event gives the next event: one that came in between, or it waits for it. An answer that comes instead is an error.
func (c *Conn) Event(ctx context.Context) (Message, error) {
	select {
	case m := <-c.events:
		return m, nil
	default:
	}
	if c.done != nil {
		select {
		case m := <-c.events:
			return m, nil
		case <-c.done:
			return Message{}, c.err
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
	m, err := c.Next(ctx)
	if err == nil && !m.Event {
		err = fmt.Errorf("a response with status %d, expected an event", m.Status)
	}
	return m, err
}

// Events gives the events as they come, once Listen was called; else those that came between requests.
func (c *Conn) Events() <-chan Message { return c.events }

// Listen reads from here on in a goroutine, until the connection ends; Close waits for it. Answers go to who made the
// request, events to Events. It is called once, after the handshake.
func (c *Conn) Listen() {
	c.answers, c.done = make(chan Message, 1), make(chan struct{})
	go func() {
		defer close(c.done)
		c.err = c.listen()
	}()
}

func (c *Conn) listen() error {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	for {
		m, err := c.next()
		if err != nil {
			return err
		}
		if m = m.whole(); m.Event {
			if err := c.keep(m); err != nil {
				return err
			}
			continue
		}
		select {
		case c.answers <- m:
		default:
			return errors.New("a response that nobody has asked for")
		}
	}
}

// PostTLV posts a pairing message and gives the items of the answer; an error item in it is no error here. A body that
// is no TLV8 is, and then a status other than 200 is told as one.
func (c *Conn) PostTLV(ctx context.Context, path string, items ...Item) ([]Item, error) {
	m, err := c.Exchange(ctx, Request(http.MethodPost, path, typeTLV, EncodeTLV(items...)))
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	answer, _, err := DecodeTLV(m.Body)
	if m.Status != http.StatusOK && (err != nil || len(answer) == 0) {
		return nil, &StatusError{m.Status, m.Body}
	}
	return answer, err
}
