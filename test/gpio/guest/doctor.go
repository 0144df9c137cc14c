//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/warthog618/go-gpiocdev"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/gpio"
	"twinbridge/edge/mapper/driver/line"
	"twinbridge/edge/mapper/driver/rpio"
)

// wantLook compares what a driver tells of the one line of a device without opening it.
func wantLook(look func(mapper.Spec) ([]line.State, error), s mapper.Spec, consumer string, ours bool) error {
	list, err := look(s)
	if err != nil || len(list) != 1 {
		return fmt.Errorf("look: %v, %w", list, err)
	}
	if l := list[0]; l.Err != nil || l.Consumer != consumer || l.Ours != ours || !strings.HasPrefix(l.Where, "line ") {
		return fmt.Errorf("look: got %+v; want consumer %q, ours %v", l, consumer, ours)
	}
	return nil
}

// gpioLooks: a look tells whose a line is, and moves nothing.
func gpioLooks() error {
	s := spec("", `{"line":17,"exit":"on"}`)
	return errors.Join(
		with(gpio.Driver{}, s, func(dev mapper.Device) error {
			return errors.Join(set(dev, "powerstatus", "ON"), wantLook(gpio.Look, s, "twinbridge default/lamp", true), want(17, 1))
		}),
		wantLook(gpio.Look, s, "", false),
		held(17, 1, func(*gpiocdev.Line) error {
			return errors.Join(wantLook(gpio.Look, s, "somebody else", false), wantLook(rpio.Look, spec("", `{"line":17}`), "somebody else", false), want(17, 1))
		}),
		with(rpio.New(), spec("", `{"line":22}`), func(dev mapper.Device) error {
			return errors.Join(set(dev, "powerstatus", "ON"), wantLook(rpio.Look, spec("", `{"line":22}`), "", false), want(22, 1))
		}))
}

// doctorSees: the command line tells whose the lines of a running node are.
func doctorSees() error {
	return withEdge(syscall.SIGTERM, func(*edge) error {
		if err := becomes(17, 1); err != nil { // as it was left
			return err
		}
		out, err := exec.Command(program, "doctor", "--data", data, "-o", "json").Output()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) { // this machine has no network, which fails
			return err
		}
		var said struct {
			Checks []struct {
				Name, Status string
				Seen         []string
			}
		}
		if err := json.Unmarshal(out, &said); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		for _, c := range said.Checks {
			if c.Name != "gpio" {
				continue
			}
			seen := strings.Join(c.Seen, "\n")
			for _, text := range []string{
				"default/lamp powerstatus: line 17 of pinctrl-bcm2835 (gpiochip0) is held by its mapper",
				"default/legacy powerstatus: line 22 of the SoC is free",
			} {
				if c.Status != "ok" || !strings.Contains(seen, text) {
					return fmt.Errorf("the doctor says %s, %q; want ok and %q", c.Status, seen, text)
				}
			}
			return want(17, 1)
		}
		return fmt.Errorf("the doctor says nothing of GPIO: %s", out)
	})
}
