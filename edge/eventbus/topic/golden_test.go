package topic

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"twinbridge/twin"
)

// golden are messages as a KubeEdge edge and its mappers send them, and what twinbridge adds. Each is written and read.
var golden = []struct {
	name   string
	text   string
	decode func([]byte) (any, error)
	value  any
}{
	{
		"report", `{"event_id":"u1","timestamp":1700000000000,"twin":{"powerstatus":{"actual":{"value":"ON"},"metadata":{"type":"string"}}}}`,
		as(DecodeUpdate), &Update{"u1", 1700000000000, []Twin{{Name: "powerstatus", Actual: Value{Set: true, Text: "ON"}, Type: "string"}}, ""},
	},
	{
		"report of the counter mapper", `{"event_id":"","timestamp":0,"twin":{"status":{"actual":{"value":"1"},"metadata":{"type":"Updated"}}}}`,
		as(DecodeUpdate), &Update{"", 0, []Twin{{Name: "status", Actual: Value{Set: true, Text: "1"}, Type: "Updated"}}, ""},
	},
	{
		"deletion of a key", `{"event_id":"d1","timestamp":1,"twin":{"powerstatus":null}}`,
		as(DecodeUpdate), &Update{"d1", 1, []Twin{{Name: "powerstatus", Delete: true}}, ""},
	},
	{
		"report that follows a wish", `{"event_id":"u2","timestamp":1,"twin":{"p":{"actual":{"value":"ON","metadata":{"timestamp":5,"wish":"w1"}}},"q":{"actual":{"value":"3","metadata":{"wish":"","act":true}}}}}`,
		as(DecodeUpdate), &Update{"u2", 1, []Twin{
			{Name: "p", Actual: Value{Set: true, Text: "ON", Timestamp: 5, Wish: "w1", HasWish: true}},
			{Name: "q", Actual: Value{Set: true, Text: "3", HasWish: true, Act: true}},
		}, ""},
	},
	{
		"error of a mapper", `{"event_id":"u3","timestamp":1,"twin":{"p":{"metadata":{"wish":"w1","error":"the relay is stuck"}}}}`,
		as(DecodeUpdate), &Update{"u3", 1, []Twin{{Name: "p", Wish: "w1", HasWish: true, Error: "the relay is stuck"}}, ""},
	},
	{
		"result", `{"event_id":"u1","timestamp":9,"twin":{"powerstatus":{"actual":{"value":"ON","metadata":{"timestamp":9}},"optional":true,"metadata":{"type":"string"}}}}`,
		as(DecodeResult), &Result{"u1", 9, 0, "", []Twin{{
			Name: "powerstatus", Actual: Value{Set: true, Text: "ON", Timestamp: 9}, Optional: true, Type: "string",
		}}},
	},
	{
		"result of a failure", `{"event_id":"u1","timestamp":9,"code":400,"reason":"powerstatus: \"dim\": expected one of ON, OFF"}`,
		as(DecodeResult), &Result{"u1", 9, 400, `powerstatus: "dim": expected one of ON, OFF`, nil},
	},
	{
		"document", `{"event_id":"u1","timestamp":9,"twin":{"powerstatus":{` +
			`"last":{"expected":{"value":"OFF","metadata":{"timestamp":8}},"optional":true,"metadata":{"type":"string"}},` +
			`"current":{"expected":{"value":"OFF","metadata":{"timestamp":8}},"actual":{"value":"ON","metadata":{"timestamp":9}},"optional":true,"metadata":{"type":"string"}}}}}`,
		as(DecodeDocument), &Document{"u1", 9, []Change{{
			"powerstatus",
			&Twin{Name: "powerstatus", Expected: Value{Set: true, Text: "OFF", Timestamp: 8}, Optional: true, Type: "string"},
			&Twin{Name: "powerstatus", Expected: Value{Set: true, Text: "OFF", Timestamp: 8}, Actual: Value{Set: true, Text: "ON", Timestamp: 9}, Optional: true, Type: "string"},
		}}},
	},
	{
		"document of a new key and a deleted one", `{"event_id":"u1","timestamp":9,"twin":{"a":{"last":null,"current":{"actual":{"value":"1"}}},"b":{"last":{"actual":{"value":"2"}},"current":null}}}`,
		as(DecodeDocument), &Document{"u1", 9, []Change{
			{"a", nil, &Twin{Name: "a", Actual: Value{Set: true, Text: "1"}}}, {"b", &Twin{Name: "b", Actual: Value{Set: true, Text: "2"}}, nil},
		}},
	},
	{
		"delta", `{"event_id":"x","timestamp":9,"twin":{"powerstatus":{"expected":{"value":"OFF","metadata":{"timestamp":8,"wish":"w1","remainingMs":29000}},` +
			`"actual":{"value":"ON","metadata":{"timestamp":9}},"optional":true,"metadata":{"type":"string"}}},"delta":{"powerstatus":"OFF"}}`,
		as(DecodeDelta), &Delta{"x", 9, []Twin{{
			Name:     "powerstatus",
			Expected: Value{Set: true, Text: "OFF", Timestamp: 8, Wish: "w1", HasWish: true, RemainingMs: 29000},
			Actual:   Value{Set: true, Text: "ON", Timestamp: 9}, Optional: true, Type: "string",
		}}, []Wanted{{"powerstatus", "OFF"}}},
	},
	{"request", `{"event_id":"g1","timestamp":1}`, as(DecodeRequest), &Request{"g1", 1}},
	{"state", `{"event_id":"s1","timestamp":1,"state":"DISCONNECTED"}`, as(DecodeState), &State{"s1", 1, "DISCONNECTED", ""}},
	{
		"report of a mapper that names itself", `{"event_id":"r1","timestamp":1,"twin":{"p":{"actual":{"value":"ON","metadata":{"wish":""}}}},"metadata":{"mapper":"tb-mapper-1"}}`,
		as(DecodeUpdate), &Update{"r1", 1, []Twin{{Name: "p", Actual: Value{Set: true, Text: "ON", HasWish: true}}}, "tb-mapper-1"},
	},
	{
		"state of a mapper that names itself", `{"event_id":"s2","timestamp":1,"state":"online","metadata":{"mapper":"tb-mapper-1"}}`,
		as(DecodeState), &State{"s2", 1, "online", "tb-mapper-1"},
	},
	{
		"state result", `{"event_id":"s1","timestamp":9,"device":{"name":"lamp0","state":"online","lastOnlineTime":"2026-11-22T05:37:23Z"}}`,
		as(DecodeStateResult), &StateResult{"s1", 9, 0, "", "lamp0", "online", "2026-11-22T05:37:23Z"},
	},
	{
		"state result of a failure", `{"event_id":"s1","timestamp":9,"code":404,"reason":"no such device: default/lamp0"}`,
		as(DecodeStateResult), &StateResult{EventID: "s1", Timestamp: 9, Code: 404, Reason: "no such device: default/lamp0"},
	},
	{
		"members, as KubeEdge has them", `{"event_id":"m1","timestamp":9,"devices":[{"id":"default/lamp1","name":"lamp1"}]}`,
		as(DecodeMembers), &Members{EventID: "m1", Timestamp: 9, Devices: []Device{{ID: twin.Name{Namespace: "default", Name: "lamp1"}}}},
	},
	{
		"members in parts", `{"event_id":"m1","timestamp":9,"devices":[{"id":"default/lamp1","name":"lamp1","description":"hall","state":"online","last_online":"2026-11-22T05:37:23Z",` +
			`"attributes":{"serial":{"value":"7","optional":true,"metadata":{"type":"string"}}}}],"part":2,"parts":3}`,
		as(DecodeMembers), &Members{EventID: "m1", Timestamp: 9, Part: 2, Parts: 3, Devices: []Device{{
			ID: twin.Name{Namespace: "default", Name: "lamp1"}, Description: "hall", State: "online",
			LastOnline: "2026-11-22T05:37:23Z", Attributes: map[string]string{"serial": "7"},
		}}},
	},
	{
		"device added", `{"event_id":"m2","timestamp":9,"added_devices":[{"id":"hall/lamp","name":"lamp",` +
			`"twin":{"on":{"expected":{"value":"true","metadata":{"timestamp":8}},"optional":true,"metadata":{"type":"boolean"},"expected_version":{"cloud":3,"edge":41}}},` +
			`"protocol":{"protocolName":"gpio","configData":{"chip":"pinctrl-rp1"}},` +
			`"properties":[{"name":"on","type":"boolean","access":"ReadWrite","visitors":{"protocolName":"gpio","configData":{"line":17}},"collectCycle":1000000000},` +
			`{"name":"level","type":"int","access":"ReadOnly","description":"of light","unit":"%","minimum":0,"maximum":100,"step":5,"tolerance":1},` +
			`{"name":"mode","type":"string","access":"ReadWrite","enum":["A","B"],"reportCycle":2000000000}]}],"removed_devices":null}`,
		as(DecodeMembership), &Membership{EventID: "m2", Timestamp: 9, Added: []Device{{
			ID: twin.Name{Namespace: "hall", Name: "lamp"},
			Twins: []Twin{{
				Name: "on", Expected: Value{Set: true, Text: "true", Timestamp: 8}, Optional: true, Type: "boolean",
				ExpectedVersion: &Version{3, 41},
			}},
			Protocol: twin.Visitor{Protocol: "gpio", Config: json.RawMessage(`{"chip":"pinctrl-rp1"}`)},
			Properties: []twin.Property{
				{Name: "on", Type: twin.Bool, Visitor: twin.Visitor{Protocol: "gpio", Config: json.RawMessage(`{"line":17}`)}, CollectCycle: time.Second},
				{Name: "level", Type: twin.Int, Access: twin.ReadOnly, Description: "of light", Unit: "%", Min: new(0.0), Max: new(100.0), Step: 5, Tolerance: 1},
				{Name: "mode", Type: twin.String, Enum: []string{"A", "B"}, ReportCycle: 2 * time.Second},
			},
		}}},
	},
	{
		"device removed", `{"event_id":"m3","timestamp":9,"added_devices":null,"removed_devices":[{"id":"hall/lamp","name":"lamp"}]}`,
		as(DecodeMembership), &Membership{EventID: "m3", Timestamp: 9, Removed: []Device{{ID: twin.Name{Namespace: "hall", Name: "lamp"}}}},
	},
}

// as hides the type of a decoder's message, and gives a pointer to it.
func as[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		m, err := decode(b)
		return &m, err
	}
}

func encode(t *testing.T, m any) []byte {
	t.Helper()
	switch m := m.(type) {
	case interface{ Encode() []byte }:
		return m.Encode()
	case interface{ Encode() ([]byte, error) }:
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Fatalf("%T cannot be written", m)
	return nil
}

func TestGolden(t *testing.T) {
	for _, c := range golden {
		t.Run(c.name, func(t *testing.T) {
			if got := encode(t, c.value); string(got) != c.text {
				t.Errorf("written\n%s\nwant\n%s", got, c.text)
			}
			got, err := c.decode([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.value) {
				t.Errorf("read\n%+v\nwant\n%+v", got, c.value)
			}
			var spaced bytes.Buffer
			if err := json.Indent(&spaced, []byte(c.text), "\t", " \r\n "); err != nil {
				t.Fatal(err)
			}
			if got, err := c.decode(spaced.Bytes()); err != nil {
				t.Errorf("with white space: %v", err)
			} else if again := encode(t, got); !sameJSON(t, again, []byte(c.text)) {
				t.Errorf("with white space it was read as\n%s", again)
			}
		})
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// TestEveryPrefix cuts each message at each byte: nothing but the whole of it is a message.
func TestEveryPrefix(t *testing.T) {
	for _, c := range golden {
		for i := range c.text {
			if c.name == "request" && i == 0 {
				continue // an empty payload asks too
			}
			if got, err := c.decode([]byte(c.text[:i])); err == nil {
				t.Errorf("%s: the first %d bytes were read as %+v", c.name, i, got)
			}
		}
		for _, tail := range []string{"x", "{}", ",", "\x00", "}", " null"} {
			if got, err := c.decode([]byte(c.text + tail)); err == nil {
				t.Errorf("%s: with %q after it it was read as %+v", c.name, tail, got)
			}
		}
	}
}
