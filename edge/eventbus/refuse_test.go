package eventbus

import (
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// answerOf reads code, reason and event id of any answer.
func answerOf(t *testing.T, m message) (code int, reason, event string) {
	t.Helper()
	switch m.topic.Kind {
	case topic.TwinUpdateResult, topic.TwinGetResult:
		r := read(t, m, topic.DecodeResult)
		return r.Code, r.Reason, r.EventID
	case topic.StateUpdateResult:
		r := read(t, m, topic.DecodeStateResult)
		return r.Code, r.Reason, r.EventID
	case topic.MembershipResult:
		r := read(t, m, topic.DecodeMembers)
		return r.Code, r.Reason, r.EventID
	}
	t.Fatalf("no answer: %s", m.name)
	return 0, "", ""
}

// TestBadPayloads: on every topic, in both shapes, what cannot be taken is answered to its sender, under its event id if
// that can be found, changes nothing, and disturbs nothing.
func TestBadPayloads(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect("$hw/#")
	rows := []struct {
		topic, payload, event, want string
		code                        int
	}{
		{"twin/update", ``, "", "payload", 400},
		{"twin/update", `ON`, "", "JSON object", 400},
		{"twin/update", `{"event_id":"e1","twin":`, "e1", "payload", 400},
		{"twin/update", `{"event_id":"e2"}`, "e2", "twin", 400},
		{"twin/update", `{"event_id":"e3","twin":{}}`, "e3", "at least one", 400},
		{"twin/update", `{"event_id":"e4","twin":{"powerstatus":{"expected":{}}}}`, "e4", "twin.powerstatus", 400},
		{"twin/update", `{"event_id":"e5","twin":{"powerstatus":{"actual":{}}}}`, "e5", "twin.powerstatus", 400},
		{"twin/update", `{"event_id":"e6","twin":{"powerstatus":{}}}`, "e6", "twin.powerstatus", 400},
		{"twin/update", `{"event_id":"e7","twin":{"powerstatus":{"expected":{"value":null}}}}`, "e7", "twin.powerstatus", 400},
		{"twin/update", `{"event_id":"e8","twin":{"powerstatus":null}}`, "e8", "cannot be deleted", 400},
		{"twin/update", `{"event_id":"e9","twin":{"powerstatus":{"actual":{"value":1}}}}`, "e9", "twin.powerstatus.actual.value", 400},
		{"twin/update", `{"event_id":"e10","twin":{"powerstatus":"ON"}}`, "e10", "twin.powerstatus", 400},
		{"twin/update", `{"event_id":"e11","twin":{"nothing":{"actual":{"value":"1"}}}}`, "e11", `"nothing"`, 400},
		{"twin/update", `{"event_id":"e12","twin":{"nothing":{"expected":{"value":"1"}}}}`, "e12", `"nothing"`, 400},
		{"twin/update", `{"event_id":"e13","twin":{"on":{"expected":{"value":"ON"}}}}`, "e13", "true or false", 400},
		{"twin/update", `{"event_id":"e14","twin":{"on":{"actual":{"value":"true"}}}}x`, "e14", "nothing after", 400},
		{"twin/update", "{\"event_id\":\"e15\",\"twin\":{\"on\":{\"actual\":{\"value\":\"\xff\"}}}}", "e15", "UTF-8", 400},
		{"twin/update", `{"event_id":"e16","twin":{"on":{"actual":{"value":"true"}}},"x":"` + strings.Repeat("x", topic.MaxPayload) + `"}`, "e16", "at most 65536 bytes", 400},
		{"twin/update", `{"event_id":"e17","twin":{"on":{"actual":{"value":"true"}}},"x":` + strings.Repeat("[", 2000) + `}`, "e17", "at most 32 levels", 400},
		{"twin/update", `{"event_id":"e18","twin":{"powerstatus":{"actual":{"value":"` + strings.Repeat("x", 5000) + `"}}}}`, "e18", "at most 4096 bytes", 400},
		{"twin/get", `{"event_id":"e19",`, "e19", "payload", 400},
		{"twin/get", `[]`, "", "JSON object", 400},
		{"state/update", `{"event_id":"e20"}`, "e20", "state", 400},
		{"state/update", `{"event_id":"e21","state":7}`, "e21", "JSON string", 400},
		{"state/update", `{"event_id":"e22","state":"dancing"}`, "e22", `"dancing"`, 400},
		{"state/update", ``, "", "payload", 400},
	}
	for _, base := range []string{two, one} {
		for _, r := range rows {
			c.publish(base+"/"+r.topic, r.payload)
			m := c.next(topic.TwinUpdateResult, topic.TwinGetResult, topic.StateUpdateResult)
			code, reason, event := answerOf(t, m)
			if m.name != base+"/"+r.topic+"/result" || code != r.code || event != r.event || !contains(reason, r.want) {
				t.Errorf("%.80s: on %s: %d %q %q; want %d %q with %q", r.payload, m.name, code, event, reason, r.code, r.event, r.want)
			}
			if len(m.payload) > 2000 {
				t.Errorf("%.80s: the answer has %d bytes", r.payload, len(m.payload))
			}
		}
	}
	for _, prop := range []string{"powerstatus", "on", "level"} {
		if p := h.prop("lamp", prop); !p.Actual.Absent() || !p.Expected.Absent() {
			t.Errorf("%s was changed: %+v", prop, p)
		}
	}
	if got := h.presence("lamp"); got != twin.Unknown {
		t.Errorf("the device is %s", got)
	}
	c.publish(two+"/twin/update", report("good", "on", "true"))
	if code, reason, event := answerOf(t, c.next(topic.TwinUpdateResult)); code != 0 || event != "good" {
		t.Errorf("after all that a good report is answered %d %q", code, reason)
	}
	s := h.bus.Stats()
	if want := uint64(2 * len(rows)); s.Bad != want || s.Messages != want+1 || s.Clients != 1 {
		t.Errorf("stats %+v, want %d bad", s, want)
	}
}

// TestNobodyThere: devices and nodes that do not exist, and names that cannot.
func TestNobodyThere(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect("$hw/#")
	for _, r := range []struct {
		topic, payload, want string
		code                 int
	}{
		{"$hw/events/device/cellar/lamp/twin/update", report("e", "on", "true"), "cellar/lamp", 404},
		{"$hw/events/device/ghost/twin/update", wished("e", "on", "true"), "default/ghost", 404},
		{"$hw/events/device/ghost/twin/get", `{"event_id":"e"}`, "default/ghost", 404},
		{"$hw/events/device/ghost/state/update", `{"event_id":"e","state":"online"}`, "default/ghost", 404},
		{"$hw/events/node/edge9/membership/get", `{"event_id":"e"}`, "edge1", 404},
		{"$hw/events/node/edge1/membership/get", `{"event_id":"e",`, "payload", 400},
		{"$hw/events/device/a b/twin/update", report("e", "on", "true"), "name", 400},
		{"$hw/events/device/" + strings.Repeat("x", 200) + "/twin/get", `{"event_id":"e"}`, "128 bytes", 400},
		{"$hw/events/device//twin/update", report("e", "on", "true"), "name", 400},
		{"$hw/events/device//lamp/state/update", `{"event_id":"e","state":"online"}`, "namespace", 400},
	} {
		c.publish(r.topic, r.payload)
		var m message
		for m = c.next(); !strings.HasSuffix(m.name, "/result"); m = c.next() {
		}
		code, reason, event := answerOf(t, m)
		if m.name != r.topic+"/result" || code != r.code || event != "e" || !contains(reason, r.want) {
			t.Errorf("%s: answered on %s: %d %q %q; want %d with %q", r.topic, m.name, code, event, reason, r.code, r.want)
		}
	}
}

// TestOnlyTheEdgeAnswers: what a client publishes on the edge's topics reaches nobody.
func TestOnlyTheEdgeAnswers(t *testing.T) {
	h := newHouse(t, "lamp")
	c, liar := h.connect("$hw/#"), h.connect()
	for i, suffix := range []string{"twin/update/result", "twin/update/delta", "twin/update/document", "twin/get/result", "state/update/result", "updated"} {
		for _, base := range []string{two, one} {
			done(t, liar.c.Publish(base+"/"+suffix, byte(i%3), true, `{"event_id":"lie","timestamp":1,"twin":{},"delta":{"powerstatus":"ON"}}`))
		}
	}
	done(t, liar.c.Publish("$hw/events/node/edge1/membership/updated", 1, true, `{"added_devices":[{"id":"default/trap"}]}`))
	done(t, liar.c.Publish(two+"/twin/cloud_updated", 1, false, `{"event_id":"lie","timestamp":1,"twin":{"powerstatus":{"expected":{"value":"ON"}}}}`))
	done(t, liar.c.Publish(two+"/twin/get", 1, false, `{"event_id":"end"}`))
	for {
		m := c.next()
		if m.topic.Kind == topic.TwinGetResult {
			if r := read(t, m, topic.DecodeResult); r.EventID != "end" {
				t.Errorf("a lie arrived: %s", m.payload)
			}
			break
		}
		if contains(string(m.payload), "lie") && m.topic.Kind != topic.TwinCloudUpdated {
			t.Errorf("a lie arrived on %s", m.name)
		}
	}
	if p := h.prop("lamp", "powerstatus"); !p.Expected.Absent() {
		t.Errorf("the twin is %+v", p)
	}
	if s := h.bus.Stats(); s.Refused != 13 {
		t.Errorf("%d publishes were refused, want 13", s.Refused)
	}
}

// TestNothingIsKept: a message about a device that is published as retained counts when it comes, and never again.
func TestNothingIsKept(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	done(t, c.c.Publish(two+"/twin/update", 1, true, wished("kept", "powerstatus", "ON")))
	done(t, c.c.Publish("$twinbridge/sim/default/lamp/press", 1, true, "{}"))
	if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "kept" || r.Code != 0 {
		t.Errorf("result %+v", r)
	}
	late := h.connect("$hw/events/device/+/+/twin/update", "$twinbridge/#", two+"/twin/get/result")
	late.quiet(two, topic.TwinUpdate, topic.Unknown)
	// Topics of others are an ordinary broker's.
	done(t, c.c.Publish("home/hall", 1, true, "kept"))
	other := h.connect("home/#")
	if m := other.next(); string(m.payload) != "kept" || !m.retain {
		t.Errorf("got %+v", m)
	}
}

// TestWillThatLies: a will may not speak for the edge either.
func TestWillThatLies(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect("$hw/#", "home/#")
	for i, will := range []string{two + "/twin/update/delta", "$SYS/broker/x", "home/will"} {
		raw := h.dial(connectPacket(string(rune('a'+i)), will, `{"delta":{"powerstatus":"ON"}}`, true))
		raw.Close()
	}
	if m := c.next(); m.name != "home/will" {
		t.Errorf("the first will that arrived is on %s", m.name)
	}
}

// TestPahoQoS: each quality of service is acknowledged, and taken once.
func TestPahoQoS(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connectAs(func(o *paho.ClientOptions) { o.SetProtocolVersion(3) }, two+"/#")
	for qos := range 3 {
		event := "q" + string(rune('0'+qos))
		done(t, c.c.Publish(two+"/twin/update", byte(qos), false, report(event, "level", event[1:])))
		if qos > 0 { // what is acknowledged has been taken
			if p := h.prop("lamp", "level"); p.Actual != twin.IntValue(int64(qos)) {
				t.Errorf("QoS %d: acknowledged, but the twin is %+v", qos, p)
			}
		}
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != event {
			t.Errorf("result %+v", r)
		}
	}
	if s := h.bus.Stats(); s.Reports != 3 {
		t.Errorf("%d reports were taken, want 3", s.Reports)
	}
}
