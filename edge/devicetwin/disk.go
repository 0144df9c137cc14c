package devicetwin

import (
	"errors"
	"log/slog"
	"time"

	"twinbridge/internal/store"
)

// diskState remembers how the disk fares, so that the log tells each change once, however often it is tried.
type diskState struct {
	trouble  string // "": none
	since    time.Time
	failures int
}

// note takes the result of a commit.
func (d *diskState) note(log *slog.Logger, err error) {
	now := trouble(err)
	if now == d.trouble {
		if now != "" {
			d.failures++
		}
		return
	}
	if now == "" {
		log.Warn("disk takes decisions again", "failures", d.failures, "lasted", time.Since(d.since).Round(time.Millisecond))
		*d = diskState{}
		return
	}
	if d.trouble == "" {
		d.since = time.Now()
	}
	d.trouble = now
	d.failures++
	log.Error("disk does not take decisions: they are kept in memory only, and not told to the hub", "trouble", now, "error", err)
}

// trouble names what is wrong in a word or two; "" if nothing is.
func trouble(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, store.ErrFull):
		return "full"
	case errors.Is(err, store.ErrDamaged):
		return "damaged"
	case errors.Is(err, store.ErrTooLarge):
		return "record too large"
	}
	return "failing"
}
