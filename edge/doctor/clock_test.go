package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCheckClock(t *testing.T) {
	synced := Sync{Synchronised: true, MaxError: 12 * time.Millisecond}
	for name, tt := range map[string]struct {
		sync  Sync
		err   error
		built time.Time
		last  time.Time
		want  want
	}{
		"right":          {synced, nil, noon.Add(-time.Hour), noon.Add(-time.Minute), want{OK, "right within 12ms", ""}},
		"nothing known":  {synced, nil, time.Time{}, time.Time{}, want{OK, "2026-06-01 12:00:00", ""}},
		"nobody sets it": {Sync{}, nil, time.Time{}, time.Time{}, want{Warn, "not synchronised", "timedatectl"}},
		"not told":       {Sync{}, fmt.Errorf("x: %w", errors.ErrUnsupported), time.Time{}, time.Time{}, want{OK, "does not tell", ""}},
		"not allowed":    {Sync{}, errOther, time.Time{}, time.Time{}, want{OK, "something else", ""}},
		"before build":   {synced, nil, noon.Add(time.Hour), time.Time{}, want{Fail, "was built on 2026-06-01", "RTC"}},
		"before store":   {synced, nil, time.Time{}, noon.Add(2 * time.Minute), want{Fail, "store was written at 2026-06-01 12:02:00", "NTP"}},
		"a little back":  {synced, nil, time.Time{}, noon.Add(30 * time.Second), want{OK, "says", ""}},
		"far ahead":      {synced, nil, noon.AddDate(-20, 0, 0), time.Time{}, want{Warn, "long after", "NTP"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckClock(Clock{
				Now: atNoon, Sync: func() (Sync, error) { return tt.sync, tt.err }, Built: tt.built, Last: func() time.Time { return tt.last },
			})))
		})
	}
	if _, err := ClockSync(); err != nil {
		t.Errorf("the kernel: %v", err)
	}
}

func TestCheckCertificates(t *testing.T) {
	good := func(from, to time.Duration) func() ([]*x509.Certificate, error) {
		return func() ([]*x509.Certificate, error) {
			return []*x509.Certificate{{NotBefore: noon.Add(from), NotAfter: noon.Add(to)}}, nil
		}
	}
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		read func() ([]*x509.Certificate, error)
		want want
	}{
		"good":    {good(-day, 30*day), want{OK, "one: good until 2026-07-01", ""}},
		"not yet": {good(day, 30*day), want{Fail, "good only from 2026-06-02", "clock"}},
		"ended":   {good(-30*day, -day), want{Fail, "ended on 2026-05-31", "renew it"}},
		"soon":    {good(-30*day, 3*day), want{Warn, "good until 2026-06-04", "renew it"}},
		"none":    {func() ([]*x509.Certificate, error) { return nil, nil }, want{Skipped, "there are none", ""}},
		"in use":  {func() ([]*x509.Certificate, error) { return nil, ErrInUse }, want{Skipped, "the running node has it", ""}},
		"no file": {func() ([]*x509.Certificate, error) { return nil, errOther }, want{Fail, "something else", "renew it"}},
		"a chain ": {func() ([]*x509.Certificate, error) {
			a, _ := good(-day, 30*day)()
			b, _ := good(-9*day, -day)()
			return append(a, b...), nil
		}, want{Fail, "ended", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckCertificates(atNoon, []Certificate{{Name: "one", Read: tt.read, Cure: "renew it"}})))
		})
	}
}
