package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"twinbridge/internal/haptest"
)

const (
	hapPatience  = 3 * time.Second // of a controller with one answer
	hapWarm      = 50              // exchanges before those that count
	hapReads     = 1000
	hapReadTime  = 2 * time.Second // of fewer reads
	hapPuts      = 4000
	hapPutTime   = 4 * time.Second
	hapMany      = 8 // connections at once
	hapManyTime  = 2 * time.Second
	hapEvents    = 10
	hapBursts    = 5
	hapSilence   = 1100 * time.Millisecond // longer than any server holds events back (HAP 6.8)
	hapVerifies  = 200
	hapFirsts    = 1000
	hapReadsWith = 300
	hapEnough    = 20 // failures, after which there is no need to go on
)

// hapLoad is what one number of lamps gives.
type hapLoad struct {
	read      times
	readCPU   time.Duration // of the server, per read
	readBytes int           // of the body
	put       times
	putCPU    time.Duration
	rate      float64 // PUTs per second on one connection
	rateMany  float64 // and on many
}

// session is a controller's view of a server: the pairing and the lamps.
type session struct {
	host *hapHost
	who  *haptest.Controller
	acc  haptest.Accessory
	on   []haptest.ID
}

// enter reads the database and keeps what is written to.
func enter(ctx context.Context, h *hapHost, who *haptest.Controller, acc haptest.Accessory, lamps int) (*session, error) {
	s := &session{host: h, who: who, acc: acc}
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	db, err := c.Accessories(ctx)
	if err != nil {
		return nil, err
	}
	if s.on = db.Find("25"); len(s.on) != lamps {
		return nil, fmt.Errorf("%d lamps in the database, expected %d", len(s.on), lamps)
	}
	return s, nil
}

func (s *session) dial(ctx context.Context) (*haptest.Conn, error) {
	return s.host.dial(ctx, s.who, s.acc)
}

// switches are two requests, made once, that switch lamps on and off.
func switches(ids ...haptest.ID) ([2][]byte, error) {
	var out [2][]byte
	for i, value := range []string{"true", "false"} {
		writes := make([]haptest.Write, len(ids))
		for k, id := range ids {
			writes[k] = haptest.Set(id, value)
		}
		body, err := haptest.PutBody(0, writes...)
		if err != nil {
			return out, err
		}
		out[i] = haptest.Request(http.MethodPut, "/characteristics", "application/hap+json", body)
	}
	return out, nil
}

// putDone holds the status of a PUT against what it has to be.
func putDone(ctx context.Context, c *haptest.Conn, request []byte) error {
	status, _, err := c.RoundTrip(ctx, request)
	if err == nil && status != http.StatusNoContent {
		err = fmt.Errorf("PUT: status %d", status)
	}
	return err
}

// load reads the database and writes, one request after the other and then on many connections.
func (s *session) load(ctx context.Context) (l hapLoad, err error) {
	c, err := s.dial(ctx)
	if err != nil {
		return l, err
	}
	defer c.Close()
	request := haptest.Request(http.MethodGet, "/accessories", "", nil)
	l.read, l.readCPU, err = s.repeat(hapReads, hapReadTime, func(int) error {
		status, n, err := c.RoundTrip(ctx, request)
		if l.readBytes = n; err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET /accessories: status %d", status)
		}
		return err
	})
	if err != nil {
		return l, err
	}
	both, err := switches(s.on[0])
	if err != nil {
		return l, err
	}
	if l.put, l.putCPU, err = s.repeat(hapPuts, hapPutTime, func(i int) error { return putDone(ctx, c, both[i%2]) }); err != nil {
		return l, err
	}
	whole := time.Duration(0)
	for _, t := range l.put {
		whole += t
	}
	l.rate = float64(len(l.put)) / whole.Seconds()
	l.rateMany, err = s.many(ctx)
	return l, err
}

// repeat does something at most so often and so long, and gives the times and the server's processor time for each.
func (s *session) repeat(most int, limit time.Duration, do func(int) error) (took times, each time.Duration, err error) {
	for i := range hapWarm {
		if err := do(i); err != nil {
			return nil, 0, err
		}
	}
	before, err := cpu(s.host.pid())
	if err != nil {
		return nil, 0, err
	}
	end := time.Now().Add(limit)
	took = make(times, 0, most)
	for i := range most {
		began := time.Now()
		if began.After(end) {
			break
		}
		if err := do(i); err != nil {
			return nil, 0, fmt.Errorf("number %d: %w", i, err)
		}
		took = append(took, time.Since(began))
	}
	now, err := cpu(s.host.pid())
	return took, (now - before) / time.Duration(len(took)), err
}

// many writes on eight connections at once, each to a lamp of its own as far as there are, and gives the PUTs per second.
func (s *session) many(ctx context.Context) (float64, error) {
	var wg sync.WaitGroup
	counts, bad := make([]int, hapMany), make([]error, hapMany)
	conns := make([]*haptest.Conn, hapMany)
	for i := range conns {
		c, err := s.dial(ctx)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		conns[i] = c
	}
	began := time.Now()
	end := began.Add(hapManyTime)
	for i, c := range conns {
		wg.Go(func() {
			both, err := switches(s.on[i%len(s.on)])
			for err == nil && time.Now().Before(end) {
				if err = putDone(ctx, c, both[counts[i]%2]); err == nil {
					counts[i]++
				}
			}
			bad[i] = err
		})
	}
	wg.Wait()
	took := time.Since(began)
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n) / took.Seconds(), errors.Join(bad...)
}

// verifies measures pair-verify alone, each on a new connection. A few may fail, as they do with brutella/hap, which now
// and then encrypts its last message already.
func (s *session) verifies(ctx context.Context) (times, error) {
	var took times
	failed := 0
	for range hapVerifies {
		c, err := haptest.Open(ctx, s.host.addr)
		if err != nil {
			return nil, err
		}
		v, err := s.who.Verify(s.acc)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		began := time.Now()
		err = c.PairVerify(ctx, v)
		if d := time.Since(began); err == nil {
			took = append(took, d)
		} else if failed++; failed > hapEnough {
			return nil, errors.Join(err, c.Close())
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// tally counts what went wrong.
type tally struct{ failures, tried int }

// firsts sends the first request straight behind pair-verify, on connections that are new each time.
func (s *session) firsts(ctx context.Context) (t tally, err error) {
	request := haptest.Request(http.MethodGet, haptest.PathOf(s.on[:1]), "", nil)
	for t.tried < hapFirsts && t.failures < hapEnough {
		err := s.first(ctx, request)
		if t.tried++; err != nil {
			t.failures++
		}
		if err := ctx.Err(); err != nil {
			return t, err
		}
	}
	return t, nil
}

// first is one of them.
func (s *session) first(ctx context.Context, request []byte) error {
	c, err := s.who.Dial(ctx, s.host.addr, s.acc)
	if err != nil {
		return err
	}
	c.Timeout = time.Second
	status, _, err := c.RoundTrip(ctx, request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return errors.Join(err, c.Close())
}

// readsWith reads the database over and over on a connection that has events, while another one switches a lamp every
// 100 ms. The reads are 20 ms apart, so that there are many events among them however fast they are.
func (s *session) readsWith(ctx context.Context) (t tally, events int, err error) {
	c, err := s.dial(ctx)
	if err != nil {
		return t, 0, err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, s.on...); err != nil {
		return t, 0, err
	}
	w, err := s.dial(ctx)
	if err != nil {
		return t, 0, err
	}
	defer w.Close()
	both, err := switches(s.on[0])
	if err != nil {
		return t, 0, err
	}
	request := haptest.Request(http.MethodGet, "/accessories", "", nil)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for t.tried < hapReadsWith {
		if t.tried%5 == 0 {
			if err := putDone(ctx, w, both[t.tried/5%2]); err != nil {
				return t, 0, err
			}
		}
		status, _, err := c.RoundTrip(ctx, request)
		if t.tried++; err != nil || status != http.StatusOK {
			t.failures++ // the connection is of no more use
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return t, 0, ctx.Err()
		}
	}
	return t, len(c.Events()), nil
}
