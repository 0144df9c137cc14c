package deviceapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

func TestStatusCodes(t *testing.T) {
	h := newHouse(t)
	h.mapper(lamp)
	h.online(lamp)
	if err := h.store.SetState(porch, "offline", "test"); err != nil {
		t.Fatal(err)
	}
	const device, wishes = "/v1/devices/default/lamp", "/v1/devices/default/lamp/expected"
	const absent = "/v1/devices/garden/porch/expected"
	big := `{"expected":{"powerstatus":"` + strings.Repeat("x", 1<<20) + `"}}`
	tests := []struct {
		name, method, path, body string
		want                     int
		says                     string // part of the body
	}{
		{"applied", "PATCH", wishes + "?wait=5s", `{"expected":{"powerstatus":"ON"}}`, 200, `"outcome":"applied"`},
		{"applied, all types", "PATCH", wishes + "?wait=5s", `{"expected":{"level":60.0,"fade":2,"night":true}}`, 200, `"level":60,`},
		{"pending", "PATCH", absent, `{"expected":{"powerstatus":"ON"}}`, 202, `"outcome":"pending"`},
		{"pending after waiting", "PATCH", absent + "?wait=10ms", `{"expected":{"powerstatus":"OFF"}}`, 202, `"outcome":"pending"`},
		{"no such device", "PATCH", "/v1/devices/default/attic/expected", `{"expected":{"powerstatus":"ON"}}`, 404, "default/attic"},
		{"press at an offline device", "PATCH", absent, `{"expected":{"powerstatus":"ON"},"validFor":"5s"}`, 422, "offline"},
		{"unknown property", "PATCH", wishes, `{"expected":{"power":"ON"}}`, 422, "one of powerstatus, level"},
		{"not in the enum", "PATCH", wishes, `{"expected":{"powerstatus":"MAYBE"}}`, 422, "one of ON, OFF"},
		{"other type", "PATCH", wishes, `{"expected":{"powerstatus":true}}`, 422, "one of ON, OFF"},
		{"out of range", "PATCH", wishes, `{"expected":{"level":101}}`, 422, "from 0 to 100"},
		{"not whole", "PATCH", wishes, `{"expected":{"level":1.5}}`, 422, "a whole number"},
		{"read-only", "PATCH", wishes, `{"expected":{"watts":5}}`, 422, "read-only"},
		{"one bad of two", "PATCH", wishes, `{"expected":{"powerstatus":"OFF","level":-1}}`, 422, "level"},
		{"key twice", "PATCH", wishes, `{"expected":{"level":1,"level":2}}`, 422, "each key once"},
		{"unknown key", "PATCH", wishes, `{"expected":{"level":1},"valdFor":"5s"}`, 422, "valdFor"},
		{"no JSON", "PATCH", wishes, `powerstatus=ON`, 400, "JSON"},
		{"no body", "PATCH", wishes, ``, 415, "application/json"},
		{"too big", "PATCH", wishes, big, 413, "1 MiB"},
		{"wait too long", "PATCH", wishes + "?wait=61s", `{"expected":{"powerstatus":"ON"}}`, 422, "up to 60s"},
		{"wait no duration", "PATCH", wishes + "?wait=5", `{"expected":{"powerstatus":"ON"}}`, 422, "wait"},
		{"wait empty", "PATCH", wishes + "?wait=", `{"expected":{"powerstatus":"ON"}}`, 422, "wait"},
		{"unknown parameter", "PATCH", wishes + "?wiat=5s", `{"expected":{"powerstatus":"ON"}}`, 422, "wiat"},
		{"parameter twice", "GET", "/v1/devices?limit=1&limit=2", "", 422, "limit"},

		{"device", "GET", device, "", 200, `"serial":"4711"`},
		{"no device", "GET", "/v1/devices/default/attic", "", 404, "default/attic"},
		{"bad name", "GET", "/v1/devices/default/a%2Fb", "", 422, "name"},
		{"no such wish", "GET", "/v1/wishes/nobody", "", 404, "no such wish"},
		{"list", "GET", "/v1/devices", "", 200, `"devices":[`},
		{"limit 0", "GET", "/v1/devices?limit=0", "", 422, "limit"},
		{"limit not whole", "GET", "/v1/devices?limit=x", "", 422, "limit"},
		{"bad cursor", "GET", "/v1/devices?cursor=x", "", 422, "cursor"},
		{"bad model", "GET", "/v1/devices?model=a/b/c", "", 422, "name"},
		{"model", "GET", "/v1/models/default/lamp-model", "", 200, `"name":"powerstatus"`},
		{"no model", "GET", "/v1/models/default/attic", "", 404, "no such model"},
		{"put model", "PUT", "/v1/models/default/new", `{"properties":[{"name":"a","type":"int"}]}`, 200, `"new"`},
		{"put bad model", "PUT", "/v1/models/default/new", `{"properties":[{"name":"a","type":"integer"}]}`, 422, "bool, int, float or string"},
		{"put nothing", "PUT", "/v1/models/default/lamp-model", `null`, 422, "a JSON object"},
		{"put model as a form", "PUT", "/v1/models/default/new", ``, 415, "application/json"},
		{"apply", "POST", "/v1/apply", "kind: Device", 200, "default/applied"},
		{"apply bad", "POST", "/v1/apply", "none", 422, "Device or DeviceModel"},
		{"manifest", "GET", "/v1/manifests/default/lamp", "", 200, "name: default/lamp"},
		{"manifest of nothing", "GET", "/v1/manifests/default/attic", "", 404, "default/attic"},
		{"manifest of a bad name", "GET", "/v1/manifests/default/a%2Fb", "", 422, "name"},
		{"what no manifest can say", "GET", "/v1/manifests/garden/porch", "", 409, `"location":"step"`},
		{"manifest is not to be written", "PUT", "/v1/manifests/default/lamp", "", 405, "GET"},
		{"profile", "GET", "/v1/profile", "", 200, `{"names": []}`},
		{"profile of two", "GET", "/v1/profile?devices=lamp+garden/porch", "", 200, `{"names": ["default/lamp" "garden/porch"]}`},
		{"profile of nothing", "GET", "/v1/profile?devices=lamp+attic", "", 404, "default/attic"},
		{"profile of a bad name", "GET", "/v1/profile?devices=a/b/c", "", 422, "devices: name"},
		{"profile, two spaces", "GET", "/v1/profile?devices=lamp++meter", "", 422, "1 to 128 bytes"},
		{"profile, no name", "GET", "/v1/profile?devices=", "", 422, "devices"},
		{"profile, names too long", "GET", "/v1/profile?devices=" + strings.Repeat("x", 4097), "", 422, "4096"},
		{"profile, unknown parameter", "GET", "/v1/profile?device=lamp", "", 422, "device"},
		{"delete", "DELETE", "/v1/devices/default/applied", "", 204, ""},
		{"delete again", "DELETE", "/v1/devices/default/applied", "", 404, "default/applied"},
		{"delete what a file defines", "DELETE", "/v1/devices/garden/porch", "", 409, "devices/porch.yaml"},
		{"health", "GET", "/healthz", "", 200, `"status":"ok"`},
		{"metrics", "GET", "/metrics", "", 200, "metrics"},
		{"description", "GET", "/openapi.json", "", 200, `"openapi":"3.1.0"`},
		{"no such path", "GET", "/v2/devices", "", 404, "no such path"},
		{"other method", "POST", device, "{}", 405, "GET"},
		{"HEAD", "HEAD", device, "", 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := h.do(tt.method, tt.path, tt.body)
			if got.status != tt.want || !strings.Contains(string(got.body), tt.says) {
				t.Fatalf("%s %s: %d %s; want %d with %q", tt.method, tt.path, got.status, got.body, tt.want, tt.says)
			}
			if got.status < 400 {
				return
			}
			if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("Content-Type %q, want a problem", kind)
			}
			if m := got.json(t); m["status"] != float64(tt.want) || m["title"] == "" || m["detail"] == "" {
				t.Errorf("problem %v lacks a part", m)
			}
		})
	}
}

// TestShapes holds the answers against what was promised, byte for byte but for what is random.
func TestShapes(t *testing.T) {
	h := newHouse(t)
	h.online(lamp)
	got := h.do("PATCH", "/v1/devices/default/lamp/expected", `{"expected":{"powerstatus":"ON"}}`)
	w := got.json(t)
	id, _ := w["id"].(string)
	if want := map[string]any{"id": id, "device": "default/lamp", "expected": map[string]any{"powerstatus": "ON"}, "outcome": "pending"}; id == "" || fmt.Sprint(without(w, "rev")) != fmt.Sprint(want) {
		t.Errorf("wish: got %v, want %v", w, want)
	}
	var d map[string]any
	eventually(t, func() bool {
		d = h.do("GET", "/v1/devices/default/lamp", "").json(t)
		return d["rev"] != nil
	})
	p := d["properties"].(map[string]any)["powerstatus"].(map[string]any)
	if fmt.Sprint(p["wish"]) != fmt.Sprint(map[string]any{"id": id, "outcome": "pending"}) || p["type"] != "string" || p["actual"] != nil {
		t.Errorf("property with a pending wish: %v", p)
	}
	if e := p["expected"].(map[string]any); e["value"] != "ON" || e["origin"] != "local" || e["rev"] == nil {
		t.Errorf("expected: %v", e)
	}
	v, err := h.store.Device(lamp)
	if err != nil {
		t.Fatal(err)
	}
	h.answer(lamp, &v)
	d = h.do("GET", "/v1/devices/default/lamp", "").json(t)
	p = d["properties"].(map[string]any)["powerstatus"].(map[string]any)
	if a, _ := p["actual"].(map[string]any); a["value"] != "ON" || a["at"] == nil || p["wish"] != nil {
		t.Errorf("after the report: %v", p)
	}
	for key, want := range map[string]any{"namespace": "default", "name": "lamp", "model": "default/lamp-model", "node": "cellar", "presence": "online"} {
		if d[key] != want {
			t.Errorf("%s: got %v, want %v", key, d[key], want)
		}
	}
	if w = h.do("GET", "/v1/wishes/"+id, "").json(t); w["outcome"] != "applied" {
		t.Errorf("wish afterwards: %v", w)
	}
}

func without(m map[string]any, key string) map[string]any { delete(m, key); return m }

// TestEndedOtherwise: the answer is a problem that carries the wish.
func TestEndedOtherwise(t *testing.T) {
	h := newHouse(t)
	h.online(lamp)
	got := h.do("PATCH", "/v1/devices/default/lamp/expected?wait=5s", `{"expected":{"powerstatus":"ON"},"validFor":"20ms"}`)
	m := got.json(t)
	if got.status != 409 || got.header.Get("Content-Type") != "application/problem+json" || m["outcome"] != "expired" || m["id"] == "" || m["detail"] == "" {
		t.Errorf("got %d %s %s", got.status, got.header.Get("Content-Type"), got.body)
	}
}

// TestTroubleIsToldToWhoWaits: 202 with the trouble, long before the time to wait is over.
func TestTroubleIsToldToWhoWaits(t *testing.T) {
	h := newHouse(t)
	h.online(lamp)
	answered := make(chan reply, 1)
	go func() {
		answered <- h.do("PATCH", "/v1/devices/default/lamp/expected?wait=50s", `{"expected":{"powerstatus":"ON"}}`)
	}()
	var id string
	eventually(t, func() bool {
		v, err := h.store.Device(lamp)
		if err != nil {
			t.Fatal(err)
		}
		id = v.Prop("powerstatus").Wish
		return id != ""
	})
	r := twin.Report{Echo: true, Conn: "test", Props: map[string]twin.PropReport{"powerstatus": {Wish: id, Error: "contacts welded"}}}
	if _, err := h.store.Report(lamp, r); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-answered:
		if m := got.json(t); got.status != 202 || m["trouble"] != "contacts welded" {
			t.Errorf("got %d %s", got.status, got.body)
		}
	case <-time.After(10 * time.Second):
		t.Error("who waits was not told")
	}
}

// TestWaitOutlivesBodyDeadline: the deadline for the body must not cut the wait that follows.
func TestWaitOutlivesBodyDeadline(t *testing.T) {
	t.Parallel() // it waits
	h := newHouse(t)
	h.online(lamp)
	// More than huma's own 5 s and than ours for a body.
	const wait = 11 * time.Second
	start := time.Now()
	got := h.do("PATCH", "/v1/devices/default/lamp/expected?wait="+wait.String(), `{"expected":{"powerstatus":"ON"}}`)
	took := time.Since(start)
	// The apply deadline of 10 s comes first and makes trouble.
	if got.status != 202 || !strings.Contains(string(got.body), "trouble") || took < 9*time.Second {
		t.Errorf("after %v: %d %s; want 202 in trouble after 10 s", took, got.status, got.body)
	}
}

func TestIfMatch(t *testing.T) {
	h := newHouse(t)
	h.mapper(lamp)
	h.online(lamp)
	const device, wishes = "/v1/devices/default/lamp", "/v1/devices/default/lamp/expected"
	set := func(prop, value, tag string) int {
		t.Helper()
		headers := []string{}
		if tag != "" {
			headers = append(headers, "If-Match", tag)
		}
		return h.do("PATCH", wishes+"?wait=5s", fmt.Sprintf(`{"expected":{%q:%s}}`, prop, value), headers...).status
	}
	tag := func() string { return h.do("GET", device, "").header.Get("ETag") }
	check := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	never := tag()
	check("guarded, never wished", set("powerstatus", `"ON"`, never), 200)
	check("the same tag again", set("powerstatus", `"OFF"`, never), 412)
	check("the same tag, another property", set("level", "5", never), 200)

	fresh := tag() // right after a change, when its rev may not be on disk yet
	check("fresh tag", set("powerstatus", `"OFF"`, fresh), 200)
	before := tag()
	r := twin.Report{Echo: true, Conn: "test", Props: map[string]twin.PropReport{"watts": {Value: twin.FloatValue(40)}, "level": {Value: twin.IntValue(5)}}}
	if _, err := h.store.Report(lamp, r); err != nil {
		t.Fatal(err)
	}
	if after := tag(); after != before {
		t.Errorf("a report changed the tag from %s to %s", before, after)
	}
	check("any", set("powerstatus", `"ON"`, "*"), 200)
	check("weak", set("powerstatus", `"ON"`, "W/"+tag()), 412)
	check("another creation's", set("powerstatus", `"ON"`, `"0123456789abcdef-99"`), 412)
	check("one of two", set("powerstatus", `"OFF"`, `"0123456789abcdef-99", `+tag()), 200)
	check("no tag at all", set("powerstatus", `"ON"`, "yes"), 422)
	got := h.do("PATCH", wishes, `{"expected":{"powerstatus":"OFF"}}`, "If-Match", never)
	if !strings.Contains(string(got.body), "powerstatus is now OFF") {
		t.Errorf("412 does not say what is there now: %s", got.body)
	}
}

// TestHouseDoesNotWaitForDisk: wishes and reads go on when nothing becomes durable; no rev is told.
func TestHouseDoesNotWaitForDisk(t *testing.T) {
	h := newHouse(t)
	h.mapper(lamp)
	h.online(lamp)
	h.disk.held.Store(true)
	for i := range 10 {
		got := h.do("PATCH", "/v1/devices/default/lamp/expected?wait=5s", fmt.Sprintf(`{"expected":{"level":%d}}`, i))
		if m := got.json(t); got.status != 200 || m["rev"] != nil {
			t.Fatalf("wish %d: %d %s", i, got.status, got.body)
		}
	}
	d := h.do("GET", "/v1/devices/default/lamp", "").json(t)
	if d["rev"] != nil {
		t.Errorf("a rev that is not on disk was told: %v", d)
	}
	failed := errors.New("read-only file system")
	h.disk.err.Store(&failed)
	h.disk.held.Store(false)
	eventually(t, func() bool { return h.store.DiskError() != nil })
	if got := h.do("PATCH", "/v1/devices/default/lamp/expected?wait=5s", `{"expected":{"level":50}}`); got.status != 200 {
		t.Errorf("wish with a failing disk: %d %s", got.status, got.body)
	}
	if got := h.do("GET", "/healthz", ""); got.status != 503 || !strings.Contains(string(got.body), "read-only file system") {
		t.Errorf("health with a failing disk: %d %s", got.status, got.body)
	}
	if got := h.do("PUT", "/v1/models/default/m", `{"properties":[]}`); got.status != 503 {
		t.Errorf("a definition that is not on disk was answered %d %s", got.status, got.body)
	}
}

func TestPages(t *testing.T) {
	h := newHouse(t)
	var devices []twin.Device
	for i := range 25 {
		devices = append(devices, twin.Device{Name: twin.Name{Namespace: "many", Name: fmt.Sprintf("d%02d", i)}, Model: lampMo})
	}
	if err := h.store.Apply(nil, devices); err != nil {
		t.Fatal(err)
	}
	type page struct {
		Devices []struct{ Namespace, Name string }
		Next    string
	}
	var names []string
	path := "/v1/devices?limit=7"
	for next := ""; ; {
		var p page
		if err := json.Unmarshal(h.do("GET", path+next, "").body, &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Devices) > 7 {
			t.Fatalf("a page of %d", len(p.Devices))
		}
		for _, d := range p.Devices {
			names = append(names, d.Namespace+"/"+d.Name)
		}
		if p.Next == "" {
			break
		}
		next = "&cursor=" + p.Next
	}
	var want []string
	for _, n := range h.store.Devices() {
		want = append(want, n.String())
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", names, want)
	}
	count := func(query string) int {
		var p page
		if err := json.Unmarshal(h.do("GET", "/v1/devices?"+query, "").body, &p); err != nil {
			t.Fatal(err)
		}
		return len(p.Devices)
	}
	for query, want := range map[string]int{
		"namespace=many": 25, "namespace=none": 0, "model=lamp-model": 27, "model=default/lamp-model&namespace=garden": 1,
		"node=cellar": 28, "node=attic": 0, "cursor=many/d20": 4, "cursor=many/d20x": 4, "limit=28": 28,
	} {
		if got := count(query); got != want {
			t.Errorf("%s: %d devices, want %d", query, got, want)
		}
	}
}

// TestHeaderBound: endless headers are cut.
func TestHeaderBound(t *testing.T) {
	h := newHouse(t)
	got := h.do("GET", "/v1/devices", "", "X-Long", strings.Repeat("x", 12<<10))
	if got.status != 200 {
		t.Errorf("12 KiB of headers: status %d", got.status)
	}
	c, err := net.Dial("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: edge\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 40<<10)); err != nil {
		t.Logf("cut while writing: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("40 KiB of headers: status %d", res.StatusCode)
	}
}
