package deviceapi

import (
	"context"
	"errors"
	"net/http"

	"twinbridge/twin"
)

// Service is what the operations need of the side that serves them. Errors that have a status of their own:
// twin.ErrNotFound, twin.ErrWishUnknown, twin.ErrPrecondition, twin.ErrNotOwner, twin.ErrDisk, *twin.RefusedError,
// *twin.FieldError, [ErrConflict], [ErrInvalid].
type Service interface {
	// StoreID tells under which store revs count.
	StoreID() string
	// Devices lists all devices, sorted.
	Devices(ctx context.Context) ([]twin.Name, error)
	// Device gives a device and its twin.
	Device(ctx context.Context, name twin.Name) (twin.View, error)
	// Durable waits until everything decided so far is on disk.
	Durable(ctx context.Context) error
	// Ask hands in a wish. The service gives it its id, its asker and its origin.
	Ask(ctx context.Context, name twin.Name, w twin.Wish) (twin.WishView, error)
	// Await waits until a wish has ended or is in trouble. When ctx ends first it gives the wish as it is, and ctx's
	// error.
	Await(ctx context.Context, name twin.Name, id string) (twin.WishView, error)
	// Wish gives a wish by its id.
	Wish(ctx context.Context, id string) (twin.WishView, error)
	// Delete removes a device for good. It returns when that is on disk.
	Delete(ctx context.Context, name twin.Name) error
	// Model gives a model.
	Model(ctx context.Context, name twin.Name) (twin.DeviceModel, error)
	// PutModel defines a model. It returns when that is on disk.
	PutModel(ctx context.Context, m twin.DeviceModel) error
	// Apply makes models and devices as a manifest says, all or none. It returns when that is on disk.
	Apply(ctx context.Context, manifest []byte) (Applied, error)
	// Manifest gives a device and its model as a manifest that Apply takes.
	Manifest(ctx context.Context, name twin.Name) ([]byte, error)
	// Profile gives deviceProfile.json of these devices; none named: of all.
	Profile(ctx context.Context, names []twin.Name) ([]byte, error)
	// Watch begins to watch all devices; each counts as changed at first.
	Watch() Watch
	// Health tells how the server is.
	Health(ctx context.Context) Health
}

// Watch tells which devices changed, never how; *twin.Watch is one.
type Watch interface {
	// C has a token when something changed since the last Take.
	C() <-chan struct{}
	// Take gives the devices that changed since the last Take, deleted ones too.
	Take() []twin.Name
	Close()
}

// Errors for what no other error of a service says.
var (
	// ErrConflict is wrapped by errors of a request that cannot be carried out as things are; the text says what to do.
	ErrConflict = errors.New("not as things are")
	// ErrInvalid is wrapped by errors of a body that was read and cannot be taken.
	ErrInvalid = errors.New("it cannot be taken")
)

// Options are what [New] may be told beside the service.
type Options struct {
	Version string
	// Metrics answers GET /metrics; nil: there is none.
	Metrics http.Handler
}
