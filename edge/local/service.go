package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/login"
	"twinbridge/twin"
)

// Definitions are the manifests of the edge, which another room reads.
type Definitions interface {
	// Apply makes models and devices as a manifest says, all or none.
	Apply(ctx context.Context, manifest []byte) (deviceapi.Applied, error)
	// Manifest gives a device and its model as a manifest that Apply takes.
	Manifest(name twin.Name) ([]byte, error)
	// Profile gives deviceProfile.json of these devices; none named: of all.
	Profile(names []twin.Name) ([]byte, error)
	// Source names the file that defines a device of the devices folder; "" if none does.
	Source(name twin.Name) string
}

// durableTime bounds how long a changed definition waits for the disk.
const durableTime = 10 * time.Second

// service is the store in the words of deviceapi.
type service struct {
	cfg   Config
	store *twin.Store
	defs  Definitions
}

var _ deviceapi.Service = (*service)(nil)

func (s *service) Devices(context.Context) ([]twin.Name, error) { return s.store.Devices(), nil }
func (s *service) Watch() deviceapi.Watch                       { return s.store.WatchRevs() }

func (s *service) Device(_ context.Context, name twin.Name) (twin.View, error) {
	return s.store.Device(name)
}

// Durable waits for everything decided up to now.
func (s *service) Durable(ctx context.Context) error {
	return s.store.WaitDurable(ctx, s.store.DecidedRev())
}

// Who asks for what is wished: somebody at the page, or who may open the socket.
const (
	askerPage  = "page"
	askerLocal = "local"
)

func (s *service) Ask(ctx context.Context, name twin.Name, w twin.Wish) (twin.WishView, error) {
	w.ID, w.Origin, w.Asker = s.store.NewID(), twin.FromLocal, askerLocal
	if _, ok := login.From(ctx); ok {
		w.Asker = askerPage
	}
	return s.store.Ask(name, w)
}

func (s *service) Await(ctx context.Context, name twin.Name, id string) (twin.WishView, error) {
	return s.store.WaitOutcome(ctx, name, id)
}

func (s *service) Wish(_ context.Context, id string) (twin.WishView, error) {
	return s.store.FindWish(id)
}

// Delete refuses to delete what a file in the devices folder defines: at the next start it would be back.
func (s *service) Delete(ctx context.Context, name twin.Name) error {
	if file := s.defs.Source(name); file != "" {
		return fmt.Errorf("delete device %s: %w: %s defines it; take it out there first", name, deviceapi.ErrConflict, file)
	}
	if err := s.store.Delete(name); err != nil {
		return err
	}
	return s.kept(ctx)
}

func (s *service) Models(context.Context) ([]twin.DeviceModel, error) { return s.store.Models(), nil }

func (s *service) Model(_ context.Context, name twin.Name) (twin.DeviceModel, error) {
	m, err := s.store.Model(name)
	if errors.Is(err, twin.ErrNotFound) {
		return m, fmt.Errorf("model %s: %w", name, errNoModel)
	}
	return m, err
}

// errNoModel is ErrNotFound in other words.
var errNoModel error = noModel{}

type noModel struct{}

func (noModel) Error() string        { return "no such model" }
func (noModel) Is(target error) bool { return target == twin.ErrNotFound }

func (s *service) PutModel(ctx context.Context, m twin.DeviceModel) error {
	if err := s.store.Apply([]twin.DeviceModel{m}, nil); err != nil {
		return err
	}
	return s.kept(ctx)
}

func (s *service) Apply(ctx context.Context, manifest []byte) (deviceapi.Applied, error) {
	done, err := s.defs.Apply(ctx, manifest)
	if err != nil {
		return deviceapi.Applied{}, err
	}
	return done, s.kept(ctx)
}

func (s *service) Manifest(_ context.Context, name twin.Name) ([]byte, error) {
	return s.defs.Manifest(name)
}

func (s *service) Profile(_ context.Context, names []twin.Name) ([]byte, error) {
	return s.defs.Profile(names)
}

// kept waits until a definition is on disk. If the disk does not take it, it holds all the same until the edge ends.
func (s *service) kept(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, durableTime)
	defer cancel()
	if err := s.Durable(ctx); err != nil {
		return fmt.Errorf("it holds, but is not on disk and goes with the next restart: %w", errors.Join(twin.ErrDisk, s.store.DiskError()))
	}
	return nil
}

func (s *service) Health(context.Context) deviceapi.Health {
	st := s.store.Stats()
	h := deviceapi.Health{
		Status: "ok", Version: s.cfg.Version, Node: s.store.NodeName(), Uptime: time.Since(s.cfg.Started).Round(time.Second).String(),
		Devices: &st.Devices, Online: &st.Online, Pending: &st.Pending,
	}
	if s.cfg.Hub != nil {
		h.Hub = s.cfg.Hub()
	}
	var troubles []string
	if err := s.store.DiskError(); err != nil {
		troubles = append(troubles, "node: disk: "+err.Error())
	}
	if s.cfg.Trouble != nil {
		if err := s.cfg.Trouble(); err != nil {
			troubles = append(troubles, err.Error())
		}
	}
	if len(troubles) > 0 {
		h.Status, h.Trouble = "degraded", strings.Join(troubles, "; ")
	}
	return h
}
