package twin_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"twinbridge/twin"
)

// The forms of a value on MQTT and in JSON, both ways.
func TestValueForms(t *testing.T) {
	tests := []struct {
		value twin.Value
		typ   twin.Type
		text  string
		json  string
	}{
		{twin.BoolValue(true), twin.Bool, "true", "true"},
		{twin.BoolValue(false), twin.Bool, "false", "false"},
		{twin.IntValue(0), twin.Int, "0", "0"},
		{twin.IntValue(-42), twin.Int, "-42", "-42"},
		{twin.IntValue(1 << 53), twin.Int, "9007199254740992", "9007199254740992"},
		{twin.IntValue(1<<53 + 1), twin.Int, "9007199254740993", `"9007199254740993"`},
		{twin.IntValue(math.MaxInt64), twin.Int, "9223372036854775807", `"9223372036854775807"`},
		{twin.IntValue(math.MinInt64), twin.Int, "-9223372036854775808", `"-9223372036854775808"`},
		{twin.FloatValue(0), twin.Float, "0", "0"},
		{twin.FloatValue(21.5), twin.Float, "21.5", "21.5"},
		{twin.FloatValue(-0.001), twin.Float, "-0.001", "-0.001"},
		{twin.FloatValue(1e300), twin.Float, "1" + strings.Repeat("0", 300), "1e+300"},
		{twin.FloatValue(math.SmallestNonzeroFloat64), twin.Float, "0." + strings.Repeat("0", 323) + "5", "5e-324"},
		{twin.StringValue("ON"), twin.String, "ON", `"ON"`},
		{twin.StringValue(""), twin.String, "", `""`},
		{twin.StringValue("Küche \"1\"\n"), twin.String, "Küche \"1\"\n", `"Küche \"1\"\n"`},
	}
	for _, tc := range tests {
		t.Run(tc.typ.String()+" "+tc.json[:min(len(tc.json), 24)], func(t *testing.T) {
			if got := tc.value.Type(); got != tc.typ {
				t.Errorf("type: got %v, want %v", got, tc.typ)
			}
			if got := tc.value.Text(); got != tc.text {
				t.Errorf("text: got %q, want %q", got, tc.text)
			}
			if got, err := twin.ParseText(tc.typ, tc.text); err != nil || got != tc.value {
				t.Errorf("from text: got %v %v, want %v", got, err, tc.value)
			}
			if got, err := json.Marshal(tc.value); err != nil || string(got) != tc.json {
				t.Errorf("JSON: got %s %v, want %s", got, err, tc.json)
			}
			if got, err := twin.ParseJSON(tc.typ, []byte(tc.json)); err != nil || got != tc.value {
				t.Errorf("from JSON: got %v %v, want %v", got, err, tc.value)
			}
		})
	}
}

// Forms that are taken but not written.
func TestValueOtherForms(t *testing.T) {
	tests := []struct {
		typ  twin.Type
		json string
		want twin.Value
	}{
		{twin.Int, "60.0", twin.IntValue(60)},
		{twin.Int, "6e1", twin.IntValue(60)},
		{twin.Int, `"7"`, twin.IntValue(7)},
		{twin.Float, "5", twin.FloatValue(5)},
		{twin.Float, "-0", twin.FloatValue(0)},
		{twin.String, `"\u00e4"`, twin.StringValue("ä")},
	}
	for _, tc := range tests {
		if got, err := twin.ParseJSON(tc.typ, []byte(tc.json)); err != nil || got != tc.want {
			t.Errorf("%v from %s: got %v %v, want %v", tc.typ, tc.json, got, err, tc.want)
		}
	}
}

func TestValueRefused(t *testing.T) {
	long := strings.Repeat("x", twin.MaxValueLen+1)
	for _, tc := range []struct {
		typ  twin.Type
		text string
	}{
		{twin.Bool, "ON"},
		{twin.Bool, "1"},
		{twin.Bool, "True"},
		{twin.Bool, ""},
		{twin.Int, ""},
		{twin.Int, "1.5"},
		{twin.Int, "9223372036854775808"},
		{twin.Int, "0x10"},
		{twin.Int, " 1"},
		{twin.Float, ""},
		{twin.Float, "NaN"},
		{twin.Float, "Inf"},
		{twin.Float, "-inf"},
		{twin.Float, "1e400"},
		{twin.Float, "warm"},
		{twin.String, "\xff"},
		{twin.String, long},
		{twin.TypeNone, "x"},
		{twin.Type(9), "x"},
	} {
		if got, err := twin.ParseText(tc.typ, tc.text); err == nil || field(err) == "" || !got.Absent() {
			t.Errorf("text %v %.20q: got %v %v, want a field error", tc.typ, tc.text, got, err)
		}
	}
	for _, tc := range []struct {
		typ  twin.Type
		json string
	}{
		{twin.Bool, "null"},
		{twin.Bool, `"true"`},
		{twin.Bool, "1"},
		{twin.Bool, ""},
		{twin.Int, "null"},
		{twin.Int, "1.5"},
		{twin.Int, "true"},
		{twin.Int, `""`},
		{twin.Int, "1e30"},
		{twin.Int, "[1]"},
		{twin.Int, ""},
		{twin.Float, "null"},
		{twin.Float, `"1"`},
		{twin.Float, "1e999"},
		{twin.Float, "NaN"},
		{twin.Float, "Infinity"},
		{twin.String, "null"},
		{twin.String, "5"},
		{twin.String, `"open`},
		{twin.String, `{}`},
		{twin.String, ""},
		{twin.String, `"` + long + `"`},
		{twin.TypeNone, "1"},
	} {
		if got, err := twin.ParseJSON(tc.typ, []byte(tc.json)); err == nil || field(err) == "" || !got.Absent() {
			t.Errorf("JSON %v %.20s: got %v %v, want a field error", tc.typ, tc.json, got, err)
		}
	}
}

// A number that no JSON document could hold is no number here either.
func TestValueJSONIsJSON(t *testing.T) {
	for _, tc := range []struct {
		typ twin.Type
		raw string
	}{
		{twin.Int, "+5"},
		{twin.Int, "007"},
		{twin.Int, "0x1p4"},
		{twin.Int, "1_000"},
		{twin.Float, "+1.5"},
		{twin.Float, "0x1p-2"},
		{twin.Float, ".5"},
		{twin.Float, "1_0.0"},
	} {
		if json.Valid([]byte(tc.raw)) {
			t.Fatalf("%s is JSON", tc.raw)
		}
		if got, err := twin.ParseJSON(tc.typ, []byte(tc.raw)); err == nil {
			t.Errorf("%v %s: got %v, want an error", tc.typ, tc.raw, got)
		}
	}
}

func TestNotANumberIsAbsent(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := twin.FloatValue(f); !got.Absent() {
			t.Errorf("%v: got %v, want absent", f, got)
		}
	}
	if a, b := twin.FloatValue(math.Copysign(0, -1)), twin.FloatValue(0); a != b {
		t.Errorf("-0 is not 0: %v %v", a, b)
	}
}

func TestTypeNames(t *testing.T) {
	for _, typ := range []twin.Type{twin.TypeNone, twin.Bool, twin.Int, twin.Float, twin.String} {
		b, err := typ.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back twin.Type
		if err := back.UnmarshalText(b); err != nil || back != typ {
			t.Errorf("%s: got %v %v", b, back, err)
		}
	}
	var typ twin.Type
	if err := typ.UnmarshalText([]byte("integer")); err == nil {
		t.Error("integer is no type")
	}
	if got := twin.Type(200).String(); got != "type(200)" {
		t.Errorf("unknown type: got %q", got)
	}
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{"", "true", "false", "ON", "5", "-7", "21.5", "1e3", "NaN", "9007199254740993", "\xff", "Küche"} {
		for typ := range uint8(6) {
			f.Add(typ, s)
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, s string) {
		v, err := twin.ParseText(twin.Type(typ), s)
		if err != nil {
			if !v.Absent() {
				t.Fatalf("an error and a value: %v", v)
			}
			return
		}
		checkForms(t, v)
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{"", "null", "true", "5", "60.0", "-1e3", `"ON"`, `"7"`, `"\u00e4"`, "+5", `"open`} {
		for typ := range uint8(6) {
			f.Add(typ, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, raw []byte) {
		v, err := twin.ParseJSON(twin.Type(typ), raw)
		if err != nil {
			if !v.Absent() {
				t.Fatalf("an error and a value: %v", v)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is no JSON, and was taken as %v", raw, v)
		}
		checkForms(t, v)
	})
}

// checkForms: a value comes back from its text and its JSON form as it was.
func checkForms(t *testing.T, v twin.Value) {
	t.Helper()
	if v.Absent() {
		t.Fatal("neither value nor error")
	}
	if len(v.Text()) <= twin.MaxValueLen {
		if back, err := twin.ParseText(v.Type(), v.Text()); err != nil || back != v {
			t.Fatalf("text %s: came back as %v %v", strconv.Quote(v.Text()), back, err)
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := twin.ParseJSON(v.Type(), raw); err != nil || back != v {
		t.Fatalf("JSON %s: came back as %v %v", raw, back, err)
	}
}
