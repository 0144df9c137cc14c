package mapper_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/sim"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	nodeName = "house"
	patience = 10 * time.Second
)

// door lets everybody in, or only those who know the password.
type door struct {
	mochi.HookBase
	password string
}

func (*door) ID() string { return "door" }

func (*door) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (d *door) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	return d.password == "" || string(pk.Connect.Username)+":"+string(pk.Connect.Password) == d.password
}

func (*door) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// startBroker starts a broker on an address, with TLS if conf is set. stop ends it as a crash does. Connections are
// accepted here and not by mochi, whose Close races with a client that is just coming in.
func startBroker(t testing.TB, address string, conf *tls.Config, password string) (s *mochi.Server, addr string, stop func()) {
	t.Helper()
	s = mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(&door{password: password}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{} // nil after stop
	clients.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			if open == nil {
				raw.Close()
			} else {
				open[raw] = true
			}
			mu.Unlock()
			clients.Go(func() {
				conn := raw
				if conf != nil {
					conn = tls.Server(raw, conf)
				}
				_ = s.EstablishConnection("t", conn) // it ends with the connection, one way or another
				raw.Close()
				mu.Lock()
				delete(open, raw)
				mu.Unlock()
			})
		}
	})
	stop = sync.OnceFunc(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		open = nil
		mu.Unlock()
		clients.Wait()
		s.Close()
	})
	t.Cleanup(stop)
	return s, l.Addr().String(), stop
}

// hub is the node's side, played by the test: it hears what the mapper says and answers the question for the devices.
type hub struct {
	t      testing.TB
	client paho.Client
	said   chan string // "state default/lamp online", "report default/lamp on=OFF wish w1"
	asked  chan string // event ids of membership/get
}

func startHub(t testing.TB, addr string) *hub {
	t.Helper()
	h := &hub{t: t, said: make(chan string, 10000), asked: make(chan string, 100)}
	h.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("hub").SetAutoReconnect(false).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { h.hear(m) }))
	wait(t, h.client.Connect())
	wait(t, h.client.SubscribeMultiple(map[string]byte{
		topic.Filter(topic.TwinUpdate, topic.TwoLevel): 0, topic.Filter(topic.StateUpdate, topic.TwoLevel): 0,
		topic.Filter(topic.TwinGet, topic.TwoLevel): 0, topic.Filter(topic.MembershipGet, topic.TwoLevel): 0,
		topic.Filter(topic.MapperLost, topic.TwoLevel): 0,
	}, nil))
	t.Cleanup(func() { h.client.Disconnect(100) })
	return h
}

func wait(t testing.TB, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("MQTT: %v", token.Error())
	}
}

// until polls.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (h *hub) hear(m paho.Message) {
	to, err := topic.Parse(m.Topic())
	if err != nil {
		h.t.Errorf("topic %s: %v", m.Topic(), err)
		return
	}
	switch to.Kind {
	case topic.TwinUpdate:
		up, err := topic.DecodeUpdate(m.Payload())
		if err != nil {
			h.t.Errorf("report %s: %v", m.Payload(), err)
		}
		parts := []string{"report", to.Device.String()}
		for _, p := range up.Twins {
			wish := p.Actual.Wish
			switch {
			case p.Error != "":
				wish = p.Wish
				parts = append(parts, fmt.Sprintf("%s error %q", p.Name, p.Error))
				if !p.HasWish || p.Actual.Set {
					h.t.Errorf("error %s: want a wish and no actual", m.Payload())
				}
			case !p.Actual.HasWish:
				h.t.Errorf("report %s: the key wish is missing", m.Payload())
				fallthrough
			default:
				parts = append(parts, p.Name+"="+p.Actual.Text)
			}
			if wish != "" {
				parts = append(parts, "wish", wish)
			}
			if p.Actual.Act {
				parts = append(parts, "act")
			}
		}
		h.said <- strings.Join(parts, " ")
	case topic.StateUpdate:
		st, err := topic.DecodeState(m.Payload())
		if err != nil {
			h.t.Errorf("state %s: %v", m.Payload(), err)
		}
		h.said <- "state " + to.Device.String() + " " + st.State
	case topic.TwinGet:
		h.said <- "ask " + to.Device.String()
	case topic.MapperLost:
		h.said <- "lost"
	case topic.MembershipGet:
		rq, err := topic.DecodeRequest(m.Payload())
		if err != nil || to.Node != nodeName {
			h.t.Errorf("membership/get of %s: %s, %v", to.Node, m.Payload(), err)
		}
		h.asked <- rq.EventID
	default:
		h.t.Errorf("unexpected message on %s", m.Topic())
	}
}

// heard waits for the next things that the mapper says.
func (h *hub) heard(want ...string) {
	h.t.Helper()
	for _, w := range want {
		select {
		case got := <-h.said:
			if got != w {
				h.t.Fatalf("heard %q; want %q", got, w)
			}
		case <-time.After(patience):
			h.t.Fatalf("heard nothing; want %q", w)
		}
	}
}

// silent makes sure that what was sent before has no answer: a message after it has, and comes first.
func (h *hub) silent(name twin.Name) {
	h.t.Helper()
	h.delta(name, "powerstatus", "OFF", "probe", 0)
	h.heard("report " + name.String() + " powerstatus=OFF wish probe")
}

func (h *hub) publish(to topic.Topic, payload []byte, retain bool) {
	h.t.Helper()
	wait(h.t, h.client.Publish(to.String(), 0, retain, payload))
}

func (h *hub) delta(n twin.Name, prop, value, wish string, remaining time.Duration) {
	h.t.Helper()
	h.publish(topic.Of(topic.TwinDelta, n), deltaOf(prop, value, wish, remaining), false)
}

func deltaOf(prop, value, wish string, remaining time.Duration) []byte {
	d := topic.Delta{EventID: "e", Timestamp: 1, Wanted: []topic.Wanted{{Name: prop, Value: value}}, Twins: []topic.Twin{{
		Name:     prop,
		Expected: topic.Value{Set: true, Text: value, Timestamp: 1, Wish: wish, HasWish: wish != "", RemainingMs: remaining.Milliseconds()},
	}}}
	return d.Encode()
}

// members answers the mapper's question.
func (h *hub) members(devices ...topic.Device) {
	h.t.Helper()
	h.answer(h.question(), devices...)
}

func (h *hub) question() string {
	h.t.Helper()
	select {
	case id := <-h.asked:
		return id
	case <-time.After(patience):
		h.t.Fatal("the mapper did not ask for its devices")
		return ""
	}
}

func (h *hub) answer(event string, devices ...topic.Device) {
	h.t.Helper()
	h.send(&topic.Members{EventID: event, Timestamp: 1, Devices: devices})
}

func (h *hub) send(m *topic.Members) {
	h.t.Helper()
	b, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	h.publish(topic.OfNode(topic.MembershipResult, nodeName), b, false)
}

func (h *hub) update(m topic.Membership) {
	h.t.Helper()
	b, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	h.publish(topic.OfNode(topic.MembershipUpdated, nodeName), b, false)
}

func lampNamed(name, protocol, config string) topic.Device {
	d := topic.Device{
		ID: twin.Name{Namespace: "default", Name: name}, Protocol: twin.Visitor{Protocol: protocol},
		Properties: []twin.Property{{Name: "powerstatus", Type: twin.String, Enum: []string{"ON", "OFF"}}},
	}
	if config != "" {
		d.Protocol.Config = json.RawMessage(config)
	}
	return d
}

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

// startMapper runs a mapper with simulated devices until stop.
func startMapper(t testing.TB, cfg mapper.Config) (drv *sim.Driver, m *mapper.Mapper, stop func()) {
	t.Helper()
	return startLogging(t, cfg, slog.New(slog.DiscardHandler))
}

func startLogging(t testing.TB, cfg mapper.Config, log *slog.Logger) (drv *sim.Driver, m *mapper.Mapper, stop func()) {
	t.Helper()
	return startDrivers(t, cfg, log, func(d mapper.Driver) mapper.Driver { return d })
}

func startDrivers(t testing.TB, cfg mapper.Config, log *slog.Logger, wrap func(mapper.Driver) mapper.Driver) (drv *sim.Driver, m *mapper.Mapper, stop func()) {
	t.Helper()
	drv = sim.New(nil)
	cfg.Node = nodeName
	m, err := mapper.New(cfg, map[string]mapper.Driver{"sim": wrap(drv)}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not end")
		}
	}
	t.Cleanup(stop)
	return drv, m, stop
}

// house is a broker, a hub and a mapper with one lamp that is ready.
func house(t testing.TB) (*hub, *sim.Driver, *mapper.Mapper, func()) {
	t.Helper()
	_, addr, _ := startBroker(t, "127.0.0.1:0", nil, "")
	h := startHub(t, addr)
	drv, m, stop := startMapper(t, mapper.Config{Broker: addr})
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	return h, drv, m, stop
}

func TestLamp(t *testing.T) {
	h, drv, m, stop := house(t)
	h.delta(lamp, "powerstatus", "ON", "w1", 0)
	h.heard("report default/lamp powerstatus=ON wish w1")
	if got := drv.Values(lamp)["powerstatus"].Text(); got != "ON" {
		t.Errorf("lamp is %s; want ON", got)
	}
	if got := m.Stats(); got != (mapper.Stats{Connected: true, Devices: 1, Deltas: 1, Reports: 2, States: 1}) {
		t.Errorf("Stats: got %+v", got)
	}
	stop()
	h.heard("state default/lamp offline")
	// A clean end is no lost connection: the will must not come. What is said next comes after where it would stand.
	h.publish(topic.Of(topic.TwinGet, lamp), nil, false)
	h.heard("ask default/lamp")
}

func TestOrderAndLatest(t *testing.T) {
	h, drv, _, _ := house(t)
	if err := drv.SetFault(lamp, sim.Fault{Delay: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	const n = 200
	for i := range n {
		h.delta(lamp, "powerstatus", [2]string{"OFF", "ON"}[i%2], fmt.Sprint("w", i), 0)
	}
	last, seen := -1, 0
	for last != n-1 {
		select {
		case got := <-h.said:
			var i int
			if _, err := fmt.Sscanf(got[strings.LastIndex(got, " ")+1:], "w%d", &i); err != nil || i <= last {
				t.Fatalf("heard %q after wish %d", got, last)
			}
			if want := [2]string{"OFF", "ON"}[i%2]; !strings.Contains(got, "powerstatus="+want) {
				t.Fatalf("heard %q; want %s", got, want)
			}
			last, seen = i, seen+1
		case <-time.After(patience):
			t.Fatalf("the last wish did not come; %d did", last)
		}
	}
	if seen > n/2 {
		t.Errorf("%d of %d wishes were carried out by a device that is slower than they come; want the latest only", seen, n)
	}
	if got := drv.Values(lamp)["powerstatus"].Text(); got != "ON" {
		t.Errorf("lamp is %s; want ON", got)
	}
}

func TestTrouble(t *testing.T) {
	h, drv, _, _ := house(t)
	if err := drv.SetFault(lamp, sim.Fault{Stuck: true}); err != nil {
		t.Fatal(err)
	}
	h.delta(lamp, "powerstatus", "ON", "w1", 0)
	h.heard(`report default/lamp powerstatus error "powerstatus: the device shows OFF after ON was written" wish w1`)
	if err := drv.SetFault(lamp, sim.Fault{FailEvery: 2}); err != nil {
		t.Fatal(err)
	}
	h.delta(lamp, "powerstatus", "ON", "w2", 0)
	h.heard("report default/lamp powerstatus=ON wish w2")
	h.delta(lamp, "powerstatus", "OFF", "w3", 0) // refused once, then done
	h.heard("report default/lamp powerstatus=OFF wish w3")
	h.delta(lamp, "powerstatus", "BRIGHT", "w4", 0)
	h.heard(`report default/lamp powerstatus error "powerstatus: \"BRIGHT\": expected one of ON, OFF" wish w4`)
	if err := drv.SetFault(lamp, sim.Fault{Gone: true}); err != nil {
		t.Fatal(err)
	}
	h.heard("state default/lamp offline")
	if err := drv.SetFault(lamp, sim.Fault{}); err != nil {
		t.Fatal(err)
	}
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF", "ask default/lamp")
}

func TestHand(t *testing.T) {
	h, drv, _, _ := house(t)
	press := func(payload string) {
		t.Helper()
		wait(t, h.client.Publish("$twinbridge/sim/default/lamp/press", 0, false, payload))
	}
	press("")
	h.heard("report default/lamp powerstatus=ON act")
	press(`{"powerstatus":"OFF"}`)
	h.heard("report default/lamp powerstatus=OFF act")
	if err := drv.Set(lamp, map[string]twin.Value{"powerstatus": twin.StringValue("ON")}); err != nil {
		t.Fatal(err)
	}
	h.heard("report default/lamp powerstatus=ON act")
	for _, bad := range []string{"{", `{"powerstatus":1}`, `{"colour":"RED"}`} {
		press(bad)
	}
	for _, bad := range []string{"$twinbridge/sim/default/none/press", "$twinbridge/gpio/default/lamp/press"} {
		wait(t, h.client.Publish(bad, 0, false, ""))
	}
	h.silent(lamp)
}

func TestNothingRetainedMoves(t *testing.T) {
	_, addr, _ := startBroker(t, "127.0.0.1:0", nil, "")
	h := startHub(t, addr)
	h.publish(topic.Of(topic.TwinDelta, lamp), deltaOf("powerstatus", "ON", "old", 0), true)
	drv, _, _ := startMapper(t, mapper.Config{Broker: addr})
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	h.silent(lamp)
	if got := drv.Values(lamp)["powerstatus"].Text(); got != "OFF" {
		t.Errorf("lamp is %s; want OFF", got)
	}
}

func TestMembership(t *testing.T) {
	h, _, m, _ := house(t)
	second := twin.Name{Namespace: "default", Name: "second"}
	h.update(topic.Membership{Added: []topic.Device{lampNamed("second", "SIM", ""), lampNamed("other", "modbus", "")}})
	h.heard("state default/second online", "report default/second powerstatus=OFF")
	h.delta(second, "powerstatus", "ON", "w1", 0)
	h.heard("report default/second powerstatus=ON wish w1")

	// Told again without a change: the node came back to its broker and has missed what was said meanwhile. Defined anew:
	// opened anew, without going offline, and the node is asked for what it offered meanwhile.
	h.update(topic.Membership{Added: []topic.Device{lampNamed("second", "sim", "")}})
	h.heard("state default/second online", "report default/second powerstatus=ON")
	h.update(topic.Membership{Added: []topic.Device{lampNamed("second", "sim", `{"delay":"1ms"}`)}})
	h.heard("state default/second online", "report default/second powerstatus=ON", "ask default/second")

	// Something that is wrong with one device is its own matter.
	h.update(topic.Membership{Added: []topic.Device{lampNamed("broken", "sim", `{"dely":"1ms"}`)}})
	h.heard("state default/broken error")
	broken := twin.Name{Namespace: "default", Name: "broken"}
	h.delta(broken, "powerstatus", "ON", "w2", 0)
	h.heard(`report default/broken powerstatus error "open: protocol: dely: \"\\\"1ms\\\"\": expected no such key; known are delay, stuck, failEvery, gone" wish w2`)

	for _, junk := range []string{"", "{", `{"added_devices":[{"id":""}]}`, `{"added_devices":7}`} {
		h.publish(topic.OfNode(topic.MembershipUpdated, nodeName), []byte(junk), false)
		h.publish(topic.OfNode(topic.MembershipResult, nodeName), []byte(junk), false)
		h.publish(topic.Of(topic.TwinDelta, lamp), []byte(junk), false)
	}
	h.update(topic.Membership{Removed: []topic.Device{lampNamed("second", "", ""), lampNamed("broken", "", "")}})
	// A press goes the way of membership messages and is answered after them.
	wait(t, h.client.Publish("$twinbridge/sim/default/lamp/press", 0, false, ""))
	h.heard("report default/lamp powerstatus=ON act")
	h.delta(second, "powerstatus", "OFF", "w3", 0)
	h.silent(lamp)
	if got := m.Stats().Devices; got != 1 {
		t.Errorf("devices: got %d; want 1", got)
	}
	// Created again under the same name.
	h.update(topic.Membership{Added: []topic.Device{lampNamed("second", "sim", "")}})
	h.heard("state default/second online", "report default/second powerstatus=ON")
}

// slow is a driver whose devices close when they are let.
type slow struct {
	mapper.Driver
	gate chan struct{}
}

type slowDevice struct {
	mapper.Device
	gate chan struct{}
}

func (s slow) Open(ctx context.Context, spec mapper.Spec) (mapper.Device, error) {
	d, err := s.Driver.Open(ctx, spec)
	return slowDevice{d, s.gate}, err
}

func (s slowDevice) Close() error {
	<-s.gate
	return s.Device.Close()
}

// A device that is deleted and created again is opened when the old one was closed, not before.
func TestCreatedAgainWhileClosing(t *testing.T) {
	s, addr, _ := startBroker(t, "127.0.0.1:0", nil, "")
	h := startHub(t, addr)
	gate := make(chan struct{})
	_, m, stop := startDrivers(t, mapper.Config{Broker: addr}, slog.New(slog.DiscardHandler), func(d mapper.Driver) mapper.Driver { return slow{d, gate} })
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	h.update(topic.Membership{Removed: []topic.Device{lampNamed("lamp", "", "")}})
	until(t, "the device to go", func() bool { return m.Stats().Devices == 0 })
	until(t, "its delta to be left", func() bool {
		return len(s.Topics.Subscribers(topic.Of(topic.TwinDelta, lamp).String()).Subscriptions) == 0
	})
	h.update(topic.Membership{Added: []topic.Device{lampNamed("lamp", "sim", "")}})
	until(t, "the device to come back", func() bool { return m.Stats().Devices == 1 })
	close(gate)
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	stop()
}

func TestListInParts(t *testing.T) {
	_, addr, _ := startBroker(t, "127.0.0.1:0", nil, "")
	h := startHub(t, addr)
	_, m, _ := startMapper(t, mapper.Config{Broker: addr})
	id := h.question()
	h.send(&topic.Members{EventID: "somebody else's", Devices: []topic.Device{lampNamed("theirs", "sim", "")}})
	h.send(&topic.Members{EventID: id, Part: 1, Parts: 2, Devices: []topic.Device{lampNamed("a", "sim", "")}})
	h.send(&topic.Members{EventID: id, Part: 2, Parts: 2, Devices: []topic.Device{lampNamed("b", "sim", "")}})
	var got []string
	for range 4 {
		select {
		case s := <-h.said:
			got = append(got, s)
		case <-time.After(patience):
			t.Fatalf("heard only %q", got)
		}
	}
	slices.Sort(got)
	want := []string{"report default/a powerstatus=OFF", "report default/b powerstatus=OFF", "state default/a online", "state default/b online"}
	if !slices.Equal(got, want) || m.Stats().Devices != 2 {
		t.Errorf("heard %q, %d devices; want %q", got, m.Stats().Devices, want)
	}
}

// The node's answer may have been made before a change that it tells first: at its start, devices are read while the mapper
// asks.
func TestListOlderThanUpdate(t *testing.T) {
	_, addr, _ := startBroker(t, "127.0.0.1:0", nil, "")
	h := startHub(t, addr)
	_, m, _ := startMapper(t, mapper.Config{Broker: addr})
	id := h.question()
	h.update(topic.Membership{Added: []topic.Device{lampNamed("lamp", "sim", "")}})
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	h.update(topic.Membership{Removed: []topic.Device{lampNamed("old", "sim", "")}})
	h.answer(id, lampNamed("old", "sim", ""))
	// What is told behind the answer counts as ever.
	h.update(topic.Membership{Added: []topic.Device{lampNamed("new", "sim", "")}})
	h.heard("state default/new online", "report default/new powerstatus=OFF")
	h.delta(lamp, "powerstatus", "ON", "w1", 0)
	h.heard("report default/lamp powerstatus=ON wish w1")
	if got := m.Stats().Devices; got != 2 {
		t.Errorf("devices: got %d; want 2", got)
	}
}

// Stop the broker, and the lamp must not move; start it again, and everything is told anew.
func TestBrokerRestarts(t *testing.T) {
	_, addr, stopBroker := startBroker(t, "127.0.0.1:0", nil, "")
	h := startHub(t, addr)
	drv, m, _ := startMapper(t, mapper.Config{Broker: addr})
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	h.update(topic.Membership{Added: []topic.Device{lampNamed("second", "sim", "")}})
	h.heard("state default/second online", "report default/second powerstatus=OFF")
	h.delta(lamp, "powerstatus", "ON", "w1", 0)
	h.heard("report default/lamp powerstatus=ON wish w1")
	stopBroker()
	until(t, "the mapper to notice that the broker is gone", func() bool { return !m.Stats().Connected })
	if err := drv.Set(lamp, map[string]twin.Value{"powerstatus": twin.StringValue("OFF")}); err != nil {
		t.Fatal(err)
	}
	startBroker(t, addr, nil, "")
	h = startHub(t, addr)
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	h.delta(lamp, "powerstatus", "ON", "w2", 0)
	h.heard("report default/lamp powerstatus=ON wish w2")
	if got := m.Stats().Devices; got != 1 {
		t.Errorf("devices: got %d; want 1, as the second is not in the new list", got)
	}
}

// cable is a connection that can be pulled out.
type cable struct {
	addr  string
	ends  chan net.Conn
	l     net.Listener
	lines sync.WaitGroup
}

func startCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: l.Addr().String(), ends: make(chan net.Conn, 100), l: l}
	c.lines.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			c.ends <- a
			c.ends <- b
			for _, p := range [][2]net.Conn{{a, b}, {b, a}} {
				c.lines.Go(func() {
					_, _ = io.Copy(p[0], p[1])
					p[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.pull()
		c.lines.Wait()
	})
	return c
}

func (c *cable) pull() {
	for {
		select {
		case e := <-c.ends:
			e.Close()
		default:
			return
		}
	}
}

func TestWillAfterBrokenConnection(t *testing.T) {
	_, addr, _ := startBroker(t, "127.0.0.1:0", nil, "")
	c := startCable(t, addr)
	h := startHub(t, addr)
	startMapper(t, mapper.Config{Broker: c.addr})
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
	c.pull()
	h.heard("lost")
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
}

// The broker may come later than the mapper.
func TestBrokerComesLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, m, _ := startMapper(t, mapper.Config{Broker: "tcp://" + addr})
	conn, err := l.Accept() // a try in vain
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	conn.Close()
	if m.Stats().Connected {
		t.Fatal("connected to nobody")
	}
	startBroker(t, addr, nil, "")
	h := startHub(t, addr)
	// The question may have been asked before the hub listened; it is asked again.
	h.members(lampNamed("lamp", "sim", ""))
	h.heard("state default/lamp online", "report default/lamp powerstatus=OFF")
}

// A broker that takes the connection and says nothing must not hold the end up.
func TestStopWhileConnecting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, _, stop := startMapper(t, mapper.Config{Broker: l.Addr().String()})
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	stop()
	if d := time.Since(start); d > time.Second {
		t.Errorf("Run ended after %v; want at once", d)
	}
}

// lineWriter gives what is logged, line by line.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

func (w lineWriter) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-w:
		return s
	case <-time.After(patience):
		t.Fatal("nothing logged")
		return ""
	}
}

// certificate makes a certificate of its own authority for the loopback address.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLSAndPassword(t *testing.T) {
	cert, pool := certificate(t)
	s, addr, _ := startBroker(t, "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}}, "house:secret")
	trusted := &tls.Config{RootCAs: pool}
	connected := func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(s.Clients.GetAll())), func(id string) bool { return strings.HasPrefix(id, "tb-mapper-") })
	}
	for _, c := range []struct {
		wrong mapper.Config
		why   string
	}{
		{mapper.Config{Broker: "ssl://" + addr, User: "house", Password: "guess", TLS: trusted}, "not Authorized"},
		{mapper.Config{Broker: "ssl://" + addr, User: "house", Password: "secret"}, "certificate signed by unknown authority"},
		{mapper.Config{Broker: "tcp://" + addr, User: "house", Password: "secret"}, "network Error"},
	} {
		lines := make(lineWriter, 100)
		_, m, stop := startLogging(t, c.wrong, slog.New(slog.NewTextHandler(lines, nil)))
		if got := lines.next(t); !strings.Contains(got, "no connection") || !strings.Contains(got, c.why) {
			t.Errorf("%+v: log says %q; want %q", c.wrong, got, c.why)
		}
		if m.Stats().Connected || connected() {
			t.Errorf("%+v: connected", c.wrong)
		}
		stop()
	}
	_, m, _ := startMapper(t, mapper.Config{Broker: "ssl://" + addr, User: "house", Password: "secret", TLS: trusted})
	until(t, "a connection with the right password and authority", func() bool { return m.Stats().Connected })
}

func TestNewRefuses(t *testing.T) {
	drivers := map[string]mapper.Driver{"sim": sim.New(nil)}
	for _, c := range []struct {
		cfg     mapper.Config
		drivers map[string]mapper.Driver
		field   string
	}{
		{mapper.Config{Node: "", Broker: "localhost:1883"}, drivers, "node"},
		{mapper.Config{Node: "a/b", Broker: "localhost:1883"}, drivers, "node"},
		{mapper.Config{Node: "a", Broker: ""}, drivers, "broker"},
		{mapper.Config{Node: "a", Broker: "localhost"}, drivers, "broker"},
		{mapper.Config{Node: "a", Broker: "http://localhost:80"}, drivers, "broker"},
		{mapper.Config{Node: "a", Broker: "localhost:1883"}, map[string]mapper.Driver{"Sim": nil}, "driver"},
	} {
		_, err := mapper.New(c.cfg, c.drivers, slog.New(slog.DiscardHandler))
		var fe *twin.FieldError
		if !errors.As(err, &fe) || fe.Field != c.field {
			t.Errorf("New(%+v): got %v; want an error about %s", c.cfg, err, c.field)
		}
	}
}

func BenchmarkDeltaToReport(b *testing.B) {
	h, _, _, _ := house(b)
	times := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		h.publish(topic.Of(topic.TwinDelta, lamp), deltaOf("powerstatus", [2]string{"ON", "OFF"}[i%2], fmt.Sprint(i), 0), false)
		<-h.said
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}
