package eventbus

import (
	"fmt"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// online reports from a raw connection, which makes the device online and its own.
func (h *house) online(c *rawConn, name string) {
	h.t.Helper()
	c.send(publishPacket("$hw/events/device/"+name+"/twin/update", report("r", "level", "1")))
	c.send([]byte{0xc0, 0}) // PINGREQ: what was sent before it has been taken when it is answered
	if kind, _ := c.read(); kind != 0xd0 {
		h.t.Fatalf("PINGREQ was answered by %#x", kind)
	}
	if p := h.presence(name); p != twin.Online {
		h.t.Fatalf("after a report %s is %s", name, p)
	}
}

func (h *house) becomes(name string, want twin.Presence) {
	h.t.Helper()
	eventually(h.t, func() (bool, string) {
		p := h.presence(name)
		return p == want, fmt.Sprintf("%s is %s, want %s", name, p, want)
	})
}

// TestPresence: how a connection ends decides what its devices are.
func TestPresence(t *testing.T) {
	h := newHouse(t, "lamp", "fan", "other")
	witness := h.dial(connectPacket("witness", "", "", true))
	h.online(witness, "other")

	t.Run("broken", func(t *testing.T) {
		c := h.dial(connectPacket("", "", "", true))
		h.online(c, "lamp")
		h.online(c, "fan")
		c.Close()
		h.becomes("lamp", twin.Offline)
		h.becomes("fan", twin.Offline)
	})
	t.Run("closed", func(t *testing.T) {
		c := h.dial(connectPacket("", "", "", true))
		h.online(c, "lamp")
		c.send(packet(0xe0, nil))
		if kind := c.end(); kind != nil {
			t.Errorf("after DISCONNECT came %v", kind)
		}
		h.settled(1)
		if p := h.presence("lamp"); p != twin.Online {
			t.Errorf("after a clean goodbye the lamp is %s", p)
		}
	})
	t.Run("will of a mapper", func(t *testing.T) {
		c := h.dial(connectPacket("m", topic.Lost("m").String(), "lost", true))
		h.online(c, "lamp")
		c.Close()
		h.becomes("lamp", twin.Offline)
	})
	t.Run("will that says a state", func(t *testing.T) {
		// Of another device, which this connection does not own.
		c := h.dial(connectPacket("m", two+"/state/update", `{"state":"offline"}`, true))
		other := h.dial(connectPacket("o", "", "", true))
		h.online(other, "lamp")
		c.Close()
		h.becomes("lamp", twin.Offline)
		other.send(packet(0xe0, nil))
		other.end()
	})
	t.Run("clean goodbye sends no will", func(t *testing.T) {
		c := h.dial(connectPacket("m", topic.Lost("m").String(), "lost", true))
		h.online(c, "lamp")
		c.send(packet(0xe0, nil))
		c.end()
		h.settled(1)
		if p := h.presence("lamp"); p != twin.Online {
			t.Errorf("the lamp is %s", p)
		}
	})
	t.Run("the later owner counts", func(t *testing.T) {
		first, second := h.dial(connectPacket("1", "", "", true)), h.dial(connectPacket("2", "", "", true))
		h.online(first, "lamp")
		second.send(publishPacket(two+"/state/update", `{"state":"online"}`))
		second.send(subscribePacket(7, "x"))
		second.read() // the SUBACK comes after the state was taken
		first.Close()
		h.settled(2)
		if p := h.presence("lamp"); p != twin.Online {
			t.Errorf("after the end of the former owner the lamp is %s", p)
		}
		second.Close()
		h.becomes("lamp", twin.Offline)
	})
	t.Run("taken over", func(t *testing.T) {
		first := h.dial(connectPacket("same", "", "", true))
		h.online(first, "lamp")
		h.online(first, "fan")
		second := h.dial(connectPacket("same", "", "", true))
		if b := first.end(); b != nil {
			t.Errorf("a client of MQTT 3 that is taken over is sent % x", b)
		}
		h.online(second, "lamp")
		h.becomes("fan", twin.Offline)
		h.settled(2)
		if p := h.presence("lamp"); p != twin.Online {
			t.Errorf("the new connection's lamp is %s", p)
		}
		second.Close()
		h.becomes("lamp", twin.Offline)
	})
	t.Run("protocol broken", func(t *testing.T) {
		c := h.dial(connectPacket("b", "", "", true))
		h.online(c, "lamp")
		c.send([]byte{0xf0, 0})
		h.becomes("lamp", twin.Offline)
	})
	t.Run("packet too large", func(t *testing.T) {
		c := h.dial(connectPacket("l", "", "", true))
		h.online(c, "lamp")
		c.send([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}) // says 256 MiB
		h.becomes("lamp", twin.Offline)
	})
	t.Run("silent", func(t *testing.T) {
		p := connectPacket("s", "", "", true)
		p[11] = 1 // keepalive of 1 s: lost after 1.5 s
		c := h.dial(p)
		h.online(c, "lamp")
		h.becomes("lamp", twin.Offline)
	})
	if p := h.presence("other"); p != twin.Online {
		t.Errorf("a device of a connection that lives is %s", p)
	}
}

// TestTheNodeLeaves: the end of the bus makes nobody offline.
func TestTheNodeLeaves(t *testing.T) {
	h := newHouse(t, "lamp", "fan")
	c := h.dial(connectPacket("m", topic.Lost("m").String(), "lost", true))
	h.online(c, "lamp")
	d := h.dial(connectPacket("d", "$hw/events/device/fan/state/update", `{"state":"offline"}`, true))
	h.online(d, "fan")
	h.stop()
	for _, c := range []*rawConn{c, d} {
		if b := c.end(); b != nil {
			t.Errorf("at the end a client of MQTT 3 is sent % x", b)
		}
	}
	for _, n := range []string{"lamp", "fan"} {
		if p := h.presence(n); p != twin.Online {
			t.Errorf("%s is %s", n, p)
		}
	}
}

// TestOfferToSubscribers: whoever subscribes to deltas is handed what is pending.
func TestOfferToSubscribers(t *testing.T) {
	h := newHouse(t, "lamp", "hall/lamp", "quiet")
	h.wish("lamp", "on", twin.BoolValue(true))
	h.wish("hall/lamp", "on", twin.BoolValue(true))
	for _, r := range []struct {
		filter string
		want   []string
	}{
		{two + "/twin/update/delta", []string{two}},
		{one + "/twin/update/delta", []string{one}},
		{one + "/#", []string{one}},
		{"$hw/events/device/+/+/twin/update/delta", []string{two, "$hw/events/device/hall/lamp"}},
		{"$hw/events/device/+/twin/update/delta", []string{one}},
		{"$hw/events/device/hall/#", []string{"$hw/events/device/hall/lamp"}},
		{"$hw/#", []string{one, two, "$hw/events/device/hall/lamp"}},
		{"$share/group/" + two + "/twin/update/delta", []string{two}},
		{"$share/group/$hw/events/device/+/+/twin/update/+", []string{two, "$hw/events/device/hall/lamp"}},
		{two + "/twin/update/document", nil},
		{"#", nil},
	} {
		c := h.connect(r.filter)
		want := map[string]bool{}
		for _, w := range r.want {
			want[w+"/twin/update/delta"] = true
		}
		for len(want) > 0 {
			m := c.next(topic.TwinDelta)
			if !want[m.name] {
				t.Errorf("%s: delta on %s", r.filter, m.name)
			}
			delete(want, m.name)
		}
		done(t, c.c.Unsubscribe(r.filter))
		for len(c.in) > 0 {
			if m := <-c.in; m.topic.Kind == topic.TwinDelta && !contains(fmt.Sprint(r.want), m.name[:len(m.name)-len("/twin/update/delta")]) {
				t.Errorf("%s: delta on %s", r.filter, m.name)
			}
		}
		c.c.Disconnect(100)
	}
}

// TestKeptSession: a client that comes back to its subscriptions is offered what is pending.
func TestKeptSession(t *testing.T) {
	h := newHouse(t, "lamp")
	keep := func(o *paho.ClientOptions) { o.SetClientID("keeper").SetCleanSession(false) }
	c := h.connectAs(keep, two+"/twin/update/delta")
	c.c.Disconnect(100)
	h.wish("lamp", "on", twin.BoolValue(true))
	c = h.connectAs(keep)
	d := read(t, c.next(topic.TwinDelta), topic.DecodeDelta)
	if len(d.Wanted) != 1 || d.Wanted[0].Value != "true" {
		t.Errorf("delta %+v", d)
	}
}

// TestOfferAfterOnline: a device that comes online is handed what waited.
func TestOfferAfterOnline(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	c.publish(two+"/state/update", `{"state":"offline"}`)
	c.next(topic.StateUpdateResult)
	h.wish("lamp", "on", twin.BoolValue(true))
	c.next(topic.TwinDelta)
	c.publish(two+"/state/update", `{"state":"online"}`)
	if m := c.next(topic.TwinDelta, topic.StateUpdateResult); m.topic.Kind != topic.StateUpdateResult {
		t.Errorf("first came %s", m.name)
	}
	if d := read(t, c.next(topic.TwinDelta), topic.DecodeDelta); d.Wanted[0].Value != "true" {
		t.Errorf("delta %+v", d)
	}
}
