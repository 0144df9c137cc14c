package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"twinbridge/pairing/enroll"
	"twinbridge/test/enrolltest"
)

// A fleet of nodes that exist on the link only. Each speaks docs/protocol.md by itself, not by the product's code: it
// answers hellos, tells its devices once a session, acknowledges, and carries out what is offered at once.

const (
	fleetDevices = 15 // of each node
	fleetWindow  = 32 // messages of a node that the hub has not acknowledged
)

// fleetNode is one of them.
type fleetNode struct {
	name   string
	member *enroll.Member
	url    string
	fleet  *fleet

	mu    sync.Mutex
	c     *websocket.Conn
	rev   uint64
	sent  uint64 // number of our last message in this session
	got   uint64 // of the hub's last one
	acked uint64 // of ours that the hub has
	ready bool
	room  chan struct{} // has a token when the hub acknowledged something
	value []int         // last value of each device
}

// fleet is all of them.
type fleet struct {
	nodes   []*fleetNode
	up      atomic.Int64 // nodes whose state the hub holds: it has acknowledged their decisions
	changes atomic.Int64 // observations that the hub has acknowledged
	wishes  atomic.Int64 // wishes carried out
}

// join makes a node a member of the hub.
func (f *fleet) join(ctx context.Context, hub *cloud, name string) (*fleetNode, error) {
	token, err := hub.token(ctx, name)
	if err != nil {
		return nil, err
	}
	m, err := enroll.Join(ctx, enrolltest.NewStore(), token, enroll.MemberConfig{})
	if err != nil {
		return nil, err
	}
	n := &fleetNode{
		name: name, member: m, url: "wss" + strings.TrimPrefix(m.Hubs()[0], "https") + "/v1/link", fleet: f, rev: 1,
		room: make(chan struct{}, 1), value: make([]int, fleetDevices),
	}
	f.nodes = append(f.nodes, n)
	return n, nil
}

// run keeps the node connected, with the pauses of a real one.
func (n *fleetNode) run(ctx context.Context) {
	pause := time.Second
	for ctx.Err() == nil {
		began := time.Now()
		_ = n.session(ctx) // why it ended does not matter: it dials again
		if time.Since(began) > 20*time.Second {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause - time.Duration(rand.Int64N(int64(pause/2)))):
		}
		pause = min(2*pause, 15*time.Second)
	}
}

func (n *fleetNode) session(ctx context.Context) error {
	dialer := websocket.Dialer{
		TLSClientConfig: n.tls(), HandshakeTimeout: 30 * time.Second, Subprotocols: []string{"twinbridge.link"},
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10,
	}
	c, _, err := dialer.DialContext(ctx, n.url, nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	n.mu.Lock()
	n.c, n.sent, n.got, n.acked, n.ready = c, 0, 0, 0, false
	n.mu.Unlock()
	done := make(chan struct{})
	var pinger sync.WaitGroup
	pinger.Go(func() {
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
			}
		}
	})
	for err == nil {
		var b []byte
		if _, b, err = c.ReadMessage(); err == nil {
			err = n.take(b)
		}
	}
	close(done)
	pinger.Wait()
	n.mu.Lock()
	if n.ready {
		n.fleet.up.Add(-1)
	}
	n.c, n.ready = nil, false
	n.mu.Unlock()
	return errors.Join(err, c.Close())
}

func (n *fleetNode) tls() *tls.Config { return n.member.TLS() }

// heard is what of the hub's messages is looked at.
type heard struct {
	N    uint64 `json:"n"`
	Got  uint64 `json:"got"`
	Kind string `json:"kind"`
	Body struct {
		Newest int    `json:"newest"`
		Rev    uint64 `json:"rev"`
		Wishes []struct {
			Device string            `json:"device"`
			UID    string            `json:"uid"`
			Number uint64            `json:"number"`
			ID     string            `json:"id"`
			Values map[string]string `json:"values"`
		} `json:"wishes"`
	} `json:"body"`
}

// take takes a message of the hub.
func (n *fleetNode) take(b []byte) error {
	var m heard
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if m.Got > n.acked {
		if n.ready {
			n.fleet.changes.Add(int64(m.Got - n.acked))
		}
		n.acked = m.Got
		select {
		case n.room <- struct{}{}:
		default:
		}
	}
	if m.N == 0 {
		return nil
	}
	if m.N != n.got+1 {
		return fmt.Errorf("message %d after %d", m.N, n.got)
	}
	n.got = m.N
	switch m.Kind {
	case "hello":
		if err := n.send("answer", fmt.Sprintf(`{"version":%d,"store":"store-%s","program":"bench"}`, m.Body.Newest, n.name)); err != nil {
			return err
		}
		if m.Body.Rev >= n.rev { // it knows all there is
			n.isUp()
		} else if err := n.send("decisions", n.definitions()); err != nil {
			return err
		}
		return n.send("observations", n.observations())
	case "ack":
		if m.Body.Rev >= n.rev {
			n.isUp()
		}
	case "offer":
		for _, w := range m.Body.Wishes {
			n.rev++
			err := n.send("decisions", fmt.Sprintf(`{"store":"store-%s","rev":%d,"opening":"once","devices":[{"name":%q,"uid":%q,"props":[{"name":"powerstatus","expected":%q,"origin":"cloud","rev":%d}],"outcomes":[{"id":%q,"number":%d,"outcome":"applied"}]}]}`,
				n.name, n.rev, w.Device, w.UID, w.Values["powerstatus"], n.rev, w.ID, w.Number))
			if err != nil {
				return err
			}
			n.fleet.wishes.Add(1)
		}
	}
	return nil
}

func (n *fleetNode) isUp() {
	if !n.ready {
		n.ready = true
		n.fleet.up.Add(1)
	}
}

// send sends a message; the lock is held.
func (n *fleetNode) send(kind, body string) error {
	if n.c == nil {
		return errors.New("not connected")
	}
	n.sent++
	return n.c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"n":%d,"got":%d,"kind":%q,"body":%s}`, n.sent, n.got, kind, body))
}

func (n *fleetNode) device(i int) string { return fmt.Sprintf("%s/lamp%d", n.name, i) }

func (n *fleetNode) uid(i int) string { return fmt.Sprintf("%s-%d", n.name, i) }

// definitions tells the devices.
func (n *fleetNode) definitions() string {
	const model = `{"name":"bench/lamp","properties":[{"name":"powerstatus","type":"string","enum":["ON","OFF"]},{"name":"count","type":"int","access":"ReadOnly"}]}`
	var list []string
	for i := range fleetDevices {
		list = append(list, fmt.Sprintf(`{"name":%[1]q,"uid":%[2]q,"whole":true,"definition":{"name":%[1]q,"uid":%[2]q,"generation":1,"definer":"node","model":"bench/lamp","node":%[3]q},"model":%[4]s}`,
			n.device(i), n.uid(i), n.name, model))
	}
	return fmt.Sprintf(`{"store":"store-%s","rev":%d,"opening":"once","devices":[%s]}`, n.name, n.rev, strings.Join(list, ","))
}

func (n *fleetNode) observations() string {
	var list []string
	for i := range fleetDevices {
		list = append(list, n.observation(i))
	}
	return `{"full":true,"devices":[` + strings.Join(list, ",") + `]}`
}

func (n *fleetNode) observation(i int) string {
	return fmt.Sprintf(`{"name":%q,"uid":%q,"presence":"online","props":[{"name":"powerstatus","actual":"sOFF"},{"name":"count","actual":"i%d"}]}`, n.device(i), n.uid(i), n.value[i])
}

// observe changes devices until ctx ends: the next change goes out when there is room for it, at most at the pace given.
func (n *fleetNode) observe(ctx context.Context, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for k := 0; ; k++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for !n.change(k % fleetDevices) {
			select {
			case <-ctx.Done():
				return
			case <-n.room:
			}
		}
	}
}

// change tells the next value of a device; false: there is no room for it now.
func (n *fleetNode) change(i int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.c == nil || !n.ready {
		return true // left out: nothing waits for a link
	}
	if n.sent-n.acked >= fleetWindow {
		return false
	}
	n.value[i]++
	_ = n.send("observations", `{"devices":[`+n.observation(i)+`]}`) // the reader sees a broken connection
	return true
}
