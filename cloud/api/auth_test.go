package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/cloud/api"
)

// routes says of every route who may: a list of its own, so that a slip in the product's shows.
var routes = map[string]string{
	"GET /healthz":                                      "",
	"GET /openapi.json":                                 "",
	"GET /metrics":                                      "viewer",
	"GET /v1/devices":                                   "viewer",
	"GET /v1/devices/{namespace}/{name}":                "viewer",
	"GET /v1/wishes/{id}":                               "viewer",
	"GET /v1/watch":                                     "viewer",
	"GET /v1/models":                                    "viewer",
	"GET /v1/models/{namespace}/{name}":                 "viewer",
	"GET /v1/manifests/{namespace}/{name}":              "viewer",
	"GET /v1/profile":                                   "viewer",
	"GET /v1/nodes":                                     "viewer",
	"GET /v1/nodes/{name}":                              "viewer",
	"PATCH /v1/devices/{namespace}/{name}/expected":     "operator",
	"POST /v1/wishes":                                   "operator",
	"POST /v1/apply":                                    "admin",
	"PUT /v1/models/{namespace}/{name}":                 "admin",
	"DELETE /v1/devices/{namespace}/{name}":             "admin",
	"POST /v1/devices/{namespace}/{name}/move":          "admin",
	"DELETE /v1/nodes/{name}":                           "admin",
	"POST /v1/nodes/{name}/token":                       "admin",
	"POST /v1/nodes/{name}/revoke":                      "admin",
	"GET /v1/tokens":                                    "admin",
	"POST /v1/tokens":                                   "admin",
	"DELETE /v1/tokens/{id}":                            "admin",
	"GET /v1/audit":                                     "admin",
	"GET /v1/nothing":                                   "viewer", // no such route
	"GET /":                                             "viewer",
	"OPTIONS /v1/devices":                               "viewer",
	"POST /v1/devices":                                  "viewer",
	"HEAD /v1/tokens":                                   "admin",
	"HEAD /v1/devices":                                  "viewer",
	"GET /v1/devices/default/lamp/expected":             "viewer",
	"DELETE /v1/tokens/{id}/":                           "viewer",
	"GET //v1/tokens":                                   "admin", // a redirect at most
	"GET /v1/../v1/tokens":                              "admin",
	"PATCH /v1/devices/{namespace}/{name}/expected%2F/": "viewer",
}

// TestRoutesAndIdentities goes through every route with everybody.
func TestRoutesAndIdentities(t *testing.T) {
	var who, role string
	h := newHub(t, func(c *api.Config) {
		c.Attempts = 1 << 30
		c.Session = func(r *http.Request) (string, string, bool) {
			if c, err := r.Cookie("login"); err != nil || c.Value != "good" {
				return "", "", false
			}
			return who, role, true
		}
	})
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	expired, revoked := h.token("expired", "admin", "1h"), h.token("revoked", "admin", "")
	h.clock.pass(2 * time.Hour)
	h.want(204, "", h.admin, "DELETE", "/v1/tokens/"+revoked.ID, "")
	tokens := map[string]string{"viewer": h.token("v", "viewer", "").Secret, "operator": h.token("o", "operator", "").Secret, "admin": h.admin}
	good := tokens["admin"]

	type asker struct {
		name, role string
		header     []string
		bad        bool // says who he is, and it is not true
	}
	bearer := func(s string) []string { return []string{"Authorization", "Bearer " + s} }
	askers := []asker{
		{"nobody", "", nil, false},
		{"other scheme", "", []string{"Authorization", "Basic YWRtaW46YWRtaW4="}, true},
		{"no secret", "", []string{"Authorization", "Bearer"}, true},
		{"empty secret", "", []string{"Authorization", "Bearer "}, true},
		{"secret alone", "", []string{"Authorization", good}, true},
		{"half a secret", "", bearer(good[:20]), true},
		{"secret and more", "", bearer(good + "A"), true},
		{"two secrets", "", bearer(good + " " + good), true},
		{"wrong", "", bearer(good[:len(good)-2] + "AA"), true},
		{"other case", "", bearer(strings.ToUpper(good)), true},
		{"expired", "", bearer(expired.Secret), true},
		{"revoked", "", bearer(revoked.Secret), true},
		{"session that is over", "", []string{"Cookie", "login=old"}, false},
		{"wrong beside a session", "", append(bearer(good[:20]), "Cookie", "login=good"), true},
		{"scheme in small letters", "admin", []string{"Authorization", "bearer " + good}, false},
	}
	for _, r := range []string{"viewer", "operator", "admin"} {
		askers = append(askers, asker{"token of " + r, r, bearer(tokens[r]), false}, asker{"session of " + r, r, []string{"Cookie", "login=good"}, false})
	}
	askers = append(askers, asker{"session of no role", "root", []string{"Cookie", "login=good"}, false}, asker{"session of an empty role", "", []string{"Cookie", "login=good"}, false})

	rank := map[string]int{"": 0, "viewer": 1, "operator": 2, "admin": 3}
	fill := strings.NewReplacer("{namespace}", "nowhere", "{name}", "nothing", "{id}", "none")
	cells := 0
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		need := routes[route]
		method, path, _ := strings.Cut(route, " ")
		for _, a := range askers {
			cells++
			who, role = "somebody", a.role
			body := ""
			if method == "PATCH" || method == "PUT" || method == "POST" {
				body = "no JSON" // it gets no further than the body
			}
			if path == "/v1/watch" {
				path += "?after=x" // nor does this
			}
			got := h.as("", method, fill.Replace(path), body, a.header...)
			want := 0
			switch {
			case a.bad:
				want = http.StatusUnauthorized
			case rank[need] == 0:
			case rank[a.role] == 0:
				want = http.StatusUnauthorized
			case rank[a.role] < rank[need]:
				want = http.StatusForbidden
			}
			denied := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
			if want != 0 && got.status != want || want == 0 && denied {
				t.Errorf("%s as %s: %s; want %d", route, a.name, got, want)
			}
			if got.status == http.StatusUnauthorized && got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s as %s: 401 without WWW-Authenticate", route, a.name)
			}
			if got.status == http.StatusForbidden && !strings.Contains(string(got.body), "expected role "+need) && method != "HEAD" {
				t.Errorf("%s as %s: %s does not name the role %s", route, a.name, got, need)
			}
		}
	}
	t.Logf("%d cells", cells)

	// No route is missing above.
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(h.as("", "GET", "/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for path, ops := range doc.Paths {
		for method := range ops {
			if _, ok := routes[strings.ToUpper(method)+" "+path]; !ok {
				t.Errorf("%s %s is not in the table of this test", strings.ToUpper(method), path)
			}
			seen++
		}
	}
	if seen < 24 {
		t.Errorf("%d operations are described; there are more", seen)
	}
}

// TestOtherOrigin: a page of somebody else's cannot use a session that the browser adds.
func TestOtherOrigin(t *testing.T) {
	h := newHub(t, func(c *api.Config) {
		c.Session = func(r *http.Request) (string, string, bool) {
			_, err := r.Cookie("login")
			return "owner", "admin", err == nil
		}
	})
	const body = `{"properties":[]}`
	for _, tt := range []struct {
		site string
		want int
	}{{"same-origin", 200}, {"none", 200}, {"cross-site", 403}, {"same-site", 403}} {
		h.want(tt.want, "", "", "PUT", "/v1/models/default/m", body, "Cookie", "login=1", "Sec-Fetch-Site", tt.site)
	}
	h.want(403, "another origin", "", "PUT", "/v1/models/default/m", body, "Cookie", "login=1", "Origin", "https://evil.example")
	h.want(200, "", h.admin, "PUT", "/v1/models/default/m", body, "Origin", "https://evil.example") // it had to know the token
	if e := auditOf(t, h, "who=owner"); len(e) != 2 || e[0].Token != "" || e[0].Role != "admin" {
		t.Errorf("audit of a session: %+v", e)
	}
}

func TestAttempts(t *testing.T) {
	h := newHub(t)
	for range api.MaxAttempts {
		h.want(401, "", "tb_wrong", "GET", "/v1/devices", "")
	}
	got := h.want(429, "too many attempts", "tb_wrong", "GET", "/v1/devices", "")
	if got.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	h.want(200, "", h.admin, "GET", "/v1/devices", "")
	h.want(401, "", "", "GET", "/v1/devices", "") // who says nothing does not guess
	h.clock.pass(time.Minute)
	h.want(401, "", "tb_wrong", "GET", "/v1/devices", "")
}

func TestTokens(t *testing.T) {
	h := newHub(t)
	if got, want := len(h.admin), 46; got != want || !strings.HasPrefix(h.admin, "tb_") {
		t.Errorf("secret %q", h.admin)
	}
	phone := h.token("phone", "operator", "1h")
	if phone.Expires == nil || phone.Expires.Sub(phone.Created) != time.Hour || phone.LastUsed != "" {
		t.Errorf("made: %+v", phone)
	}
	h.want(200, "", phone.Secret, "GET", "/v1/devices", "")
	got := h.want(200, `"lastUsed":"`+h.clock.now().UTC().Format(time.DateOnly), h.admin, "GET", "/v1/tokens", "")
	if strings.Contains(string(got.body), phone.Secret) || strings.Contains(string(got.body), "hash") {
		t.Errorf("the list tells secrets: %s", got)
	}
	records, err := h.kept.List("token/")
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		if strings.Contains(string(r.Data), phone.Secret[3:]) {
			t.Error("a secret is kept as it is")
		}
	}
	for body, says := range map[string]string{
		`{"name":"phone","role":"viewer"}`:                           "there is a token named phone",
		`{"name":"x","role":"root"}`:                                 "viewer, operator or admin",
		`{"name":"x"}`:                                               "role",
		`{"name":"","role":"viewer"}`:                                "name",
		`{"role":"viewer"}`:                                          "name",
		`{"name":" x","role":"viewer"}`:                              "name",
		`{"name":"a\nb","role":"viewer"}`:                            "name",
		`{"name":"` + strings.Repeat("x", 65) + `","role":"viewer"}`: "name",
		`{"name":"x","role":"viewer","validFor":"soon"}`:             "validFor",
		`{"name":"x","role":"viewer","validFor":"-1h"}`:              "validFor",
		`{"name":"x","role":"viewer","validFor":"99999h"}`:           "validFor",
		`{"name":"x","role":"viewer","secret":"tb_mine"}`:            "secret",
		`{"name":"x","name":"y","role":"viewer"}`:                    "each key once",
		`null`: "a JSON object",
	} {
		got := h.as(h.admin, "POST", "/v1/tokens", body)
		if got.status != 422 && got.status != 409 || !strings.Contains(string(got.body), says) {
			t.Errorf("%s: %s, want it refused with %q", body, got, says)
		}
	}
	var list struct{ Tokens []struct{ ID, Name string } }
	if err := json.Unmarshal(h.as(h.admin, "GET", "/v1/tokens", "").body, &list); err != nil {
		t.Fatal(err)
	}
	h.want(409, "the last token of an admin", h.admin, "DELETE", "/v1/tokens/"+list.Tokens[0].ID, "")
	h.want(404, "no such token", h.admin, "DELETE", "/v1/tokens/none", "")

	// A disk that does not take it: revoked all the same, and said so.
	h.kept.broken.Store(true)
	h.want(503, "restart", h.admin, "DELETE", "/v1/tokens/"+phone.ID, "")
	h.want(401, "", phone.Secret, "GET", "/v1/devices", "")
	h.kept.broken.Store(false)
	h.want(204, "", h.admin, "DELETE", "/v1/tokens/"+phone.ID, "")
	if records, err := h.kept.List("token/"); err != nil || len(records) != 1 {
		t.Errorf("%d records after that, %v", len(records), err)
	}

	if _, fresh, err := h.api.FirstToken(); fresh || err != nil {
		t.Errorf("a second first token: %v, %v", fresh, err)
	}
	id, who, role, ok := h.api.Accept(h.admin)
	if who != "admin" || role != "admin" || !ok || !h.api.Still(id) {
		t.Errorf("Accept: %s %s %s %v, good %v", id, who, role, ok, h.api.Still(id))
	}
	if _, _, _, ok := h.api.Accept(phone.Secret); ok || h.api.Still(phone.ID) || h.api.Still("") {
		t.Error("a revoked token is taken, or none")
	}
	short := h.token("short", "viewer", "1h")
	if !h.api.Still(short.ID) {
		t.Error("a token that was just made is not good")
	}
	h.clock.pass(2 * time.Hour)
	if h.api.Still(short.ID) {
		t.Error("an expired token is good")
	}
}

// TestTokensAreBounded: those whose time is over make room.
func TestTokensAreBounded(t *testing.T) {
	h := newHub(t)
	seed := make([]api.Change, 0, api.MaxTokens)
	for i := range cap(seed) - 1 {
		role := "viewer"
		seed = append(seed, api.Change{Key: fmt.Sprintf("token/%d", i), Data: fmt.Appendf(nil,
			`{"id":"%d","name":"n%d","role":%q,"hash":"%s","created":"2026-01-01T00:00:00Z","expires":"2126-01-01T00:00:00Z"}`, i, i, role, hashText(i))})
	}
	if err := h.kept.Begin(seed...)(); err != nil {
		t.Fatal(err)
	}
	other, err := api.New(api.Config{Now: h.clock.now}, h.reg, h.kept, h.joins, discard())
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, other, h.admin, "POST", "/v1/tokens", `{"name":"one-more","role":"viewer"}`); got.status != 409 || !strings.Contains(string(got.body), "1000 tokens") {
		t.Errorf("the 1001st: %s", got)
	}
	h.clock.pass(150 * 365 * 24 * time.Hour)
	if got := ask(t, other, h.admin, "POST", "/v1/tokens", `{"name":"one-more","role":"viewer"}`); got.status != 201 {
		t.Errorf("when the others are over: %s", got)
	}
	if records, err := h.kept.List("token/"); err != nil || len(records) != 2 {
		t.Errorf("%d records, %v; want 2", len(records), err)
	}
}
