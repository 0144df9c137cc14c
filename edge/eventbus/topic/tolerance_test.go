package topic

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"twinbridge/twin"
)

func TestCarelessUpdates(t *testing.T) {
	on := Twin{Name: "p", Actual: Value{Set: true, Text: "ON"}}
	for _, c := range []struct {
		name, text string
		want       Update
	}{
		{"nothing but the twin", `{"twin":{"p":{"actual":{"value":"ON"}}}}`, Update{Twins: []Twin{on}}},
		{"nulls everywhere", `{"event_id":null,"timestamp":null,"twin":{"p":{"expected":null,"actual":{"value":"ON","metadata":null},"optional":null,"metadata":null,"expected_version":null,"actual_version":null}}}`, Update{Twins: []Twin{on}}},
		{"a side with nothing in it, as misspelt tags make it", `{"event_id":"","timestamp":0,"twin":{"p":{"expected":{"value":null,"metadata":{"timestamp":0}},"actual":{"value":"ON","metadata":{"timestamp":0}},"optional":false,"metadata":{"type":"Updated"}}}}`, Update{Twins: []Twin{{Name: "p", Actual: Value{Set: true, Text: "ON"}, Type: "Updated"}}}},
		{"the poison of KubeEdge is a side with nothing in it", `{"twin":{"p":{"expected":{}}}}`, Update{Twins: []Twin{{Name: "p"}}}},
		{"fields of others", `{"x":[1,{"y":[]}],"twin":{"p":{"z":-1.5e3,"actual":{"value":"ON","unit":"W","metadata":{"a":true}}}},"event_id":"e"}`, Update{EventID: "e", Twins: []Twin{on}}},
		{"timestamps in other forms", `{"timestamp":"1700","twin":{"p":{"actual":{"value":"ON","metadata":{"timestamp":"x"}}}}}`, Update{Twins: []Twin{on}}},
		{"a timestamp with a fraction", `{"timestamp":1.5e12,"twin":{"p":{"actual":{"value":"ON"}}}}`, Update{Twins: []Twin{on}}},
		{"versions that are none", `{"twin":{"p":{"actual":{"value":"ON"},"actual_version":7}}}`, Update{Twins: []Twin{on}}},
		{"a type that is none", `{"twin":{"p":{"actual":{"value":"ON"},"metadata":{"type":7}}}}`, Update{Twins: []Twin{on}}},
		{"an empty value", `{"twin":{"p":{"actual":{"value":""}}}}`, Update{Twins: []Twin{{Name: "p", Actual: Value{Set: true}}}}},
		{"any text", `{"twin":{"p":{"actual":{"value":"\"{ü\u00fc\ud83d\ude00}\"\n\/\b"}}}}`, Update{Twins: []Twin{{Name: "p", Actual: Value{Set: true, Text: "\"{üü😀}\"\n/\b"}}}}},
		{"a wish of null is none", `{"twin":{"p":{"actual":{"value":"ON","metadata":{"wish":null}}}}}`, Update{Twins: []Twin{on}}},
		{"metadata of others", `{"metadata":{"unit":1},"twin":{"p":{"actual":{"value":"ON"}}}}`, Update{Twins: []Twin{on}}},
		{"metadata that is none", `{"metadata":7,"twin":{"p":{"actual":{"value":"ON"}}}}`, Update{Twins: []Twin{on}}},
		{"a mapper of null is none", `{"metadata":{"mapper":null},"twin":{"p":{"actual":{"value":"ON"}}}}`, Update{Twins: []Twin{on}}},
		{"white space around it", "\r\n {\"twin\" : {\"p\" :\t{\"actual\":{ \"value\":\"ON\"} } } } \n", Update{Twins: []Twin{on}}},
	} {
		got, err := DecodeUpdate([]byte(c.text))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func TestBadUpdates(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `%s"p%d":{"actual":{"value":"1"}}`, strings.Repeat(",", min(i, 1)), i)
		}
		return `{"event_id":"e","twin":{` + b.String() + `}}`
	}
	if m, err := DecodeUpdate([]byte(many(MaxProperties))); err != nil || len(m.Twins) != MaxProperties {
		t.Errorf("%d properties: %d were read, %v", MaxProperties, len(m.Twins), err)
	}
	deep := func(n int) string {
		return `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	if _, err := DecodeUpdate([]byte(deep(MaxDepth))); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
	fill := func(n int) string {
		const frame = `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"x":""}`
		return strings.Replace(frame, `""}`, `"`+strings.Repeat("x", n-len(frame))+`"}`, 1)
	}
	if _, err := DecodeUpdate([]byte(fill(MaxPayload))); err != nil {
		t.Errorf("%d bytes: %v", MaxPayload, err)
	}
	for _, c := range []struct {
		name, text, field, event string
	}{
		{"nothing", ``, "payload", ""},
		{"no JSON", `ON`, "payload", ""},
		{"no object", `["event_id"]`, "payload", ""},
		{"null", `null`, "payload", ""},
		{"no twin", `{"event_id":"e","timestamp":1}`, "twin", "e"},
		{"an empty twin", `{"event_id":"e","twin":{}}`, "twin", "e"},
		{"twin of null", `{"event_id":"e","twin":null}`, "twin", "e"},
		{"twin that is an array", `{"event_id":"e","twin":[]}`, "twin", "e"},
		{"a property that is a string", `{"event_id":"e","twin":{"p":"ON"}}`, "twin.p", "e"},
		{"a side that is a string", `{"event_id":"e","twin":{"p":{"actual":"ON"}}}`, "twin.p.actual", "e"},
		{"a value that is a number", `{"event_id":"e","twin":{"p":{"actual":{"value":1}}}}`, "twin.p.actual.value", "e"},
		{"a value that is true", `{"event_id":"e","twin":{"p":{"expected":{"value":true}}}}`, "twin.p.expected.value", "e"},
		{"a wish that is a number", `{"event_id":"e","twin":{"p":{"actual":{"value":"1","metadata":{"wish":5}}}}}`, "twin.p.actual.metadata.wish", "e"},
		{"a wish that is too long", `{"event_id":"e","twin":{"p":{"actual":{"value":"1","metadata":{"wish":"` + strings.Repeat("w", 129) + `"}}}}}`, "twin.p.actual.metadata.wish", "e"},
		{"an act that is a string", `{"event_id":"e","twin":{"p":{"actual":{"value":"1","metadata":{"act":"yes"}}}}}`, "twin.p.actual.metadata.act", "e"},
		{"an error that is an object", `{"event_id":"e","twin":{"p":{"metadata":{"error":{}}}}}`, "twin.p.metadata.error", "e"},
		{"a property twice", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}},"p":{"actual":{"value":"2"}}}}`, "twin", "e"},
		{"a property twice among many", strings.Replace(many(30), `"p29"`, `"p3"`, 1), "twin", "e"},
		{"a value twice", `{"event_id":"e","twin":{"p":{"actual":{"value":"1","value":"2"}}}}`, "twin.p.actual", "e"},
		{"twin twice", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"twin":{"p":{"actual":{"value":"2"}}}}`, "payload", "e"},
		{"a value that is too long", `{"event_id":"e","twin":{"p":{"actual":{"value":"` + strings.Repeat("x", twin.MaxValueLen+1) + `"}}}}`, "twin.p.actual.value", "e"},
		{"an event id that is too long", `{"event_id":"` + strings.Repeat("x", MaxEventID+1) + `","twin":{"p":{"actual":{"value":"1"}}}}`, "event_id", ""},
		{"an event id that is a number", `{"event_id":5,"twin":{"p":{"actual":{"value":"1"}}}}`, "event_id", ""},
		{"too many properties", many(MaxProperties + 1), "twin.p256", "e"},
		{"too deep", deep(MaxDepth + 1), "x", "e"},
		{"too long", fill(MaxPayload + 1), "payload", "e"},
		{"no UTF-8", "{\"event_id\":\"e\",\"twin\":{\"p\":{\"actual\":{\"value\":\"\xff\"}}}}", "payload", "e"},
		{"a control character", "{\"event_id\":\"e\",\"twin\":{\"p\":{\"actual\":{\"value\":\"a\nb\"}}}}", "twin.p.actual.value", "e"},
		{"a bad escape", `{"event_id":"e","twin":{"p":{"actual":{"value":"\x41"}}}}`, "twin.p.actual.value", "e"},
		{"a bad unicode escape", `{"event_id":"e","twin":{"p":{"actual":{"value":"\u00g1"}}}}`, "twin.p.actual.value", "e"},
		{"a bad number", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"n":01}`, "payload", "e"},
		{"a bad number in a timestamp", `{"event_id":"e","timestamp":1.,"twin":{"p":{"actual":{"value":"1"}}}}`, "timestamp", "e"},
		{"a mapper that is a number", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"metadata":{"mapper":1}}`, "metadata.mapper", "e"},
		{"a mapper whose name is too long", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"metadata":{"mapper":"` + strings.Repeat("m", MaxMapper+1) + `"}}`, "metadata.mapper", "e"},
		{"a mapper that no will can name", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}},"metadata":{"mapper":"a/b"}}`, "metadata.mapper", "e"},
		{"something after it", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}}}} {}`, "payload", "e"},
		{"a comma at the end", `{"event_id":"e","twin":{"p":{"actual":{"value":"1"}},}}`, "twin", "e"},
		{"single quotes", `{'event_id':'e'}`, "payload", ""},
		{"event id after the mistake", `{"twin":{"p":{"actual":1}},"event_id":"late"}`, "twin.p.actual", "late"},
		{"an event id in a text that is no JSON", `oops "event_id" : "e1" more`, "payload", "e1"},
		{"an event id that does not end", `{"event_id":"e`, "event_id", ""},
	} {
		got, err := DecodeUpdate([]byte(c.text))
		var fe *twin.FieldError
		if !errors.As(err, &fe) {
			t.Errorf("%s: got %+v, %v; want a FieldError", c.name, got, err)
			continue
		}
		if fe.Field != c.field || fe.Want == "" {
			t.Errorf("%s: the error is about %q, want %q (%v)", c.name, fe.Field, c.field, err)
		}
		if got.EventID != c.event {
			t.Errorf("%s: event id %q, want %q", c.name, got.EventID, c.event)
		}
		if len(err.Error()) > 500 {
			t.Errorf("%s: the error has %d bytes", c.name, len(err.Error()))
		}
	}
}

func TestBadOthers(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		field string
	}{
		{"state missing", errOf(DecodeState([]byte(`{"event_id":"e"}`))), "state"},
		{"state null", errOf(DecodeState([]byte(`{"state":null}`))), "state"},
		{"state a number", errOf(DecodeState([]byte(`{"state":1}`))), "state"},
		{"state of a mapper a list", errOf(DecodeState([]byte(`{"state":"ok","metadata":{"mapper":[]}}`))), "metadata.mapper"},
		{"state nothing", errOf(DecodeState(nil)), "payload"},
		{"request a string", errOf(DecodeRequest([]byte(`"x"`))), "payload"},
		{"code a fraction", errOf(DecodeResult([]byte(`{"code":1.5}`))), "code"},
		{"delta a number", errOf(DecodeDelta([]byte(`{"delta":{"p":1}}`))), "delta.p"},
		{"remaining a fraction", errOf(DecodeDelta([]byte(`{"twin":{"p":{"expected":{"value":"1","metadata":{"remainingMs":0.5}}}}}`))), "twin.p.expected.metadata.remainingMs"},
		{"document a string", errOf(DecodeDocument([]byte(`{"twin":{"p":"x"}}`))), "twin.p"},
		{"members a name", errOf(DecodeMembers([]byte(`{"devices":[{"id":"a/b/c"}]}`))), "name"},
		{"members a type", errOf(DecodeMembers([]byte(`{"devices":[{"id":"a","properties":[{"name":"p","type":"blob","access":"ReadWrite"}]}]}`))), "type"},
	} {
		var fe *twin.FieldError
		if !errors.As(c.err, &fe) || fe.Field != c.field {
			t.Errorf("%s: %v, want a FieldError about %s", c.name, c.err, c.field)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

// TestOneBadDevice: a device that cannot be read does not hide the others.
func TestOneBadDevice(t *testing.T) {
	m, err := DecodeMembership([]byte(`{"added_devices":[{"id":"a"},{"id":"b","properties":[{"name":"p","type":"hologram"}]},{"id":"c"}],"removed_devices":[{"id":"+"},{"name":"d"}]}`))
	if err == nil || !strings.Contains(err.Error(), "device b") {
		t.Errorf("error %v, want one that names device b", err)
	}
	if len(m.Added) != 2 || m.Added[0].ID.Name != "a" || m.Added[1].ID.Name != "c" || len(m.Removed) != 1 || m.Removed[0].ID.Name != "d" {
		t.Errorf("got %+v", m)
	}
}

// FuzzReader compares the reader with encoding/json: what one takes the other takes, and strings mean the same.
func FuzzReader(f *testing.F) {
	for _, c := range golden {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(`{"a":[1,-0,0.5,1e9,true,false,null,"\u00e4\ud800x\udc00\ud83d\ude00"],"":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		values := map[string]string{}
		err := decode(b, func(r *reader, key string) error {
			if r.peek() == '"' {
				s, err := r.text("a string")
				values[key] = s
				return err
			}
			return r.skip()
		})
		var want map[string]any
		jsonErr := json.Unmarshal(b, &want)
		if err == nil && jsonErr != nil {
			t.Fatalf("%q was taken; encoding/json: %v", b, jsonErr)
		}
		if err != nil {
			// It refuses what encoding/json takes only for its bounds, its strictness about keys, or null.
			var fe *twin.FieldError
			if !errors.As(err, &fe) {
				t.Fatalf("%q: %v is no FieldError", b, err)
			}
			if strings.HasPrefix(fe.Want, "at most") || fe.Want == "each key once" || fe.Want == "UTF-8 text" || fe.Want == "a JSON object" {
				return
			}
			if jsonErr == nil {
				t.Fatalf("%q was refused: %v", b, err)
			}
			return
		}
		for k, v := range values {
			if want[k] != v {
				t.Fatalf("%q: key %q is %q, encoding/json has %q", b, k, v, want[k])
			}
		}
	})
}

// FuzzMessages reads anything as each message: an error, or a message that is written and read again as the same.
func FuzzMessages(f *testing.F) {
	for i, c := range golden {
		f.Add(i, []byte(c.text))
	}
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		if i < 0 || i >= len(golden) {
			return
		}
		Event(b)
		m, err := golden[i].decode(b)
		if err != nil {
			return
		}
		text := encode(t, m)
		if !json.Valid(text) {
			t.Fatalf("%q was read as %+v and written as %q", b, m, text)
		}
		if len(text) > MaxPayload {
			return
		}
		again, err := golden[i].decode(text)
		if err != nil {
			t.Fatalf("%q was read as %+v, written as %q, and then: %v", b, m, text, err)
		}
		if twice := encode(t, again); string(twice) != string(text) {
			t.Fatalf("%q was written as %q and then as %q", b, text, twice)
		}
	})
}

func BenchmarkDecodeUpdate(b *testing.B) {
	text := []byte(golden[0].text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeUpdate(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeDelta(b *testing.B) {
	for _, c := range golden {
		if d, ok := c.value.(*Delta); ok {
			b.ReportAllocs()
			for b.Loop() {
				d.Encode()
			}
			return
		}
	}
}
