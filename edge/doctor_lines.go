package edge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"twinbridge/edge/doctor"
	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/gpio"
	"twinbridge/edge/mapper/driver/line"
	"twinbridge/edge/mapper/driver/rpio"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

// maxLooked bounds the devices whose lines are looked at.
const maxLooked = 200

// gpio looks at the lines of the node's devices.
func (d *patient) gpio() doctor.Check {
	if !d.o.Config.Mapper.Enabled {
		return doctor.Check{Name: "gpio", Look: func(context.Context) doctor.Finding {
			return doctor.Finding{Status: doctor.Skipped, Seen: []string{"mapper.enabled is false: the mapper has its lines in another process, perhaps on another machine"}}
		}}
	}
	return doctor.CheckGPIO(d.node, d.lines, true)
}

// lines lists the lines of all devices with a driver for lines. Devices that could not be looked at are in the error.
func (d *patient) lines(ctx context.Context) ([]doctor.Line, error) {
	set, err := d.definitions(ctx)
	models := make(map[twin.Name]*twin.DeviceModel, len(set.Models))
	for i := range set.Models {
		models[set.Models[i].Name] = &set.Models[i]
	}
	var list []doctor.Line
	errs := []error{err}
	looked := 0
	for i := range set.Devices {
		dev := &set.Devices[i].Device
		r, err := dev.Resolve(models[dev.Model])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		look, ok := map[string]func(mapper.Spec) ([]line.State, error){"gpio": gpio.Look, "rpio": rpio.Look}[r.Driver.Protocol]
		if !ok || dev.Node != "" && dev.Node != d.o.Config.Node.Name {
			continue
		}
		if looked++; looked > maxLooked {
			errs = append(errs, fmt.Errorf("more than %d devices on lines", maxLooked))
			break
		}
		list = append(list, linesOf(r, look)...)
	}
	return list, errors.Join(errs...)
}

// linesOf looks at the lines of one device.
func linesOf(r *twin.Resolved, look func(mapper.Spec) ([]line.State, error)) []doctor.Line {
	states, err := look(mapper.Spec{Name: r.Name, Config: r.Driver.Config, Props: r.Props})
	if err != nil {
		return []doctor.Line{{Device: r.Name.String(), Driver: r.Driver.Protocol, Err: err}}
	}
	list := make([]doctor.Line, len(states))
	for i, s := range states {
		list[i] = doctor.Line{
			Device: r.Name.String(), Property: s.Property, Driver: r.Driver.Protocol, Where: s.Where, Consumer: s.Consumer, Ours: s.Ours, Err: s.Err,
		}
	}
	return list
}

// definitions gives the devices as the node has them, or if it does not run, as its folder defines them.
func (d *patient) definitions(ctx context.Context) (manifest.Set, error) {
	_, err := d.node.Health(ctx)
	if err == nil {
		return d.asked(ctx)
	}
	if !errors.Is(err, doctor.ErrNotRunning) {
		return manifest.Set{}, err
	}
	dir, own := d.o.devicesPath()
	if _, err := os.Lstat(dir); own && errors.Is(err, fs.ErrNotExist) {
		return manifest.Set{}, nil // the first start makes it
	}
	set, broken := manifest.ReadFolder(dir)
	var errs []error
	for _, err := range broken {
		errs = append(errs, err)
	}
	return set, errors.Join(errs...)
}

// asked asks the node for the manifests of its devices.
func (d *patient) asked(ctx context.Context) (manifest.Set, error) {
	c := deviceapi.NewSocketClient(d.sock)
	defer c.Close()
	devices, err := c.Devices(ctx, deviceapi.Filter{})
	if err != nil {
		return manifest.Set{}, err
	}
	var all manifest.Set
	var errs []error
	for i := range devices {
		name := twin.Name{Namespace: devices[i].Namespace, Name: devices[i].Name}
		text, err := c.Manifest(ctx, name)
		if err != nil {
			if errs = append(errs, err); ctx.Err() != nil {
				break
			}
			continue
		}
		set, err := manifest.Read(name.String(), text)
		errs = append(errs, err)
		all.Models, all.Devices = append(all.Models, set.Models...), append(all.Devices, set.Devices...)
	}
	return all, errors.Join(errs...)
}
