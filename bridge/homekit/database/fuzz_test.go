package database

import (
	"encoding/json"
	"testing"
)

// FuzzWrite: whatever comes, the answer is JSON or nothing, and values stay within their bounds.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{
		`{"characteristics":[{"aid":2,"iid":9,"value":true,"ev":true,"r":true}]}`,
		`{"characteristics":[{"aid":2,"iid":10,"value":55}],"pid":7}`,
		`{"ttl":100,"pid":7}`,
		`{"characteristics":[{"aid":2,"iid":11,"value":-0.5},{"aid":3,"iid":13,"value":"\ud800"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := newHouse(t)
		c, _ := h.client("a")
		check := func(status int, answer []byte) {
			if status == 204 && answer == nil {
				return
			}
			if (status != 200 && status != 207 && status != 400) || !json.Valid(answer) {
				t.Errorf("%d %q", status, answer)
			}
		}
		check(c.Prepare(body))
		check(c.Write(body))
		check(c.Read("id=2.9,2.10,2.11,2.13,2.14"))
		if v, _ := h.Get(2, 10); v.Number() < 0 || v.Number() > 100 {
			t.Errorf("brightness %v", v)
		}
		if !json.Valid(h.Accessories()) {
			t.Errorf("%q", h.Accessories())
		}
	})
}

// FuzzRead: whatever is asked, the answer is JSON.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"id=2.9", "id=2.9,1.3&meta=1&perms=1&type=1&ev=1", "id=1.1%2C1.2", "&&=&id=9.9"} {
		f.Add(s)
	}
	h := newHouse(f)
	f.Fuzz(func(t *testing.T, query string) {
		c, _ := h.client("a")
		defer c.Close()
		if status, answer := c.Read(query); (status != 200 && status != 207 && status != 400) || !json.Valid(answer) {
			t.Errorf("%d %q", status, answer)
		}
	})
}
