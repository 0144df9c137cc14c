package api

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

func TestLimiterIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLimiter(2, func() time.Time { return now })
	for i := range 3 * maxAddresses {
		l.fail(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if len(l.counts) > maxAddresses {
		t.Errorf("%d addresses are remembered, want at most %d", len(l.counts), maxAddresses)
	}
	now = now.Add(attemptTime)
	for i, want := range []bool{false, false, true, true} {
		// All of these are one asker's.
		if wait := l.fail(fmt.Sprintf("2001:db8::%d", i)); wait > 0 != want {
			t.Errorf("attempt %d: wait %v", i, wait)
		}
	}
	if wait := l.fail("2001:db8:0:1::1"); wait > 0 {
		t.Error("a neighbour's network is bounded too")
	}
	if l.fail("::ffff:192.0.2.1"); l.counts["192.0.2.1"].n != 1 {
		t.Error("an IPv4 address in IPv6's clothes is another one")
	}
	now = now.Add(-time.Hour) // the clock was put back
	if wait := l.fail("2001:db8::1"); wait > 0 {
		t.Errorf("the clock went back: wait %v", wait)
	}
}

// none keeps nothing.
type none struct{}

func (none) Get(string) ([]byte, bool, error) { return nil, false, nil }
func (none) List(string) ([]Record, error)    { return nil, nil }
func (none) Begin(...Change) func() error     { return func() error { return nil } }

// FuzzAccept: no text but the secret is let in.
func FuzzAccept(f *testing.F) {
	ts, err := openTokens(none{}, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	secret, _, err := ts.first()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{secret, secret + "=", secret[:45], "tb_", "", "TB_" + secret[3:], fmt.Sprintf("%x", sha256.Sum256([]byte(secret)))} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := ts.accept(s); ok != (s == secret) {
			t.Errorf("%q: %v", s, ok)
		}
	})
}

// TestDamagedRecords: what cannot be read is an error, not a token less.
func TestDamagedRecords(t *testing.T) {
	for _, data := range []string{``, `null`, `[]`, `{}`, `{"role":"admin"}`, `{"role":"root","hash":"` + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" + `"}`, `{"role":"admin","hash":"AAAA"}`} {
		if _, err := openTokens(some{tokenPrefix + "x", data}, time.Now); err == nil {
			t.Errorf("token %s is taken", data)
		}
	}
	for key, data := range map[string]string{auditPrefix + "x": `{}`, auditPrefix + "01": `[`} {
		if _, err := openAudit(some{key, data}, time.Now, nil); err == nil {
			t.Errorf("entry %s %s is taken", key, data)
		}
	}
}

// some keeps one record.
type some struct{ key, data string }

func (s some) Get(string) ([]byte, bool, error) { return nil, false, nil }
func (s some) List(string) ([]Record, error) {
	return []Record{{Key: s.key, Data: []byte(s.data)}}, nil
}
func (s some) Begin(...Change) func() error { return func() error { return nil } }
