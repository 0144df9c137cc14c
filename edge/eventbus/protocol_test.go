package eventbus

import (
	"reflect"
	"testing"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// TestReportIsAnswered: result, document, delta, in this order and with the fields that KubeEdge has, on both shapes.
func TestReportIsAnswered(t *testing.T) {
	for _, base := range []string{two, one} {
		t.Run(base, func(t *testing.T) {
			h := newHouse(t, "lamp")
			h.wish("lamp", "powerstatus", twin.StringValue("OFF"))
			c := h.connect(base + "/#")
			c.next(topic.TwinDelta) // the offer to the new subscriber
			c.publish(base+"/twin/update", report("u1", "powerstatus", "ON"))

			if m := c.next(); m.topic.Kind != topic.TwinUpdate {
				t.Errorf("who looks on sees %s before the update", m.name)
			}
			m := c.next()
			res := read(t, m, topic.DecodeResult)
			if m.name != base+"/twin/update/result" || res.EventID != "u1" || res.Code != 0 || res.Timestamp == 0 {
				t.Errorf("result on %s: %s", m.name, m.payload)
			}
			want := []topic.Twin{{
				Name: "powerstatus", Actual: topic.Value{Set: true, Text: "ON", Timestamp: res.Timestamp}, Optional: true, Type: "string",
			}}
			if !reflect.DeepEqual(res.Twins, want) {
				t.Errorf("result %s", m.payload)
			}
			m = c.next()
			doc := read(t, m, topic.DecodeDocument)
			if m.name != base+"/twin/update/document" || doc.EventID != "u1" || len(doc.Changes) != 1 {
				t.Fatalf("document on %s: %s", m.name, m.payload)
			}
			ch := doc.Changes[0]
			if ch.Last == nil || ch.Last.Expected.Text != "OFF" || ch.Last.Actual.Set || ch.Current == nil || ch.Current.Expected.Text != "OFF" || ch.Current.Actual.Text != "ON" {
				t.Errorf("document %s", m.payload)
			}
			m = c.next()
			del := read(t, m, topic.DecodeDelta)
			if m.name != base+"/twin/update/delta" || len(del.Wanted) != 1 || del.Wanted[0] != (topic.Wanted{Name: "powerstatus", Value: "OFF"}) {
				t.Fatalf("delta on %s: %s", m.name, m.payload)
			}
			tw := del.Find("powerstatus")
			if tw == nil || tw.Expected.Text != "OFF" || tw.Actual.Text != "ON" || !tw.Expected.HasWish || tw.Expected.Wish == "" || del.EventID == "u1" {
				t.Errorf("delta %s", m.payload)
			}
			// The same report again: nothing changed, so there is no document; the delta is repeated.
			c.publish(base+"/twin/update", report("u2", "powerstatus", "ON"))
			if m := c.next(topic.TwinUpdateResult, topic.TwinDocument, topic.TwinDelta); m.topic.Kind != topic.TwinUpdateResult {
				t.Errorf("after an equal report came %s", m.name)
			}
			if m := c.next(topic.TwinDocument, topic.TwinDelta); m.topic.Kind != topic.TwinDelta {
				t.Errorf("after an equal report came %s: %s", m.name, m.payload)
			}
			// What is expected: applied, and quiet.
			c.publish(base+"/twin/update", report("u3", "powerstatus", "OFF"))
			if res := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); res.EventID != "u3" {
				t.Errorf("result %+v", res)
			}
			doc = read(t, c.next(topic.TwinDocument), topic.DecodeDocument)
			if doc.Changes[0].Last.Actual.Text != "ON" || doc.Changes[0].Current.Actual.Text != "OFF" {
				t.Errorf("document %+v", doc)
			}
			c.quiet(base, topic.TwinDelta)
			if p := h.prop("lamp", "powerstatus"); p.Wish != "" || p.Actual != twin.StringValue("OFF") {
				t.Errorf("the twin is %+v", p)
			}
		})
	}
}

// TestBothShapesHear: what nobody asked for goes to both shapes of a device in the default namespace.
func TestBothShapesHear(t *testing.T) {
	h := newHouse(t, "lamp", "hall/lamp")
	c := h.connect("$hw/events/device/+/twin/update/+", "$hw/events/device/+/+/twin/update/+", two+"/twin/get/result")
	h.wish("lamp", "level", twin.IntValue(7))
	h.wish("hall/lamp", "level", twin.IntValue(8))
	got := map[string]int{}
	for range 6 {
		got[c.next(topic.TwinDocument, topic.TwinDelta).name]++
	}
	want := map[string]int{
		two + "/twin/update/document": 1, one + "/twin/update/document": 1, "$hw/events/device/hall/lamp/twin/update/document": 1,
		two + "/twin/update/delta": 1, one + "/twin/update/delta": 1, "$hw/events/device/hall/lamp/twin/update/delta": 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.quiet(two, topic.TwinDocument)
}

// TestPressInDelta: a press says what is left of its time.
func TestPressInDelta(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/twin/update/delta")
	n := twin.Name{Namespace: "default", Name: "lamp"}
	w, err := h.store.Ask(n, twin.Wish{ID: "press-1", Origin: twin.FromHomeKit, ValidFor: 30e9, Values: map[string]twin.Value{
		"on": twin.BoolValue(true), "level": twin.IntValue(3),
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, c.next(topic.TwinDelta), topic.DecodeDelta)
	if len(d.Wanted) != 2 {
		t.Fatalf("a wish for two properties is handed over as %+v", d)
	}
	for _, name := range []string{"on", "level"} {
		v := d.Find(name).Expected
		if v.Wish != w.ID || v.RemainingMs <= 0 || v.RemainingMs > 30000 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if d.Find("on").Type != "boolean" || d.Find("on").Expected.Text != "true" {
		t.Errorf("on: %+v", d.Find("on"))
	}
}

// TestDeltaHoldsEqualProperties: every property with expected stands in the delta's twin, only what is pending in delta.
func TestDeltaHoldsEqualProperties(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/twin/update/delta")
	c.publish(two+"/twin/update", report("", "level", "5")) // the first report is what is expected
	eventually(t, func() (bool, string) { return !h.prop("lamp", "level").Expected.Absent(), "the report was not taken" })
	h.wish("lamp", "powerstatus", twin.StringValue("ON"))
	d := read(t, c.next(topic.TwinDelta), topic.DecodeDelta)
	if len(d.Wanted) != 1 || d.Wanted[0].Name != "powerstatus" || d.Find("level") == nil || d.Find("level").Expected.HasWish || d.Find("on") != nil {
		t.Errorf("delta %+v", d)
	}
}

// TestWish: it works at once, its result comes after the commit.
func TestWish(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	release := h.disk.stall()
	defer release()
	c.publish(two+"/twin/update", wished("w1", "powerstatus", "ON"))
	if m := c.next(topic.TwinUpdateResult, topic.TwinDocument); m.topic.Kind != topic.TwinDocument {
		t.Fatalf("before the commit came %s", m.name)
	}
	d := read(t, c.next(topic.TwinDelta, topic.TwinUpdateResult), topic.DecodeDelta)
	// The reading goes on while the disk works: a report behind the wish is taken and answered.
	c.publish(two+"/twin/update", report("r1", "level", "1"))
	if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "r1" {
		t.Fatalf("before the commit the wish was answered: %+v", r)
	}
	release()
	r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult)
	if r.EventID != "w1" || r.Code != 0 || r.Twins[0].Expected.Text != "ON" || r.Twins[0].Expected.Wish != d.Find("powerstatus").Expected.Wish {
		t.Errorf("result %+v", r)
	}
	if p := h.prop("lamp", "powerstatus"); p.Origin != twin.FromMQTT {
		t.Errorf("the origin is %q", p.Origin)
	}
}

// TestFailingDisk: wishes work and are answered 500; reports are answered as ever.
func TestFailingDisk(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	h.disk.fail(errDisk)
	c.publish(two+"/twin/update", wished("w1", "powerstatus", "ON"))
	if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "w1" || r.Code != topic.CodeFault {
		t.Errorf("result %+v", r)
	}
	if p := h.prop("lamp", "powerstatus"); p.Expected != twin.StringValue("ON") {
		t.Errorf("the wish does not work: %+v", p)
	}
	c.publish(two+"/twin/update", report("r1", "level", "1"))
	if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != "r1" || r.Code != 0 {
		t.Errorf("result %+v", r)
	}
}

// TestEcho: a mapper that names wishes ends a wish with its name only.
func TestEcho(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	w := h.wish("lamp", "powerstatus", twin.StringValue("ON"))
	c.next(topic.TwinDelta)
	say := func(event, wish string) {
		t.Helper()
		m := topic.Update{EventID: event, Twins: []topic.Twin{{Name: "powerstatus", Actual: topic.Value{Set: true, Text: "ON", Wish: wish, HasWish: true}}}}
		c.publish(two+"/twin/update", string(m.Encode()))
		if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.EventID != event || r.Code != 0 {
			t.Fatalf("result %+v", r)
		}
	}
	say("a", "")
	if p := h.prop("lamp", "powerstatus"); p.Wish != w.ID {
		t.Errorf("an equal report without the wish's name ended it: %+v", p)
	}
	say("b", w.ID)
	if p := h.prop("lamp", "powerstatus"); p.Wish != "" {
		t.Errorf("the wish still waits: %+v", p)
	}
}

// TestMapperError: the error shows at the wish.
func TestMapperError(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	w := h.wish("lamp", "powerstatus", twin.StringValue("ON"))
	c.next(topic.TwinDelta)
	m := topic.Update{EventID: "e", Twins: []topic.Twin{{Name: "powerstatus", Wish: w.ID, HasWish: true, Error: "the relay is stuck"}}}
	c.publish(two+"/twin/update", string(m.Encode()))
	if r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult); r.Code != 0 {
		t.Errorf("result %+v", r)
	}
	if p := h.prop("lamp", "powerstatus"); p.Trouble != "the relay is stuck" {
		t.Errorf("the twin is %+v", p)
	}
	// An error and what the relay shows, in one message.
	m.Twins[0].Actual = topic.Value{Set: true, Text: "OFF", HasWish: true}
	m.Twins[0].Error = "still stuck"
	c.publish(two+"/twin/update", string(m.Encode()))
	c.next(topic.TwinUpdateResult)
	if p := h.prop("lamp", "powerstatus"); p.Trouble != "still stuck" || p.Actual != twin.StringValue("OFF") {
		t.Errorf("the twin is %+v", p)
	}
}

// TestHandAtTheDevice: a marked act is a wish of the device.
func TestHandAtTheDevice(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	c.publish(two+"/twin/update", report("r", "powerstatus", "OFF"))
	c.next(topic.TwinUpdateResult)
	m := topic.Update{EventID: "a", Twins: []topic.Twin{{Name: "powerstatus", Actual: topic.Value{Set: true, Text: "ON", HasWish: true, Act: true}}}}
	c.publish(two+"/twin/update", string(m.Encode()))
	c.next(topic.TwinUpdateResult)
	doc := read(t, c.next(topic.TwinDocument), topic.DecodeDocument)
	if cur := doc.Changes[0].Current; cur.Expected.Text != "ON" || cur.Actual.Text != "ON" {
		t.Errorf("document %+v", cur)
	}
	if p := h.prop("lamp", "powerstatus"); p.Origin != twin.FromDevice {
		t.Errorf("the twin is %+v", p)
	}
	c.quiet(two, topic.TwinDelta)
}

// TestPartlyKnownReport: known properties are taken, unknown and bad ones named.
func TestPartlyKnownReport(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	c.publish(two+"/twin/update", `{"event_id":"p","twin":{"level":{"actual":{"value":"12"}},"powr":{"actual":{"value":"ON"}},"on":{"actual":{"value":"yes"}},"powerstatus":{"actual":{"value":"DIM"}}}}`)
	r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult)
	if r.EventID != "p" || r.Code != topic.CodeBad {
		t.Errorf("result %+v", r)
	}
	for _, want := range []string{`"powr"`, "powerstatus, level, on, temperature", `on: "yes"`, "true or false", `powerstatus: "DIM"`, "ON, OFF"} {
		if !contains(r.Reason, want) {
			t.Errorf("the reason does not say %s: %s", want, r.Reason)
		}
	}
	if p := h.prop("lamp", "level"); p.Actual != twin.IntValue(12) {
		t.Errorf("level was not taken: %+v", p)
	}
	if p := h.prop("lamp", "powerstatus"); !p.Actual.Absent() {
		t.Errorf("powerstatus was taken: %+v", p)
	}
}

// TestWishIsWhole: one property that cannot be wished refuses all.
func TestWishIsWhole(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	for _, c2 := range []struct{ name, second, want string }{
		{"unknown", `"powr":{"expected":{"value":"ON"}}`, `"powr"`},
		{"read-only", `"temperature":{"expected":{"value":"20"}}`, "read-only"},
		{"out of range", `"level":{"expected":{"value":"100001"}}`, "100000"},
		{"no number", `"level":{"expected":{"value":"much"}}`, `"much"`},
		{"not in the list", `"powerstatus":{"expected":{"value":"on"}}`, "ON, OFF"},
	} {
		c.publish(two+"/twin/update", `{"event_id":"`+c2.name+`","twin":{"on":{"expected":{"value":"true"}},`+c2.second+`}}`)
		r := read(t, c.next(topic.TwinUpdateResult), topic.DecodeResult)
		if r.EventID != c2.name || r.Code != topic.CodeBad || !contains(r.Reason, c2.want) {
			t.Errorf("%s: result %+v", c2.name, r)
		}
		if p := h.prop("lamp", "on"); !p.Expected.Absent() {
			t.Fatalf("%s: half of the wish was taken: %+v", c2.name, p)
		}
	}
}

// TestExpectedAndActual: from the owner, or where nobody is, both together are a report; from others both are meant.
func TestExpectedAndActual(t *testing.T) {
	h := newHouse(t, "lamp")
	both := func(event, expected, actual string) string {
		return `{"event_id":"` + event + `","twin":{"powerstatus":{"expected":{"value":"` + expected + `"},"actual":{"value":"` + actual + `"}}}}`
	}
	mapper, other := h.connect(two+"/#"), h.connect(two+"/#")
	mapper.publish(two+"/twin/update", both("first", "ON", "OFF"))
	r := read(t, mapper.next(topic.TwinUpdateResult), topic.DecodeResult)
	if p := h.prop("lamp", "powerstatus"); r.Code != 0 || p.Expected != twin.StringValue("OFF") || p.Actual != twin.StringValue("OFF") {
		t.Errorf("%+v: the twin is %+v", r, p)
	}
	other.publish(two+"/twin/update", both("other", "ON", "OFF"))
	other.next(topic.TwinUpdateResult)
	r = read(t, other.next(topic.TwinUpdateResult), topic.DecodeResult)
	if p := h.prop("lamp", "powerstatus"); r.EventID != "other" || r.Code != 0 || p.Expected != twin.StringValue("ON") || p.Origin != twin.FromMQTT {
		t.Errorf("%+v: the twin is %+v", r, p)
	}
	if len(r.Twins) != 1 || r.Twins[0].Expected.Text != "ON" || r.Twins[0].Actual.Text != "OFF" {
		t.Errorf("result %+v", r)
	}
}

// TestGet answers with every property, and offers again what is pending.
func TestGet(t *testing.T) {
	h := newHouse(t, "lamp")
	h.wish("lamp", "powerstatus", twin.StringValue("ON"))
	h.told("lamp")
	for _, base := range []string{two, one} {
		c := h.connect(base+"/twin/get/result", base+"/twin/update/delta")
		c.next(topic.TwinDelta)
		for _, payload := range []string{`{"event_id":"g1","timestamp":1}`, `{}`, ``} {
			before := h.offers("lamp")
			c.publish(base+"/twin/get", payload)
			m := c.next(topic.TwinGetResult)
			r := read(t, m, topic.DecodeResult)
			if m.name != base+"/twin/get/result" || r.Code != 0 || len(r.Twins) != 4 || r.Twins[0].Expected.Text != "ON" || r.Twins[3].Type != "float" {
				t.Errorf("get/result on %s: %s", m.name, m.payload)
			}
			if (r.EventID == "g1") != (payload != "" && payload != "{}") {
				t.Errorf("event id %q", r.EventID)
			}
			c.next(topic.TwinDelta)
			if got := h.offers("lamp"); got != before+1 {
				t.Errorf("%d offers were made, want 1", got-before)
			}
		}
		c.c.Disconnect(100)
	}
}

// TestState: answers carry KubeEdge's fields; both cases of letters are taken.
func TestState(t *testing.T) {
	h := newHouse(t, "lamp")
	for _, base := range []string{two, one} {
		c := h.connect(base + "/state/update/result")
		for _, s := range []struct {
			state string
			want  twin.Presence
		}{
			{"online", twin.Online},
			{"DISCONNECTED", twin.Offline},
			{"OK", twin.Online},
			{"ERROR", twin.Online},
			{"UNHEALTHY", twin.Online},
			{"offline", twin.Offline},
			{"UNKNOWN", twin.Unknown},
		} {
			c.publish(base+"/state/update", `{"event_id":"s1","timestamp":0,"state":"`+s.state+`"}`)
			m := c.next()
			r := read(t, m, topic.DecodeStateResult)
			if m.name != base+"/state/update/result" || r.Code != 0 || r.Name != "lamp" || r.State != s.state || r.LastOnline == "" {
				t.Errorf("%s: %s: %s", s.state, m.name, m.payload)
			}
			if got := h.presence("lamp"); got != s.want {
				t.Errorf("%s: the device is %s, want %s", s.state, got, s.want)
			}
		}
		c.publish(base+"/state/update", `{"event_id":"s2","state":"dancing"}`)
		if r := read(t, c.next(), topic.DecodeStateResult); r.EventID != "s2" || r.Code != topic.CodeBad || !contains(r.Reason, "unhealthy") {
			t.Errorf("a state that is none: %+v", r)
		}
	}
}

// TestDeltaThoughEqual: a wish is handed over though the device shows its value: the mapper may be half-way to another.
func TestDeltaThoughEqual(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	c.publish(two+"/twin/update", report("r", "powerstatus", "ON"))
	c.next(topic.TwinUpdateResult)
	for _, want := range []string{"OFF", "ON"} {
		h.wish("lamp", "powerstatus", twin.StringValue(want))
		d := read(t, c.next(topic.TwinDelta), topic.DecodeDelta)
		if len(d.Wanted) != 1 || d.Wanted[0].Value != want || d.Find("powerstatus").Actual.Text != "ON" {
			t.Errorf("a wish for %s gives the delta %+v", want, d)
		}
	}
}

// TestCreatedAgain: of another device by an old name nothing has been told.
func TestCreatedAgain(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect(two + "/#")
	for range 3 {
		h.wish("lamp", "on", twin.BoolValue(true))
		if d := read(t, c.next(topic.TwinDocument), topic.DecodeDocument); d.Changes[0].Last != nil {
			t.Errorf("document %+v", d)
		}
		c.next(topic.TwinDelta)
		if err := h.store.Delete(twin.Name{Namespace: "default", Name: "lamp"}); err != nil {
			t.Fatal(err)
		}
		h.define("lamp")
	}
}
