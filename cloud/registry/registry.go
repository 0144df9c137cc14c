// Package registry is the hub's holder of twins: what the cloud knows of devices, models and nodes, and the wishes that
// it proposes to them.
//
// A [Registry] views; the nodes decide (rule 1). Its readers (the REST API, the dashboard) read what it shows, watch what
// changes, and hand in wishes and definitions. The devicecontroller keeps it in step with the sessions of the nodes by
// the steps of [Sessions]. Where the records lie is an implementation's business: embedded keeps them in a file of its
// own.
package registry

import (
	"context"

	"twinbridge/twin"
)

// Registry is what the rims of the hub are handed. What changes something returns when it is on disk, or with
// twin.ErrDisk. Errors besides: twin.ErrNotFound, twin.ErrWishUnknown, twin.ErrPrecondition, twin.ErrNotOwner,
// *twin.RefusedError, *twin.FieldError.
type Registry interface {
	Sessions

	// StoreID is the identity of the hub's store.
	StoreID() string
	// NewID makes a random id.
	NewID() string
	// DiskError is why the last commit failed; nil if it succeeded.
	DiskError() error

	// Stats counts what the hub holds.
	Stats() twin.HubStats
	// Devices lists the devices, sorted.
	Devices() []twin.Name
	// Device gives a device and its twin.
	Device(n twin.Name) (twin.View, error)
	// Watch begins to watch all devices.
	Watch() *twin.Watch

	// Durable returns when all that has happened is on disk.
	Durable(ctx context.Context) error
	// Ask hands in a wish of the cloud.
	Ask(ctx context.Context, n twin.Name, w twin.Wish) (twin.WishView, error)
	// Wish gives a wish by id.
	Wish(id string) (twin.WishView, error)
	// WaitOutcome waits until a wish has ended or is in trouble. When ctx ends first it gives the wish as it is, and
	// ctx's error.
	WaitOutcome(ctx context.Context, n twin.Name, id string) (twin.WishView, error)

	// Apply takes models and devices that the cloud defines, all or none.
	Apply(ctx context.Context, models []twin.DeviceModel, devices []twin.Device) error
	// Delete removes a device that the cloud defines.
	Delete(ctx context.Context, n twin.Name) error
	// Move gives a device to another node; forced: though the old one has not acknowledged it.
	Move(ctx context.Context, n twin.Name, to string, force bool) error
	// Models lists the models that the cloud defines.
	Models() []twin.DeviceModel
	// Model gives a model of the cloud's.
	Model(n twin.Name) (twin.DeviceModel, error)
	// ModelOf gives the model that a device was resolved with, whoever defined it; false if it has none.
	ModelOf(n twin.Name) (twin.DeviceModel, bool)

	// Nodes lists the nodes that were ever there, or that a device was defined for.
	Nodes() []twin.NodeView
	// Node gives one node.
	Node(name string) (twin.NodeView, bool)
	// WatchNodes gives a channel that has a token after anything about a node changed; stop ends that.
	WatchNodes() (c <-chan struct{}, stop func())
	// RemoveNode forgets a node that no device of the cloud's hangs on.
	RemoveNode(ctx context.Context, name string) error
}

// Sessions are the steps by which the registry is kept in step with the nodes; see the methods of [twin.Hub]. A session
// that is not the node's present one is told nothing, and nobody listens to it.
type Sessions interface {
	// TalkC has a token when TakeTalk has something to give: nodes to which something may have to be told.
	TalkC() <-chan struct{}
	TakeTalk() []string

	Connect(node string) (session string)
	Disconnect(node, session string)
	Current(node, session string) bool
	Hello(node, session string) (twin.HubHello, bool)
	NodeHello(node, session string, h twin.NodeHello) (again string)
	Learn(node, session string, d twin.Decisions)
	Observe(node, session string, o twin.Observations)
	DefinitionRefused(node, session string, r twin.Refusal)
	Ack(node, session string) (rev uint64, ok bool)
	Definitions(node, session string, most int) []twin.Definition
	Refusals(node, session string) []twin.Refusal
	Offers(node, session string, most int) []twin.CloudWish
}
