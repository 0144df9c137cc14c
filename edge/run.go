package edge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"twinbridge/edge/devicetwin"
	"twinbridge/edge/local"
	"twinbridge/internal/manifest"
	"twinbridge/internal/stage"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// lockWait is how long an edge that is being replaced may take to close its store.
const lockWait = time.Second

// Run is an edge node from its start until ctx ends.
//
// It opens everything first, in an order in which the likely mistakes (a second edge, a port that is taken) show before
// anything moves: the store, the twins, the broker, the socket, HomeKit, the page. Then all rooms run. They end in the
// other order: the mapper while there still is a broker, who asks while there still is a store.
func Run(ctx context.Context, o Options) (err error) {
	file, err := openStore(&o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	holder, err := devicetwin.Open(file, devicetwin.Config{Node: o.Config.Node.Name, Version: o.Version, Log: o.Log, Deadline: kindDeadline})
	if err != nil {
		return err
	}
	devices, err := o.devicesFolder()
	if err != nil {
		return err
	}
	defs := newDefinitions(holder.Store, manifest.NewObserved(observedNotes{file}), o.Log)

	bus, err := o.openBus(holder.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bus.close()) }()
	hub, err := newLink(&o, file, holder.Store)
	if err != nil {
		return err
	}
	hands, err := openHands(&o, holder.Store, file, defs.loaded)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hands.close()) }()
	numbers, err := newMetrics(&o, holder.Store, file, bus, hub, hands)
	if err != nil {
		return err
	}
	here := local.Config{
		Socket: Socket(o.Data), Version: o.Version, Started: o.Started, Hub: hub.state,
		Trouble: func() error { return errors.Join(bus.health(), hands.health()) },
	}
	if h := hands.homekitOf(); h != nil {
		here.HomeKit = h
	}
	socket := local.New(here, holder.Store, defs, numbers.Handler(o.Log), o.Log)
	if err := socket.Listen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, socket.Close()) }()
	if err := hands.listen(&o); err != nil { // whoever finds the bridge finds the socket too
		return err
	}
	page := local.NewPage(o.Config.Local.Listen, socket.Handler(), o.Log)
	if err := page.Listen(); err != nil {
		return o.listenError("local.listen", err)
	}
	defer func() { err = errors.Join(err, page.Close()) }()
	readers, err := listenMetrics(&o, numbers.Handler(o.Log), socket.Handler())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, readers.close()) }()
	shown := newShow(o.Out)
	mover, err := newMapper(o.mapperConfig(bus.addr), shown.changed, o.Log)
	if err != nil {
		return err
	}

	failed := make(chan error, 1)
	twins, rims, movers := stage.New(ctx, failed), stage.New(ctx, failed), stage.New(ctx, failed)
	defer func() {
		movers.End()
		rims.End()
		twins.End()
	}()
	twins.Run("store", holder.Run)
	rims.Run("lamps", shown.run)
	rims.Run("broker", bus.run)
	rims.Run("socket", socket.Run)
	rims.Run("page", page.Run)
	rims.Run("hub", hub.run)
	rims.Run("metrics", readers.run)
	rims.Run("homekit", hands.run)
	rims.Run("device folder", manifest.NewWatcher(devices, o.Log, func(set manifest.Set, broken map[string]error) {
		defs.folder(ctx, set, broken)
	}).Run)
	if o.Config.Mapper.Enabled {
		movers.Run("mapper", mover.Run)
	}

	select {
	case <-defs.loaded:
		o.banner(holder.Store, addresses{bus.addr, page.Addr(), page.Code(), readers.addr()}, hands, devices)
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// openStore opens edge.db.
func openStore(o *Options) (*store.Store, error) {
	path := filepath.Join(o.Data, storeName)
	file, err := store.Open(path, store.Options{LockWait: lockWait, Log: o.Log})
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another edge runs on data folder %s: %w; stop it, or name another folder with --data", o.Data, err)
	case errors.Is(err, store.ErrDamaged):
		return nil, fmt.Errorf("%w; nothing in it was changed: put a backup in its place, or move it away to begin anew", err)
	case err != nil:
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return file, nil
}

// devicesFolder gives the folder of manifests, with a lamp in it if one was asked for and there was no folder yet.
func (o *Options) devicesFolder() (string, error) {
	dir, own := o.devicesPath()
	_, err := os.Lstat(dir)
	first := errors.Is(err, fs.ErrNotExist)
	if own {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("make device folder: %w", err)
		}
	}
	if o.Demo && first {
		return dir, writeDemo(dir)
	}
	return dir, nil
}

// devicesPath is where the folder of manifests is; own: in the data folder, where this program makes it.
func (o *Options) devicesPath() (dir string, own bool) {
	dir = o.Config.Devices.Folder
	switch {
	case dir == "":
		return filepath.Join(o.Data, devicesName), true
	case !filepath.IsAbs(dir):
		return filepath.Join(o.Data, dir), false
	}
	return dir, false
}

// listenError names the key of an address that cannot be listened on.
func (o *Options) listenError(key string, err error) error {
	if f, ok := asField(err); ok {
		return &twin.FieldError{Field: key, Value: f.Value, Want: f.Want}
	}
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "; another program has it: stop that, or set " + key + " in " + o.File
	}
	return fmt.Errorf("%s: %w%s", key, err, hint)
}

// mapperConfig is that of the mapper in this process: unless told otherwise it speaks to the broker here.
func (o *Options) mapperConfig(addr string) MapperConfig {
	c := o.Config.ForMapper()
	if o.Config.MQTT.Broker == "" {
		c.Broker = o.Config.MQTT.scheme() + reachable(addr)
	}
	return c
}

// asField finds the field at fault.
func asField(err error) (*twin.FieldError, bool) {
	var f *twin.FieldError
	ok := errors.As(err, &f)
	return f, ok
}
