package deviceapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

// Service is what the operations need of the side that serves them. Errors that have a status of their own:
// twin.ErrNotFound, twin.ErrWishUnknown, twin.ErrPrecondition, twin.ErrNotOwner, twin.ErrDisk, *twin.RefusedError,
// *twin.FieldError, [ErrConflict], [ErrInvalid].
type Service interface {
	// Devices lists all devices, sorted.
	Devices(ctx context.Context) ([]twin.Name, error)
	// Device gives a device and its twin.
	Device(ctx context.Context, name twin.Name) (twin.View, error)
	// Durable returns when all that was decided is on disk.
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
	// Models lists the models that this side defines, sorted.
	Models(ctx context.Context) ([]twin.DeviceModel, error)
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
	// Health tells how the server is, to whom ctx says.
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

// Options are what [New] may be told beside the service. The zero value serves everybody.
type Options struct {
	Version string
	// Title and About head the description; "" is what an edge says.
	Title, About string
	// Metrics answers GET /metrics; nil: there is none.
	Metrics http.Handler
	// Routes adds operations of the side's own, and may complete the description, after all others.
	Routes func(huma.API)
	// Admit is asked before anything is read of a request, with the pattern of its route as http.ServeMux has it; "" if
	// there is none. It gives the request to go on with; false: it has answered already.
	Admit func(w http.ResponseWriter, r *http.Request, pattern string) (*http.Request, bool)
	// Batch is told of a wish for many devices before they are asked. The context goes into each Ask; ended is told when
	// all are asked, and its error, if there is one, is the answer.
	Batch func(ctx context.Context, b *Batch, names []twin.Name) (each context.Context, ended func() error)
	// Streams bounds the event streams; see [Streams].
	Streams Streams
}

// Streams bounds event streams and says who may go on reading.
type Streams struct {
	Most int                          // open at once; 0: MaxStreams
	Each int                          // open at once of one reader; 0: no bound of its own
	Who  func(context.Context) string // names the reader; nil: all are one
	// Still is asked every second whether the reader may still read; nil: always.
	Still func(context.Context) bool
}
