package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Sync is what the kernel says of its clock.
type Sync struct {
	Synchronised bool
	MaxError     time.Duration // the bound that the kernel gives; grows while nobody sets the clock
}

// Clock is what is known of the time.
type Clock struct {
	Now   func() time.Time
	Sync  func() (Sync, error)
	Built time.Time // when the program was built; zero: not known
	// Last is when the store was last written, by this machine's clock; zero: not known.
	Last func() time.Time
}

const (
	// slack is how far a clock may stand behind the store: one that was set back, or that will catch up.
	slack = time.Minute
	// farAhead is how old a program may get until its clock rather than its age is doubted.
	farAhead = 15 * 365 * 24 * time.Hour
)

// setClock is how one sets a clock.
var setClock = []string{
	"let it be set by NTP: timedatectl set-ntp true, then: timedatectl",
	"a Raspberry Pi has no clock that runs while it is off: give it a network at the start, or an RTC",
}

// CheckClock tells whether the time can be right, and whether somebody sets it.
func CheckClock(c Clock) Check {
	return Check{Name: "clock", Look: func(context.Context) Finding {
		var f Finding
		now := c.Now()
		says := "the clock says " + now.UTC().Format("2006-01-02 15:04:05") + " UTC"
		last := c.Last()
		switch {
		case !c.Built.IsZero() && now.Before(c.Built):
			f.see(Fail, says+", and this program was built on "+day(c.Built), setClock...)
		case now.Before(last.Add(-slack)):
			f.see(Fail, says+", and the store was written at "+last.UTC().Format("2006-01-02 15:04:05"), setClock...)
		case !c.Built.IsZero() && now.After(c.Built.Add(farAhead)):
			f.see(Warn, says+", long after this program was built ("+day(c.Built)+")", setClock...)
		default:
			f.see(OK, says)
		}
		s, err := c.Sync()
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			f.see(Skipped, "this system does not tell whether somebody sets the clock")
		case err != nil:
			f.see(Skipped, "whether somebody sets the clock cannot be told: "+err.Error())
		case !s.Synchronised:
			f.see(Warn, "nobody sets the clock (the kernel calls it not synchronised)", append([]string{
				"certificates and the times that people see go wrong with it; switching does not",
				"in a container or a guest the host may set it, unknown to the kernel here: then all is well",
			}, setClock...)...)
		default:
			f.see(OK, fmt.Sprintf("it is set from elsewhere, right within %v", s.MaxError.Round(time.Millisecond)))
		}
		return f
	}}
}

// Certificate is one that this node shows or trusts.
type Certificate struct {
	Name string // what it is for
	Read func() ([]*x509.Certificate, error)
	Cure string // what to do when it has expired
}

// soon is how long before its end a certificate is worth a word: nodes renew at 10 days.
const soon = 7 * 24 * time.Hour

// CheckCertificates tells which certificates are not good yet, no longer, or not for long.
func CheckCertificates(now func() time.Time, list []Certificate) Check {
	return Check{Name: "certificates", Look: func(context.Context) Finding {
		var f Finding
		for _, c := range list {
			chain, err := c.Read()
			if err != nil {
				if errors.Is(err, ErrInUse) {
					f.see(Skipped, c.Name+": the running node has it in its store")
				} else {
					f.see(Fail, c.Name+": "+err.Error(), c.Cure)
				}
				continue
			}
			for _, cert := range chain {
				judgeCertificate(&f, now(), c, cert)
			}
		}
		if len(f.Seen) == 0 {
			return found(Skipped, "there are none")
		}
		return f
	}}
}

func judgeCertificate(f *Finding, now time.Time, c Certificate, cert *x509.Certificate) {
	until := c.Name + ": good until " + day(cert.NotAfter)
	switch {
	case now.Before(cert.NotBefore):
		f.see(Fail, c.Name+": good only from "+day(cert.NotBefore), "the clock is probably wrong: see the check clock")
	case now.After(cert.NotAfter):
		f.see(Fail, c.Name+": it ended on "+day(cert.NotAfter), c.Cure, "if that is in the future, the clock is wrong: see the check clock")
	case now.Add(soon).After(cert.NotAfter):
		f.see(Warn, until, c.Cure)
	default:
		f.see(OK, until)
	}
}
