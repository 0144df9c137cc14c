package database

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// goodPuts are bodies as controllers write them, and what they say.
var goodPuts = []struct {
	name, body string
	want       put
}{
	{"iOS", `{"characteristics":[{"aid":2,"iid":9,"value":1}]}`, put{list: []putOne{{aid: 2, iid: 9, value: []byte("1")}}}},
	{
		"a scene", `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":3,"iid":10,"value":55}]}`,
		put{list: []putOne{{aid: 2, iid: 9, value: []byte("true")}, {aid: 3, iid: 10, value: []byte("55")}}},
	},
	{
		"events", `{"characteristics":[{"aid":2,"iid":9,"ev":true},{"aid":2,"iid":10,"ev":false}]}`,
		put{list: []putOne{{aid: 2, iid: 9, hasEV: true, ev: true}, {aid: 2, iid: 10, hasEV: true}}},
	},
	{
		"timed, with spaces", "{ \"pid\" : 11122333 ,\r\n\t\"characteristics\" : [ { \"value\" : \"x\\\"\\u00e4\\n\" , \"iid\" : 13 , \"aid\" : 2 , \"r\" : true } ] } ",
		put{timed: true, pid: 11122333, list: []putOne{{aid: 2, iid: 13, value: []byte(`"x\"\u00e4\n"`), r: true}}},
	},
	{
		"the largest ids", `{"characteristics":[{"aid":18446744073709551615,"iid":0,"value":-1.5e-7}]}`,
		put{list: []putOne{{aid: 1<<64 - 1, value: []byte("-1.5e-7")}}},
	},
	{
		"members of others", `{"a":{"b":[{},[],"]}",-0.5E+1,null,true,false]},"characteristics":[{"authData":"x","aid":2,"remote":{"é":[1]},"iid":9,"value":false}],"z":0}`,
		put{list: []putOne{{aid: 2, iid: 9, value: []byte("false")}}},
	},
	{
		"null for what may be left out", `{"characteristics":[{"aid":2,"iid":9,"ev":null,"r":null,"value":"","x":null}],"pid":null}`,
		put{list: []putOne{{aid: 2, iid: 9, value: []byte(`""`)}}},
	},
	{"nothing to do", `{"characteristics":[{"aid":2,"iid":9}]}`, put{list: []putOne{{aid: 2, iid: 9}}}},
	{
		"the deepest", `{"x":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `,"characteristics":[{"aid":2,"iid":9}]}`,
		put{list: []putOne{{aid: 2, iid: 9}}},
	},
}

// badPuts are bodies that are refused as a whole.
var badPuts = []string{
	``, ` `, `null`, `true`, `1`, `"characteristics"`, `[]`, `{}`, `[1]`, "\x00", `{"characteristics":[]}`, `{"characteristics":null}`,
	`{"characteristics":{}}`, `{"characteristics":[null]}`, `{"characteristics":[1]}`, `{"characteristics":[[]]}`, `{"characteristics":[{}]}`,
	`{"characteristics":[{"aid":2}]}`, `{"characteristics":[{"iid":9}]}`, `{"characteristics":[{"aid":2,"iid":null}]}`,
	// Ids.
	`{"characteristics":[{"aid":-2,"iid":9}]}`, `{"characteristics":[{"aid":-0,"iid":9}]}`, `{"characteristics":[{"aid":2.0,"iid":9}]}`,
	`{"characteristics":[{"aid":2e0,"iid":9}]}`, `{"characteristics":[{"aid":"2","iid":9}]}`, `{"characteristics":[{"aid":02,"iid":9}]}`,
	`{"characteristics":[{"aid":+2,"iid":9}]}`, `{"characteristics":[{"aid":18446744073709551616,"iid":9}]}`, `{"characteristics":[{"aid":true,"iid":9}]}`,
	`{"characteristics":[{"aid":2,"iid":9}],"pid":-1}`, `{"characteristics":[{"aid":2,"iid":9}],"pid":"1"}`, `{"characteristics":[{"aid":2,"iid":9}],"pid":{}}`,
	// Values.
	`{"characteristics":[{"aid":2,"iid":9,"value":null}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":[1]}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":{}}]}`,
	`{"characteristics":[{"aid":2,"iid":9,"value":tru}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":truex}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":TRUE}]}`,
	`{"characteristics":[{"aid":2,"iid":9,"value":}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":01}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":.5}]}`,
	`{"characteristics":[{"aid":2,"iid":9,"value":5.}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":5e}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":5e+}]}`,
	`{"characteristics":[{"aid":2,"iid":9,"value":-}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":0x5}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":NaN}]}`,
	`{"characteristics":[{"aid":2,"iid":9,"value":'x'}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":"\x"}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":"\u12g4"}]}`,
	"{\"characteristics\":[{\"aid\":2,\"iid\":9,\"value\":\"a\nb\"}]}", "{\"characteristics\":[{\"aid\":2,\"iid\":9,\"value\":\"a\x00b\"}]}",
	// Yes or no.
	`{"characteristics":[{"aid":2,"iid":9,"ev":1}]}`, `{"characteristics":[{"aid":2,"iid":9,"ev":"true"}]}`, `{"characteristics":[{"aid":2,"iid":9,"r":0}]}`,
	// The same thing twice, or perhaps.
	`{"characteristics":[{"aid":2,"aid":2,"iid":9}]}`, `{"characteristics":[{"aid":2,"iid":9,"value":1,"value":0}]}`, `{"characteristics":[{"aid":2,"iid":9,"ev":true,"ev":null}]}`,
	`{"characteristics":[{"aid":2,"iid":9}],"characteristics":[{"aid":2,"iid":9}]}`, `{"characteristics":[{"aid":2,"iid":9}],"pid":1,"pid":1}`,
	`{"characteristics":[{"aid":2,"iid":9,"\u0061id":3}]}`,
	// What stands between.
	`{"characteristics":[{"aid":2,"iid":9}]}x`, `{"characteristics":[{"aid":2,"iid":9}]}{}`, `{"characteristics":[{"aid":2,"iid":9},]}`, `{"characteristics":[,{"aid":2,"iid":9}]}`,
	`{"characteristics":[{"aid":2,"iid":9,}]}`, `{"characteristics":[{,"aid":2,"iid":9}]}`, `{"characteristics":[{"aid":2 "iid":9}]}`, `{"characteristics":[{"aid":2;"iid":9}]}`,
	`{"characteristics":[{"aid" 2,"iid":9}]}`, `{"characteristics":[{aid:2,"iid":9}]}`, `{"characteristics":[{"aid":2,"iid":9}}]`, "{\"characteristics\":[{\"aid\":2,\"iid\":9}]}\x00",
	"\xef\xbb\xbf{\"characteristics\":[{\"aid\":2,\"iid\":9}]}", `{"characteristics":[{"aid":2,"iid":9}]/**/}`, "{\"characteristics\":[{\"aid\":2,\v\"iid\":9}]}",
	// Too much.
	`{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `,"characteristics":[{"aid":2,"iid":9}]}`,
	`{"characteristics":[{"aid":2,"iid":9}` + strings.Repeat(`,{"aid":2,"iid":9}`, maxIDs) + `]}`,
}

func TestParsePut(t *testing.T) {
	for _, tt := range goodPuts {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePut([]byte(tt.body))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, %v, want %+v", got, err, tt.want)
			}
			// Of what is cut off, nothing is taken; spaces behind it do not count.
			for i := range strings.TrimRight(tt.body, " ") {
				if got, err := parsePut([]byte(tt.body[:i])); err == nil {
					t.Errorf("%q is taken for %+v", tt.body[:i], got)
				}
			}
		})
	}
	for _, body := range badPuts {
		if got, err := parsePut([]byte(body)); err == nil {
			t.Errorf("%.200q is taken for %.200v", body, got)
		}
	}
}

func TestParsePutAllocates(t *testing.T) {
	body := []byte(goodPuts[0].body)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := parsePut(body); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // the list
		t.Errorf("%v allocations, want 1", n)
	}
}

// loosePut reads a body with encoding/json, which takes more: keys in any case and written with escapes, keys twice, any
// depth.
func loosePut(body []byte) (p put, ok bool) {
	var loose struct {
		Characteristics []struct {
			AID, IID *uint64
			Value    json.RawMessage
			EV       *bool
			R        bool
		}
		PID *uint64
	}
	if json.Unmarshal(body, &loose) != nil || len(loose.Characteristics) == 0 || len(loose.Characteristics) > maxIDs {
		return put{}, false
	}
	if loose.PID != nil {
		p.timed, p.pid = true, *loose.PID
	}
	for _, c := range loose.Characteristics {
		if c.AID == nil || c.IID == nil || len(c.Value) > 0 && strings.IndexByte("{[n", c.Value[0]) >= 0 {
			return put{}, false
		}
		w := putOne{aid: *c.AID, iid: *c.IID, value: c.Value, hasEV: c.EV != nil, r: c.R}
		w.ev = w.hasEV && *c.EV
		p.list = append(p.list, w)
	}
	return p, true
}

// FuzzParsePut: what is taken means the same to encoding/json, and what that takes is taken unless it is one of those
// things that we refuse on purpose.
func FuzzParsePut(f *testing.F) {
	for _, tt := range goodPuts {
		f.Add([]byte(tt.body))
	}
	for _, body := range badPuts {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parsePut(body)
		want, ok := loosePut(body)
		if err == nil && !ok {
			t.Fatalf("%q is taken", body)
		}
		if onPurpose(body, len(want.list)) {
			return
		}
		if ok != (err == nil) || ok && !same(got, want) {
			t.Fatalf("%q: %+v, %v, want %+v, %v", body, got, err, want, ok)
		}
	})
}

// onPurpose reports whether a body may be refused that encoding/json takes, or mean something else there.
func onPurpose(body []byte, entries int) bool {
	if bytes.ContainsFunc(body, func(r rune) bool { return r == '\\' || r > 0x7f || r >= 'A' && r <= 'Z' }) {
		return true // it could be a key of ours
	}
	for _, key := range []string{`"aid"`, `"iid"`, `"value"`, `"ev"`, `"r"`} {
		if bytes.Count(body, []byte(key)) > entries {
			return true
		}
	}
	return bytes.Count(body, []byte(`"characteristics"`)) > 1 || bytes.Count(body, []byte(`"pid"`)) > 1 ||
		bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > maxDepth
}

func same(a, b put) bool {
	if a.timed != b.timed || a.pid != b.pid || len(a.list) != len(b.list) {
		return false
	}
	for i := range a.list {
		x, y := a.list[i], b.list[i]
		if !bytes.Equal(x.value, y.value) {
			return false
		}
		x.value, y.value = nil, nil
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func BenchmarkParsePut(b *testing.B) {
	body := []byte(`{"characteristics":[{"aid":2,"iid":9,"value":true}` + strings.Repeat(`,{"aid":3,"iid":9,"value":true}`, 148) + `]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parsePut(body); err != nil {
			b.Fatal(err)
		}
	}
}
