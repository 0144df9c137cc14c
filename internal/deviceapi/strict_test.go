package deviceapi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"twinbridge/twin"
)

func TestDecodePatch(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	tests := []struct {
		name  string
		body  string
		field string // at fault; "" and no syntax error: good
		said  string // part of the message
	}{
		{"string", `{"expected":{"power":"ON"}}`, "", ""},
		{"all types", `{"expected":{"a":"x","b":true,"c":-1.5e3,"d":9007199254740993}}`, "", ""},
		{"press", `{"expected":{"a":1},"validFor":"5m","insist":true}`, "", ""},
		{"spaces", " {\n\"expected\" : { \"a\" : 1 } } \n", "", ""},
		{"escaped key", `{"expected":{"\u0061":1}}`, "", ""},

		{"no expected", `{}`, "expected", "at least one"},
		{"null", `null`, "body", "a JSON object"},
		{"unknown key", `{"expected":{"a":1},"expectd":{}}`, "expectd", "known are expected, validFor, insist"},
		{"empty expected", `{"expected":{}}`, "expected", "at least one"},
		{"expected null", `{"expected":null}`, "expected", "the key left out"},
		{"validFor null", `{"expected":{"a":1},"validFor":null}`, "validFor", "the key left out"},
		{"array", `[]`, "body", ""},
		{"expected a list", `{"expected":[1]}`, "expected", "another type"},
		{"value null", `{"expected":{"a":null}}`, "value", "a string, a number"},
		{"value object", `{"expected":{"a":{"value":1}}}`, "value", "a string, a number"},
		{"value list", `{"expected":{"a":[1]}}`, "value", "a string, a number"},
		{"key twice", `{"expected":{"a":1,"a":2}}`, "a", "each key once"},
		{"key twice, escaped", `{"expected":{"a":1,"\u0061":2}}`, "a", "each key once"},
		{"outer key twice", `{"expected":{"a":1},"expected":{"a":2}}`, "expected", "each key once"},
		{"key twice in a list", `{"x":[{"a":1,"a":2}]}`, "a", "each key once"},
		{"deep", `{"expected":` + deep + `}`, "body", "32 levels"},
		{"not UTF-8", "{\"expected\":{\"a\":\"\xff\"}}", "body", "UTF-8"},
		{"validFor number", `{"expected":{"a":1},"validFor":5}`, "validFor", "another type"},
		{"validFor word", `{"expected":{"a":1},"validFor":"soon"}`, "validFor", "a duration"},
		{"validFor zero", `{"expected":{"a":1},"validFor":"0s"}`, "validFor", "a duration"},
		{"validFor negative", `{"expected":{"a":1},"validFor":"-1s"}`, "validFor", "a duration"},
		{"validFor long", `{"expected":{"a":1},"validFor":"24h0m1s"}`, "validFor", "up to 24h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodePatch([]byte(tt.body))
			if tt.field == "" {
				if err != nil {
					t.Errorf("got %v, want it taken", err)
				}
				return
			}
			f, ok := asField(err)
			if !ok || f.Field != tt.field || !strings.Contains(err.Error(), tt.said) {
				t.Errorf("got %v, want a *twin.FieldError of %q that says %q", err, tt.field, tt.said)
			}
		})
	}
	for _, body := range []string{`{"expected":{"a":1}} x`, `{"expected":{"a":1}}{}`, `{"expected":{"a":1},}`, `{"expected":{a:1}}`, `{"expected":{"a":01}}`, `x`} {
		if _, err := DecodePatch([]byte(body)); !errors.Is(err, errSyntax) {
			t.Errorf("%s: got %v, want %v", body, err, errSyntax)
		}
	}
}

// TestPatchPrefixes: no beginning of a good body is taken for the whole.
func TestPatchPrefixes(t *testing.T) {
	const body = `{"expected":{"a":"ON","b":12.5,"c":true},"validFor":"5m","insist":true}`
	if _, err := DecodePatch([]byte(body)); err != nil {
		t.Fatal(err)
	}
	for i := range len(body) {
		if _, err := DecodePatch([]byte(body[:i])); err == nil {
			t.Errorf("taken: %s", body[:i])
		}
	}
}

func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`{"expected":{"power":"ON"}}`, `{"expected":{"a":1,"a":2}}`, `{"expected":{"a":9007199254740993}}`,
		`{"expected":{"a":true},"validFor":"5m","insist":true}`, `{"expected":{"a":[[]]}}`, `{"":{}}`, `"\ud800"`,
	} {
		f.Add([]byte(s))
	}
	model := &twin.DeviceModel{Name: twin.Name{Namespace: "n", Name: "m"}, Properties: []twin.Property{
		{Name: "power", Type: twin.String, Enum: []string{"ON", "OFF"}}, {Name: "a", Type: twin.Int}, {Name: "b", Type: twin.Bool}, {Name: "c", Type: twin.Float},
	}}
	dev := twin.Device{Name: twin.Name{Namespace: "n", Name: "d"}, Model: model.Name}
	def, err := dev.Resolve(model)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := DecodePatch(body)
		if err != nil {
			return
		}
		// What was taken is written again as something that is taken and means the same.
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("write %q again: %v", body, err)
		}
		again, err := DecodePatch(text)
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", body, text, err)
		}
		w1, err1 := p.wish(def)
		w2, err2 := again.wish(def)
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("%q: %v; %q: %v", body, err1, text, err2)
		}
		for name, v := range w1.Values {
			if prop := def.Property(name); prop.Check(v) != nil {
				t.Errorf("%q gives %s = %v, which the property does not take", body, name, v)
			}
			if w2.Values[name] != v {
				t.Errorf("%q gives %s = %v, %q gives %v", body, name, v, text, w2.Values[name])
			}
		}
	})
}

func TestScalarText(t *testing.T) {
	tests := []struct {
		v          twin.Value
		json, text string
	}{
		{twin.StringValue("ON"), `"ON"`, "ON"},
		{twin.StringValue("a\"b\n"), `"a\"b\n"`, "a\"b\n"},
		{twin.IntValue(-5), `-5`, "-5"},
		{twin.IntValue(1 << 60), `"1152921504606846976"`, "1152921504606846976"},
		{twin.FloatValue(2.5), `2.5`, "2.5"},
		{twin.BoolValue(true), `true`, "true"},
		{twin.Value{}, `null`, "null"},
	}
	for _, tt := range tests {
		s := ScalarOf(tt.v)
		if string(s) != tt.json || s.Text() != tt.text {
			t.Errorf("%v: got %s and %q, want %s and %q", tt.v, s, s.Text(), tt.json, tt.text)
		}
		if tt.v.Absent() {
			continue
		}
		if got, err := twin.ParseJSON(tt.v.Type(), s); err != nil || got != tt.v {
			t.Errorf("%s back: got %v, %v", s, got, err)
		}
	}
}

func TestModelRoundTrip(t *testing.T) {
	const text = `{"namespace":"default","name":"lamp","description":"a lamp","protocol":{"protocol":"gpio","config":{"chip":"gpiochip0"}},` +
		`"properties":[{"name":"power","description":"on or off","type":"string","access":"ReadWrite","enum":["ON","OFF"],"visitor":{"protocol":"gpio","config":{"line":17}},"collectCycle":"1s","reportCycle":"1m0s","reportToCloud":true},` +
		`{"name":"level","type":"int","access":"ReadOnly","unit":"%","min":0,"max":100,"step":5,"tolerance":1}],"annotations":{"kind":"lamp"}}`
	name := twin.Name{Namespace: "default", Name: "lamp"}
	m, err := DecodeModel(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(ModelOf(&m))
	if err != nil || string(got) != text {
		t.Errorf("got  %s, %v\nwant %s", got, err, text)
	}
	for _, tt := range []struct{ body, field string }{
		{`{"properties":[{"name":"a","type":"number"}]}`, "type"},
		{`{"properties":[{"name":"a","type":"int","access":"rw"}]}`, "accessMode"},
		{`{"properties":[{"name":"a","type":"int","collectCycle":"often"}]}`, "collectCycle"},
		{`{"properties":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, "property"},
		{`{"name":"other","properties":[]}`, "name"},
		{`{"namespace":"other","properties":[]}`, "namespace"},
		{`{"protocol":{"config":[]},"properties":[]}`, "config"},
		{`null`, "body"},
		{`[]`, "body"},
		{`{}`, "properties"},
		{`{"properties":null}`, "properties"},
		{`{"properties":[{"name":"a","type":"int","unti":"V"}]}`, "unti"},
	} {
		_, err := DecodeModel(name, []byte(tt.body))
		if f, ok := asField(err); !ok || f.Field != tt.field {
			t.Errorf("%s: got %v, want a fault of %q", tt.body, err, tt.field)
		}
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte(`{"properties":[{"name":"a","type":"int","min":1,"visitor":{"protocol":"x","config":{"a":[1]}}}]}`))
	name := twin.Name{Namespace: "default", Name: "lamp"}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeModel(name, body)
		if err != nil {
			return
		}
		text, err := json.Marshal(ModelOf(&m))
		if err != nil {
			t.Fatalf("write %q again: %v", body, err)
		}
		if _, err := DecodeModel(name, text); err != nil {
			t.Fatalf("%q became %q, which is refused: %v", body, text, err)
		}
	})
}

func TestSeenRev(t *testing.T) {
	tests := []struct {
		header string
		rev    uint64
		some   bool
		bad    bool
	}{
		{`"base-7"`, 7, true, false},
		{` "base-7" , "base-9"`, 9, true, false},
		{`"other-7"`, 0, false, false},
		{`W/"base-7"`, 0, false, false},
		{`"base-x"`, 0, false, false},
		{`"base-0"`, 0, true, false},
		{`base-7`, 0, false, true},
		{`"`, 0, false, true},
		{`"base-7`, 0, false, true},
		{`,`, 0, false, true},
	}
	for _, tt := range tests {
		rev, some, err := seenRev(tt.header, "base")
		if rev != tt.rev || some != tt.some || (err != nil) != tt.bad {
			t.Errorf("%s: got %d %v %v, want %d %v, an error: %v", tt.header, rev, some, err, tt.rev, tt.some, tt.bad)
		}
	}
}
