package wire

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	lamp  = twin.Name{Namespace: "default", Name: "lamp"}
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lamps = &twin.DeviceModel{Name: twin.Name{Namespace: "default", Name: "lamps"}, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}
)

// golden are messages of each kind as they are on the line: full, and with as little as they may have.
var golden = []struct {
	text string
	m    Message
}{
	{`{"n":1,"kind":"hello","body":{"oldest":1,"newest":2,"hub":"H","session":"S","store":"N","rev":7,"opening":"O"}}`, Message{N: 1, Body: &Hello{
		Oldest: 1, Newest: 2, Hub: "H", Session: "S", Store: "N", Rev: 7, Opening: "O",
	}}},
	{`{"n":1,"kind":"hello","body":{"oldest":1,"newest":1,"hub":"H","session":"S"}}`, Message{N: 1, Body: &Hello{Oldest: 1, Newest: 1, Hub: "H", Session: "S"}}},
	{`{"n":1,"got":1,"kind":"answer","body":{"version":1,"store":"N","program":"1.0","dealt":[{"uid":"u","number":3,"id":"w"}],"more":true}}`, Message{N: 1, Got: 1, Body: &Answer{
		Version: 1, Store: "N", Program: "1.0", Dealt: []Dealt{{"u", 3, "w"}}, More: true,
	}}},
	{`{"n":18446744073709551615,"kind":"ack","body":{"rev":18446744073709551615}}`, Message{N: math.MaxUint64, Body: &Ack{Rev: math.MaxUint64}}},
	{`{"n":2,"kind":"define","body":{"definitions":[{"device":{"name":"default/lamp","uid":"u","generation":2,"definer":"cloud","model":"default/lamps","node":"attic","protocol":{"protocol":"sim","config":{"a":[1]}}},"model":{"name":"default/lamps","properties":[{"name":"power","type":"bool"}]},"retell":true}]}}`, Message{N: 2, Body: &Define{[]Definition{{
		Device: twin.Device{
			Name: lamp, UID: "u", Generation: 2, Definer: "cloud", Model: lamps.Name, Node: "attic",
			Protocol: twin.Visitor{Protocol: "sim", Config: json.RawMessage(`{"a":[1]}`)},
		}, Model: lamps, Retell: true,
	}}}}},
	{`{"n":2,"kind":"define","body":{"definitions":[{"device":{"name":"default/lamp","uid":"u","generation":2,"definer":""},"removed":true,"moved":true}]}}`, Message{N: 2, Body: &Define{[]Definition{{
		Device: twin.Device{Name: lamp, UID: "u", Generation: 2}, Removed: true, Moved: true,
	}}}}},
	{`{"n":3,"kind":"offer","body":{"wishes":[{"device":"default/lamp","uid":"u","number":4,"id":"w","asker":"bob","origin":"cloud","values":{"level":"i9223372036854775807","name":"sON","power":"b1","ratio":"f-2.5e-300"},"validFor":300000,"remaining":1500,"insist":true,"guard":{"power":5},"seen":{"power":6},"seenStore":"N","session":"S","question":"house"}]}}`, Message{N: 3, Body: &Offer{[]Wish{{
		Device: lamp, UID: "u", Number: 4, ID: "w", Asker: "bob", Origin: "cloud",
		Values: map[string]Value{
			"power": {twin.BoolValue(true)}, "level": {twin.IntValue(math.MaxInt64)}, "name": {twin.StringValue("ON")}, "ratio": {twin.FloatValue(-2.5e-300)},
		},
		ValidFor: 300000, Remaining: 1500, Insist: true, Guard: map[string]uint64{"power": 5}, Seen: map[string]uint64{"power": 6},
		SeenStore: "N", Session: "S", Question: "house",
	}}}}},
	{`{"n":4,"kind":"decisions","body":{"store":"N","rev":9,"opening":"O","devices":[{"name":"default/lamp","uid":"u","definition":{"name":"default/lamp","uid":"u","generation":1,"definer":"node"},"model":{"name":"default/lamps","properties":[{"name":"power","type":"bool"}]},"whole":true,"props":[{"name":"power","expected":"b0","origin":"homekit","rev":9,"act":9},{"name":"level","rev":8}],"outcomes":[{"id":"w","number":4,"outcome":"superseded","reason":"by v","by":"v","lost":["power"]}]}],"gone":[{"name":"default/old","uid":"v","generation":3,"removed":true,"moved":true,"outcomes":[{"id":"x","number":1,"outcome":"applied"}]}]}}`, Message{N: 4, Body: &Decisions{
		Store: "N", Rev: 9, Opening: "O",
		Devices: []DeviceDecisions{{
			Name: lamp, UID: "u", Definition: &twin.Device{Name: lamp, UID: "u", Generation: 1, Definer: "node"}, Model: lamps, Whole: true,
			Props:    []PropDecision{{"power", Value{twin.BoolValue(false)}, "homekit", 9, 9}, {Name: "level", Rev: 8}},
			Outcomes: []Outcome{{"w", 4, twin.Superseded, "by v", "v", []string{"power"}}},
		}},
		Gone: []Gone{{twin.Name{Namespace: "default", Name: "old"}, "v", 3, true, true, []Outcome{{ID: "x", Number: 1, Outcome: twin.Applied}}}},
	}}},
	{`{"n":5,"kind":"observations","body":{"full":true,"diskBad":true,"devices":[{"name":"default/lamp","uid":"u","presence":"online","text":"ok","lastSeen":"2026-01-01T12:00:00Z","props":[{"name":"power","actual":"s<\u2028","at":"2026-01-01T12:00:00Z"},{"name":"level","actual":""}],"trouble":{"w":"it sticks"}}]}}`, Message{N: 5, Body: &Observations{
		Full: true, DiskBad: true, Devices: []Observation{{
			Name: lamp, UID: "u", Presence: twin.Online, Text: "ok", LastSeen: noon,
			Props: []Observed{{"power", Value{twin.StringValue("<\u2028")}, noon}, {Name: "level"}}, Trouble: map[string]string{"w": "it sticks"},
		}},
	}}},
	{`{"n":6,"kind":"refused","body":{"definitions":[{"name":"default/lamp","uid":"u","generation":-1,"reason":"no"}]}}`, Message{N: 6, Body: &Refused{[]Refusal{{lamp, "u", -1, "no"}}}}},
	{`{"got":16,"kind":"got"}`, Message{Got: 16, Body: &Got{}}},
}

// TestGolden: each message has one form, and is read back as it was. Text may be escaped in other ways than ours.
func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range golden {
		seen[g.m.Body.kind()] = true
		b, err := Encode(g.m)
		if want := strings.ReplaceAll(g.text, "s<", `s\u003c`); err != nil || string(b) != want {
			t.Errorf("encode %T:\ngot  %s (%v)\nwant %s", g.m.Body, b, err, want)
		}
		m, err := Decode([]byte(g.text))
		if err != nil || !reflect.DeepEqual(m, g.m) {
			t.Errorf("decode %s:\ngot  %+v (%v)\nwant %+v", g.text, m, err, g.m)
		}
	}
	for _, kind := range kinds(t) {
		if !seen[kind] {
			t.Errorf("kind %s has no golden message", kind)
		}
		if newBody(kind) == nil {
			t.Errorf("kind %s has no body", kind)
		}
	}
}

// kinds reads the kinds of messages from the source, so that none can be forgotten here.
func kinds(t *testing.T) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "message.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Kind") {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				kind, _ := strconv.Unquote(lit.Value)
				out = append(out, kind)
			}
		}
		return true
	})
	if len(out) < 9 {
		t.Fatalf("found the kinds %v only", out)
	}
	return out
}

// TestPrefixes: no message that was cut off is taken for a whole one, and none makes anything panic.
func TestPrefixes(t *testing.T) {
	for _, g := range golden {
		for i := range len(g.text) {
			if m, err := Decode([]byte(g.text[:i])); !errors.Is(err, ErrMessage) {
				t.Errorf("the first %d bytes of %s gave %+v, %v", i, g.text, m, err)
			}
		}
	}
}

// TestUnknownKeys: later versions can say more, at every level.
func TestUnknownKeys(t *testing.T) {
	for _, g := range golden {
		more := strings.ReplaceAll(g.text, `{"`, `{"xNew":[{"a":null}],"`)
		// Maps by property or wish name have no keys of the protocol's.
		for _, field := range []string{"values", "guard", "seen", "trouble"} {
			more = strings.ReplaceAll(more, `"`+field+`":{"xNew":[{"xNew":[{"a":null}],"a":null}],"`, `"`+field+`":{"`)
			more = strings.ReplaceAll(more, `"`+field+`":{"xNew":[{"a":null}],"`, `"`+field+`":{"`)
		}
		more = strings.ReplaceAll(more, `"config":{"xNew":[{"a":null}],`, `"config":{`)
		m, err := Decode([]byte(more))
		if err != nil || !reflect.DeepEqual(m, g.m) {
			t.Errorf("%s:\ngot  %+v (%v)\nwant %+v", more, m, err, g.m)
		}
	}
}
