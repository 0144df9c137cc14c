package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Line is a GPIO line on which a property of a device hangs.
type Line struct {
	Device, Property string
	Driver           string // gpio or rpio
	Where            string // chip and line, as "line 17 of pinctrl-bcm2835 (gpiochip0)"
	Consumer         string // who holds it by the kernel; "" if nobody does
	Ours             bool   // it is held by the mapper of this device
	Err              error  // why the line cannot be looked at, or does not exist
}

// maxLines bounds the lines that are listed one by one.
const maxLines = 64

// CheckGPIO tells whether the lines of this node's devices are there, and whose they are. lines lists them without
// touching any. mapper reports that the mapper runs in the node's process.
func CheckGPIO(n *Node, lines func(ctx context.Context) ([]Line, error), mapper bool) Check {
	return Check{Name: "gpio", Look: func(ctx context.Context) Finding {
		_, running := n.Health(ctx)
		list, err := lines(ctx)
		var f Finding
		switch {
		case errors.Is(err, fs.ErrPermission):
			f.see(Skipped, "this user may not see which lines there are: "+err.Error(), "run this as the user of the node, or as root")
		case err != nil:
			f.see(Skipped, "not all devices could be looked at: "+err.Error())
		case len(list) == 0:
			return found(OK, "no lines configured")
		}
		for i := range list {
			if i == maxLines {
				f.see(Skipped, fmt.Sprintf("%d further lines", len(list)-i))
				break
			}
			judgeLine(&f, &list[i], running == nil && mapper)
		}
		return f
	}}
}

// judgeLine judges one line. held: a mapper of ours runs that should hold it.
func judgeLine(f *Finding, l *Line, held bool) {
	text := l.Device
	if l.Property != "" {
		text += " " + l.Property
	}
	text += ": "
	if l.Where != "" {
		text += l.Where + " "
	}
	switch {
	case errors.Is(l.Err, fs.ErrPermission):
		f.see(Fail, text+l.Err.Error(), "let the user of the node into the group of the chip, and start the node again: usermod -aG gpio USER")
	case l.Err != nil:
		f.see(Fail, text+l.Err.Error(), "correct the device's manifest: chip and line; gpioinfo lists what there is")
	case l.Ours:
		f.see(OK, text+"is held by its mapper")
	case l.Consumer != "":
		f.see(Fail, text+"is in use by "+l.Consumer,
			"stop that program, or give the device another line; on a Raspberry Pi an overlay in config.txt may have it")
	case held && l.Driver == "gpio":
		f.see(Warn, text+"is free, though the node runs: its mapper has not opened the device",
			"the node's log says why; a device is tried again with growing pauses")
	default:
		f.see(OK, text+"is free")
	}
}
