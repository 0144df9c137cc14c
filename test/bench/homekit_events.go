package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"twinbridge/internal/haptest"
)

// burst is what a second controller sees of one PUT of all lamps.
type burst struct {
	messages []float64
	last     times
}

// middle gives the median of the messages, 0 if there are none.
func (b *burst) middle() float64 {
	if len(b.messages) == 0 {
		return 0
	}
	return median(b.messages)
}

// events measures how long after a PUT the second controller has its event, the first one after silence, and what it
// sees of one PUT of all lamps.
func (s *session) events(ctx context.Context) (took times, all burst, err error) {
	writer, err := s.dial(ctx)
	if err != nil {
		return nil, all, err
	}
	defer writer.Close()
	other, err := s.dial(ctx)
	if err != nil {
		return nil, all, err
	}
	defer other.Close()
	other.Timeout = 0
	if err := other.Subscribe(ctx, s.on...); err != nil {
		return nil, all, err
	}
	off, err := switches(s.on...) // a known state, and what it causes is over
	if err != nil {
		return nil, all, err
	}
	if err := putAll(ctx, writer, off[1]); err != nil {
		return nil, all, err
	}
	other.Listen()
	one, err := switches(s.on[0])
	if err != nil {
		return nil, all, err
	}
	for i := range hapEvents {
		if err := quiet(ctx, other); err != nil {
			return nil, all, err
		}
		began := time.Now()
		if err := putDone(ctx, writer, one[i%2]); err != nil {
			return nil, all, err
		}
		m, err := event(ctx, other)
		if err != nil {
			return nil, all, err
		}
		took = append(took, m.At.Sub(began))
	}
	for i := range hapBursts {
		if err := quiet(ctx, other); err != nil {
			return nil, all, err
		}
		began := time.Now()
		if err := putAll(ctx, writer, off[i%2]); err != nil {
			return nil, all, err
		}
		messages, last, err := changes(ctx, other, len(s.on))
		if err != nil {
			return nil, all, fmt.Errorf("PUT of all lamps: %w", err)
		}
		all.messages, all.last = append(all.messages, float64(messages)), append(all.last, last.Sub(began))
	}
	return took, all, nil
}

// putAll writes; a server may answer a large PUT with a status for each entry.
func putAll(ctx context.Context, c *haptest.Conn, request []byte) error {
	m, err := c.Exchange(ctx, request)
	if err == nil && m.Status/100 != 2 {
		err = fmt.Errorf("PUT: status %d", m.Status)
	}
	return err
}

// quiet waits until nothing has come for so long that a server holds nothing back any more.
func quiet(ctx context.Context, c *haptest.Conn) error {
	for {
		t := time.NewTimer(hapSilence)
		select {
		case <-c.Events():
			t.Stop()
		case <-t.C:
			return nil
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

func event(ctx context.Context, c *haptest.Conn) (haptest.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, hapPatience)
	defer cancel()
	return c.Event(ctx)
}

// changes reads events until they have told so many changes.
func changes(ctx context.Context, c *haptest.Conn, want int) (messages int, last time.Time, err error) {
	seen := map[haptest.ID]bool{}
	for len(seen) < want {
		m, err := event(ctx, c)
		if err != nil {
			return messages, last, fmt.Errorf("%d of %d changes came: %w", len(seen), want, err)
		}
		list, err := m.Characteristics()
		if err != nil {
			return messages, last, err
		}
		for i := range list {
			seen[haptest.ID{AID: list[i].AID, IID: list[i].IID}] = true
		}
		messages++
		last = m.At
	}
	return messages, last, nil
}

// subscribers are controllers of their own, each with a connection that has the events of all lamps. A server that takes
// no further controllers has more connections of its first one.
func (s *session) subscribers(ctx context.Context, n int) (_ []*haptest.Conn, err error) {
	var out []*haptest.Conn
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(out))
		}
	}()
	admin, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	who := s.who
	for i := range n {
		if i > 0 {
			next, err := haptest.NewController()
			if err != nil {
				return out, err
			}
			if err := admin.AddPairing(ctx, haptest.Pairing{ID: next.ID, Key: next.Public()}); err == nil {
				who = next
			}
		}
		c, err := s.subscriber(ctx, who)
		if err != nil {
			return out, err
		}
		out = append(out, c)
	}
	return out, nil
}

// subscriber is one of them; a server that does not answer is asked again.
func (s *session) subscriber(ctx context.Context, who *haptest.Controller) (*haptest.Conn, error) {
	var bad []error
	for range 3 {
		c, err := s.host.dial(ctx, who, s.acc)
		if err != nil {
			return nil, err
		}
		if err = c.Subscribe(ctx, s.on...); err == nil {
			return c, nil
		}
		bad = append(bad, err, c.Close())
	}
	return nil, errors.Join(bad...)
}

func closeAll(conns []*haptest.Conn) error {
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
