package eventbus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is a journal that commits at once, or as told.
type disk struct {
	wake chan struct{}

	mu   sync.Mutex
	err  error
	hold chan struct{} // commits wait until it is closed
}

func (d *disk) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	d.err = err
	d.mu.Unlock()
	d.Wake()
}

// stall holds commits back until the returned function is called.
func (d *disk) stall() (release func()) {
	c := make(chan struct{})
	d.mu.Lock()
	d.hold = c
	d.mu.Unlock()
	return sync.OnceFunc(func() { close(c) })
}

type clock struct{ start time.Time }

func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }
func (c clock) Wall() time.Time    { return time.Now() }

// run commits and runs timers until ctx ends.
func (d *disk) run(ctx context.Context, s *twin.Store) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d.mu.Lock()
		err, hold := d.err, d.hold
		d.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-ctx.Done():
				return
			}
		}
		if b, ok := s.TakeBatch(false); ok {
			s.Committed(b, err)
		}
		if next, ok := s.Tick(); ok {
			timer.Reset(next)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// house is a node with a bus.
type house struct {
	t     testing.TB
	store *twin.Store
	disk  *disk
	bus   *Bus
	ext   *External // instead of bus
	proto *protocol
	addr  string
	stop  func()
}

// newHouse starts a node with devices and a bus on a free port, and ends it with the test.
func newHouse(t testing.TB, names ...string) *house {
	t.Helper()
	return newHouseWith(t, func(*Bus) {}, names...)
}

// newHouseWith does so with a bus that is changed before it runs.
func newHouseWith(t testing.TB, change func(*Bus), names ...string) *house {
	t.Helper()
	h := newNode(t, names...)
	var err error
	if h.bus, err = New(Config{Listen: "127.0.0.1:0"}, h.store, testLog(t)); err != nil {
		t.Fatal(err)
	}
	change(h.bus)
	h.addr, h.proto = h.bus.Addr().String(), h.bus.protocol
	h.run(h.bus.Run)
	for _, s := range names {
		h.told(s)
	}
	return h
}

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// newNode makes a node with devices and no bus yet.
func newNode(t testing.TB, names ...string) *house {
	t.Helper()
	var n int
	var mu sync.Mutex
	node, err := twin.OpenNode(twin.NodeConfig{Name: "edge1", FileID: "f", NewID: func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return "id-" + strconv.Itoa(n)
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, disk: &disk{wake: make(chan struct{}, 1)}}
	h.store = twin.NewStore(node, clock{time.Now()}, h.disk)
	h.define(names...)
	return h
}

// run runs the bus and the disk until the end of the test, or until stop is called.
func (h *house) run(bus func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { h.disk.run(ctx, h.store) })
	wg.Go(func() {
		if err := bus(ctx); err != nil {
			h.t.Errorf("the bus ended with %v", err)
		}
	})
	h.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	h.t.Cleanup(h.stop)
}

// told waits until the bus has told what there is to tell of a device.
func (h *house) told(name string) {
	h.t.Helper()
	n, err := twin.ParseName(name)
	if err != nil {
		h.t.Fatal(err)
	}
	eventually(h.t, func() (bool, string) {
		v, err := h.store.Device(n)
		if err != nil {
			h.t.Fatal(err)
		}
		d := h.proto.find(n)
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.uid == v.Device.UID && d.offerSeq == v.OfferSeq, "not told of " + name
	})
}

// lampProps are the properties of every device of the tests.
func lampProps() []twin.Property {
	return []twin.Property{
		{Name: "powerstatus", Type: twin.String, Enum: []string{"ON", "OFF"}, Visitor: twin.Visitor{Protocol: "sim"}},
		{Name: "level", Type: twin.Int, Min: new(0.0), Max: new(100000.0)},
		{Name: "on", Type: twin.Bool},
		{Name: "temperature", Type: twin.Float, Access: twin.ReadOnly},
	}
}

func (h *house) define(names ...string) {
	h.t.Helper()
	var list []twin.Device
	for _, s := range names {
		n, err := twin.ParseName(s)
		if err != nil {
			h.t.Fatal(err)
		}
		// No settle time: a foreign mapper's equal report counts at once.
		list = append(list, twin.Device{Name: n, Properties: lampProps(), Annotations: map[string]string{"settle": "0s"}})
	}
	if err := h.store.Apply(nil, list); err != nil {
		h.t.Fatal(err)
	}
}

// annotate defines a device anew, with other annotations.
func (h *house) annotate(name string, notes map[string]string) {
	h.t.Helper()
	n, err := twin.ParseName(name)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.store.Apply(nil, []twin.Device{{Name: n, Properties: lampProps(), Annotations: notes}}); err != nil {
		h.t.Fatal(err)
	}
}

// prop reads a property of a device.
func (h *house) prop(name, prop string) twin.PropertyView {
	h.t.Helper()
	n, err := twin.ParseName(name)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := h.store.Device(n)
	if err != nil {
		h.t.Fatal(err)
	}
	return *v.Prop(prop)
}

func (h *house) presence(name string) twin.Presence {
	h.t.Helper()
	n, err := twin.ParseName(name)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := h.store.Device(n)
	if err != nil {
		h.t.Fatal(err)
	}
	return v.Presence
}

// offers tells how often something was offered to a device.
func (h *house) offers(name string) uint64 {
	h.t.Helper()
	n, err := twin.ParseName(name)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := h.store.Device(n)
	if err != nil {
		h.t.Fatal(err)
	}
	return v.OfferSeq
}

// wish hands in a wish of another rim.
func (h *house) wish(name, prop string, v twin.Value) twin.WishView {
	h.t.Helper()
	n, err := twin.ParseName(name)
	if err != nil {
		h.t.Fatal(err)
	}
	w, err := h.store.Ask(n, twin.Wish{ID: h.store.NewID(), Origin: twin.FromLocal, Values: map[string]twin.Value{prop: v}})
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// message is one that a client received.
type message struct {
	topic   topic.Topic
	name    string
	payload []byte
	retain  bool
}

// client is a paho client with what it received.
type client struct {
	t  testing.TB
	c  paho.Client
	in chan message
}

// connect makes a client that subscribes to filters.
func (h *house) connect(filters ...string) *client {
	h.t.Helper()
	return h.connectAs(func(*paho.ClientOptions) {}, filters...)
}

func (h *house) connectAs(set func(*paho.ClientOptions), filters ...string) *client {
	h.t.Helper()
	c := &client{t: h.t, in: make(chan message, 60000)}
	o := paho.NewClientOptions().AddBroker("tcp://" + h.addr).SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		t, _ := topic.Parse(m.Topic()) // what is none of ours has no kind
		c.in <- message{t, m.Topic(), m.Payload(), m.Retained()}
	})
	set(o)
	c.c = paho.NewClient(o)
	done(h.t, c.c.Connect())
	for _, f := range filters {
		done(h.t, c.c.Subscribe(f, 0, nil))
	}
	h.t.Cleanup(func() { c.c.Disconnect(0) })
	return c
}

func done(t testing.TB, tok paho.Token) {
	t.Helper()
	if !tok.WaitTimeout(10 * time.Second) {
		t.Fatal("the broker did not answer within 10 s")
	}
	if err := tok.Error(); err != nil {
		t.Fatal(err)
	}
}

func (c *client) publish(name, payload string) {
	c.t.Helper()
	done(c.t, c.c.Publish(name, 0, false, payload))
}

// next gives the next message, of the given kinds if any are named; others are passed over.
func (c *client) next(kinds ...topic.Kind) message {
	c.t.Helper()
	m, ok := c.within(10*time.Second, kinds...)
	if !ok {
		c.t.Fatalf("no message of %v within 10 s", kinds)
	}
	return m
}

func (c *client) within(limit time.Duration, kinds ...topic.Kind) (message, bool) {
	deadline := time.After(limit)
	for {
		select {
		case m := <-c.in:
			if len(kinds) == 0 {
				return m, true
			}
			for _, k := range kinds {
				if m.topic.Kind == k {
					return m, true
				}
			}
		case <-deadline:
			return message{}, false
		}
	}
}

// quiet fails the test if a message of the kinds comes before the answer to a question that is asked now.
func (c *client) quiet(ask string, kinds ...topic.Kind) {
	c.t.Helper()
	c.publish(ask+"/twin/get", `{"event_id":"quiet"}`)
	for {
		m := c.next()
		if m.topic.Kind == topic.TwinGetResult {
			return
		}
		for _, k := range kinds {
			if m.topic.Kind == k {
				c.t.Fatalf("unexpected message on %s: %s", m.name, m.payload)
			}
		}
	}
}

// read decodes a message or fails the test.
func read[T any](t testing.TB, m message, decode func([]byte) (T, error)) T {
	t.Helper()
	v, err := decode(m.payload)
	if err != nil {
		t.Fatalf("message on %s: %v\n%s", m.name, err, m.payload)
	}
	if m.retain {
		t.Errorf("message on %s is retained", m.name)
	}
	return v
}

// eventually waits until ok, which says what it saw.
func eventually(t testing.TB, ok func() (bool, string)) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		good, saw := ok()
		if good {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("not within 10 s: %s", saw)
		case <-tick.C:
		}
	}
}

const (
	two = "$hw/events/device/default/lamp"
	one = "$hw/events/device/lamp"
)

func report(event, prop, value string) string {
	return fmt.Sprintf(`{"event_id":%q,"timestamp":1,"twin":{%q:{"actual":{"value":%q},"metadata":{"type":"Updated"}}}}`, event, prop, value)
}

func wished(event, prop, value string) string {
	return fmt.Sprintf(`{"event_id":%q,"timestamp":1,"twin":{%q:{"expected":{"value":%q}}}}`, event, prop, value)
}

func portOf(addr string) string {
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err)
	}
	return p
}
