package eventbus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// TestBurst: however many reports come in a row, they are taken in order, and each is answered in order.
func TestBurst(t *testing.T) {
	for base, sizes := range map[string][]int{two: {200, 10000}, one: {200}} {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%d on %s", n, base), func(t *testing.T) {
				h := newHouse(t, "lamp")
				// Following the reports would make documents of its own.
				h.annotate("lamp", map[string]string{"settle": "10m"})
				c := h.connect(base + "/twin/update/+")
				go func() {
					for i := range n {
						c.c.Publish(base+"/twin/update", 0, false, report(strconv.Itoa(i), "level", strconv.Itoa(i)))
					}
				}()
				docs := 0
				for i := 0; i < n; {
					switch m := c.next(); m.topic.Kind {
					case topic.TwinUpdateResult:
						if r := read(t, m, topic.DecodeResult); r.EventID != strconv.Itoa(i) || r.Code != 0 || r.Twins[0].Actual.Text != r.EventID {
							t.Fatalf("result %d is %+v", i, r)
						}
						i++
					case topic.TwinDocument:
						d := read(t, m, topic.DecodeDocument)
						if want := strconv.Itoa(docs); d.EventID != want || d.Changes[0].Current.Actual.Text != want || docs > 0 && d.Changes[0].Last.Actual.Text != strconv.Itoa(docs-1) {
							t.Fatalf("document %d is %s", docs, m.payload)
						}
						docs++
					}
				}
				if p := h.prop("lamp", "level"); p.Actual != twin.IntValue(int64(n-1)) {
					t.Errorf("in the end the twin is %v", p.Actual)
				}
				if s := h.bus.Stats(); s.Dropped != 0 || s.Reports != uint64(n) {
					t.Errorf("stats %+v", s)
				}
			})
		}
	}
}

// TestManyDevicesAtOnce: a thousand devices are announced and wished for in one go; a reader gets all of it.
func TestManyDevicesAtOnce(t *testing.T) {
	const n = 1000
	h := newHouse(t)
	c := h.connect("$hw/#")
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("lamp%d", i)
	}
	h.define(names...)
	announced, deltas := map[string]bool{}, map[string]bool{}
	for len(announced) < n {
		m := c.next(topic.MembershipUpdated)
		if len(m.payload) > topic.MaxPayload {
			t.Fatalf("a message has %d bytes", len(m.payload))
		}
		for _, d := range read(t, m, topic.DecodeMembership).Added {
			announced[d.ID.Name] = true
			if len(d.Properties) != 4 || d.Properties[0].Visitor.Protocol != "sim" || d.Protocol.Protocol != "sim" {
				t.Fatalf("a device is announced as %+v", d)
			}
		}
	}
	for _, s := range names {
		h.wish(s, "on", twin.BoolValue(true))
	}
	for len(deltas) < 2*n {
		deltas[c.next(topic.TwinDelta).name] = true
	}
	if s := h.bus.Stats(); s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
	// The whole list, in parts.
	c.publish("$hw/events/node/edge1/membership/get", `{"event_id":"all"}`)
	seen := map[string]bool{}
	for part := 1; ; part++ {
		m := read(t, c.next(topic.MembershipResult), topic.DecodeMembers)
		if m.EventID != "all" || m.Part != part || m.Parts < 2 {
			t.Fatalf("part %d of %d of %q, want part %d", m.Part, m.Parts, m.EventID, part)
		}
		for _, d := range m.Devices {
			seen[d.ID.Name] = true
			if len(d.Twins) > 0 {
				t.Fatalf("the answer carries twins: %+v", d)
			}
		}
		if part == m.Parts {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("the answer has %d devices", len(seen))
	}
}

// TestMembership: devices that come, change and go.
func TestMembership(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect("$hw/events/node/+/membership/#")
	ask := func() topic.Members {
		t.Helper()
		c.publish("$hw/events/node/edge1/membership/get", `{"event_id":"m1","timestamp":1}`)
		return read(t, c.next(topic.MembershipResult), topic.DecodeMembers)
	}
	if m := ask(); m.EventID != "m1" || m.Parts != 0 || len(m.Devices) != 1 || m.Devices[0].ID != (twin.Name{Namespace: "default", Name: "lamp"}) {
		t.Errorf("members %+v", m)
	}
	if err := h.store.Apply(nil, []twin.Device{{
		Name: twin.Name{Namespace: "hall", Name: "fan"}, Description: "over the stairs",
		Protocol:    twin.Visitor{Protocol: "gpio", Config: json.RawMessage(`{"chip":"c"}`)},
		Properties:  []twin.Property{{Name: "speed", Type: twin.Int, Visitor: twin.Visitor{Config: json.RawMessage(`{"line":3}`)}}},
		Annotations: map[string]string{"attribute.serial": "17"},
	}}); err != nil {
		t.Fatal(err)
	}
	m := read(t, c.next(topic.MembershipUpdated), topic.DecodeMembership)
	if len(m.Added) != 1 || len(m.Removed) != 0 {
		t.Fatalf("membership %+v", m)
	}
	d := m.Added[0]
	if d.ID.String() != "hall/fan" || d.Description != "over the stairs" || d.Protocol.Protocol != "gpio" || string(d.Protocol.Config) != `{"chip":"c"}` ||
		len(d.Properties) != 1 || d.Properties[0].Type != twin.Int || string(d.Properties[0].Visitor.Config) != `{"line":3}` || d.Attributes["serial"] != "17" || len(d.Twins) != 1 {
		t.Errorf("device %+v", d)
	}
	// A value is no change of the definition.
	h.wish("hall/fan", "speed", twin.IntValue(2))
	if err := h.store.Apply(nil, []twin.Device{{
		Name: twin.Name{Namespace: "hall", Name: "fan"}, Properties: []twin.Property{{Name: "speed", Type: twin.Int}, {Name: "swing", Type: twin.Bool}},
	}}); err != nil {
		t.Fatal(err)
	}
	m = read(t, c.next(topic.MembershipUpdated), topic.DecodeMembership)
	if len(m.Added) != 1 || len(m.Added[0].Properties) != 2 || len(m.Removed) != 0 {
		t.Errorf("membership %+v", m)
	}
	if v := m.Added[0].Twins[0]; v.Expected.Text != "2" || v.ExpectedVersion == nil {
		t.Errorf("twin %+v", v)
	}
	if err := h.store.Delete(twin.Name{Namespace: "hall", Name: "fan"}); err != nil {
		t.Fatal(err)
	}
	got := c.next(topic.MembershipUpdated)
	m = read(t, got, topic.DecodeMembership)
	if len(m.Added) != 0 || len(m.Removed) != 1 || m.Removed[0].ID.String() != "hall/fan" || !contains(string(got.payload), `"added_devices":null`) {
		t.Errorf("membership %s", got.payload)
	}
	if m := ask(); len(m.Devices) != 1 {
		t.Errorf("members %+v", m)
	}
}

// TestLargeDevice: a device that does not fit into a message does not keep the others out.
func TestLargeDevice(t *testing.T) {
	h := newHouse(t, "lamp")
	big := twin.Device{Name: twin.Name{Namespace: "default", Name: "big"}, Properties: []twin.Property{{Name: "p", Type: twin.String}}}
	big.Protocol = twin.Visitor{Protocol: "x", Config: json.RawMessage(`{"x":"` + strings.Repeat("x", 70000) + `"}`)}
	if err := h.store.Apply(nil, []twin.Device{big}); err != nil {
		t.Fatal(err)
	}
	c := h.connect("$hw/events/node/+/membership/get/result")
	c.publish("$hw/events/node/edge1/membership/get", `{}`)
	m := read(t, c.next(topic.MembershipResult), topic.DecodeMembers)
	if len(m.Devices) != 2 || m.Devices[0].ID.Name != "big" || m.Devices[0].Protocol.Protocol != "" || m.Devices[1].Protocol.Protocol != "sim" {
		t.Errorf("members %+v", m)
	}
}

// TestReaderThatStops: a client that does not read slows nobody down, costs a bounded memory, and is told the present
// state when it reads again.
func TestReaderThatStops(t *testing.T) {
	h := newHouse(t, "lamp")
	stopped := h.dial(connectPacket("stopped", "", "", true))
	stopped.send(subscribePacket(1, two+"/twin/update/+", "$hw/events/node/+/membership/updated"))
	stopped.read()
	c := h.connect(one+"/twin/update/result", one+"/twin/get/result")
	// Fill what the system buffers and what the broker queues, with texts of some length.
	filler := strings.Repeat("f", 4000)
	if err := h.store.Apply(nil, []twin.Device{{Name: twin.Name{Namespace: "default", Name: "lamp"}, Properties: append(lampProps(), twin.Property{Name: "text", Type: twin.String})}}); err != nil {
		t.Fatal(err)
	}
	start, sent := time.Now(), 0
	for ; h.bus.Stats().Dropped == 0; sent++ {
		if sent == 100000 {
			t.Fatal("nothing was dropped after 100,000 reports")
		}
		c.c.Publish(one+"/twin/update", 0, false, report(strconv.Itoa(sent), "text", filler+strconv.Itoa(sent)))
	}
	for i := range sent {
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.Code != 0 || r.EventID != strconv.Itoa(i) {
			t.Fatalf("result %d is %+v", i, r)
		}
	}
	t.Logf("%d reports were answered in %v while the first messages were dropped", sent, time.Since(start).Round(time.Millisecond))
	last := filler + "the last one"
	c.publish(one+"/twin/update", report("x", "text", last))
	c.next(topic.TwinUpdateResult)
	h.define("late")
	h.told("late")
	for value, device := false, false; !value || !device; {
		kind, body := stopped.read()
		if kind == 0x30 {
			value = value || strings.Contains(string(body), "the last one")
			device = device || strings.Contains(string(body), "default/late")
		}
	}
}

// hang connects a client that takes nothing and promises nothing (no keepalive), and sends it more than what is buffered
// on the way.
func (h *house) hang() {
	h.t.Helper()
	p := connectPacket("hung", "", "", true)
	p[11] = 0
	hung := h.dial(p)
	hung.send(subscribePacket(1, "$hw/#"))
	hung.read()
	c := h.connect(one + "/twin/get/result")
	for range 3000 {
		c.c.Publish(two+"/twin/update", 0, false, `{"event_id":"`+strings.Repeat("e", 200)+`","x":"`+strings.Repeat("x", 10000)+`","twin":{}}`)
	}
	c.quiet(one)
}

// TestClientThatHangs does not keep its name for ever.
func TestClientThatHangs(t *testing.T) {
	h := newHouseWith(t, func(b *Bus) { b.listener.writeTime = 100 * time.Millisecond }, "lamp")
	h.hang()
	h.dial(connectPacket("hung", "", "", true))
}

// TestLeavingAClientThatHangs: nobody waits for it at the end.
func TestLeavingAClientThatHangs(t *testing.T) {
	h := newHouse(t, "lamp")
	h.hang()
	left := make(chan struct{})
	go func() {
		h.stop()
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(takeTime / 2):
		t.Error("the bus waits for a client that takes nothing")
		<-left
	}
}

// TestFloodOfWishes: wishes that wait for the disk are bounded; their sender is read more slowly, others are not.
func TestFloodOfWishes(t *testing.T) {
	h := newHouse(t, "lamp", "fan")
	c, other := h.connect(two+"/twin/update/result"), h.connect("$hw/events/device/fan/#")
	release := h.disk.stall()
	defer release()
	const n = 3 * maxAnswers
	go func() {
		for i := range n {
			c.c.Publish(two+"/twin/update", 0, false, wished(strconv.Itoa(i), "level", strconv.Itoa(i)))
		}
	}()
	eventually(t, func() (bool, string) {
		return len(h.bus.protocol.answers) == maxAnswers, "the queue is not full"
	})
	other.publish("$hw/events/device/fan/twin/update", report("free", "on", "true"))
	if r := read(t, other.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "free" || r.Code != 0 {
		t.Errorf("result %+v", r)
	}
	release()
	for i := range n {
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != strconv.Itoa(i) || r.Code != 0 {
			t.Fatalf("result %d is %+v", i, r)
		}
	}
	if p := h.prop("lamp", "level"); p.Expected != twin.IntValue(n-1) {
		t.Errorf("the last wish is %v", p.Expected)
	}
}

// TestConnections: too many are refused, and those that say nothing do not stay.
func TestConnections(t *testing.T) {
	h := newHouse(t, "lamp")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	small := newListener(l, 2, slog.New(slog.DiscardHandler))
	small.connectTime = 50 * time.Millisecond
	b := newBroker(10, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stats := &counters{}
	if err := b.server.AddHook(&hook{ctx: ctx, broker: b, protocol: newProtocol(h.store, b, stats, b.log), stats: stats}, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.serve(small); err != nil {
		t.Fatal(err)
	}
	defer b.stop(small)
	at := func(addr string) *house { return &house{t: t, addr: addr} }(l.Addr().String())
	first := at.dial(connectPacket("", "", "", true))
	silent, err := net.Dial("tcp", at.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	third, err := net.Dial("tcp", at.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	for _, c := range []net.Conn{third, silent} { // the third at once, the silent one after its time
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
			t.Errorf("read %d bytes, %v; want the end", n, err)
		}
	}
	first.send([]byte{0xc0, 0}) // PINGREQ
	if kind, _ := first.read(); kind != 0xd0 {
		t.Errorf("PINGREQ was answered by %#x", kind)
	}
	eventually(t, func() (bool, string) { return len(small.places) == 1, "the silent connection keeps its place" })
	at.dial(connectPacket("", "", "", true))
}
