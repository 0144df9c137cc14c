//go:build linux

package rpio

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/warthog618/go-gpiocdev"
)

// kernel asks the GPIO character device who uses a line. chip is nil where the kernel has none to ask.
type kernel struct{ chip *gpiocdev.Chip }

// askKernel opens the SoC's chip for questions; nothing is requested of it.
func askKernel() (*kernel, error) {
	for _, name := range gpiocdev.Chips() {
		c, err := gpiocdev.NewChip(name)
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("ask the kernel who uses its lines: /dev/%s: %w; the user must be in the device's group, gpio on most systems", name, err)
		}
		if err != nil {
			continue
		}
		if c.Label == "pinctrl-bcm2835" || c.Label == "pinctrl-bcm2711" {
			return &kernel{c}, nil
		}
		c.Close()
	}
	return &kernel{}, nil
}

// user gives the consumer of a line.
func (k *kernel) user(n int) (who string, used bool, err error) {
	if k.chip == nil {
		return "", false, nil
	}
	info, err := k.chip.LineInfo(n)
	return info.Consumer, info.Used, err
}

func (k *kernel) close() error {
	if k.chip == nil {
		return nil
	}
	return k.chip.Close()
}
