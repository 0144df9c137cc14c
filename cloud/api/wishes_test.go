package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

const (
	lampPath = "/v1/devices/default/lamp"
	lampWish = lampPath + "/expected"
)

func TestWishes(t *testing.T) {
	h := newHub(t)
	n := h.defined()
	op := h.token("phone", "operator", "").Secret
	h.want(200, `"outcome":"applied"`, op, "PATCH", lampWish+"?wait=5s", `{"expected":{"powerstatus":"ON","level":7}}`)
	got := h.want(200, `"origin":"cloud"`, op, "GET", lampPath, "")
	for _, want := range []string{`"labels":{"room":"hall"}`, `"lastSeen":"`, `"presence":"online"`, `"node":"attic"`} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("device: %s lacks %s", got.body, want)
		}
	}
	for _, tt := range []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"unknown property", lampWish, `{"expected":{"power":"ON"}}`, 422, "one of powerstatus, level, watts"},
		{"read-only", lampWish, `{"expected":{"watts":5}}`, 422, "read-only"},
		{"out of range", lampWish, `{"expected":{"level":101}}`, 422, "from 0 to 100"},
		{"no such device", "/v1/devices/default/attic/expected", `{"expected":{"level":1}}`, 404, "default/attic"},
		{"key twice", lampWish, `{"expected":{"level":1,"level":2}}`, 422, "each key once"},
	} {
		t.Run(tt.name, func(t *testing.T) { h.want(tt.status, tt.says, op, "PATCH", tt.path, tt.body) })
	}

	v, err := h.reg.Device(lamp)
	if err != nil {
		t.Fatal(err)
	}
	entries := auditOf(t, h, "device=lamp&who=phone")
	if len(entries) != 2 || !strings.Contains(entries[0].Refused, "read-only") {
		t.Fatalf("audit: %+v, want what was taken and what was refused", entries)
	}
	wish, err := h.reg.WaitOutcome(t.Context(), lamp, entries[1].Wish)
	if err != nil || wish.Asker != "phone" || wish.Origin != twin.FromCloud {
		t.Errorf("the wish: %+v, %v; want it of phone and the cloud", wish, err)
	}

	// Guards count under the node's store, and hold against what is on its way.
	tag := h.as(op, "GET", lampPath, "").header.Get("ETag")
	h.want(200, "applied", op, "PATCH", lampWish+"?wait=5s", `{"expected":{"powerstatus":"OFF"}}`, "If-Match", tag)
	eventually(t, "the hub knows the decision", func() bool {
		now, err := h.reg.Device(lamp)
		return err == nil && now.Prop("powerstatus").Rev > v.Prop("powerstatus").Rev
	})
	h.want(412, "powerstatus is now OFF", op, "PATCH", lampWish, `{"expected":{"powerstatus":"ON"}}`, "If-Match", tag)
	h.want(422, "If-Match", op, "PATCH", lampWish, `{"expected":{"powerstatus":"ON"}}`, "If-Match", "yes")

	// The node goes away.
	n.stop()
	got = h.want(200, `"nodeAway":"`, op, "GET", lampPath, "")
	if !strings.Contains(string(got.body), `"presence":"unknown"`) {
		t.Errorf("with its node away: %s", got.body)
	}
	got = h.want(202, `"outcome":"pending"`, op, "PATCH", lampWish+"?wait=10ms", `{"expected":{"powerstatus":"ON"}}`)
	tag = h.as(op, "GET", lampPath, "").header.Get("ETag")
	h.want(412, "", op, "PATCH", lampWish, `{"expected":{"powerstatus":"OFF"}}`, "If-Match", tag)
	var w deviceapi.Wish
	if err := json.Unmarshal(got.body, &w); err != nil {
		t.Fatal(err)
	}
	h.want(200, `"outcome":"pending"`, op, "GET", "/v1/wishes/"+w.ID, "")
	h.want(409, `"outcome":"expired"`, op, "PATCH", "/v1/devices/garden/porch/expected?wait=5s", `{"expected":{"powerstatus":"ON"},"validFor":"20ms"}`)
}

func TestBatch(t *testing.T) {
	h := newHub(t)
	n := h.defined()
	op := h.token("phone", "operator", "").Secret
	ask := func(status int, says, body string) deviceapi.Batched {
		t.Helper()
		got := h.want(status, says, op, "POST", "/v1/wishes?wait=5s", body)
		var b deviceapi.Batched
		if status == 200 {
			if err := json.Unmarshal(got.body, &b); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	outcomes := func(b deviceapi.Batched) string {
		var words []string
		for _, w := range b.Wishes {
			if w.Wish != nil {
				words = append(words, w.Device+" "+w.Wish.Outcome)
			} else {
				words = append(words, fmt.Sprintf("%s %d", w.Device, w.Status))
			}
		}
		return strings.Join(words, ", ")
	}
	for _, tt := range []struct{ sel, want string }{
		{`"all":true`, "default/lamp applied, garden/porch applied"},
		{`"select":{"namespace":"garden"}`, "garden/porch applied"},
		{`"select":{"node":"attic"}`, "default/lamp applied, garden/porch applied"},
		{`"select":{"model":"lamp"}`, "default/lamp applied"},
		{`"select":{"labels":{"room":"porch"}}`, "garden/porch applied"},
		{`"select":{"labels":{"room":"hall"},"node":"attic"}`, "default/lamp applied"},
	} {
		if got := outcomes(ask(200, "", `{`+tt.sel+`,"expected":{"powerstatus":"ON"}}`)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.sel, got, tt.want)
		}
	}
	b := ask(200, "one of powerstatus", `{"all":true,"expected":{"level":5}}`)
	if got := outcomes(b); got != "default/lamp applied, garden/porch 422" {
		t.Errorf("one that does not know the property: %s", got)
	}
	for body, says := range map[string]string{
		`{"expected":{"level":5}}`:                                      `all`,
		`{"select":{},"expected":{"level":5}}`:                          `all`,
		`{"select":{"node":"attic"},"all":true,"expected":{"level":5}}`: `either select or all`,
		`{"all":true}`: `at least one property`,
		`{"all":true,"expected":{"level":5},"validFor":"soon"}`:                 `validFor`,
		`{"select":{"room":"x"},"expected":{"level":5}}`:                        `room`,
		`{"select":{"labels":{"a b":"x"}},"expected":{"level":5}}`:              `label`,
		`{"select":{"model":"a/b/c"},"expected":{"level":5}}`:                   `name`,
		`{"select":{"node":"attic","node":"attic"},"expected":{"level":5}}`:     `each key once`,
		`{"select":{"node":"attic"},"expected":{"level":5},"insist":"perhaps"}`: `insist`,
	} {
		ask(422, says, body)
	}
	ask(404, "no device is selected", `{"select":{"node":"cellar"},"expected":{"level":5}}`)
	ask(400, "JSON", `all off`)
	h.want(415, "application/json", op, "POST", "/v1/wishes", `{"all":true}`, "Content-Type", "text/plain")

	// With nobody to answer, all of the time is over at once.
	n.idle.Store(true)
	start := time.Now()
	got := h.want(200, `"pending"`, op, "POST", "/v1/wishes?wait=100ms", `{"all":true,"expected":{"powerstatus":"OFF"}}`)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("waiting 100ms for two took %v: %s", took, got)
	}
}

// TestBatchOfMany: thousands of wishes share commits.
func TestBatchOfMany(t *testing.T) {
	h := newHub(t)
	const count = 3000
	var devices []twin.Device
	for i := range count {
		devices = append(devices, twin.Device{
			Name: twin.Name{Namespace: "many", Name: fmt.Sprintf("d%04d", i)}, Node: "attic",
			Properties: []twin.Property{{Name: "power", Type: twin.Bool}},
		})
	}
	if err := h.reg.Apply(t.Context(), nil, devices); err != nil {
		t.Fatal(err)
	}
	before, start := h.file.Stats().Commits, time.Now()
	got := h.as(h.admin, "POST", "/v1/wishes", `{"select":{"namespace":"many"},"expected":{"power":true}}`)
	commits := h.file.Stats().Commits - before
	var b deviceapi.Batched
	if err := json.Unmarshal(got.body, &b); err != nil || got.status != 200 || len(b.Wishes) != count {
		t.Fatalf("%d wishes, %v, status %d", len(b.Wishes), err, got.status)
	}
	for _, w := range b.Wishes {
		if w.Wish == nil || w.Wish.Outcome != "pending" {
			t.Fatalf("%s: %+v", w.Device, w)
		}
	}
	t.Logf("%d wishes in %v, %d commits", count, time.Since(start).Round(time.Millisecond), commits)
	if commits > count/20 {
		t.Errorf("%d wishes took %d commits", count, commits)
	}
	entries := auditOf(t, h, "device=many/d1234")
	if len(entries) != 1 || entries[0].Action != "wishes" || entries[0].Devices != count {
		t.Errorf("audit: %+v, want one act for all", entries)
	}
	for i := range count {
		devices[i].Name.Namespace = "more"
	}
	for i := range 3 {
		for j := range devices {
			devices[j].Name.Namespace, devices[j].Node = fmt.Sprint("more", i), fmt.Sprint("node", i)
		}
		if err := h.reg.Apply(t.Context(), nil, devices); err != nil {
			t.Fatal(err)
		}
	}
	h.want(422, "at most 10000 devices", h.admin, "POST", "/v1/wishes", `{"all":true,"expected":{"power":true}}`)
}

func TestApply(t *testing.T) {
	h := newHub(t)
	h.defined()
	const yaml = "application/yaml"
	apply := func(status int, says, text string) reply {
		t.Helper()
		return h.want(status, says, h.admin, "POST", "/v1/apply", text, "Content-Type", yaml)
	}
	device := func(name, spec string) string {
		return "apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {name: " + name + "}\nspec: {deviceModelRef: {name: lamp}" + spec + "}\n"
	}
	apply(422, "spec.nodeName", device("new", ""))
	apply(422, "known are attic", device("new", ""))
	apply(200, "default/new", device("new", ", nodeName: attic"))
	apply(200, "default/new", device("new", "")) // it hangs where it hung
	apply(422, "deviceModelRef", strings.Replace(device("other", ", nodeName: attic"), "{name: lamp}", "{name: none}", 1))
	apply(422, "Device", "kind: none")
	apply(422, "no device and no model", "# nothing")
	apply(400, "body", "")

	// desired is a wish only where it changed.
	desired := func(v string) string {
		return device("new", ", nodeName: attic, properties: [{name: powerstatus, desired: {value: \""+v+"\"}}]")
	}
	apply(200, `"powerstatus":"ON"`, desired("ON"))
	if got := apply(200, "", desired("ON")); strings.Contains(string(got.body), "wishes") {
		t.Errorf("the same file again wishes: %s", got)
	}
	apply(200, `"powerstatus":"OFF"`, desired("OFF"))
	apply(422, "MAYBE", desired("MAYBE"))

	// What is exported applies unchanged.
	text := h.want(200, "nodeName: attic", h.admin, "GET", "/v1/manifests/default/lamp", "").body
	before, err := h.reg.Device(lamp)
	if err != nil {
		t.Fatal(err)
	}
	apply(200, "default/lamp", string(text))
	if after, err := h.reg.Device(lamp); err != nil || after.Device.Generation != before.Device.Generation {
		t.Errorf("the exported manifest changed something: %+v", after.Device)
	}
	h.want(200, "deviceInstances", h.admin, "GET", "/v1/profile?devices=lamp", "")
	h.want(404, "default/none", h.admin, "GET", "/v1/profile?devices=none", "")

	h.want(200, `"name":"powerstatus"`, h.admin, "GET", "/v1/models/default/lamp", "")
	h.want(404, "no such model", h.admin, "GET", "/v1/models/default/none", "")
	got := h.want(200, `"next":"default/lamp"`, h.admin, "GET", "/v1/models?limit=1", "")
	if strings.Contains(string(got.body), "garden") {
		t.Errorf("a page of one model: %s", got)
	}
	h.want(200, `"namespace":"garden"`, h.admin, "GET", "/v1/models?cursor=default/lamp", "")
	h.want(200, "fresh", h.admin, "PUT", "/v1/models/default/fresh", `{"properties":[{"name":"a","type":"int"}]}`)
	h.want(204, "", h.admin, "DELETE", "/v1/devices/default/new", "")
	h.want(404, "default/new", h.admin, "DELETE", "/v1/devices/default/new", "")
}

// TestModelOfANode is what a device was made with that its node defines.
func TestModelOfANode(t *testing.T) {
	h := newHub(t)
	n := h.node("attic")
	model := twin.Name{Namespace: "default", Name: "theirs"}
	err := n.store.Apply([]twin.DeviceModel{{Name: model, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}}, []twin.Device{{Name: lamp, Model: model}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hub knows the lamp", func() bool { _, err := h.reg.Device(lamp); return err == nil })
	h.want(200, `"name":"power"`, h.admin, "GET", "/v1/models/default/theirs", "")
	h.want(200, "theirs", h.admin, "GET", "/v1/manifests/default/lamp", "")
	h.want(409, "node attic defines it", h.admin, "DELETE", lampPath, "")
	h.want(409, "node attic defines it", h.admin, "POST", lampPath+"/move", `{"node":"cellar"}`)
}

func TestHealth(t *testing.T) {
	h := newHub(t)
	if got := h.want(200, "", "", "GET", "/healthz", ""); string(got.body) != `{"status":"ok"}` {
		t.Errorf("a stranger is told %s", got.body)
	}
	h.want(200, `"version":"test"`, h.admin, "GET", "/healthz", "")
	h.want(200, `"nodes":0`, h.admin, "GET", "/healthz", "")
	h.reg.Committed(twin.HubBatch{}, errors.New("no space left"))
	if got := h.want(503, "degraded", "", "GET", "/healthz", ""); strings.Contains(string(got.body), "space") {
		t.Errorf("a stranger is told %s", got.body)
	}
}
