package enroll

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const day = 24 * time.Hour

func TestClock(t *testing.T) {
	y1970 := time.Unix(100, 0)
	for _, tt := range []struct {
		name         string
		now          time.Time
		saved, built time.Time
		want         time.Time
		unset        bool
	}{
		{"nothing known", someDay, time.Time{}, time.Time{}, someDay, false},
		{"clock is the latest", someDay, someDay.Add(-day), someDay.Add(-2 * day), someDay, false},
		{"saved is the latest", someDay, someDay.Add(day), someDay.Add(-day), someDay.Add(day), false},
		{"build is the latest", someDay, someDay.Add(-day), someDay.Add(day), someDay.Add(day), false},
		{"no clock chip", y1970, someDay, someDay.Add(-day), someDay, true},
		{"no clock chip, first start", y1970, time.Time{}, someDay, someDay, true},
	} {
		c := newClock(func() time.Time { return tt.now }, tt.saved, tt.built)
		got := c.Time()
		// Where nobody set the clock, time runs on while this test runs.
		if got.Before(tt.want) || got.Sub(tt.want) > time.Minute || !tt.unset && !got.Equal(tt.want) || c.unset() != tt.unset {
			t.Errorf("%s: %v, unset %v; want %v, %v", tt.name, got, c.unset(), tt.want, tt.unset)
		}
	}
}

// TestClockRunsOn: without a clock chip and without a network, a day still takes a day.
func TestClockRunsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boot := time.Now()
		c := newClock(func() time.Time { return time.Unix(0, 0).Add(time.Since(boot)) }, someDay)
		for i := range 100 {
			want := someDay.Add(time.Duration(i) * day)
			if got := c.Time(); !got.Equal(want) {
				t.Fatalf("after %d days: %v, want %v", i, got, want)
			}
			if mark, ok := c.mark(); ok != (i > 0) {
				t.Fatalf("after %d days: to be saved %v", i, ok)
			} else if ok {
				c.marked(mark)
			}
			time.Sleep(day)
		}
	})
}

// TestClockLeap: a leap is believed at once, and saved only once it has lasted.
func TestClockLeap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandClock()
		c := newClock(h.now, time.Time{})
		save := func(want bool) {
			t.Helper()
			mark, ok := c.mark()
			if ok != want {
				t.Errorf("at %v: to be saved %v, want %v", h.now(), ok, want)
			}
			if ok {
				c.marked(mark)
			}
		}
		save(true)
		h.add(slack)
		save(true)
		h.add(10 * 365 * day)
		if !c.Time().Equal(h.now()) {
			t.Error("the leap is not believed")
		}
		save(false)
		time.Sleep(leapProof - time.Hour)
		save(false)
		h.set(someDay.Add(slack + time.Hour)) // and back
		if got := c.Time(); !got.Equal(h.now()) {
			t.Errorf("after the leap it is %v", got)
		}
		save(true)
		h.add(time.Hour)
		time.Sleep(2 * leapProof)
		save(true)
		h.add(100 * day) // this one is true
		save(false)
		time.Sleep(leapProof)
		save(true)
		h.add(-50 * day)
		if got := c.Time(); got.Before(h.now().Add(50 * day)) {
			t.Errorf("behind what was saved: %v", got)
		}
	})
}

// TestHubClock: ten years ahead, and back.
func TestHubClock(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	m, _ := h.member(t, "attic")
	nodeClock := newHandClock()
	m.clock = newClock(nodeClock.now, someDay)
	h.clock.add(time.Hour)
	h.token(t, "cellar")
	saved := func() time.Time {
		r, _, err := get[timeRecord](h.store, keyHubTime)
		if err != nil {
			t.Fatal(err)
		}
		return r.Time
	}
	if want := someDay.Add(time.Hour); !saved().Equal(want) {
		t.Errorf("saved %v, want %v", saved(), want)
	}
	for _, leap := range []time.Duration{10*365*day + day, 5 * 365 * day, 100 * day} {
		h.clock.add(leap)
		if _, err := h.who(t, m.TLS()); err == nil {
			t.Errorf("leap of %v: a certificate that ended is taken", leap)
		}
		token, err := h.NewToken("cellar", []string{hubURL}, time.Hour)
		var late *Member
		if leap > caLife {
			if !errors.Is(err, ErrAuthorityExpired) {
				t.Errorf("leap of %v: token: %v, want ErrAuthorityExpired", leap, err)
			}
		} else if err != nil {
			t.Errorf("leap of %v: %v", leap, err)
		} else if late, err = Join(t.Context(), newStore(), token.Text(), MemberConfig{Now: nodeClock.now, Dial: h.net.dial}); err != nil {
			t.Errorf("leap of %v: join: %v", leap, err)
		}
		h.reopen(t)
		h.clock.add(-leap)
		if !saved().Equal(someDay.Add(time.Hour)) {
			t.Errorf("leap of %v: saved %v", leap, saved())
		}
		for range 2 {
			if got, err := h.who(t, m.TLS()); got != "attic" || err != nil {
				t.Errorf("after a leap of %v: %q, %v", leap, got, err)
			}
			if late != nil {
				if got, err := h.who(t, late.TLS()); got != "cellar" || err != nil {
					t.Errorf("after a leap of %v, who joined in it: %q, %v", leap, got, err)
				}
			}
			h.reopen(t)
		}
	}
	// In 1970 the hub goes on from what it saved.
	h.clock.set(time.Unix(0, 0))
	h.reopen(t)
	if got, err := h.who(t, m.TLS()); got != "attic" || err != nil {
		t.Errorf("hub in 1970: %q, %v", got, err)
	}
	if next, _ := h.member(t, "shed"); next.Expires().Before(someDay.Add(DefaultLifetime)) {
		t.Errorf("a hub in 1970 makes certificates until %v", next.Expires())
	}
}

// TestHubSavesTime: once an hour, not at each look.
func TestHubSavesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		a, err := OpenAuthority(store, AuthorityConfig{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		before := store.count()
		time.Sleep(100*time.Hour + time.Minute)
		synctest.Wait()
		if n := store.count() - before; n != 100 {
			t.Errorf("%d commits in 100 hours", n)
		}
		store.setFull(true)
		time.Sleep(10 * time.Hour)
		store.setFull(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if r, _, err := get[timeRecord](store, keyHubTime); err != nil || time.Since(r.Time) > time.Hour {
			t.Errorf("saved %v, %v", r.Time, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestNodeIn1970: a node without a clock chip joins, restarts and renews.
func TestNodeIn1970(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	h.clock.add(3 * 365 * day) // its certificate is younger than its CA
	boot := func() MemberConfig {
		return MemberConfig{Now: func() time.Time { return time.Unix(20, 0) }, Dial: h.net.dial}
	}
	store := newStore()
	m, err := Join(t.Context(), store, h.token(t, "attic").Text(), boot())
	if err != nil {
		t.Fatal(err)
	}
	if r, _, err := get[timeRecord](store, keyMemberTime); err != nil || r.Time.Before(h.clock.now()) {
		t.Errorf("saved %v, %v; the token was made at %v", r.Time, err, h.clock.now())
	}
	for range 3 {
		if got, err := h.who(t, m.TLS()); got != "attic" || err != nil {
			t.Errorf("who: %q, %v", got, err)
		}
		h.clock.add(20 * day)
		if m, err = OpenMember(store, boot()); err != nil {
			t.Fatal(err)
		}
		if !m.clock.unset() {
			t.Error("the node takes its clock for set")
		}
		if err := m.renew(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if !m.Expires().Equal(h.clock.now().Add(DefaultLifetime)) {
			t.Errorf("until %v", m.Expires())
		}
	}
}

// TestNodeClockHeals: a node that saved a wrong time for good refuses its hub, until it joins again.
func TestNodeClockHeals(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	_, store := h.member(t, "attic")
	ch, err := put(keyMemberTime, timeRecord{Version: version, Time: someDay.Add(8 * 365 * day)})
	if err != nil {
		t.Fatal(err)
	}
	store.Commit(ch)
	m, err := OpenMember(store, h.memberConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.renew(t.Context(), false); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("renewal: %v, want a word about clocks", err)
	}
	cfg := h.memberConfig()
	cfg.Again = true
	if m, err = Join(t.Context(), store, h.token(t, "attic").Text(), cfg); err != nil {
		t.Fatal(err)
	}
	if got, err := h.who(t, m.TLS()); got != "attic" || err != nil {
		t.Errorf("who: %q, %v", got, err)
	}
}

// TestExpired: renewal by signature, up to the end of the grace.
func TestExpired(t *testing.T) {
	for _, tt := range []struct {
		after  time.Duration // since the certificate was made
		revoke bool
		ok     bool
	}{
		{DefaultLifetime + time.Hour, false, true},
		{DefaultLifetime + Grace, false, true},
		{DefaultLifetime + Grace + time.Second, false, false},
		{DefaultLifetime + time.Hour, true, false},
		{10 * day, true, false},
	} {
		h := newHub(t)
		h.serve(t, "hub.example:8443")
		m, _ := h.member(t, "attic")
		if tt.revoke {
			if err := h.Revoke("attic"); err != nil {
				t.Fatal(err)
			}
		}
		h.clock.add(tt.after)
		if tt.after > DefaultLifetime {
			if _, err := h.who(t, m.TLS()); err == nil {
				t.Errorf("after %v TLS takes the certificate", tt.after)
			}
		}
		err := m.renew(t.Context(), false)
		if tt.ok {
			if got, whoErr := h.who(t, m.TLS()); err != nil || got != "attic" || whoErr != nil {
				t.Errorf("after %v: %v; who: %q, %v", tt.after, err, got, whoErr)
			}
			continue
		}
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
			t.Errorf("after %v, revoked %v: %v, want status 403", tt.after, tt.revoke, err)
		}
	}
}

// TestExpiredByHubClock: the node's clock stands behind, so it does not know.
func TestExpiredByHubClock(t *testing.T) {
	h := newHub(t)
	h.serve(t, "hub.example:8443")
	m, _ := h.member(t, "attic")
	behind := newHandClock()
	m.clock = newClock(behind.now, someDay)
	h.clock.add(DefaultLifetime + day)
	err := m.renew(t.Context(), false)
	if err != nil { // the alert can get lost
		err = m.renew(t.Context(), true)
	}
	if err != nil || !m.Expires().Equal(h.clock.now().Add(DefaultLifetime)) {
		t.Errorf("until %v: %v", m.Expires(), err)
	}
}
