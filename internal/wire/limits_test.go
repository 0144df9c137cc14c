package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"twinbridge/twin"
)

// TestRefused: what cannot be taken is refused, by a message that names what is wrong.
func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 129)
	text := strings.Repeat("x", 4097)
	hello := func(fields string) string { return `{"n":1,"kind":"hello","body":{` + fields + `}}` }
	const who = `"name":"default/lamp","uid":"u"`
	wish := func(fields string) string {
		return `{"n":1,"kind":"offer","body":{"wishes":[{"device":"default/lamp","uid":"u","number":1,"id":"w","origin":"cloud",` + fields + `"asker":""}]}}`
	}
	decided := func(fields string) string {
		return `{"n":1,"kind":"decisions","body":{"store":"N","devices":[{` + who + `,` + fields + `}]}}`
	}
	observed := func(fields string) string {
		return `{"n":1,"kind":"observations","body":{"devices":[{` + who + `,` + fields + `}]}}`
	}
	outcome := func(fields string) string {
		return decided(`"outcomes":[{"id":"w","number":1,"outcome":"applied"` + fields + `}]`)
	}
	many := func(n int, item func(int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = item(i)
		}
		return strings.Join(list, ",")
	}
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", ``, "JSON"},
		{"null", `null`, "unknown kind"},
		{"a list", `[]`, "JSON|array"},
		{"two messages", `{"got":1,"kind":"got"}{"got":1,"kind":"got"}`, "after top-level"},
		{"unknown kind", `{"n":1,"kind":"surprise","body":{}}`, `unknown kind "surprise"`},
		{"long unknown kind", `{"n":1,"kind":"` + text + `","body":{}}`, `unknown kind "x{40}"`},
		{"no kind", `{"n":1,"body":{}}`, "unknown kind"},
		{"no body", `{"n":1,"kind":"ack"}`, "without a body"},
		{"null body", `{"n":1,"kind":"ack","body":null}`, "without a body"},
		{"body that is a list", `{"n":1,"kind":"ack","body":[]}`, "without a body"},
		{"no number", `{"kind":"ack","body":{"rev":1}}`, "with number 0"},
		{"got with a number", `{"n":1,"kind":"got"}`, "with number 1"},
		{"negative number", `{"n":-1,"kind":"ack","body":{}}`, "number -1"},
		{"fraction", `{"n":1.5,"kind":"ack","body":{}}`, "1.5"},
		{"number beyond 64 bits", `{"n":18446744073709551616,"kind":"ack","body":{}}`, "18446744073709551616"},
		{"not UTF-8", "{\"got\":1,\"kind\":\"got\xff\"}", "UTF-8"},
		{"too long", `{"got":1,"kind":"got"` + strings.Repeat(" ", MaxMessage) + `}`, "at most 262144"},
		{"deep", `{"n":1,"kind":"ack","body":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "deeper than 40"},
		{"deep and open", strings.Repeat(`{"a":`, 41), "deeper than 40"},

		{"versions the wrong way", hello(`"oldest":2,"newest":1,"hub":"H","session":"S"`), "a range of versions"},
		{"no versions", hello(`"hub":"H","session":"S"`), "a range of versions"},
		{"no hub", hello(`"oldest":1,"newest":1,"session":"S"`), `hub: "": expected 1 to 128`},
		{"null session", hello(`"oldest":1,"newest":1,"hub":"H","session":null`), `session: ""`},
		{"long opening", hello(`"oldest":1,"newest":1,"hub":"H","session":"S","opening":"` + long + `"`), "opening.*at most 128"},
		{"answer without store", `{"n":1,"kind":"answer","body":{"version":1}}`, "store"},
		{"answer with null dealt", `{"n":1,"kind":"answer","body":{"version":1,"store":"N","dealt":[null]}}`, "uid"},
		{"answer with a long program", `{"n":1,"kind":"answer","body":{"version":1,"store":"N","program":"` + long + `"}}`, "program"},
		{"definition of nothing", `{"n":1,"kind":"define","body":{"definitions":[null]}}`, "namespace"},
		{"definition with a bad name", `{"n":1,"kind":"define","body":{"definitions":[{"device":{"name":"a/b/c","uid":"u"}}]}}`, "name"},
		{"definition with a bad type", `{"n":1,"kind":"define","body":{"definitions":[{"device":{"name":"a","uid":"u","properties":[{"name":"p","type":"int5"}]}}]}}`, "int5"},
		{"refusal without a uid", `{"n":1,"kind":"refused","body":{"definitions":[{"name":"a"}]}}`, "uid"},
		{"refusal with a long reason", `{"n":1,"kind":"refused","body":{"definitions":[{` + who + `,"reason":"` + text + `"}]}}`, "reason"},

		{"wish without number", strings.Replace(wish(``), `"number":1,`, ``, 1), "number"},
		{"wish of the house", strings.Replace(wish(``), `"cloud"`, `"homekit"`, 1), "origin"},
		{"wish of an unknown origin", strings.Replace(wish(``), `"cloud"`, `"hub"`, 1), "origin"},
		{"wish with null origin", strings.Replace(wish(``), `"cloud"`, `null`, 1), "origin"},
		{"wish for ever", wish(`"validFor":86400001,`), "up to 24 h"},
		{"wish with what is left beyond", wish(`"validFor":1,"remaining":9223372036854775807,`), "up to 24 h"},
		{"wish with a negative time", wish(`"validFor":-1,`), "up to 24 h"},
		{"value without type", wish(`"values":{"power":"ON"},`), "with its type"},
		{"value of JSON", wish(`"values":{"power":true},`), "bool"},
		{"NaN", wish(`"values":{"power":"fNaN"},`), "finite"},
		{"infinity", wish(`"values":{"power":"f-Inf"},`), "finite"},
		{"float beyond", wish(`"values":{"power":"f1e999"},`), "finite"},
		{"int beyond", wish(`"values":{"power":"i9223372036854775808"},`), "64 bits"},
		{"int with a point", wish(`"values":{"power":"i1.0"},`), "64 bits"},
		{"bool of 2", wish(`"values":{"power":"b2"},`), "with its type"},
		{"long value", wish(`"values":{"power":"s` + text + `"},`), "at most 4096"},
		{"257 values", wish(`"values":{` + many(257, func(i int) string { return fmt.Sprintf(`"p%d":"b1"`, i) }) + `},`), "at most 256"},
		{"257 guards", wish(`"guard":{` + many(257, func(i int) string { return fmt.Sprintf(`"p%d":1`, i) }) + `},`), "at most 256"},

		{"decision without a name", decided(`"props":[null]`), "property"},
		{"definition of another", decided(`"definition":{"name":"default/other","uid":"u"}`), "the one of default/lamp"},
		{"definition of another uid", decided(`"definition":{"name":"default/lamp","uid":"v"}`), "the one of default/lamp"},
		{"outcome pending", strings.Replace(outcome(``), "applied", "pending", 1), "applied, failed"},
		{"outcome unknown", strings.Replace(outcome(``), "applied", text, 1), "applied, failed"},
		{"outcome null", strings.Replace(outcome(``), `"applied"`, "null", 1), "applied, failed"},
		{"outcome with a long reason", outcome(`,"reason":"` + text + `"`), "reason"},
		{"outcome with 257 lost", outcome(`,"lost":[` + many(257, func(int) string { return `"p"` }) + `]`), "lost"},
		{"outcome with a long lost", outcome(`,"lost":["` + long + `"]`), "lost"},
		{"outcome with a null lost", outcome(`,"lost":[null]`), "lost"},
		{"gone without a uid", `{"n":1,"kind":"decisions","body":{"store":"N","gone":[{"name":"a/b"}]}}`, "uid"},

		{"presence unknown to us", observed(`"presence":"asleep"`), "online, offline or unknown"},
		{"no presence", observed(`"text":"x"`), "online, offline or unknown"},
		{"bad time", observed(`"presence":"online","lastSeen":"yesterday"`), "yesterday"},
		{"long text", observed(`"presence":"online","text":"` + text + `"`), "text"},
		{"65 troubles", observed(`"presence":"online","trouble":{` + many(65, func(i int) string { return fmt.Sprintf(`"w%d":""`, i) }) + `}`), "at most 64"},
		{"observation of no property", observed(`"presence":"online","props":[{"actual":"b1"}]`), "property"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := Decode([]byte(tc.text))
			if !errors.Is(err, ErrMessage) || !regexp.MustCompile(tc.want).MatchString(err.Error()) {
				t.Errorf("got %+v, %v; want an error with %q", m, err, tc.want)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes: %.100s", len(err.Error()), err)
			}
		})
	}
}

// TestTaken: what looks odd and is right.
func TestTaken(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"null lists", `{"n":1,"kind":"decisions","body":{"store":"N","devices":null,"gone":null,"rev":null}}`},
		{"null in a device", `{"n":1,"kind":"decisions","body":{"store":"N","devices":[{"name":"a/b","uid":"u","definition":null,"model":null,"props":null,"outcomes":null}]}}`},
		{"null expected: absent", `{"n":1,"kind":"decisions","body":{"store":"N","devices":[{"name":"a/b","uid":"u","props":[{"name":"p","expected":null}]}]}}`},
		{"null times", `{"n":1,"kind":"observations","body":{"devices":[{"name":"a/b","uid":"u","presence":"online","lastSeen":null,"props":[{"name":"p","actual":null,"at":null}],"trouble":null}]}}`},
		{"white space", " {\n\"got\" : 1 , \"kind\" : \"got\" }\t"},
		{"40 levels", `{"n":1,"kind":"ack","body":{"rev":1,"x":` + strings.Repeat("[", 38) + strings.Repeat("]", 38) + `}}`},
		{"brackets in text", `{"n":1,"kind":"ack","body":{"rev":1,"x":"\"` + strings.Repeat("[", 100) + `\\"}}`},
		{"exactly as long as may be", `{"got":1,"kind":"got"` + strings.Repeat(" ", MaxMessage-22) + `}`},
	} {
		if _, err := Decode([]byte(tc.text)); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestNestedConfig: the deepest configuration of a driver that the twin takes can travel, in either direction.
func TestNestedConfig(t *testing.T) {
	config := json.RawMessage(strings.Repeat("[", 30) + strings.Repeat("]", 30))
	dev := twin.Device{Name: lamp, Node: "attic", Properties: []twin.Property{{Name: "p", Type: twin.Int, Visitor: twin.Visitor{Config: config}}}}
	h, err := twin.OpenHub(twin.HubConfig{NewID: func() string { return "u" }}, twin.Now{Mono: 1}, nil)
	if err == nil {
		err = h.Apply(twin.Now{Mono: 1}, nil, []twin.Device{dev})
	}
	if err != nil {
		t.Fatalf("the twin does not take it: %v", err)
	}
	dev.UID = "u"
	model := &twin.DeviceModel{Name: lamp, Properties: dev.Properties}
	for _, body := range []Body{
		DefineOf([]twin.Definition{{Device: dev, Model: model}}),
		DecisionsOf(twin.Decisions{NodeStore: "N", Devices: []twin.DeviceDecisions{{Name: lamp, UID: "u", Definition: &dev, Model: model}}}),
	} {
		parts, err := Parts(1, 0, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(parts[0]); err != nil {
			t.Errorf("%T: %v", body, err)
		}
	}
}
