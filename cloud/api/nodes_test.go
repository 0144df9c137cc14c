package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

func TestNodes(t *testing.T) {
	h := newHub(t)
	n := h.defined()
	h.joins.until["attic"] = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	got := h.want(200, `"name":"attic","connected":true,"since":"`, h.admin, "GET", "/v1/nodes", "")
	for _, want := range []string{`"version":"9"`, `"devices":2`, `"certificateExpires":"2027-01-01T00:00:00Z"`, `"store":"`} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("nodes: %s lacks %s", got, want)
		}
	}
	h.want(200, `"connected":true`, h.admin, "GET", "/v1/nodes/attic", "")
	h.want(404, "cellar", h.admin, "GET", "/v1/nodes/cellar", "")

	h.want(409, "default/lamp", h.admin, "DELETE", "/v1/nodes/attic", "")
	if _, ok := h.joins.Expiry("attic"); !ok {
		t.Error("a node that stays lost its certificate")
	}
	h.want(204, "", h.admin, "POST", "/v1/nodes/attic/revoke", "")
	h.want(404, "attic", h.admin, "POST", "/v1/nodes/attic/revoke", "")
	if got := h.want(200, "", h.admin, "GET", "/v1/nodes/attic", ""); strings.Contains(string(got.body), "certificateExpires") {
		t.Errorf("revoked: %s", got)
	}

	h.want(200, `"token":"join-cellar","expires":"2026-01-02T04:04:05Z"`, h.admin, "POST", "/v1/nodes/cellar/token", "")
	h.want(200, `"expires":"2026-01-02T03:34:05Z"`, h.admin, "POST", "/v1/nodes/cellar/token", `{"validFor":"30m"}`)
	for body, says := range map[string]string{
		`{"validFor":"61m"}`: "validFor", `{"validFor":"0s"}`: "validFor", `{"validFor":"soon"}`: "validFor", `{"validfor":1,"x":2}`: "", `[]`: "a JSON object",
	} {
		h.want(422, says, h.admin, "POST", "/v1/nodes/cellar/token", body)
	}
	h.want(422, "name", h.admin, "POST", "/v1/nodes/a%2Fb/token", "")
	h.want(400, "JSON", h.admin, "POST", "/v1/nodes/cellar/token", "1h")

	// Moved away, the devices do not hold the node any more.
	h.want(422, "node", h.admin, "POST", lampPath+"/move", `{}`)
	h.want(422, "128 bytes", h.admin, "POST", lampPath+"/move", `{"node":"a b"}`)
	h.want(404, "none", h.admin, "POST", "/v1/devices/default/none/move", `{"node":"cellar"}`)
	for _, path := range []string{lampPath, "/v1/devices/garden/porch"} {
		h.want(204, "", h.admin, "POST", path+"/move", `{"node":"cellar","force":true}`)
	}
	h.want(200, `"node":"cellar"`, h.admin, "GET", lampPath, "")
	n.stop()
	h.joins.until["attic"] = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	h.joins.fails = errors.New("disk")
	if got := h.as(h.admin, "DELETE", "/v1/nodes/attic", ""); got.status < 500 {
		t.Errorf("a certificate that stays good: %s", got)
	}
	h.joins.fails = nil
	h.want(204, "", h.admin, "DELETE", "/v1/nodes/attic", "")
	h.want(404, "attic", h.admin, "GET", "/v1/nodes/attic", "")
	h.want(404, "attic", h.admin, "DELETE", "/v1/nodes/attic", "")
}

// TestNodeRefuses: why a node does not take a definition is the device's trouble.
func TestNodeRefuses(t *testing.T) {
	h := newHub(t)
	n := h.node("attic")
	eventually(t, "attic is there", func() bool { v, ok := h.reg.Node("attic"); return ok && v.Connected })
	if err := n.store.Apply(nil, []twin.Device{{Name: lamp, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hub knows it", func() bool { _, err := h.reg.Device(lamp); return err == nil })
	h.want(409, "node attic defines it", h.admin, "POST", "/v1/apply", manifests, "Content-Type", "application/yaml")
}

// TestLabelsFilter: lists and streams by label.
func TestLabelsFilter(t *testing.T) {
	h := newHub(t)
	h.defined()
	for query, want := range map[string]int{
		"label=room=hall": 1, "label=room=": 0, "label=room=hall&label=floor=1": 0, "label=room=porch&namespace=garden": 1, "label=room=hall&label=room=hall": 1,
	} {
		got := h.want(200, "", h.admin, "GET", "/v1/devices?"+query, "")
		if n := strings.Count(string(got.body), `"uid"`); n != want {
			t.Errorf("%s: %d devices, want %d", query, n, want)
		}
	}
	for query, says := range map[string]string{
		"label=room": "key=value", "label==x": "label", "label=a b=x": "label", "label=room=hall&label=room=porch": "one value for each key",
		"label=": "label", "label=room=" + strings.Repeat("x", 64): "label room",
	} {
		h.want(422, says, h.admin, "GET", "/v1/devices?"+strings.ReplaceAll(query, " ", "%20"), "")
		h.want(422, says, h.admin, "GET", "/v1/watch?"+strings.ReplaceAll(query, " ", "%20"), "")
	}
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("label=k%d=v", i)
	}
	h.want(422, "label", h.admin, "GET", "/v1/devices?"+strings.Join(many, "&"), "")
}
