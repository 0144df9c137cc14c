package database

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lamp takes whatever is written and shows it at once.
type lamp struct {
	aid    uint64
	writes []string // one for each request
	refuse Status
}

// Write hands each lamp its own.
func (h *house) Write(by *Client, writes []Write, status []Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	told := map[*lamp][]string{}
	for i, w := range writes {
		status[i] = ServiceCommunicationFailure
		for _, l := range h.lamps {
			if l.aid != w.AID {
				continue
			}
			told[l] = append(told[l], fmt.Sprintf("%s:%d=%s", by.About(), w.IID, w.Value))
			if status[i] = l.refuse; l.refuse == Success {
				h.Set(l.aid, by, Update{IID: w.IID, Value: w.Value})
			}
		}
	}
	for l, texts := range told {
		l.writes = append(l.writes, strings.Join(texts, " "))
	}
}

func ptr(f float64) *float64 { return &f }

func info(name string) Service {
	return Service{IID: 1, Type: "3E", Characteristics: []Characteristic{
		{IID: 2, Type: "14", Format: FormatBool, Perms: PairedWrite},
		{IID: 3, Type: "23", Format: FormatString, Perms: PairedRead, Value: String(name)},
	}}
}

func bulb(aid uint64) Accessory {
	return Accessory{AID: aid, Services: []Service{info("Lamp"), {IID: 8, Type: "43", Primary: true, Characteristics: []Characteristic{
		{IID: 9, Type: "25", Format: FormatBool, Perms: PairedRead | PairedWrite | Events},
		{IID: 10, Type: "8", Format: FormatInt, Perms: PairedRead | PairedWrite | Events, Unit: "percentage", Min: ptr(0), Max: ptr(100), Step: ptr(1), Value: Int(7)},
		{IID: 11, Type: "13", Format: FormatFloat, Perms: PairedRead | PairedWrite | Events, Unit: "arcdegrees", Min: ptr(0), Max: ptr(360)},
		{IID: 12, Type: "CE", Format: FormatUint32, Perms: PairedRead, Min: ptr(140), Max: ptr(500)},
		{IID: 13, Type: "220", Format: FormatString, Perms: PairedRead | PairedWrite | Events | TimedWrite, MaxLen: 4},
		{IID: 14, Type: "B0", Format: FormatUint8, Perms: PairedRead | PairedWrite | Events, Valid: []int64{0, 2}},
	}}}}
}

// house is a database of a bridge and two lamps, with a clock that the test moves.
type house struct {
	*Database
	now   time.Duration
	mu    sync.Mutex
	lamps [2]*lamp
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{now: time.Second, lamps: [2]*lamp{{aid: 2}, {aid: 3}}}
	d, err := New([]Accessory{bulb(3), {AID: 1, Services: []Service{info("Bridge")}}, bulb(2)}, h, func() time.Duration { return h.now })
	if err != nil {
		t.Fatal(err)
	}
	h.Database = d
	return h
}

// client makes a client and counts how often it was told that an event is due.
func (h *house) client(name string) (*Client, *int) {
	n := new(int)
	return h.Client(name, func(bool) { *n++ }), n
}

func TestAccessories(t *testing.T) {
	h := newHouse(t)
	const info = `{"iid":1,"type":"3E","characteristics":[{"iid":2,"type":"14","perms":["pw"],"format":"bool"},{"iid":3,"type":"23","perms":["pr"],"format":"string","value":"%s"}]}`
	const light = `{"iid":8,"type":"43","primary":true,"characteristics":[` +
		`{"iid":9,"type":"25","perms":["pr","pw","ev"],"format":"bool","value":%v},` +
		`{"iid":10,"type":"8","perms":["pr","pw","ev"],"format":"int","unit":"percentage","minValue":0,"maxValue":100,"minStep":1,"value":7},` +
		`{"iid":11,"type":"13","perms":["pr","pw","ev"],"format":"float","unit":"arcdegrees","minValue":0,"maxValue":360,"value":0},` +
		`{"iid":12,"type":"CE","perms":["pr"],"format":"uint32","minValue":140,"maxValue":500,"value":140},` +
		`{"iid":13,"type":"220","perms":["pr","pw","ev","tw"],"format":"string","maxLen":4,"value":""},` +
		`{"iid":14,"type":"B0","perms":["pr","pw","ev"],"format":"uint8","valid-values":[0,2],"value":0}]}`
	want := func(on bool) string {
		return `{"accessories":[{"aid":1,"services":[` + fmt.Sprintf(info, "Bridge") + `]},` +
			`{"aid":2,"services":[` + fmt.Sprintf(info+","+light, "Lamp", on) + `]},` +
			`{"aid":3,"services":[` + fmt.Sprintf(info+","+light, "Lamp", false) + `]}]}`
	}
	first := h.Accessories()
	if string(first) != want(false) {
		t.Errorf("got\n%s\nwant\n%s", first, want(false))
	}
	if again := h.Accessories(); &again[0] != &first[0] {
		t.Error("it was encoded again though nothing has changed")
	}
	h.Set(2, nil, Update{IID: 9, Value: Bool(true)})
	if got := h.Accessories(); string(got) != want(true) {
		t.Errorf("after a change: got\n%s", got)
	}
	if string(first) != want(false) {
		t.Error("a body that somebody holds was changed")
	}
}

func TestRead(t *testing.T) {
	h := newHouse(t)
	h.Set(3, nil, Update{IID: 9, Value: Bool(true), Status: ServiceCommunicationFailure})
	c, _ := h.client("a")
	c.Write([]byte(`{"characteristics":[{"aid":2,"iid":9,"ev":true}]}`))
	tests := []struct {
		query  string
		status int
		body   string
	}{
		{"id=2.9", 200, `{"characteristics":[{"aid":2,"iid":9,"value":false}]}`},
		{"id=2.10,1.3", 200, `{"characteristics":[{"aid":2,"iid":10,"value":7},{"aid":1,"iid":3,"value":"Bridge"}]}`},
		{"id=2.10%2C2.9", 200, `{"characteristics":[{"aid":2,"iid":10,"value":7},{"aid":2,"iid":9,"value":false}]}`},
		{"id=2.9&ev=1&type=1&perms=1&meta=1", 200, `{"characteristics":[{"aid":2,"iid":9,"value":false,"format":"bool","perms":["pr","pw","ev"],"type":"25","ev":true}]}`},
		{"id=2.10&meta=true&ev=0", 200, `{"characteristics":[{"aid":2,"iid":10,"value":7,"format":"int","unit":"percentage","minValue":0,"maxValue":100,"minStep":1}]}`},
		{"ev=1&id=3.10", 200, `{"characteristics":[{"aid":3,"iid":10,"value":7,"ev":false}]}`},
		// A device that does not answer: only its own entry.
		{"id=3.9,2.9", 207, `{"characteristics":[{"aid":3,"iid":9,"status":-70402},{"aid":2,"iid":9,"value":false,"status":0}]}`},
		{"id=2.2", 207, `{"characteristics":[{"aid":2,"iid":2,"status":-70405}]}`},
		{"id=9.9,2.99", 207, `{"characteristics":[{"aid":9,"iid":9,"status":-70409},{"aid":2,"iid":99,"status":-70409}]}`},
		{"id=18446744073709551615.18446744073709551615", 207, `{"characteristics":[{"aid":18446744073709551615,"iid":18446744073709551615,"status":-70409}]}`},
		{"", 400, `{"status":-70410}`},
		{"id=", 400, `{"status":-70410}`},
		{"id=2", 400, `{"status":-70410}`},
		{"id=2.", 400, `{"status":-70410}`},
		{"id=.9", 400, `{"status":-70410}`},
		{"id=-2.9", 400, `{"status":-70410}`},
		{"id=2.9.1", 400, `{"status":-70410}`},
		{"id=2.9,,2.9", 400, `{"status":-70410}`},
		{"id=2.9&id=2.9", 400, `{"status":-70410}`},
		{"id=18446744073709551616.1", 400, `{"status":-70410}`},
		{"id=2.9" + strings.Repeat(",2.9", maxIDs), 400, `{"status":-70410}`},
	}
	for _, tt := range tests {
		status, body := c.Read(tt.query)
		if status != tt.status || string(body) != tt.body {
			t.Errorf("GET ?%.60s: %d %s, want %d %s", tt.query, status, body, tt.status, tt.body)
		}
	}
}

func TestWrite(t *testing.T) {
	one := func(aid, iid int, value string) string {
		return fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"value":%s}]}`, aid, iid, value)
	}
	failed := func(aid, iid, status int) string {
		return fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"status":%d}]}`, aid, iid, status)
	}
	tests := []struct {
		name, body string
		status     int
		answer     string
		wrote      []string // by the first lamp's owner
	}{
		{"on", one(2, 9, "true"), 204, "", []string{"a:9=true"}},
		{"on as a number", one(2, 9, "1"), 204, "", []string{"a:9=true"}},
		{"a number as truth", one(2, 10, "true"), 204, "", []string{"a:10=1"}},
		{"equal to what is shown", one(2, 9, "false"), 204, "", []string{"a:9=false"}},
		{"whole written as 55.0", one(2, 10, "55.0"), 204, "", []string{"a:10=55"}},
		{"float", one(2, 11, "120.5"), 204, "", []string{"a:11=120.5"}},
		{"two of a lamp are one write", `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":2,"iid":10,"value":3}]}`, 204, "", []string{"a:9=true a:10=3"}},
		{"two of a lamp, another between", `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":3,"iid":9,"value":true},{"aid":2,"iid":10,"value":3}]}`, 204, "", []string{"a:9=true a:10=3"}},
		{
			"mixed", `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":2,"iid":12,"value":200}]}`, 207,
			`{"characteristics":[{"aid":2,"iid":9,"status":0},{"aid":2,"iid":12,"status":-70404}]}`,
			[]string{"a:9=true"},
		},
		{"value asked back", `{"characteristics":[{"aid":2,"iid":10,"value":3,"r":true}]}`, 207, `{"characteristics":[{"aid":2,"iid":10,"status":0,"value":3}]}`, []string{"a:10=3"}},
		{"r false", `{"characteristics":[{"aid":2,"iid":10,"value":3,"r":false}]}`, 204, "", []string{"a:10=3"}},
		{"unknown members", `{"characteristics":[{"aid":2,"iid":9,"value":true,"authData":"x","remote":true}],"more":1}`, 204, "", []string{"a:9=true"}},
		{"wrong type", one(2, 9, `"on"`), 207, failed(2, 9, -70410), nil},
		{"two for a bool", one(2, 9, "2"), 207, failed(2, 9, -70410), nil},
		{"too much", one(2, 10, "101"), 207, failed(2, 10, -70410), nil},
		{"too little", one(2, 10, "-1"), 207, failed(2, 10, -70410), nil},
		{"not whole", one(2, 10, "5.5"), 207, failed(2, 10, -70410), nil},
		{"huge", one(2, 10, "1e300"), 207, failed(2, 10, -70410), nil},
		{"beyond all numbers", one(2, 11, "1e999"), 207, failed(2, 11, -70410), nil},
		{"none of the valid ones", one(2, 14, "1"), 207, failed(2, 14, -70410), nil},
		{"text for a number", one(2, 10, `"5"`), 207, failed(2, 10, -70410), nil},
		{"unknown accessory", one(9, 9, "true"), 207, failed(9, 9, -70409), nil},
		{"unknown characteristic", one(2, 99, "true"), 207, failed(2, 99, -70409), nil},
		{"a service is none", one(2, 8, "true"), 207, failed(2, 8, -70409), nil},
		{"nobody owns it", one(1, 2, "true"), 207, failed(1, 2, -70402), nil},
		{"no value and no ev", `{"characteristics":[{"aid":2,"iid":9}]}`, 207, failed(2, 9, -70410), nil},
		{"timed without announcement", one(2, 13, `"x"`), 207, failed(2, 13, -70410), nil},
		{"events of what has none", `{"characteristics":[{"aid":2,"iid":12,"ev":true}]}`, 207, failed(2, 12, -70406), nil},
		{"null", one(2, 9, "null"), 400, `{"status":-70410}`, nil},
		{"array", one(2, 9, "[true]"), 400, `{"status":-70410}`, nil},
		{"object", `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":2,"iid":10,"value":{}}]}`, 400, `{"status":-70410}`, nil},
		{"no aid", `{"characteristics":[{"iid":9,"value":true}]}`, 400, `{"status":-70410}`, nil},
		{"negative id", `{"characteristics":[{"aid":-2,"iid":9,"value":true}]}`, 400, `{"status":-70410}`, nil},
		{"fraction as id", `{"characteristics":[{"aid":2.5,"iid":9,"value":true}]}`, 400, `{"status":-70410}`, nil},
		{"nothing to write", `{"characteristics":[]}`, 400, `{"status":-70410}`, nil},
		{"empty", ``, 400, `{"status":-70410}`, nil},
		{"not JSON", `{"characteristics":[{"aid":2,"iid":9,"value":tru`, 400, `{"status":-70410}`, nil},
		{"trailing bytes", one(2, 9, "true") + "x", 400, `{"status":-70410}`, nil},
		{"another shape", `[1]`, 400, `{"status":-70410}`, nil},
		{"deep", strings.Repeat("[", 20000), 400, `{"status":-70410}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			c, told := h.client("a")
			status, answer := c.Write([]byte(tt.body))
			if status != tt.status || string(answer) != tt.answer {
				t.Errorf("%d %s, want %d %s", status, answer, tt.status, tt.answer)
			}
			if !slices.Equal(h.lamps[0].writes, tt.wrote) {
				t.Errorf("the owner was handed %q, want %q", h.lamps[0].writes, tt.wrote)
			}
			if *told != 0 {
				t.Error("an event for who asked for none")
			}
		})
	}
}

// TestRefused: what the owner refuses stays as it was.
func TestRefused(t *testing.T) {
	h := newHouse(t)
	h.lamps[0].refuse = ServiceCommunicationFailure
	c, _ := h.client("a")
	status, answer := c.Write([]byte(`{"characteristics":[{"aid":2,"iid":9,"value":true,"r":true},{"aid":3,"iid":9,"value":true}]}`))
	if want := `{"characteristics":[{"aid":2,"iid":9,"status":-70402},{"aid":3,"iid":9,"status":0}]}`; status != 207 || string(answer) != want {
		t.Errorf("%d %s, want 207 %s", status, answer, want)
	}
	if v, _ := h.Get(2, 9); v.Bool() {
		t.Error("it shows what was refused")
	}
}

func TestTimedWrite(t *testing.T) {
	prepare := func(ttl, pid int) string { return fmt.Sprintf(`{"ttl":%d,"pid":%d}`, ttl, pid) }
	timed := func(iid int, value string, pid int) string {
		return fmt.Sprintf(`{"characteristics":[{"aid":2,"iid":%d,"value":%s}],"pid":%d}`, iid, value, pid)
	}
	h := newHouse(t)
	c, _ := h.client("a")
	other, _ := h.client("b")
	ask := func(c *Client, want int, body string) {
		t.Helper()
		if got, answer := c.Write([]byte(body)); got != want {
			t.Errorf("%s: %d %s, want %d", body, got, answer, want)
		}
	}
	announce := func(c *Client, want int, body string) {
		t.Helper()
		if got, answer := c.Prepare([]byte(body)); got != want {
			t.Errorf("prepare %s: %d %s, want %d", body, got, answer, want)
		}
	}
	announce(c, 200, prepare(1000, 11))
	ask(c, 204, timed(13, `"x"`, 11))
	ask(c, 207, timed(13, `"x"`, 11)) // once only
	announce(c, 200, prepare(1000, 11))
	ask(other, 207, timed(13, `"x"`, 11)) // another connection's
	ask(c, 207, timed(13, `"x"`, 12))     // wrong number ends it
	ask(c, 207, timed(13, `"x"`, 11))
	announce(c, 200, prepare(1000, 11))
	h.now += time.Second + time.Millisecond
	ask(c, 207, timed(13, `"x"`, 11)) // too late
	announce(c, 200, prepare(1000, 1))
	announce(c, 200, prepare(1000, 2))
	ask(c, 204, timed(9, "true", 2)) // others may be written so too
	ask(c, 207, timed(9, "true", 2)) // but then they have to be in time as well
	for _, body := range []string{``, `{}`, `{"ttl":5}`, `{"pid":5}`, `{"ttl":-5,"pid":1}`, `{"ttl":99999999999,"pid":1}`, `{"ttl":"5","pid":1}`} {
		announce(c, 400, body)
	}
	if want := []string{`a:13="x"`, "a:9=true"}; !slices.Equal(h.lamps[0].writes, want) {
		t.Errorf("the owner was handed %q, want %q", h.lamps[0].writes, want)
	}
}

func TestEvents(t *testing.T) {
	h := newHouse(t)
	a, atA := h.client("a")
	b, atB := h.client("b")
	for _, c := range []*Client{a, b} {
		if status, body := c.Write([]byte(`{"characteristics":[{"aid":2,"iid":9,"ev":true},{"aid":2,"iid":10,"ev":true},{"aid":3,"iid":9,"ev":true}]}`)); status != 204 {
			t.Fatalf("subscribe: %d %s", status, body)
		}
	}
	expect := func(c *Client, want string) {
		t.Helper()
		if got := string(c.Event()); got != want {
			t.Errorf("event of %s: %s, want %s", c.About(), got, want)
		}
	}
	// The writer is not told, the other is; the latest value counts.
	a.Write([]byte(`{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":2,"iid":10,"value":50}]}`))
	a.Write([]byte(`{"characteristics":[{"aid":2,"iid":10,"value":60}]}`))
	// Two requests: whoever listens is told twice that there is something, not of each value.
	if *atA != 0 || *atB != 2 {
		t.Errorf("told %d and %d times, want 0 and 2", *atA, *atB)
	}
	expect(a, "")
	expect(b, `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":2,"iid":10,"value":60}]}`)
	expect(b, "")

	// The device says otherwise: everybody is told, the writer too. What it is told twice counts once.
	h.Set(2, nil, Update{IID: 9, Value: Bool(false)}, Update{IID: 9, Value: Bool(false)})
	h.Set(3, nil, Update{IID: 9, Value: Bool(true)})
	want := `{"characteristics":[{"aid":2,"iid":9,"value":false},{"aid":3,"iid":9,"value":true}]}`
	expect(a, want)
	// It writes the same itself before it was told.
	b.Write([]byte(`{"characteristics":[{"aid":3,"iid":9,"value":true}]}`))
	expect(b, `{"characteristics":[{"aid":2,"iid":9,"value":false}]}`)

	// What is no value of it, or not there, disturbs nothing.
	h.Set(2, nil, Update{IID: 9, Value: Int(1)}, Update{IID: 99, Value: Int(1)}, Update{IID: 10, Value: Int(1000)})
	h.Set(9, nil, Update{IID: 9, Value: Bool(true)})
	h.Set(2, nil, Update{IID: 9, Status: ServiceCommunicationFailure})
	expect(a, "")

	// It answers again: that is told, though the value is the same.
	h.Set(2, nil, Update{IID: 9})
	expect(a, `{"characteristics":[{"aid":2,"iid":9,"value":false}]}`)

	a.Write([]byte(`{"characteristics":[{"aid":2,"iid":9,"ev":false}]}`))
	b.Close()
	h.Set(2, nil, Update{IID: 9, Value: Bool(true)})
	expect(a, "")
	expect(b, "")
	if n := a.Subscriptions(); n != 2 {
		t.Errorf("%d subscriptions, want 2", n)
	}
}

// TestReplace: accessories come and go while somebody listens.
func TestReplace(t *testing.T) {
	h := newHouse(t)
	c, told := h.client("a")
	c.Write([]byte(`{"characteristics":[{"aid":2,"iid":9,"ev":true},{"aid":3,"iid":9,"ev":true}]}`))
	before := h.Hash()
	shuffled := bulb(2)
	slices.Reverse(shuffled.Services[1].Characteristics)
	slices.Reverse(shuffled.Services)
	shuffled.Services[0].Characteristics[5].Value = Bool(true) // on, by now
	if err := h.Replace([]Accessory{shuffled, {AID: 1, Services: []Service{info("Bridge")}}, bulb(3)}); err != nil {
		t.Fatal(err)
	}
	if h.Hash() != before {
		t.Error("another order gives another hash")
	}
	if got := string(c.Event()); got != `{"characteristics":[{"aid":2,"iid":9,"value":true}]}` || *told != 1 {
		t.Errorf("event %s, told %d times", got, *told)
	}
	if err := h.Replace([]Accessory{{AID: 1, Services: []Service{info("Bridge")}}, bulb(2)}); err != nil {
		t.Fatal(err)
	}
	if h.Hash() == before {
		t.Error("an accessory less gives the same hash")
	}
	if n := c.Subscriptions(); n != 1 {
		t.Errorf("%d subscriptions, want that of the lamp that is left", n)
	}
	c.Event()
	h.Set(2, nil, Update{IID: 9, Value: Bool(true)})
	h.Set(3, nil, Update{IID: 9, Value: Bool(true)})
	if got := string(c.Event()); got != `{"characteristics":[{"aid":2,"iid":9,"value":true}]}` {
		t.Errorf("event %s", got)
	}

	bad := map[string][]Accessory{
		"no bridge":        {bulb(2)},
		"id twice":         {{AID: 1, Services: []Service{info("x")}}, bulb(2), bulb(2)},
		"id zero":          {{AID: 1, Services: []Service{info("x")}}, bulb(0)},
		"no information":   {{AID: 1}},
		"instance twice":   {{AID: 1, Services: []Service{info("x"), {IID: 3, Type: "43"}}}},
		"value of no type": {{AID: 1, Services: []Service{info("x"), {IID: 8, Type: "43", Characteristics: []Characteristic{{IID: 9, Type: "25", Format: FormatBool, Value: Int(1)}}}}}},
		"too many":         {{AID: 1, Services: []Service{info("x")}}},
	}
	for i := range MaxAccessories {
		bad["too many"] = append(bad["too many"], bulb(uint64(i+2)))
	}
	for name, set := range bad {
		if err := h.Replace(set); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if status, _ := c.Read("id=2.9"); status != 200 {
		t.Error("a set that was refused has changed something")
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		v    Value
		want string
	}{
		{Value{}, "null"},
		{Bool(true), "true"},
		{Int(-5), "-5"},
		{Int(1 << 52), "4503599627370496"},
		{Float(21.5), "21.5"},
		{Float(0.0001), "0.0001"},
		{Float(1e21), "1000000000000000000000"},
		{String("Küche \"1\"\n\\"), `"Küche \"1\"\u000a\\"`},
		{String("a\xffb"), `"a` + "\uFFFD" + `b"`},
		{Float(math.NaN()), "null"},
		{Float(math.Inf(1)), "null"},
	} {
		got := string(tt.v.append(nil))
		if got != tt.want || !json.Valid([]byte(got)) {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

// TestTogether uses one database from many sides at once, for the race detector.
func TestTogether(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			c := h.Client("x", func(bool) {})
			defer c.Close()
			for j := range 200 {
				c.Write(fmt.Appendf(nil, `{"characteristics":[{"aid":2,"iid":10,"value":%d,"ev":%v},{"aid":3,"iid":9,"ev":true}]}`, (i+j)%100, j%2 == 0))
				c.Read("id=2.10,3.9")
				h.Accessories()
				h.Set(3, c, Update{IID: 9, Value: Bool(j%2 == 0)})
				c.Event()
				if i == 0 && j%50 == 0 {
					if err := h.Replace([]Accessory{{AID: 1, Services: []Service{info("Bridge")}}, bulb(2), bulb(3)}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
