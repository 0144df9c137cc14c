package deviceapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"twinbridge/twin"
)

// An ETag says what its reader had seen of the wishes: which creation of the device, in which store, and up to which
// revision expected was decided. A report moves none of these, so a lamp that reports keeps its tag. A guarded wish is
// good if none of the properties that it names was decided about later (rule 4): what happened to others does not
// concern it.

// hiddenFor bounds how long a read waits for the disk so that its tag covers what was decided a moment ago. Afterwards
// the tag covers less, and a guard with it is refused where it need not be; never the other way round.
const hiddenFor = 250 * time.Millisecond

// etag gives the tag of a view.
func etag(v *twin.View) string {
	rev := uint64(0)
	for i := range v.Props {
		rev = max(rev, v.Props[i].Rev)
	}
	return `"` + tagBase(v) + "-" + strconv.FormatUint(rev, 10) + `"`
}

func tagBase(v *twin.View) string {
	sum := sha256.Sum256([]byte(v.Store + "\x00" + v.Device.UID))
	return hex.EncodeToString(sum[:8])
}

// settled gives a view in which no rev of these properties (nil: no rev at all) is hidden, if the disk is not too slow for
// that.
func settled(ctx context.Context, s Service, name twin.Name, names map[string]twin.Value, limit time.Duration) (twin.View, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		v, err := s.Device(ctx, name)
		if err != nil || !v.Hides(names) || s.Durable(ctx) != nil {
			return v, err
		}
		// What was hidden is on disk now, but more may have been decided since.
	}
}

// guard makes of If-Match what the store checks: for each property of the wish, the rev that it has now, provided that
// the tag covers it. ErrPrecondition if it does not.
func guard(header string, v *twin.View, names map[string]twin.Value) (map[string]uint64, error) {
	seen, some, err := seenRev(header, tagBase(v))
	if err != nil {
		return nil, err
	}
	if !some {
		return nil, fmt.Errorf("%w: the tag is of another creation of device %s", twin.ErrPrecondition, v.Device.Name)
	}
	out := make(map[string]uint64, len(names))
	for name := range names {
		p := v.Prop(name)
		if p == nil {
			continue // the wish is refused for that
		}
		if p.Rev > seen || p.Rev == 0 && p.Origin != "" {
			return nil, fmt.Errorf("%w: property %s is now %s, by %s", twin.ErrPrecondition, name, p.Expected, p.Origin)
		}
		out[name] = p.Rev
	}
	return out, nil
}

// seenRev gives the highest rev of the tags in If-Match that belong to base. Weak tags match nothing (RFC 9110, 13.1.1).
func seenRev(header, base string) (rev uint64, some bool, err error) {
	for _, tag := range strings.Split(header, ",") {
		tag = strings.TrimSpace(tag)
		if strings.HasPrefix(tag, "W/") {
			continue
		}
		inner, ok := strings.CutPrefix(tag, `"`)
		inner, closed := strings.CutSuffix(inner, `"`)
		if !ok || !closed || len(tag) < 2 {
			return 0, false, &twin.FieldError{Field: "If-Match", Value: clip(header), Want: `an ETag as it was read, with its quotes, or *`}
		}
		text, mine := strings.CutPrefix(inner, base+"-")
		if !mine {
			continue
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			rev, some = max(rev, n), true
		}
	}
	return rev, some, nil
}
