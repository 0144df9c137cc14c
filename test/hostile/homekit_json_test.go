package hostile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"twinbridge/internal/haptest"
)

// TestHomeKitJSON: bodies and queries that are malformed, or name what is not there or cannot be. Each has its status, all come
// over one connection, and none changes anything.
func TestHomeKitJSON(t *testing.T) {
	h := newHome(t, 2)
	p := h.pair(t)
	h.follows(t, p, "before")
	c := h.secure(t, p, ownersAddr)
	db, err := c.Accessories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	on, bright := db.Find("25")[0], db.Find("8")[0]
	identify, name := db.Find("14")[1], db.Find("23")[1] // those of the bridge come first
	before := h.revision(t)

	one := func(id haptest.ID, more string) string {
		return fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d%s}]}`, id.AID, id.IID, more)
	}
	nowhere := haptest.ID{AID: 99, IID: 1}
	deep := strings.Repeat("[", 5_000)
	deepObject := strings.Repeat(`{"a":`, 3_000)
	const put, get, prepare = http.MethodPut, http.MethodGet, "prepare"
	tests := []struct {
		name, method, text string
		status             int
		codes              []int // of the entries, or of the whole
	}{
		// Bodies that are none.
		{"nothing", put, "", 400, []int{-70410}},
		{"not JSON", put, "on", 400, []int{-70410}},
		{"half", put, `{"characteristics":[{"aid":2,`, 400, []int{-70410}},
		{"a list", put, `[]`, 400, []int{-70410}},
		{"null", put, `null`, 400, []int{-70410}},
		{"no list", put, `{}`, 400, []int{-70410}},
		{"an empty list", put, `{"characteristics":[]}`, 400, []int{-70410}},
		{"a list of null", put, `{"characteristics":[null]}`, 400, []int{-70410}},
		{"a list of lists", put, `{"characteristics":[[1,2]]}`, 400, []int{-70410}},
		{"an object for a list", put, `{"characteristics":{"aid":2}}`, 400, []int{-70410}},
		{"two bodies", put, one(on, `,"value":true`) + one(on, `,"value":true`), 400, []int{-70410}},
		{"rubbish behind", put, one(on, `,"value":true`) + "x", 400, []int{-70410}},
		{"not UTF-8 outside of text", put, "\xff\xfe" + one(on, `,"value":true`), 400, []int{-70410}},
		{"a byte order mark", put, "\xef\xbb\xbf" + one(on, `,"value":true`), 400, []int{-70410}},
		{"deep lists", put, `{"characteristics":` + deep, 400, []int{-70410}},
		{"deep lists that end", put, `{"characteristics":` + deep + strings.Repeat("]", 5_000) + "}", 400, []int{-70410}},
		{"deep objects", put, deepObject + "1" + strings.Repeat("}", 3_000), 400, []int{-70410}},
		{"a deep value", put, one(on, `,"value":`+deep+strings.Repeat("]", 5_000)), 400, []int{-70410}},
		{"many entries", put, `{"characteristics":[` + strings.Repeat(`{"aid":2,"iid":9},`, 5_000) + `{"aid":2,"iid":9}]}`, 413, nil},

		// Entries that are none make the whole request bad, and nothing of it is done.
		{"no aid", put, fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"value":true},{"iid":9,"value":true}]}`, on.AID, on.IID), 400, []int{-70410}},
		{"an aid of text", put, `{"characteristics":[{"aid":"2","iid":9,"value":true}]}`, 400, []int{-70410}},
		{"a negative aid", put, `{"characteristics":[{"aid":-2,"iid":9,"value":true}]}`, 400, []int{-70410}},
		{"an aid of 2^64", put, `{"characteristics":[{"aid":18446744073709551616,"iid":9,"value":true}]}`, 400, []int{-70410}},
		{"an aid of 1.5", put, `{"characteristics":[{"aid":1.5,"iid":9,"value":true}]}`, 400, []int{-70410}},
		{"a value of null", put, one(on, `,"value":null`), 400, []int{-70410}},
		{"a value of a list", put, one(on, `,"value":[true]`), 400, []int{-70410}},
		{"a value of an object", put, one(on, `,"value":{"on":true}`), 400, []int{-70410}},
		{"a subscription of text", put, one(on, `,"ev":"yes"`), 400, []int{-70410}},

		// What is not there, or cannot be.
		{"an aid that is not there", put, one(nowhere, `,"value":true`), 207, []int{-70409}},
		{"an iid that is not there", put, one(haptest.ID{AID: on.AID, IID: 9999}, `,"value":true`), 207, []int{-70409}},
		{"zeros", put, one(haptest.ID{}, `,"value":true`), 207, []int{-70409}},
		{"the largest ids", put, `{"characteristics":[{"aid":18446744073709551615,"iid":18446744073709551615,"value":true}]}`, 207, []int{-70409}},
		{"a subscription to nothing", put, one(nowhere, `,"ev":true`), 207, []int{-70409}},
		{"a subscription to what never changes", put, one(name, `,"ev":true`), 207, []int{-70406}},
		{"what can be read only", put, one(name, `,"value":"mine"`), 207, []int{-70404}},
		{"neither value nor ev", put, one(on, ``), 207, []int{-70410}},
		{"text for a truth", put, one(on, `,"value":"true"`), 207, []int{-70410}},
		{"2 for a truth", put, one(on, `,"value":2`), 207, []int{-70410}},
		{"text for a number", put, one(bright, `,"value":"50"`), 207, []int{-70410}},
		{"too bright", put, one(bright, `,"value":101`), 207, []int{-70410}},
		{"too dark", put, one(bright, `,"value":-1`), 207, []int{-70410}},
		{"half a per cent", put, one(bright, `,"value":50.5`), 207, []int{-70410}},
		{"1e400", put, one(bright, `,"value":1e400`), 207, []int{-70410}},
		{"2^53", put, one(bright, `,"value":9007199254740993`), 207, []int{-70410}},
		{"a pid that was not prepared", put, strings.Replace(one(on, `,"value":true`), "]}", `],"pid":7}`, 1), 207, []int{-70410}},
		{"three that are wrong in their own way", put, fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"value":101},{"aid":99,"iid":1,"value":1},{"aid":%d,"iid":%d,"value":"x"}]}`,
			bright.AID, bright.IID, name.AID, name.IID), 207, []int{-70410, -70409, -70404}},
		{"unsubscribed from what was not", put, one(on, `,"ev":false`), 204, nil},

		{"no ttl", prepare, `{"pid":1}`, 400, []int{-70410}},
		{"a negative ttl", prepare, `{"ttl":-1,"pid":1}`, 400, []int{-70410}},
		{"a ttl of a year", prepare, `{"ttl":31536000000,"pid":1}`, 400, []int{-70410}},
		{"not JSON to prepare", prepare, `{`, 400, []int{-70410}},

		{"no query", get, "", 400, []int{-70410}},
		{"no ids", get, "?id=", 400, []int{-70410}},
		{"no id but flags", get, "?meta=1", 400, []int{-70410}},
		{"a letter", get, "?id=a.b", 400, []int{-70410}},
		{"half an id", get, "?id=2", 400, []int{-70410}},
		{"three parts", get, "?id=2.9.1", 400, []int{-70410}},
		{"negative", get, "?id=-2.9", 400, []int{-70410}},
		{"an id of 2^64", get, "?id=18446744073709551616.1", 400, []int{-70410}},
		{"id twice", get, fmt.Sprintf("?id=%s&id=%s", on, on), 400, []int{-70410}},
		{"nothing between commas", get, fmt.Sprintf("?id=%s,,%s", on, on), 400, []int{-70410}},
		{"not there", get, "?id=99.1", 207, []int{-70409}},
		{"not there beside what is", get, fmt.Sprintf("?id=%s,99.1", on), 207, []int{0, -70409}},
		{"what can be written only", get, fmt.Sprintf("?id=%s", identify), 207, []int{-70405}},
		{"an id many times", get, "?id=" + strings.TrimSuffix(strings.Repeat(on.String()+",", 100), ","), 200, nil},
	}
	for _, tt := range tests {
		method, path, body := tt.method, "/characteristics", []byte(tt.text)
		switch method {
		case get:
			path, body = path+tt.text, nil
		case prepare:
			method, path = put, "/prepare"
		}
		m, err := c.Do(t.Context(), method, path, body)
		if err != nil || m.Status != tt.status {
			t.Errorf("%s: %d %.200s %v, want %d", tt.name, m.Status, m.Body, err, tt.status)
		}
		if err != nil || m.Status == http.StatusRequestEntityTooLarge {
			c.Close() // that is its right
			c = h.secure(t, p, ownersAddr)
			continue
		}
		if tt.codes == nil {
			continue
		}
		var told struct {
			Status          *int
			Characteristics []struct{ Status *int }
		}
		var codes []int
		if err := json.Unmarshal(m.Body, &told); err != nil {
			t.Errorf("%s: %s: %v", tt.name, m.Body, err)
		}
		for _, e := range append(told.Characteristics, struct{ Status *int }{told.Status}) {
			if e.Status != nil {
				codes = append(codes, *e.Status)
			}
		}
		if fmt.Sprint(codes) != fmt.Sprint(tt.codes) {
			t.Errorf("%s: %s, want %v", tt.name, m.Body, tt.codes)
		}
		if now := h.revision(t); now != before {
			t.Fatalf("%s: it reached the lamp: %s, before %s", tt.name, now, before)
		}
	}
	t.Logf("%d requests", len(tests))
	// The connection has not suffered.
	if m, err := c.Do(t.Context(), put, "/prepare", []byte(`{"ttl":5000,"pid":11}`)); err != nil || m.Status != http.StatusOK {
		t.Errorf("prepare: %d %s %v", m.Status, m.Body, err)
	}
	if m, err := c.Do(t.Context(), put, "/characteristics", []byte(strings.Replace(one(on, `,"value":true`), "]}", `],"pid":11}`, 1))); err != nil || m.Status != http.StatusNoContent {
		t.Errorf("the write that was prepared: %d %s %v", m.Status, m.Body, err)
	}
	h.shows(t, "ON")
	// A good entry beside a bad one is done, and both have their status.
	mixed := fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"value":false},{"aid":%d,"iid":%d,"value":101}]}`, on.AID, on.IID, bright.AID, bright.IID)
	if m, err := c.Do(t.Context(), put, "/characteristics", []byte(mixed)); err != nil || m.Status != 207 || !strings.Contains(string(m.Body), `"status":0`) || !strings.Contains(string(m.Body), "-70410") {
		t.Errorf("a good one and a bad one: %d %s %v", m.Status, m.Body, err)
	}
	h.shows(t, "OFF")
	// The same twice in one request: the later one is what is wanted.
	for _, want := range []string{"ON", "OFF"} {
		last := fmt.Sprint(want == "ON")
		twice := []haptest.Write{haptest.Set(on, fmt.Sprint(want != "ON")), haptest.Set(on, last)}
		if told, err := c.Put(t.Context(), twice...); err != nil || len(told) > 0 {
			t.Errorf("the same twice: %v %v", told, err)
		}
		h.shows(t, want)
		key := fmt.Sprintf(`,"value":%v,"value":%s`, want == "ON", fmt.Sprint(want != "ON"))
		if m, err := c.Do(t.Context(), put, "/characteristics", []byte(one(on, key))); err != nil || m.Status != http.StatusNoContent && m.Status != http.StatusBadRequest {
			t.Errorf("a key twice: %d %s %v", m.Status, m.Body, err)
		}
	}
	// Long writes straight behind short reads, without a pause.
	long := strings.Replace(one(bright, `,"value":30`), "[", "["+strings.Repeat(" ", 4_400), 1)
	for n := range 300 {
		if _, _, err := c.RoundTrip(t.Context(), haptest.Request(get, haptest.PathOf([]haptest.ID{on}), "", nil)); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Do(t.Context(), put, "/characteristics", []byte(long)); err != nil || m.Status != http.StatusNoContent {
			t.Fatalf("long write %d: %d %v", n, m.Status, err)
		}
	}
	c.Close()
	h.follows(t, p, "after bad JSON")
}
