package mapper

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"twinbridge/twin"
)

// Driver speaks to one kind of hardware. It is the one small interface that a new kind needs; everything else (MQTT,
// order, retries, read-back, reports, presence) is the mapper's.
//
// Open may be called for several devices at the same time; for one device only after its previous Device was closed.
type Driver interface {
	// Open takes hold of a device and keeps it until Close. The mapper tries again with growing pauses, but not after a
	// [Permanent] error: then it waits for another definition.
	Open(ctx context.Context, spec Spec) (Device, error)
}

// Device is one open device. Write, Read and Close are called by one goroutine; Watch runs beside them, and has returned
// before Close is called.
//
// An error is worth another try unless it is [Permanent] (this write will never work: the wish fails at once) or
// [Gone] (unplugged, switched off: the device is closed, told offline and opened again later).
type Device interface {
	// Write carries out the values of one wish together: all of them, or an error. It returns when the device has done
	// what it can; the mapper then reads back what became of it.
	Write(ctx context.Context, values map[string]twin.Value) error
	// Read gives the actual values, of every property that the device can show. The mapper keeps and passes on the map
	// but never changes it.
	Read(ctx context.Context) (map[string]twin.Value, error)
	// Watch calls changed with what the device changed by itself, as a hand on its switch does, until ctx ends (nil),
	// or until it can see no more (an error). A change must be told before a Read can show it, so that the mapper does
	// not take a hand for a failed write. A device that cannot tell returns nil at once: then only the cyclic Read
	// finds changes.
	Watch(ctx context.Context, changed func(map[string]twin.Value)) error
	// Close leaves the device in the state that its configuration asks for, and lets it go.
	Close() error
}

// Spec is what a driver is told of a device. A driver may keep it, and never changes what it points to.
type Spec struct {
	Name twin.Name
	// Config is the device-wide configuration, a JSON object of the driver's own; empty if there is none.
	Config json.RawMessage
	// Props are the properties, each with its driver's configuration in Visitor.Config.
	Props []twin.Property
	// Last holds what the mapper knows to have been expected last; properties may be missing, after a start all are.
	Last map[string]twin.Value
	Log  *slog.Logger
}

// Presser is a driver whose devices can be worked by hand from outside, as simulated ones. The mapper gives it what
// arrives on the MQTT topic "$twinbridge/{protocol}/{namespace}/{name}/press".
type Presser interface {
	// Press moves the device as a hand would. An empty payload is a push on its button; else a JSON object names
	// properties and values.
	Press(name twin.Name, payload []byte) error
}

// ErrPermanent and ErrGone are the kinds of error that [Permanent] and [Gone] make, for errors.Is.
var (
	ErrPermanent = errors.New("permanent")
	ErrGone      = errors.New("gone")
)

// Permanent marks err as one that trying again cannot cure. The text stays err's.
func Permanent(err error) error { return mark(ErrPermanent, err) }

// Gone marks err as the disappearance of the device. The text stays err's.
func Gone(err error) error { return mark(ErrGone, err) }

type fault struct{ kind, err error }

func mark(kind, err error) error {
	if err == nil {
		return nil
	}
	return &fault{kind, err}
}

func (f *fault) Error() string   { return f.err.Error() }
func (f *fault) Unwrap() []error { return []error{f.kind, f.err} }
