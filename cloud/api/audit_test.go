package api_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"twinbridge/cloud/api"
	"twinbridge/internal/deviceapi"
)

func auditOf(t *testing.T, h *hub, query string) []deviceapi.AuditEntry {
	t.Helper()
	got := h.as(h.admin, "GET", "/v1/audit?"+query, "")
	var a deviceapi.Audit
	if err := json.Unmarshal(got.body, &a); err != nil || got.status != 200 {
		t.Fatalf("audit: %s, %v", got, err)
	}
	return a.Entries
}

// TestAudit: every act is in it, with who and what, also after a restart.
func TestAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	var want, secret string
	t.Run("acts", func(t *testing.T) {
		h := openHub(t, path)
		secret = h.admin
		h.defined()
		phone := h.token("phone", "operator", "")
		h.want(200, "", phone.Secret, "PATCH", lampWish+"?wait=5s", `{"expected":{"powerstatus":"ON"},"validFor":"5m","insist":true}`)
		h.want(200, "", phone.Secret, "POST", "/v1/wishes", `{"select":{"namespace":"garden"},"expected":{"powerstatus":"ON"}}`)
		h.want(200, "", h.admin, "PUT", "/v1/models/default/m", `{"properties":[]}`)
		h.want(204, "", h.admin, "POST", lampPath+"/move", `{"node":"cellar","force":true}`)
		h.want(200, "", h.admin, "POST", "/v1/nodes/cellar/token", "")
		h.want(404, "", h.admin, "POST", "/v1/nodes/cellar/revoke", "")
		h.want(404, "", h.admin, "DELETE", "/v1/devices/default/none", "")
		h.want(204, "", h.admin, "DELETE", "/v1/tokens/"+phone.ID, "")
		h.want(204, "", h.admin, "DELETE", "/v1/devices/garden/porch", "")
		var lines []string
		for _, e := range auditOf(t, h, "") {
			if e.At.IsZero() || e.From != "127.0.0.1" || e.Token == "" || (e.Action == "wish") != (e.Wish != "") {
				t.Errorf("entry %+v", e)
			}
			lines = append(lines, fmt.Sprintf("%s %s: %s %s (%s) %q", e.Who, e.Role, e.Action, strings.Replace(e.Object, phone.ID, "ID", 1), e.Detail, e.Refused))
		}
		want = strings.Join(lines, "\n")
		if got := want; got != `admin admin: delete garden/porch () ""
admin admin: revoke-token ID (phone) ""
admin admin: delete default/none () "no such device: default/none"
admin admin: revoke-node cellar () "node cellar: no such node"
admin admin: make-join-token cellar (for 1h0m0s) ""
admin admin: move default/lamp (to cellar, forced) ""
admin admin: define-model default/m () ""
phone operator: wishes namespace garden (powerstatus=ON) ""
phone operator: wish default/lamp (powerstatus=ON for 5m0s insisting) ""
admin admin: make-token phone (role operator) ""
admin admin: apply default/lamp garden/lamp default/lamp garden/porch () ""` {
			t.Errorf("got\n%s", got)
		}
		if got := auditOf(t, h, "device=garden/porch"); len(got) != 3 {
			t.Errorf("about porch: %+v", got)
		}
		if got := auditOf(t, h, "who=phone&device=lamp"); len(got) != 1 || got[0].Action != "wish" {
			t.Errorf("phone about lamp: %+v", got)
		}
		for query, says := range map[string]string{"limit=0": "limit", "cursor=x": "cursor", "cursor=0": "cursor", "device=a/b/c": "name", "whom=x": "whom"} {
			h.want(422, says, h.admin, "GET", "/v1/audit?"+query, "")
		}
	})
	t.Run("after a restart", func(t *testing.T) {
		h := openHub(t, path)
		if h.admin != "" {
			t.Fatal("a second admin's token was made")
		}
		h.admin = secret
		entries := auditOf(t, h, "")
		if got := len(entries); got != strings.Count(want, "\n")+1 || entries[0].Action != "delete" || entries[2].Refused == "" {
			t.Errorf("%d entries, want %d: %+v", got, strings.Count(want, "\n")+1, entries)
		}
	})
}

// TestAuditPages walks all pages.
func TestAuditPages(t *testing.T) {
	h := newHub(t)
	for i := range 25 {
		h.want(200, "", h.admin, "PUT", fmt.Sprintf("/v1/models/default/m%d", i), `{"properties":[]}`)
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		got := h.as(h.admin, "GET", "/v1/audit?limit=10"+cursor, "")
		var a deviceapi.Audit
		if err := json.Unmarshal(got.body, &a); err != nil || len(a.Entries) == 0 || len(a.Entries) > 10 {
			t.Fatalf("%s: %v", got, err)
		}
		for _, e := range a.Entries {
			seen[e.Object] = true
		}
		if a.Next == "" {
			break
		}
		cursor = "&cursor=" + a.Next
	}
	if len(seen) != 25 {
		t.Errorf("%d entries seen, want 25", len(seen))
	}
}

// TestAuditIsBounded: the oldest go, on disk too.
func TestAuditIsBounded(t *testing.T) {
	h := newHub(t)
	seed := make([]api.Change, 0, api.MaxAudit+50)
	for i := range cap(seed) {
		seed = append(seed, api.Change{Key: fmt.Sprintf("audit/%016x", i+1), Data: fmt.Appendf(nil, `{"who":"seed","object":"o%d"}`, i)})
	}
	if err := h.kept.Begin(seed...)(); err != nil {
		t.Fatal(err)
	}
	a, err := api.New(api.Config{}, h.reg, h.kept, h.joins, discard())
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, a, h.admin, "PUT", "/v1/models/default/m", `{"properties":[]}`); got.status != 200 {
		t.Fatalf("define: %s", got)
	}
	records, err := h.kept.List("audit/")
	if err != nil || len(records) != api.MaxAudit {
		t.Errorf("%d records, %v; want %d", len(records), err, api.MaxAudit)
	}
}

// TestAuditNotOnDisk: what cannot be noted is answered so.
func TestAuditNotOnDisk(t *testing.T) {
	h := newHub(t)
	h.defined()
	h.kept.broken.Store(true)
	h.want(503, "the audit of it is not on disk", h.admin, "PATCH", lampWish, `{"expected":{"powerstatus":"ON"}}`)
	h.want(503, "", h.admin, "POST", "/v1/wishes", `{"all":true,"expected":{"powerstatus":"ON"}}`)
	h.kept.broken.Store(false)
	h.want(200, "applied", h.admin, "PATCH", lampWish+"?wait=5s", `{"expected":{"powerstatus":"OFF"}}`)
}

// TestOneCommit: who did it goes to disk with what he did.
func TestOneCommit(t *testing.T) {
	h := newHub(t)
	n := h.defined()
	n.stop()
	before := h.file.Stats().Commits
	for i := range 50 {
		h.want(202, "pending", h.admin, "PATCH", lampWish, fmt.Sprintf(`{"expected":{"level":%d}}`, i))
	}
	if got := h.file.Stats().Commits - before; got > 55 {
		t.Errorf("50 wishes took %d commits, want one each", got)
	}
}
